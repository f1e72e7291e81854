"""Products, cleaned: a row each time a catalogue entry or a price is made or changed."""

import narwhals as nw

from ecom_assets.contract import Date, column, expectation, own_columns
from ecom_assets.days import by_event_day
from ecom_assets.feeds import products as feed
from ecom_assets.table_asset import table_asset


class Products(feed.Products, partition_column="changed_on", max_bad_share=0.5):
    """One row per product and change of its catalogue entry."""

    changed_on: Date = column("Business day on which this version took effect")
    extra: str = own_columns()

    @expectation
    def price_covers_cost(cls) -> nw.Expr:
        """A product is not listed below what it costs."""
        return nw.col("cost").is_null() | (nw.col("price") >= nw.col("cost"))


def transform(bronze_products: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_products.with_columns(
        nw.col("name", "category", "category_path", "brand", "variant", "size").str.strip_chars(),
        nw.col("kind").str.strip_chars().str.to_lowercase().str.replace_all(r"[\s-]+", "_"),
    )


asset = table_asset(Products, transform, reads={"bronze_products": by_event_day})
