"""Sales by day and product: ordered and refunded amounts, and margin."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, column, contract, in_units, key, money, rule
from ecom_assets.expressions import measures
from ecom_assets.expressions.amounts_of_days import sold_and_refunded
from ecom_assets.expressions.money import MONEY, no_amount, total, total_count
from ecom_assets.table_asset import table_asset


class AggProductPerformance(
    measures.SalesTable, primary_key=("day", "product_id"), partition_column="day", amount="net_sales"
):
    """One row per day and product with a valid sale or a refund; “(none)” has the lines and refunds without one."""

    day: Date = key("Business day")
    product_id: str = key("Stock code; codes are case-sensitive; “(none)” without a product")
    orders: int = column("Valid orders with the product", ge=0)
    units: Decimal = in_units(measures.UNITS, ge=0)
    gross_sales: Decimal = money(measures.GROSS_SALES, ge=0)
    discounts: Decimal = money(measures.DISCOUNTS, ge=0)
    return_lines: int = measures.needs_returns(
        "Refunded lines with units or a merchandise value, on the refund day", ge=0
    )
    returned_units: Decimal = measures.needs_returns("Units refunded, on the refund day", ge=0, is_quantity=True)
    returns: Decimal = measures.needs_returns(measures.RETURNS, ge=0)
    net_sales: Decimal = measures.needs_returns(measures.NET_SALES)
    cost: Decimal = money(
        "Cost of the units to the shop, zero for cancelled orders; null if the cost of any unit is unknown",
        nullable=True,
    )
    margin: Decimal = measures.needs_returns("Net sales less cost; null if the cost is unknown", nullable=True)

    @rule
    def margin_adds_up(cls) -> nw.Expr:
        """Net sales less cost make the margin, and an unknown cost an unknown margin."""
        both_unknown = nw.col("cost").is_null() & nw.col("margin").is_null()
        return both_unknown | (nw.col("margin") == nw.col("net_sales") - nw.col("cost"))


COUNTS = ["orders", "return_lines", "unknown_costs"]
SUMS = ["units", "returned_units", "gross_sales", "discounts", "returns", "cost"]


def transform(gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    sold = (
        gold_fact_sales.filter(c("is_valid"))
        .with_columns(cost=nw.when(c("status") == "cancelled").then(no_amount()).otherwise(c("cost")))
        .with_columns(c("product_id").fill_null(measures.NO_PRODUCT))
        .group_by("ordered_on", "product_id", "order_id")
        .agg(
            *map(total, ["gross_sales", "discounts", "cost"]),
            total("quantity").alias("units"),
            c("cost").is_null().cast(nw.Int64).sum().cast(nw.Int64).alias("unknown_costs"),
        )
        .with_columns(day=c("ordered_on"), orders=nw.lit(1, nw.Int64))
        .drop("ordered_on", "order_id")
    )
    refunded = gold_fact_returns.filter(~c("is_gift_card"), (c("quantity") > 0) | (c("amount") > 0)).select(
        product_id=c("product_id").fill_null(measures.NO_PRODUCT),
        day="returned_on",
        return_lines=nw.lit(1, nw.Int64),
        returned_units="quantity",
        returns="amount",
    )
    sums = (
        nw.concat([sold, refunded], how="diagonal")
        .group_by("day", "product_id")
        .agg(*map(total_count, COUNTS), *map(total, SUMS))
    )
    return (
        sums.with_columns(net_sales=measures.net_sales(), cost=nw.when(c("unknown_costs") == 0).then(c("cost")))
        .with_columns(margin=(c("net_sales") - c("cost")).cast(MONEY))
        .select(*contract(AggProductPerformance).columns)
    )


def conserved(gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame) -> nw.LazyFrame:
    return sold_and_refunded(gold_fact_sales, gold_fact_returns).select("day", "gross_sales", "discounts", "returns")


asset = table_asset(AggProductPerformance, transform, conserved=conserved)
