"""Products through time: a version each time something about a product changes, its price and cost included."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, own_columns
from ecom_assets.days import history
from ecom_assets.expressions.gift_cards import GIFT_CARD, is_called_gift_card
from ecom_assets.expressions.keys import key_at
from ecom_assets.expressions.versions import versions, view_of
from ecom_assets.table_asset import table_asset

ATTRIBUTES = [
    "name",
    "category",
    "category_path",
    "brand",
    "parent_id",
    "variant",
    "size",
    "price",
    "cost",
    "kind",
    "is_active",
    "extra",
]
VIEW = (
    "gold.dim_product",
    view_of("gold.dim_product_versions", "product_id", ["gold.fact_sales", "gold.fact_returns", "gold.fact_reviews"]),
)


class DimProductVersions(Table, primary_key="product_key", partition_column="effective_on"):
    """One row per product and version, stored on the day on which the version starts."""

    product_key: str = key("The product and the start of the version")
    product_id: str = column("Stock code; codes are case-sensitive")
    effective_from: Timestamp = column("Start of validity")
    effective_on: Date = column("Business day on which validity starts")
    name: str = column("Name in the shop", nullable=True)
    category: str = column("Category in the catalogue", nullable=True)
    category_path: str = column("Category below its parents, such as Shoes > Running > Trail", nullable=True)
    brand: str = column("Brand", nullable=True)
    parent_id: str = column("Product of which it is a variant", nullable=True)
    variant: str = column("What distinguishes it from other variants, such as a colour", nullable=True)
    size: str = column("Size", nullable=True)
    price: Decimal = money("List price of one unit", ge=0)
    cost: Decimal = money("Cost of one unit to the shop", nullable=True, ge=0)
    kind: str = column("What it is, if given", nullable=True)
    is_gift_card: bool = column(
        "Whether it is a gift card: by its kind, or by its category or name where none is given"
    )
    is_active: bool = column("Whether it is for sale", nullable=True)
    extra: str = own_columns()
    is_deleted: bool = column("Whether the product was deleted; the other columns are as last known")


def is_gift_card() -> nw.Expr:
    """Returns whether a product is a gift card, from its columns `kind`, `category` and `name`."""
    by_name = is_called_gift_card("category") | is_called_gift_card("name")
    return nw.when(nw.col("kind").is_null()).then(by_name).otherwise(nw.col("kind") == GIFT_CARD)


def transform(silver_products: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    changed = versions(silver_products, days, identity="product_id", attributes=ATTRIBUTES)
    return changed.with_columns(
        product_key=key_at("product_id", "changed_at"),
        effective_from="changed_at",
        effective_on="changed_on",
        is_gift_card=is_gift_card(),
    ).select(*contract(DimProductVersions).columns)


asset = table_asset(DimProductVersions, transform, reads={"silver_products": history.by("product_id")}, view=VIEW)
