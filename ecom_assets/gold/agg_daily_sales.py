"""Sales by day and channel: ordered, refunded and charged amounts."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, column, contract, in_units, key, money, rule
from ecom_assets.expressions import measures
from ecom_assets.expressions.amounts_of_days import sold_and_refunded, sums_of_days
from ecom_assets.table_asset import table_asset


class AggDailySales(measures.SalesTable, primary_key=("day", "channel"), partition_column="day", amount="net_sales"):
    """One row per day and channel with a valid order, a gift card sold or a refund."""

    day: Date = key("Business day")
    channel: str = key("Sales channel")
    orders: int = column(measures.VALID_ORDERS, ge=0)
    cancelled_orders: int = column(measures.CANCELLED_ORDERS, ge=0)
    units: Decimal = in_units(measures.UNITS, ge=0)
    gross_sales: Decimal = money(measures.GROSS_SALES, ge=0)
    discounts: Decimal = money(measures.DISCOUNTS, ge=0)
    returns: Decimal = measures.needs_returns(measures.RETURNS, ge=0)
    net_sales: Decimal = measures.needs_returns(measures.NET_SALES)
    shipping: Decimal = money(measures.SHIPPING, ge=0)
    tax: Decimal = money(measures.TAX, ge=0)
    refunded_shipping: Decimal = measures.needs_returns(measures.REFUNDED_SHIPPING, ge=0)
    refunded_tax: Decimal = measures.needs_returns(measures.REFUNDED_TAX, ge=0)
    total_sales: Decimal = measures.needs_returns(measures.TOTAL_SALES)
    gift_cards_sold: Decimal = measures.needs_returns(measures.GIFT_CARDS_SOLD)

    @rule
    def total_sales_adds_up(cls) -> nw.Expr:
        """Net sales, shipping and tax, less what of these was refunded, make the total sales."""
        charged = nw.col("net_sales") + nw.col("shipping") + nw.col("tax")
        return nw.col("total_sales") == charged - nw.col("refunded_shipping") - nw.col("refunded_tax")

    @rule
    def cancelled_orders_are_orders(cls) -> nw.Expr:
        """There are no more cancelled orders than orders."""
        return nw.col("cancelled_orders") <= nw.col("orders")


def transform(gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame) -> nw.LazyFrame:
    sums = sums_of_days(gold_fact_sales, gold_fact_returns, "channel")
    return sums.select(*contract(AggDailySales).columns)


def conserved(gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame) -> nw.LazyFrame:
    return sold_and_refunded(gold_fact_sales, gold_fact_returns)


asset = table_asset(AggDailySales, transform, conserved=conserved)
