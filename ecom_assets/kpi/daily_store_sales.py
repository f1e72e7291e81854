"""Sales by day and store."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, column, contract, in_units, key, money
from ecom_assets.expressions import measures
from ecom_assets.expressions.amounts_of_days import sold_and_refunded, sums_of_days
from ecom_assets.expressions.money import ratio
from ecom_assets.table_asset import table_asset


class DailyStoreSales(measures.SalesTable, primary_key=("day", "store"), partition_column="day", amount="net_sales"):
    """One row per day and store with a valid order, a gift card sold or a refund."""

    day: Date = key("Business day")
    store: str = key("Store; unknown if not given")
    orders: int = column(measures.VALID_ORDERS, ge=0)
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


def transform(gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame) -> nw.LazyFrame:
    sales, refunds = (
        lines.with_columns(nw.col("store").fill_null(measures.UNKNOWN_STORE))
        for lines in (gold_fact_sales, gold_fact_returns)
    )
    return (
        sums_of_days(sales, refunds, "store")
        .with_columns(aov=ratio(measures.revenue(), "orders"))
        .select(*contract(DailyStoreSales).columns)
    )


def conserved(gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame) -> nw.LazyFrame:
    return sold_and_refunded(gold_fact_sales, gold_fact_returns)


asset = table_asset(DailyStoreSales, transform, conserved=conserved)
