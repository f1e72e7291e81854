"""Refund rates by order day: the share of orders and of their value that is refunded."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.days import around
from ecom_assets.expressions import measures
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import MONEY, no_amount, ratio, total, total_count
from ecom_assets.table_asset import table_asset

REFUND_DAYS = 45
"""Thirty days to return goods, and two weeks for them to arrive and be refunded."""


class DailyRefundRates(Table, primary_key=("day", "channel"), partition_column="day"):
    """One row per order day and channel with a valid order, with the merchandise refunded within 45 days.

    Refunds that name no order are not counted. A day is provisional until the 45 days are over.
    """

    day: Date = key("Business day on which the orders were placed")
    channel: str = key("Sales channel")
    orders: int = column(measures.VALID_ORDERS, ge=0)
    refunded_orders: int = column("Orders with merchandise refunded within 45 days", ge=0)
    sold: Decimal = money("Gross sales less discounts of the orders")
    refunded: Decimal = money("Refunded merchandise value of the orders within 45 days", ge=0)
    refund_rate_value: float = column("Refunded value per value sold; null if nothing was sold", nullable=True)
    refund_rate_orders: float = column("Refunded orders per order; null without orders", nullable=True, ge=0, le=1)

    @rule
    def refunded_orders_are_orders(cls) -> nw.Expr:
        """There are no more refunded orders than orders."""
        return nw.col("refunded_orders") <= nw.col("orders")


def transform(gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    orders = (
        gold_fact_sales.filter(c("is_valid"))
        .group_by("order_id", "ordered_on", "channel")
        .agg(total("net_amount").alias("sold"))
    )
    in_time = days_between(c("ordered_on"), c("returned_on")).is_between(0, REFUND_DAYS)
    refunds = (
        gold_fact_returns.filter(~c("is_gift_card"))
        .select("order_id", "returned_on", "amount")
        .join(orders, on="order_id")
        .filter(in_time)
        .group_by("order_id")
        .agg(total("amount").alias("refunded"))
    )
    return (
        orders.join(refunds, on="order_id", how="left")
        .select(
            "channel",
            "sold",
            day="ordered_on",
            orders=nw.lit(1, nw.Int64),
            refunded_orders=(c("refunded") > 0).fill_null(value=False).cast(nw.Int64),
            refunded=nw.coalesce(c("refunded"), no_amount()).cast(MONEY),
        )
        .group_by("day", "channel")
        .agg(*map(total_count, ["orders", "refunded_orders"]), *map(total, ["sold", "refunded"]))
        .with_columns(
            refund_rate_value=ratio("refunded", "sold"), refund_rate_orders=ratio("refunded_orders", "orders")
        )
        .select(*contract(DailyRefundRates).columns)
    )


asset = table_asset(DailyRefundRates, transform, reads={"gold_fact_returns": around(0, REFUND_DAYS)})
