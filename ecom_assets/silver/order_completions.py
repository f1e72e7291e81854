"""Completions of orders by day: on which days visitors' events complete which orders."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key
from ecom_assets.silver._visits import IN_ORDER, PURCHASE, VISITOR, by_people
from ecom_assets.table_asset import table_asset


class OrderCompletions(Table, primary_key=("order_id", "occurred_on"), partition_column="occurred_on"):
    """One row per order and day on which an event of a person completes it.

    A shop's server may report an order too, in an event without a device: one with a device comes first.
    """

    order_id: str = key("Order number in the event")
    occurred_on: Date = key("Business day")
    event_id: str = column("First event of the day that completes it and has a device, or else the first")
    completed_at: Timestamp = column("When that event happened")
    cart_id: str = column("Cart that it names, or else an event of the day without a device", nullable=True)


def transform(silver_events: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    has_no_device = c(VISITOR).is_null()
    in_order = ["has_no_device", *IN_ORDER]
    named_without_device = nw.when(has_no_device).then(c("cart_id"))
    return (
        by_people(silver_events)
        .filter(c("event") == PURCHASE, ~c("order_id").is_null())
        .with_columns(
            has_no_device=has_no_device, reported=named_without_device, is_none=named_without_device.is_null()
        )
        .group_by("order_id", "occurred_on")
        .agg(
            c("event_id", "cart_id").first(order_by=in_order),
            c("occurred_at").first(order_by=in_order).alias("completed_at"),
            c("reported").first(order_by=["is_none", *IN_ORDER]),
        )
        .with_columns(cart_id=nw.coalesce(c("cart_id"), c("reported")))
        .select(*contract(OrderCompletions).columns)
    )


asset = table_asset(OrderCompletions, transform)
