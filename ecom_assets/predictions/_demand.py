"""Sales, stock and products as known at a cut-off day, and the models of demand."""

import datetime as dt

import narwhals as nw
import polars as pl

from ecom_assets.expressions.known import as_known
from ecom_assets.models import demand
from ecom_assets.models.demand import DemandModel
from ecom_assets.models.demand_scores import FLOORS, MODEL

MODELS = [MODEL, *FLOORS]
FLOOR = "mean of weeks"
WEEK, WEEKS = 7, 4
"""Days in a week, and weeks for which demand is predicted."""
COUNT = "count"
"""The kind of a movement that moves nothing."""


def versions_at(cut_off: dt.date, versions: pl.DataFrame, *key: str, order: tuple[str, ...] = ()) -> pl.DataFrame:
    """Returns, per key, the version that counted at the end of a day."""
    at = nw.from_native(pl.LazyFrame({"cut_off": [cut_off]}))
    found: pl.DataFrame = as_known(nw.from_native(versions.lazy()), at, key=key, order=order).collect().to_native()
    return found.drop("cut_off")


def sales_at(cut_off: dt.date, orders: pl.DataFrame, lines: pl.DataFrame, movements: pl.DataFrame) -> pl.DataFrame:
    """Returns what `models.demand` knows of sales: one row per product and day with a sale or without stock.

    Columns: `product_id`, `day`, `units`, `in_stock`, which is null for a product of which no stock is known.

    Args:
        cut_off: The day at whose end it was known.
        orders: Versions of orders, as in `silver.order_versions`.
        lines: Versions of lines, as in `silver.order_item_versions`.
        movements: Versions of movements, as in `silver.movement_versions`.
    """
    c = pl.col
    valid = versions_at(cut_off, orders, "order_id", order=("updated_at",)).filter(
        ~c("is_retracted"), c("status") != "cancelled", c("ordered_on") <= cut_off
    )
    sold = (
        versions_at(cut_off, lines, "order_id", "line_number", order=("updated_at",))
        .filter(~c("is_retracted"), c("product_id").is_not_null(), c("quantity") > 0)
        .select("order_id", "product_id", "quantity")
        .join(valid.select("order_id", day="ordered_on"), on="order_id")
        .group_by("product_id", "day")
        .agg(units=c("quantity").sum().cast(pl.Float64))
    )
    empty = days_without_stock(cut_off, movements)
    known = movements.select(c("product_id").unique()).drop_nulls()
    return (
        pl.concat([sold, empty.with_columns(units=pl.lit(0.0))])
        .group_by("product_id", "day")
        .agg(c("units").sum())
        .join(empty.with_columns(is_out=True), on=["product_id", "day"], how="left")
        .join(known.with_columns(is_counted=True), on="product_id", how="left")
        .select(
            "product_id",
            "day",
            "units",
            in_stock=pl.when("is_counted").then(c("is_out").is_null() | (c("units") > 0)),
        )
        .sort("product_id", "day")
    )


def days_without_stock(cut_off: dt.date, movements: pl.DataFrame) -> pl.DataFrame:
    """Returns the days, since a product's first movement, on which it had no unit in stock, early or late."""
    c = pl.col
    moved = moved_at(cut_off, movements).group_by("product_id", "day").agg(c("units").sum())
    stock = moved.sort("product_id", "day").with_columns(stock=c("units").cum_sum().over("product_id"))
    spans = stock.with_columns(until=c("day").shift(-1).over("product_id").fill_null(cut_off + dt.timedelta(1)))
    is_out = spans.filter(c("stock") <= 0, c("day").dt.offset_by("1d") < c("until"))
    days = pl.date_ranges(c("day").dt.offset_by("1d"), c("until"), closed="left")
    return is_out.select("product_id", day=days).explode("day").select("product_id", "day")


def moved_at(cut_off: dt.date, movements: pl.DataFrame) -> pl.DataFrame:
    """Returns `product_id`, `day` and `units` of the movements that were known."""
    c = pl.col
    known = versions_at(cut_off, movements, "movement_id").filter(
        ~c("is_retracted"), c("product_id").is_not_null(), c("kind") != COUNT, c("moved_on") <= cut_off
    )
    return known.select("product_id", day="moved_on", units=c("quantity").cast(pl.Float64))


def products_at(cut_off: dt.date, products: pl.DataFrame) -> pl.DataFrame:
    """Returns `product_id`, `category`, `listed_on` and `cost` of the products that were known and not deleted."""
    c = pl.col
    changes = versions_at(cut_off, products, "product_id", "changed_at").filter(c("changed_on") <= cut_off)
    latest = changes.sort("product_id", "changed_at").group_by("product_id", maintain_order=True)
    return (
        latest.agg(c("category", "cost", "is_deleted").last(), listed_on=c("changed_on").min())
        .filter(~c("is_deleted"))
        .select("product_id", "category", "listed_on", cost=c("cost").cast(pl.Float64))
    )


def model_at(day: dt.date, models: pl.DataFrame, sales: pl.DataFrame, products: pl.DataFrame) -> DemandModel:
    """Returns the model of demand that was last fitted by a day, or one fitted to what was known on it."""
    fits = models.filter(pl.col("cut_off") <= day, pl.col("model") == MODEL).sort("cut_off")
    return DemandModel.from_json(fits["parameters"][-1]) if fits.height else demand.fit(sales, products, day)
