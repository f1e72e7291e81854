"""How many units of each category are going to be sold in the next four weeks."""

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history
from ecom_assets.expressions.known import cut_off_days
from ecom_assets.models import demand
from ecom_assets.models.demand_scores import AHEAD
from ecom_assets.predictions._demand import known_at, model_at
from ecom_assets.table_asset import table_asset


class CategoryForecasts(Table, primary_key=("cut_off", "category", "week"), partition_column="cut_off"):
    """One row per Sunday, category of a product that was known then, and week after it.

    By `models.demand`, whichever model is champion: the units expected are the sum of those that it expects of the
    products. Quantiles are those of the category's own earlier errors, since quantiles of products do not add up.
    """

    cut_off: Date = key("Day at whose end it was predicted")
    category: str = key("Category in the catalogue; (none) if it has none")
    week: int = key("Week after the day, from 1", ge=1, le=AHEAD)
    starts_on: Date = column("First day of the week")
    expected_units: float = column("Units expected", ge=0)
    units_p05: float = column("Units that 95 % of weeks exceed", ge=0)
    units_p50: float = column("Units that as many weeks exceed as do not", ge=0)
    units_p90: float = column("Units that 10 % of weeks exceed", ge=0)
    units_p95: float = column("Units that 5 % of weeks exceed", ge=0)


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    silver_movement_versions: pl.DataFrame,
    silver_product_versions: pl.DataFrame,
    predictions_demand_models: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    parts = []
    known = known_at(
        cut_off_days(days),
        silver_order_versions,
        silver_order_item_versions,
        silver_movement_versions,
        silver_product_versions,
    )
    for day, sales, products in known:
        if sales.height:
            model = model_at(day, predictions_demand_models, sales, products)
            made = demand.of_categories(model, demand.outlook(model, sales, products, day), AHEAD)
            parts.append(made.with_columns(pl.col("week").cast(pl.Int64), cut_off=pl.lit(day)))
    return frame_of(CategoryForecasts, parts)


asset = table_asset(
    CategoryForecasts,
    transform,
    reads={
        "silver_order_versions": history,
        "silver_order_item_versions": history,
        "silver_movement_versions": history,
        "silver_product_versions": history,
        "predictions_demand_models": history,
    },
)
