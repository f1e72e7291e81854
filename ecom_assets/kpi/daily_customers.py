"""Buyers by day: new, returning and guests, and their sales."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.expressions import measures
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import MONEY, ratio, total, total_count
from ecom_assets.table_asset import table_asset


class DailyCustomers(Table, primary_key="day", partition_column="day"):
    """One row per day with a valid order.

    An order is new if it is its customer's first valid one by moment and number. Orders of guests are neither new nor
    returning.
    """

    day: Date = key("Business day")
    orders: int = column(measures.VALID_ORDERS, ge=0)
    new_orders: int = column(measures.NEW_ORDERS, ge=0)
    returning_orders: int = column("Orders of known customers that are not new", ge=0)
    guest_orders: int = column("Orders without a known customer", ge=0)
    new_sales: Decimal = money(measures.NEW_SALES)
    returning_sales: Decimal = money("Gross sales less discounts of returning orders")
    guest_sales: Decimal = money("Gross sales less discounts of guest orders")
    buyers: int = column("Known customers with a valid order on the day", ge=0)
    returning_buyers: int = column("Buyers who had a valid order on an earlier day", ge=0)
    returning_customer_rate: float = column(
        "Returning buyers per buyer; null without buyers", nullable=True, ge=0, le=1
    )
    median_days_between_orders: float = column(
        "Median over the returning buyers of the days since the day of their previous order; null without any",
        nullable=True,
        ge=1,
    )

    @rule
    def orders_add_up(cls) -> nw.Expr:
        """Each order is either new, returning or a guest's."""
        return nw.col("orders") == nw.col("new_orders") + nw.col("returning_orders") + nw.col("guest_orders")

    @rule
    def new_buyers_order_once(cls) -> nw.Expr:
        """Each buyer either has the new order of the day or returns."""
        return nw.col("buyers") == nw.col("new_orders") + nw.col("returning_buyers")


COUNTS = ["orders", "new_orders", "returning_orders", "guest_orders", "buyers", "returning_buyers"]
AMOUNTS = ["new_sales", "returning_sales", "guest_sales"]


def transform(gold_agg_customer_metrics: nw.LazyFrame, gold_fact_sales: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    known = gold_agg_customer_metrics.filter(c("orders") > 0).select(
        "day",
        "orders",
        "new_orders",
        "new_sales",
        returning_orders=c("orders") - c("new_orders"),
        returning_sales=(measures.revenue() - c("new_sales")).cast(MONEY),
        buyers=nw.lit(1, nw.Int64),
        returning_buyers=(~c("previous_order_on").is_null()).cast(nw.Int64),
        days_between_orders=days_between(c("previous_order_on"), c("day")),
    )
    order = c("is_first_line").cast(nw.Int64)
    guests = gold_fact_sales.filter(c("is_valid"), c("customer_id").is_null()).select(
        day="ordered_on", orders=order, guest_orders=order, guest_sales="net_amount"
    )
    return (
        nw.concat([known, guests], how="diagonal")
        .group_by("day")
        .agg(
            *map(total_count, COUNTS),
            *map(total, AMOUNTS),
            c("days_between_orders").median().alias("median_days_between_orders"),
        )
        .with_columns(returning_customer_rate=ratio("returning_buyers", "buyers"))
        .select(*contract(DailyCustomers).columns)
    )


def conserved(gold_agg_customer_metrics: nw.LazyFrame, gold_fact_sales: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    known = gold_agg_customer_metrics.select(
        "day", "new_sales", returning_sales=c("gross_sales") - c("discounts") - c("new_sales")
    )
    guests = gold_fact_sales.filter(c("is_valid"), c("customer_id").is_null())
    return nw.concat([known, guests.select(day="ordered_on", guest_sales="net_amount")], how="diagonal")


asset = table_asset(DailyCustomers, transform, conserved=conserved)
