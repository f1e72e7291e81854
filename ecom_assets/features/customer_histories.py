"""Histories of customers' purchases, as known at the end of each week."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.days import history
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.known import as_known, cut_offs, is_in_period_of, order_values
from ecom_assets.expressions.money import no_amount, ratio, total, total_count
from ecom_assets.table_asset import table_asset


class CustomerHistories(Table, primary_key=("cut_off", "customer_id"), partition_column="cut_off"):
    """One row per cut-off day and customer with an order then: what a model of purchases is fitted to.

    Only what had arrived by the end of the cut-off day is used: a row that comes later changes no earlier row. Orders
    cancelled by then do not count. Purchases are days with an order (Fader, Hardie 2005), and values are what the
    orders charge for their lines, without tax.
    """

    cut_off: Date = key("Day at whose end it was known: a Sunday")
    customer_id: str = key("Customer number issued by the shop, of the survivor if it was merged", personal=True)
    repeat_orders: int = column("Days with an order after the first one", ge=0)
    last_order_age: int = column("Days from the first order to the last", ge=0)
    age: int = column("Days from the first order to the cut-off", ge=0)
    mean_value: float = column("Mean value of a day with an order")
    mean_repeat_value: float = column("The same of those after the first; null without any", nullable=True)
    value: Decimal = money("Value of all orders")
    orders_in_period: int = column(
        "Days with an order in the period of four weeks up to the cut-off, or its part until then", ge=0
    )
    value_in_period: Decimal = money("Value of these orders")

    @rule
    def last_order_by_the_cut_off(cls) -> nw.Expr:
        """The last order is not after the cut-off."""
        return nw.col("last_order_age") <= nw.col("age")


ONE = ["cut_off", "customer_id"]


def order_days(orders: nw.LazyFrame, lines: nw.LazyFrame, rates: nw.LazyFrame, survivors: nw.LazyFrame) -> nw.LazyFrame:
    """Returns, per cut-off day, customer and day with an order that counts, the value of the day's orders."""
    c = nw.col
    counts = (
        ~c("is_retracted")
        & ~c("customer_id").is_null()
        & (c("status") != "cancelled")
        & (c("ordered_on") <= c("cut_off"))
    )
    return (
        order_values(orders, lines, rates)
        .filter(counts)
        .join(survivors, on=ONE, how="left")
        .with_columns(customer_id=nw.coalesce("survivor", "customer_id"))
        .group_by(*ONE, "ordered_on")
        .agg(total("value"))
    )


def transform(
    silver_order_versions: nw.LazyFrame,
    silver_order_item_versions: nw.LazyFrame,
    silver_rate_versions: nw.LazyFrame,
    features_known_survivors: nw.LazyFrame,
    days: nw.LazyFrame,
) -> nw.LazyFrame:
    c, at = nw.col, cut_offs(days)
    bought = order_days(
        as_known(silver_order_versions, at, key=["order_id"], order=["updated_at"]),
        as_known(silver_order_item_versions, at, key=["order_id", "line_number"], order=["updated_at"]),
        as_known(silver_rate_versions, at, key=["currency", "rate_on"]),
        features_known_survivors,
    )
    is_repeat = c("ordered_on") > c("first_on")
    is_in_period = is_in_period_of(c("ordered_on"), c("cut_off"))
    counted = bought.with_columns(first_on=c("ordered_on").min().over(ONE)).with_columns(
        value=nw.coalesce("value", no_amount()),
        repeat_value=nw.when(is_repeat).then(c("value")),
        period_value=nw.when(is_in_period).then(c("value")),
        purchases=nw.lit(1, nw.Int64),
        repeat_orders=is_repeat.cast(nw.Int64),
        orders_in_period=is_in_period.cast(nw.Int64),
    )
    sums = ["value", "repeat_value", "period_value"]
    return (
        counted.group_by(ONE)
        .agg(
            c("first_on").min(),
            c("ordered_on").max().alias("last_on"),
            *map(total_count, ["purchases", "repeat_orders", "orders_in_period"]),
            *map(total, sums),
        )
        .with_columns(
            last_order_age=days_between(c("first_on"), c("last_on")),
            age=days_between(c("first_on"), c("cut_off")),
            mean_value=ratio("value", "purchases"),
            mean_repeat_value=ratio("repeat_value", "repeat_orders"),
            value_in_period=nw.coalesce("period_value", no_amount()),
        )
        .select(*contract(CustomerHistories).columns)
    )


asset = table_asset(
    CustomerHistories,
    transform,
    reads={
        "silver_order_versions": history,
        "silver_order_item_versions": history,
        "silver_rate_versions": history,
    },
)
