"""Reviews: ratings of products and of orders, with their authors."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key, own_columns
from ecom_assets.days import history
from ecom_assets.expressions.versions import with_version
from ecom_assets.table_asset import table_asset


class FactReviews(Table, primary_key="review_id", partition_column="reviewed_on"):
    """One row per review."""

    review_id: str = key("Number of the review")
    reviewed_on: Date = column("Business day on which it was written")
    reviewed_at: Timestamp = column("When it was written")
    product_id: str = column("Product reviewed; null for a review of the order as a whole", nullable=True)
    product_key: str = column("Version of the product at that moment, if any", nullable=True)
    customer_id: str = column("Customer who wrote it; null for guests", nullable=True, personal=True)
    customer_key: str = column("Version of the customer at that moment, if any", nullable=True, personal=True)
    order_id: str = column("Order in which it was bought, or that is reviewed, if known", nullable=True)
    rating: int = column("Stars, from 1 to 5", ge=1, le=5)
    has_text: bool = column("Whether it has a text")
    extra: str = own_columns()


def transform(
    silver_reviews: nw.LazyFrame,
    gold_dim_customer_versions: nw.LazyFrame,
    gold_dim_product_versions: nw.LazyFrame,
) -> nw.LazyFrame:
    of_products = with_version(
        silver_reviews, gold_dim_product_versions, identity="product_id", moment="reviewed_at", columns=["product_key"]
    )
    of_customers = with_version(
        of_products, gold_dim_customer_versions, identity="customer_id", moment="reviewed_at", columns=["customer_key"]
    )
    return of_customers.with_columns(has_text=~nw.col("text").is_null()).select(*contract(FactReviews).columns)


asset = table_asset(
    FactReviews,
    transform,
    reads={
        "gold_dim_customer_versions": history.by("customer_id"),
        "gold_dim_product_versions": history.by("product_id"),
    },
)
