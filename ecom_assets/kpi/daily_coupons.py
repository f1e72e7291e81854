"""Coupons by day: orders that redeemed them, what they took off, and what was sold."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import ratio, total, total_count
from ecom_assets.table_asset import table_asset

NO_COUPON = "(none)"
"""In place of a code, the orders without a coupon. No coupon has this code, since feeds take it as missing."""


class DailyCoupons(Table, primary_key=("day", "coupon"), partition_column="day", amount="revenue"):
    """One row per day and coupon with a valid order; “(none)” has the orders without one.

    All discounts of an order count for its coupon, on its lines and on the whole, since shops write a coupon as either.
    """

    day: Date = key("Business day")
    coupon: str = key("Code of the coupon, as sent; “(none)” without one")
    orders: int = column(measures.VALID_ORDERS, ge=0)
    gross_sales: Decimal = money(measures.GROSS_SALES, ge=0)
    discounts: Decimal = money(measures.DISCOUNTS, ge=0)
    revenue: Decimal = money(measures.REVENUE)
    discount_rate: float = column("Discounts per gross sales; null if these are zero", nullable=True, ge=0)
    aov: float = column(
        "Average order value: gross sales less discounts, per order; null without orders", nullable=True
    )

    @rule
    def revenue_adds_up(cls) -> nw.Expr:
        """Gross sales less discounts make the revenue."""
        return nw.col("revenue") == nw.col("gross_sales") - nw.col("discounts")


def transform(gold_fact_sales: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    return (
        gold_fact_sales.filter(c("is_valid"))
        .select(
            "gross_sales",
            "discounts",
            day="ordered_on",
            coupon=c("coupon").fill_null(NO_COUPON),
            orders=c("is_first_line").cast(nw.Int64),
        )
        .group_by("day", "coupon")
        .agg(total_count("orders"), total("gross_sales"), total("discounts"))
        .with_columns(revenue=measures.revenue())
        .with_columns(discount_rate=ratio("discounts", "gross_sales"), aov=ratio("revenue", "orders"))
        .select(*contract(DailyCoupons).columns)
    )


def conserved(gold_fact_sales: nw.LazyFrame) -> nw.LazyFrame:
    valid = gold_fact_sales.filter(nw.col("is_valid"))
    return valid.select("gross_sales", "discounts", day="ordered_on", orders=nw.col("is_first_line").cast(nw.Int64))


asset = table_asset(DailyCoupons, transform, conserved=conserved)
