"""Customers on days with a purchase or a refund: measures of the day and to date."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, column, contract, in_units, key, money, rule
from ecom_assets.days import history
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import MONEY, no_amount
from ecom_assets.table_asset import table_asset


class AggCustomerMetrics(
    measures.SalesTable, primary_key=("day", "customer_id"), partition_column="day", amount="net_sales"
):
    """One row per customer and day on which there is a valid order or a refund of theirs.

    Measures to date include the day. The state of a customer on any day is the latest row up to it.
    """

    day: Date = key("Business day")
    customer_id: str = key("Customer number issued by the shop", personal=True)
    orders: int = column(measures.VALID_ORDERS, ge=0)
    units: Decimal = in_units(measures.UNITS, ge=0)
    gross_sales: Decimal = money(measures.GROSS_SALES, ge=0)
    discounts: Decimal = money(measures.DISCOUNTS, ge=0)
    returns: Decimal = measures.needs_returns(measures.RETURNS, ge=0)
    net_sales: Decimal = measures.needs_returns(measures.NET_SALES)
    new_orders: int = column(measures.NEW_ORDERS, ge=0, le=1)
    new_sales: Decimal = money(measures.NEW_SALES)
    first_order_on: Date = column("Day of the first valid order to date", nullable=True)
    previous_order_on: Date = column("Last day before this one with a valid order", nullable=True)
    orders_to_date: int = column("Valid orders to date", ge=0)
    net_sales_to_date: Decimal = money("Net sales to date, as far as the returns of its days are known")

    @rule
    def new_on_the_first_day(cls) -> nw.Expr:
        """There is a new order on the day of the first order, and only then."""
        is_first_day = (nw.col("first_order_on") == nw.col("day")).fill_null(value=False)
        return is_first_day == (nw.col("new_orders") == 1)

    @rule
    def previous_order_before(cls) -> nw.Expr:
        """The previous order is of an earlier day."""
        return nw.col("previous_order_on").is_null() | (nw.col("previous_order_on") < nw.col("day"))

    @rule
    def orders_to_date_include_the_day(cls) -> nw.Expr:
        """The orders to date include those of the day."""
        return nw.col("orders_to_date") >= nw.col("orders")


def transform(gold_agg_customer_days: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    daily = gold_agg_customer_days.with_columns(
        net_sales=measures.known_net_sales(), order_day=nw.when(c("orders") > 0).then(c("day"))
    )
    first_order_on = c("order_day").min().over("customer_id")
    to_date = daily.with_columns(
        first_order_on=nw.when(first_order_on <= c("day")).then(first_order_on),
        latest_order_on=c("order_day").fill_null(strategy="forward").over("customer_id", order_by="day"),
        orders_to_date=c("orders").cum_sum().over("customer_id", order_by="day").cast(nw.Int64),
        net_sales_to_date=c("net_sales").cum_sum().over("customer_id", order_by="day").cast(MONEY),
    ).with_columns(previous_order_on=c("latest_order_on").shift(1).over("customer_id", order_by="day"))
    is_first_day = c("first_order_on") == c("day")
    return (
        to_date.join(days, on="day", how="semi")
        .with_columns(
            new_orders=nw.when(is_first_day).then(1).otherwise(0).cast(nw.Int64),
            new_sales=nw.when(is_first_day).then(c("first_sales")).otherwise(no_amount()),
        )
        .select(*contract(AggCustomerMetrics).columns)
    )


def conserved(gold_agg_customer_days: nw.LazyFrame) -> nw.LazyFrame:
    return gold_agg_customer_days.select("day", "gross_sales", "discounts", "returns")


asset = table_asset(
    AggCustomerMetrics, transform, reads={"gold_agg_customer_days": history.by("customer_id")}, conserved=conserved
)
