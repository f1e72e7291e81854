"""Sales, stock and products as known at a cut-off day, and the models of demand."""

import datetime as dt
from collections.abc import Iterable, Iterator

import polars as pl

from ecom_assets.expressions.known import versions_at
from ecom_assets.feeds.inventory_movements import COUNT
from ecom_assets.models import demand
from ecom_assets.models.demand import DemandModel
from ecom_assets.models.demand_scores import FLOORS, MODEL
from ecom_assets.predictions._fits import last_fit
from ecom_assets.predictions._sold import sold_at

MODELS = [MODEL, *FLOORS]
FLOOR = "mean of weeks"
WEEK = 7
"""Days in a week."""


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
    sold = sold_at(cut_off, orders, lines).group_by("product_id", "day").agg(units=c("quantity").sum().cast(pl.Float64))
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


def known_at(
    cut_offs: Iterable[dt.date],
    orders: pl.DataFrame,
    lines: pl.DataFrame,
    movements: pl.DataFrame,
    products: pl.DataFrame,
) -> Iterator[tuple[dt.date, pl.DataFrame, pl.DataFrame]]:
    """Yields cut-off days with what `models.demand` knows of sales and of products: `sales_at` and `products_at`."""
    for cut_off in cut_offs:
        yield cut_off, sales_at(cut_off, orders, lines, movements), products_at(cut_off, products)


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
    fit = last_fit(models, day, MODEL)
    return DemandModel.from_json(fit.parameters) if fit else demand.fit(sales, products, day)
