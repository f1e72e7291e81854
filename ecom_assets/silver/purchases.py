"""Purchases: the first completion of each order by a visitor's event."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key
from ecom_assets.days import history
from ecom_assets.table_asset import table_asset


class Purchases(Table, primary_key="order_id", partition_column="occurred_on"):
    """One row per order that an event completes, on the first day on which one does.

    Nothing is bought by a later event that completes the same order: somebody opened its confirmation page again.
    """

    order_id: str = key("Order number in the event")
    event_id: str = column("Event of the purchase")
    occurred_on: Date = column("Business day on which it happened")
    completed_at: Timestamp = column("When it happened")
    cart_id: str = column("Cart that it names, or else an event of the day without a device", nullable=True)


def transform(silver_order_completions: nw.LazyFrame) -> nw.LazyFrame:
    first_day = silver_order_completions.group_by("order_id").agg(nw.col("occurred_on").min())
    return silver_order_completions.join(first_day, on=["order_id", "occurred_on"]).select(*contract(Purchases).columns)


asset = table_asset(Purchases, transform, reads={"silver_order_completions": history.by("order_id")})
