"""Sales by day and category of the catalogue, as the products stood at the moment of the sale or refund."""

import narwhals as nw

from ecom_assets import measures
from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.days import history
from ecom_assets.money import ratio, total, total_count
from ecom_assets.table_asset import table_asset


class DailyCategorySales(Table, primary_key=("day", "category"), partition_column="day"):
    """One row per day and category with a valid sale or a refund."""

    day: Date = key("Business day")
    category: str = key("Where the product stood in the catalogue; unknown where it did not say")
    units: int = column(measures.UNITS, ge=0)
    gross_sales: Decimal = money(measures.GROSS_SALES, ge=0)
    discounts: Decimal = money(measures.DISCOUNTS, ge=0)
    returned_units: int = column("Units returned, on the refund day", ge=0)
    returns: Decimal = money(measures.RETURNS, ge=0)
    net_sales: Decimal = money(measures.NET_SALES)
    asp: float = column(measures.ASP, nullable=True)

    @rule
    def net_sales_adds_up(cls) -> nw.Expr:
        """Gross sales less discounts less returns make the net sales."""
        return nw.col("net_sales") == nw.col("gross_sales") - nw.col("discounts") - nw.col("returns")


COUNTS = ["units", "returned_units"]
AMOUNTS = ["gross_sales", "discounts", "returns"]


def transform(
    gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame, gold_dim_product_versions: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    sold = gold_fact_sales.filter(c("is_valid")).select(
        "product_key", "gross_sales", "discounts", day="ordered_on", units="quantity"
    )
    refunded = gold_fact_returns.select("product_key", day="returned_on", returned_units="quantity", returns="amount")
    categories = gold_dim_product_versions.select("product_key", "category")
    return (
        nw.concat([sold, refunded], how="diagonal")
        .join(categories, on="product_key", how="left")
        .with_columns(category=c("category").fill_null(measures.UNKNOWN_CATEGORY))
        .group_by("day", "category")
        .agg(*map(total_count, COUNTS), *map(total, AMOUNTS))
        .with_columns(net_sales=measures.net_sales(), asp=ratio(measures.revenue(), "units"))
        .select(*contract(DailyCategorySales).columns)
    )


asset = table_asset(DailyCategorySales, transform, reads={"gold_dim_product_versions": history})
