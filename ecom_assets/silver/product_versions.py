"""Versions of products: what was known of a change of the catalogue, by the day on which it became known."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money
from ecom_assets.days import by_arrival_day
from ecom_assets.silver._versions import last_of_day
from ecom_assets.table_asset import table_asset


class ProductVersions(Table, primary_key=("arrived_on", "product_id", "changed_at"), partition_column="arrived_on"):
    """One row per arrival day and change of a product that arrived on it."""

    arrived_on: Date = key("Day on which the change arrived")
    product_id: str = key("Stock code; codes are case-sensitive")
    changed_at: Timestamp = key("Moment at which the change took effect")
    changed_on: Date = column("Business day on which it took effect")
    category: str = column("Category in the catalogue", nullable=True)
    cost: Decimal = money("Cost of one unit to the shop; null if it is in another currency", nullable=True)
    is_deleted: bool = column("Whether the product was deleted")


def transform(bronze_products: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    versions = last_of_day(bronze_products, key=["product_id", "changed_at"], order=[])
    return versions.with_columns(
        is_deleted=c("is_deleted").fill_null(value=False), cost=nw.when(c("currency").is_null()).then(c("cost"))
    ).select(*contract(ProductVersions).columns)


asset = table_asset(ProductVersions, transform, reads={"bronze_products": by_arrival_day})
