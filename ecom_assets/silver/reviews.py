"""Reviews, cleaned: what customers write about products and orders."""

import narwhals as nw

from ecom_assets.contract import Date, column, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.feeds import reviews as feed
from ecom_assets.table_asset import table_asset


class Reviews(feed.Reviews, partition_column="reviewed_on", max_bad_share=0.25):
    """One row per review."""

    reviewed_on: Date = column("Business day on which it was written")
    extra: str = own_columns()

    @rule
    def of_something(cls) -> nw.Expr:
        """A review names a product or an order."""
        return ~nw.col("product_id").is_null() | ~nw.col("order_id").is_null()


def transform(bronze_reviews: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_reviews.with_columns(nw.col("title", "text").str.strip_chars())


asset = table_asset(Reviews, transform, reads={"bronze_reviews": by_event_day})
