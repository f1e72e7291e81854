"""Orders that counted as sales for a day or longer before they were voided."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import total
from ecom_assets.table_asset import table_asset


class FactVoidedOrders(Table, primary_key="order_id", partition_column="ordered_on"):
    """One row per order that became known as void or a test on a later day than its own.

    Measures of sales exclude it. Features, which hold at the end of a day, include it until `voided_on`.
    """

    order_id: str = key("Order number issued by the shop")
    ordered_on: Date = column("Business day on which the order was placed")
    voided_on: Date = column("Business day since which it is known not to be a sale: that of the order's last change")
    customer_id: str = column("Customer who placed it; null for guests", nullable=True, personal=True)
    revenue: Decimal = money("Its amount until then: gross sales less discounts")


def transform(gold_fact_sales: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    return (
        gold_fact_sales.filter(~c("is_gift_card"), c("voided_on") > c("ordered_on"))
        .with_columns(revenue=measures.revenue())
        .group_by("order_id", "ordered_on", "voided_on", "customer_id")
        .agg(total("revenue"))
        .select(*contract(FactVoidedOrders).columns)
    )


asset = table_asset(FactVoidedOrders, transform)
