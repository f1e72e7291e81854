"""ABC classes of products by their share of sales, at the end of each month."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.days import trailing
from ecom_assets.expressions import measures
from ecom_assets.expressions.dates import is_month_end, month_of
from ecom_assets.expressions.money import MONEY, ratio, total
from ecom_assets.table_asset import table_asset

LONGEST_MONTH = 31
A_SHARE, B_SHARE = 0.8, 0.95


class ProductAbc(Table, primary_key=("month_end", "product_id"), partition_column="month_end"):
    """One row per month and product with sales above zero in it. Lines without a product are left out.

    Products are ordered by sales, ties by stock code: those whose cumulative share starts within the first 80 % of all
    sales are class A, those within the next 15 % class B, the rest class C. Products of equal sales are of one class:
    that of the middle one of them, the first of two.
    """

    month_end: Date = key("Last day of the month")
    product_id: str = key("Stock code; codes are case-sensitive")
    place: int = column("Its place by sales, from 1", ge=1)
    sales: Decimal = money("Gross sales less discounts in the month", gt=0)
    share: float = column("Share of the product in the sales of these products", gt=0, le=1)
    cumulative_share: float = column("Cumulative share, up to and including the product", gt=0, le=1)
    abc_class: str = column("A, B or C", isin=["A", "B", "C"])

    @rule
    def share_within_cumulative_share(cls) -> nw.Expr:
        """A product's share is part of the cumulative one."""
        return nw.col("share") <= nw.col("cumulative_share")


def transform(gold_agg_product_performance: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    month_ends = days.filter(is_month_end(c("day"))).select(month=month_of(c("day")), month_end="day")
    sold = (
        gold_agg_product_performance.filter(c("product_id") != measures.NO_PRODUCT)
        .select("product_id", month=month_of(c("day")), sales=measures.revenue())
        .join(month_ends, on="month")
        .group_by("month_end", "product_id")
        .agg(total("sales"))
        .filter(c("sales") > 0)
        .with_columns(lowest_first=-c("sales"))
    )
    best_first = ["lowest_first", "product_id"]
    ranked = sold.with_columns(
        place=c("product_id").cum_count().over("month_end", order_by=best_first).cast(nw.Int64),
        up_to_it=c("sales").cum_sum().over("month_end", order_by=best_first).cast(MONEY),
        all_sales=c("sales").sum().over("month_end").cast(MONEY),
        tied_before=(nw.len().over("month_end", "sales").cast(nw.Int64) - 1) // 2,
    ).with_columns(before_tie=(c("up_to_it") - c("sales")).min().over("month_end", "sales"))
    begins_at = ratio(c("before_tie") + c("sales") * c("tied_before"), "all_sales")
    b_or_c = nw.when(begins_at < B_SHARE).then(nw.lit("B")).otherwise(nw.lit("C"))
    return ranked.with_columns(
        share=ratio("sales", "all_sales"),
        cumulative_share=ratio("up_to_it", "all_sales"),
        abc_class=nw.when(begins_at < A_SHARE).then(nw.lit("A")).otherwise(b_or_c),
    ).select(*contract(ProductAbc).columns)


asset = table_asset(ProductAbc, transform, reads={"gold_agg_product_performance": trailing(LONGEST_MONTH)})
