"""Sales by day and channel, with average order value and selling price."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, column, contract, in_units, key, money, rule
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import ratio
from ecom_assets.table_asset import table_asset


class DailySales(measures.SalesTable, primary_key=("day", "channel"), partition_column="day", amount="net_sales"):
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
    aov: float = column(
        "Average order value: gross sales less discounts, per order; null without orders", nullable=True
    )
    units_per_order: float = column("Units per order; null without orders", nullable=True, ge=0)
    asp: float = column(measures.ASP, nullable=True)
    cancel_rate: float = column("Cancelled orders per order; null without orders", nullable=True, ge=0, le=1)

    @rule
    def total_sales_adds_up(cls) -> nw.Expr:
        """Net sales, shipping and tax, less what of these was refunded, make the total sales."""
        charged = nw.col("net_sales") + nw.col("shipping") + nw.col("tax")
        return nw.col("total_sales") == charged - nw.col("refunded_shipping") - nw.col("refunded_tax")

    @rule
    def ratios_of_orders(cls) -> nw.Expr:
        """What is per order is there exactly when there are orders."""
        has_orders = nw.col("orders") > 0
        per_order = [nw.col("aov"), nw.col("units_per_order"), nw.col("cancel_rate")]
        return nw.all_horizontal(*(has_orders != measure.is_null() for measure in per_order), ignore_nulls=False)


def transform(gold_agg_daily_sales: nw.LazyFrame) -> nw.LazyFrame:
    return gold_agg_daily_sales.with_columns(
        aov=ratio(measures.revenue(), "orders"),
        units_per_order=ratio("units", "orders"),
        asp=ratio(measures.revenue(), "units"),
        cancel_rate=ratio("cancelled_orders", "orders"),
    ).select(*contract(DailySales).columns)


def conserved(gold_agg_daily_sales: nw.LazyFrame) -> nw.LazyFrame:
    return gold_agg_daily_sales.select("day", "net_sales", "total_sales", "gift_cards_sold")


asset = table_asset(DailySales, transform, conserved=conserved)
