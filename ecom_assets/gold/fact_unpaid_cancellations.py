"""Orders cancelled before anything was paid: void, whatever reason is given."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.days import revised
from ecom_assets.expressions import measures
from ecom_assets.expressions.dates import days_between
from ecom_assets.table_asset import table_asset

PAID = ["captured", "refunded", "charged_back"]
"""Statuses of payments of which the shop once had the money."""
DAYS_BEFORE, DAYS_AFTER = 1, 45
"""Days around that of the order on which it is paid, if at all; one clock may be behind the other at midnight."""


class FactUnpaidCancellations(Table, primary_key="order_id", partition_column="ordered_on"):
    """One row per cancelled order for which nothing was captured or refunded up to the day of its last change.

    Orders cancelled as void or test are not here: they never are sales. The same holds for a shop that sends no
    payments: none from the day before the order to 45 days after it, and no means of payment up to then.
    """

    order_id: str = key("Order number issued by the shop")
    ordered_on: Date = column("Business day on which the order was placed")
    cancelled_on: Date = column("Business day on which it last changed")


def transform(
    silver_orders: nw.LazyFrame,
    silver_payments: nw.LazyFrame,
    silver_returns: nw.LazyFrame,
    gold_dim_payment_method: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    near = days_between(c("ordered_on"), c("moved_on")).is_between(-DAYS_BEFORE, DAYS_AFTER)
    cancelled = silver_orders.filter(c("status") == "cancelled", measures.is_valid_sale()).select(
        "order_id", "ordered_on", cancelled_on="updated_on"
    )
    moved = nw.concat(
        [
            silver_payments.filter(c("status").is_in(PAID)).select("order_id", moved_on="paid_on"),
            silver_returns.filter(~c("order_id").is_null(), c("amount") > 0).select("order_id", moved_on="returned_on"),
        ]
    )
    paid = cancelled.join(moved, on="order_id").filter(near, c("moved_on") <= c("cancelled_on")).select("order_id")
    order_days = cancelled.select("ordered_on").unique()
    days_of_payments = nw.concat(
        [
            order_days.join(silver_payments.select(moved_on="paid_on").unique(), how="cross").filter(near),
            order_days.join(gold_dim_payment_method.select(moved_on="first_seen_on"), how="cross").filter(
                c("moved_on") <= c("ordered_on")
            ),
        ]
    )
    return (
        cancelled.join(days_of_payments, on="ordered_on", how="semi")
        .join(paid, on="order_id", how="anti")
        .select(*contract(FactUnpaidCancellations).columns)
    )


asset = table_asset(
    FactUnpaidCancellations,
    transform,
    reads={
        "silver_payments": revised(DAYS_BEFORE, DAYS_AFTER),
        "silver_returns": revised(DAYS_BEFORE, DAYS_AFTER),
        "gold_dim_payment_method": revised(None, 0),
    },
)
