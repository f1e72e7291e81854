"""Sales by day and product, with selling price and return rate."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, column, contract, in_units, key, money
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import ratio
from ecom_assets.table_asset import table_asset


class DailyProductSales(
    measures.SalesTable, primary_key=("day", "product_id"), partition_column="day", amount="net_sales"
):
    """One row per day and product with a valid sale or a refund; “(none)” has the lines and refunds without one."""

    day: Date = key("Business day")
    product_id: str = key("Stock code; codes are case-sensitive; “(none)” without a product")
    orders: int = column("Valid orders with the product", ge=0)
    units: Decimal = in_units(measures.UNITS, ge=0)
    gross_sales: Decimal = money(measures.GROSS_SALES, ge=0)
    discounts: Decimal = money(measures.DISCOUNTS, ge=0)
    returned_units: Decimal = measures.needs_returns("Units refunded, on the refund day", ge=0, is_quantity=True)
    returns: Decimal = measures.needs_returns(measures.RETURNS, ge=0)
    net_sales: Decimal = measures.needs_returns(measures.NET_SALES)
    asp: float = column(measures.ASP, nullable=True)


def transform(gold_agg_product_performance: nw.LazyFrame) -> nw.LazyFrame:
    return gold_agg_product_performance.with_columns(asp=ratio(measures.revenue(), "units")).select(
        *contract(DailyProductSales).columns
    )


def conserved(gold_agg_product_performance: nw.LazyFrame) -> nw.LazyFrame:
    return gold_agg_product_performance.select("day", "gross_sales", "discounts", "returns", "net_sales")


asset = table_asset(DailyProductSales, transform, conserved=conserved)
