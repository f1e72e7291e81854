"""How many units of each product are going to be sold in the next four weeks."""

import datetime as dt
import json

import numpy as np
import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history
from ecom_assets.expressions.known import cut_off_days
from ecom_assets.models import demand
from ecom_assets.models.demand_scores import AHEAD, FLOORS, MODEL, HoldOut, forecasts
from ecom_assets.predictions._demand import FLOOR, MODELS, WEEK, known_at, model_at
from ecom_assets.predictions._fits import champion_at
from ecom_assets.table_asset import table_asset


class DemandForecasts(Table, primary_key=("cut_off", "product_id", "week"), partition_column="cut_off"):
    """One row per Sunday, product that was known then, and week after it.

    Units are expected by the champion of the last period. Quantiles are as far from these as those of `demand` are
    from what it expects, since simple methods say none. Without a fit the model is fitted on the day.
    """

    cut_off: Date = key("Day at whose end it was predicted")
    product_id: str = key("Stock code; codes are case-sensitive")
    week: int = key("Week after the day, from 1", ge=1, le=AHEAD)
    starts_on: Date = column("First day of the week")
    expected_units: float = column("Units expected", ge=0)
    units_p50: float = column("Units that as many weeks exceed as do not", ge=0)
    units_p90: float = column("Units that 10 % of weeks exceed", ge=0)
    units_p95: float = column("Units that 5 % of weeks exceed", ge=0)
    model: str = column("Model that predicts", isin=MODELS)


def constants_at(day: dt.date, models: pl.DataFrame) -> dict[str, float]:
    """Returns the constants of the floors that were last chosen by a day, or the first of those tried."""
    fits = models.filter(pl.col("cut_off") <= day, pl.col("model") != MODEL).sort("cut_off")
    chosen = {name: json.loads(text)["constant"] for name, text in fits.select("model", "parameters").iter_rows()}
    return {name: tried[0] for name, (_, tried) in FLOORS.items()} | chosen


def predicted(
    day: dt.date, sales: pl.DataFrame, products: pl.DataFrame, models: pl.DataFrame, scores: pl.DataFrame
) -> pl.DataFrame:
    """Returns the forecasts of one day, from the models and scores known by then."""
    champion, _ = champion_at(day, scores, FLOOR)
    fitted = model_at(day, models, sales, products)
    outlook = demand.outlook(fitted, sales, products, day)
    by_model = forecasts(HoldOut.of(sales, products, day), fitted, outlook, constants_at(day, models))
    units = {"expected_units": by_model[champion].expected}
    moved = by_model[champion].expected - by_model[MODEL].expected
    units |= {
        column: np.maximum(by_model[MODEL].quantiles[level] + moved, 0) for column, level in demand.QUANTILES.items()
    }
    weeks = pl.DataFrame({"week": range(1, AHEAD + 1)}, {"week": pl.Int64}).with_columns(
        starts_on=pl.lit(day + dt.timedelta(days=1)) + pl.duration(days=(pl.col("week") - 1) * WEEK)
    )
    return (
        outlook.products.select("product_id")
        .join(weeks, how="cross", maintain_order="left_right")
        .with_columns(pl.Series(column, values.ravel().round(6)) for column, values in units.items())
        .with_columns(cut_off=pl.lit(day), model=pl.lit(champion))
    )


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    silver_movement_versions: pl.DataFrame,
    silver_product_versions: pl.DataFrame,
    predictions_demand_models: pl.DataFrame,
    predictions_demand_scores: pl.DataFrame,
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
            parts.append(predicted(day, sales, products, predictions_demand_models, predictions_demand_scores))
    return frame_of(DemandForecasts, parts)


asset = table_asset(
    DemandForecasts,
    transform,
    reads={
        "silver_order_versions": history,
        "silver_order_item_versions": history,
        "silver_movement_versions": history,
        "silver_product_versions": history,
        "predictions_demand_models": history,
        "predictions_demand_scores": history,
    },
)
