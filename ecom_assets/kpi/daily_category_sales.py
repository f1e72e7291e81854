"""Sales by day and category: that of the product at the moment of the sale or refund, or the first that is known."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, column, contract, in_units, key, money
from ecom_assets.days import ever
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import ratio, total, total_count
from ecom_assets.table_asset import table_asset


class DailyCategorySales(
    measures.SalesTable, primary_key=("day", "category"), partition_column="day", amount="net_sales"
):
    """One row per day and category with a valid sale or a refund."""

    day: Date = key("Business day")
    category: str = key("Category of the product in the catalogue; unknown if not given, or without a product")
    orders: int = column(
        "Valid orders with a product of the category; an order with several categories counts in each", ge=0
    )
    units: Decimal = in_units(measures.UNITS, ge=0)
    gross_sales: Decimal = money(measures.GROSS_SALES, ge=0)
    discounts: Decimal = money(measures.DISCOUNTS, ge=0)
    returned_units: Decimal = measures.needs_returns("Units refunded, on the refund day", ge=0, is_quantity=True)
    returns: Decimal = measures.needs_returns(measures.RETURNS, ge=0)
    net_sales: Decimal = measures.needs_returns(measures.NET_SALES)
    asp: float = column(measures.ASP, nullable=True)


SUMS = ["units", "returned_units", "gross_sales", "discounts", "returns"]


def with_category(rows: nw.LazyFrame, products: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the rows with the category of the product's version."""
    categories = products.select("product_key", "category")
    return rows.join(categories, on="product_key", how="left").with_columns(
        nw.col("category").fill_null(measures.UNKNOWN_CATEGORY)
    )


def transform(
    gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame, gold_dim_product_versions: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    sold = (
        with_category(gold_fact_sales.filter(c("is_valid")), gold_dim_product_versions)
        .group_by("ordered_on", "category", "order_id")
        .agg(total("gross_sales"), total("discounts"), total("quantity").alias("units"))
        .with_columns(day=c("ordered_on"), orders=nw.lit(1, nw.Int64))
        .drop("ordered_on", "order_id")
    )
    refunded = with_category(
        gold_fact_returns.filter(~c("is_gift_card"), (c("quantity") > 0) | (c("amount") > 0)), gold_dim_product_versions
    ).select("category", day="returned_on", returned_units="quantity", returns="amount")
    return (
        nw.concat([sold, refunded], how="diagonal")
        .group_by("day", "category")
        .agg(total_count("orders"), *map(total, SUMS))
        .with_columns(net_sales=measures.net_sales(), asp=ratio(measures.revenue(), "units"))
        .select(*contract(DailyCategorySales).columns)
    )


def conserved(gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame) -> nw.LazyFrame:
    sold = gold_fact_sales.filter(nw.col("is_valid")).select("gross_sales", "discounts", day="ordered_on")
    refunded = gold_fact_returns.filter(~nw.col("is_gift_card")).select(day="returned_on", returns="amount")
    return nw.concat([sold, refunded], how="diagonal")


asset = table_asset(
    DailyCategorySales, transform, reads={"gold_dim_product_versions": ever.by("product_id")}, conserved=conserved
)
