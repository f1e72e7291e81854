"""Reviews by day: ratings of products, and of orders as a whole."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key, rule
from ecom_assets.expressions.money import ratio, total_count
from ecom_assets.table_asset import table_asset


class DailyReviews(Table, primary_key="day", partition_column="day"):
    """One row per day with a review.

    A review that names a product rates the product, any other its order. Compute a rating of several days from the
    sums of stars.
    """

    day: Date = key("Business day on which the reviews were written")
    reviews: int = column("Reviews", ge=0)
    product_reviews: int = column("Reviews of a product", ge=0)
    product_stars: int = column("Sum of their ratings", ge=0)
    product_rating: float = column("Mean rating of products; null without one", nullable=True, ge=1, le=5)
    order_reviews: int = column("Reviews of an order as a whole", ge=0)
    order_stars: int = column("Sum of their ratings", ge=0)
    order_rating: float = column("Mean rating of orders; null without one", nullable=True, ge=1, le=5)

    @rule
    def reviews_of_one_or_the_other(cls) -> nw.Expr:
        """Reviews of products and of orders make all reviews."""
        return nw.col("reviews") == nw.col("product_reviews") + nw.col("order_reviews")


COUNTS = ["reviews", "product_reviews", "product_stars", "order_reviews", "order_stars"]


def transform(gold_fact_reviews: nw.LazyFrame) -> nw.LazyFrame:
    is_of_order = nw.col("product_id").is_null()
    of_product, of_order = (~is_of_order).cast(nw.Int64), is_of_order.cast(nw.Int64)
    return (
        gold_fact_reviews.select(
            day="reviewed_on",
            reviews=nw.lit(1, nw.Int64),
            product_reviews=of_product,
            product_stars=of_product * nw.col("rating"),
            order_reviews=of_order,
            order_stars=of_order * nw.col("rating"),
        )
        .group_by("day")
        .agg(*map(total_count, COUNTS))
        .with_columns(
            product_rating=ratio("product_stars", "product_reviews"), order_rating=ratio("order_stars", "order_reviews")
        )
        .select(*contract(DailyReviews).columns)
    )


def conserved(gold_fact_reviews: nw.LazyFrame) -> nw.LazyFrame:
    return gold_fact_reviews.select(day="reviewed_on", reviews=nw.lit(1, nw.Int64))


asset = table_asset(DailyReviews, transform, conserved=conserved)
