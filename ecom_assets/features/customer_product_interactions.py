"""Interactions of customers with products: views, cart additions and purchases, by day."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, in_units, key
from ecom_assets.days import history
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import total, total_count
from ecom_assets.expressions.versions import with_version_of_day
from ecom_assets.table_asset import table_asset


class CustomerProductInteractions(Table, primary_key=("day", "customer_id", "product_id"), partition_column="day"):
    """One row per day, known customer and product with a view, an addition to the cart or a purchase.

    Events of a visitor before the customer is known are not counted, since the customer becomes known only later, nor
    are those of robots.
    """

    day: Date = key("Business day")
    customer_id: str = key("Customer number issued by the shop", personal=True)
    product_id: str = key("Stock code; codes are case-sensitive")
    category: str = column("Category of the product at the end of the day; unknown if it had none")
    views: int = column("Views of the product", ge=0)
    cart_additions: int = column("Cart additions of the product", ge=0)
    units_purchased: Decimal = in_units(
        "Units on the lines of orders that were valid at the end of the day, even if voided later", ge=0
    )


COUNTS = ["views", "cart_additions"]
KEY = ["day", "customer_id", "product_id"]


def transform(
    silver_events: nw.LazyFrame, gold_fact_sales: nw.LazyFrame, gold_dim_product_versions: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    is_look = c("event").is_in(["Product Viewed", "Product Added"])
    looked = silver_events.filter(is_look, ~c("is_robot")).select(
        "customer_id",
        "product_id",
        day="occurred_on",
        views=(c("event") == "Product Viewed").cast(nw.Int64),
        cart_additions=(c("event") == "Product Added").cast(nw.Int64),
    )
    bought = gold_fact_sales.filter(~c("is_gift_card"), c("is_valid") | (c("voided_on") > c("ordered_on"))).select(
        "customer_id", "product_id", day="ordered_on", units_purchased="quantity"
    )
    interactions = (
        nw.concat([looked, bought], how="diagonal")
        .filter(~c("customer_id").is_null(), ~c("product_id").is_null())
        .group_by(KEY)
        .agg(*map(total_count, COUNTS), total("units_purchased"))
    )
    categories = with_version_of_day(
        interactions.select("day", "product_id").unique(),
        gold_dim_product_versions,
        identity="product_id",
        day="day",
        columns=["category"],
    )
    return (
        interactions.join(categories, on=["day", "product_id"], how="left")
        .with_columns(c("category").fill_null(measures.UNKNOWN_CATEGORY))
        .select(*contract(CustomerProductInteractions).columns)
    )


asset = table_asset(
    CustomerProductInteractions, transform, reads={"gold_dim_product_versions": history.by("product_id")}
)
