"""Scores of the models of demand: what they predicted of the four weeks that have ended."""

import datetime as dt
import json

import numpy as np
import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history, trailing
from ecom_assets.expressions.known import PERIOD
from ecom_assets.models import demand
from ecom_assets.models.demand import DemandModel
from ecom_assets.models.demand_scores import AHEAD, MODEL, Forecast, HoldOut, forecasts, scores
from ecom_assets.predictions._curves import as_text, by_period, of_last_period, points
from ecom_assets.predictions._demand import FLOOR, MODELS, products_at, sales_at
from ecom_assets.predictions._fits import beaten, is_period_end, last_period_end
from ecom_assets.table_asset import Plot, table_asset


class DemandScores(Table, primary_key=("period_end", "model"), partition_column="period_end"):
    """One row per period of four weeks and model that was fitted at its start: the period was held out.

    Errors are in the scale of M5: by a product's change from week to week before. Products count by their share in
    what was sold in the four weeks before. Without a product whose sales had changed by then there is no row.
    """

    period_end: Date = key("Last day of the period")
    model: str = key("Name of the model", isin=MODELS)
    products: int = column("Products that are scored", ge=1)
    wrmsse: float = column("Root mean squared scaled error of products by their share", ge=0)
    rmsse: float = column("The same of all products alike", ge=0)
    bias: float = column("Units predicted above those sold, as a share of these; 0 if none was sold")
    by_week: str = column(
        "Units of all products expected and sold in each week, and a 90 % interval of models that have one, as JSON"
    )
    pinball_50: float = column("Scaled pinball loss of the median; null without quantiles", nullable=True, ge=0)
    pinball_90: float = column("The same of the quantile 0.9", nullable=True, ge=0)
    pinball_95: float = column("The same of the quantile 0.95", nullable=True, ge=0)
    within_95: float = column("Share of weeks that sold no more than the quantile 0.95", nullable=True, ge=0, le=1)
    beats: str = column("Models with a larger scaled error at 95 % by a paired bootstrap, separated by semicolons")


def scored(
    day: dt.date,
    models: pl.DataFrame,
    before: tuple[pl.DataFrame, pl.DataFrame],
    after: tuple[pl.DataFrame, pl.DataFrame],
) -> pl.DataFrame:
    """Returns the scores of a period's models, from sales and products as known at its start and at its end."""
    start, parameters = last_period_end(day), dict(models.iter_rows())
    fitted = DemandModel.from_json(parameters.pop(MODEL))
    constants = {name: json.loads(text)["constant"] for name, text in parameters.items()}
    is_before = pl.col("day") <= start
    sales = pl.concat([before[0].filter(is_before), after[0].filter(~is_before)])
    held = HoldOut.of(sales, before[1], start)
    outlook = demand.outlook(fitted, before[0], before[1], start)
    found = forecasts(held, fitted, outlook, constants)
    interval = demand.of_shop(demand.of_categories(fitted, outlook, AHEAD))
    losses = {name: held.scaled_errors(forecast.expected)[held.is_scored] for name, forecast in found.items()}
    names = scores(held, found).rename({"method": "model"})
    return names.with_columns(
        period_end=pl.lit(day),
        by_week=pl.Series(
            [as_text(_by_week(held, found[name], interval if name == MODEL else None)) for name in names["model"]]
        ),
        products=pl.lit(int(held.is_scored.sum()), pl.Int64),
        beats=pl.Series([beaten(name, losses) for name in names["model"]], dtype=pl.String),
    )


def _by_week(held: HoldOut, forecast: Forecast, interval: pl.DataFrame | None) -> pl.DataFrame:
    """Returns `week`, units `expected` and `sold` where demand is known, and `low` and `high`, null if unknown.

    Where it is known of a part of the products only, the interval of all is in proportion to what is expected of it.
    """
    known = ~np.isnan(held.ahead)
    expected = np.where(known, forecast.expected, 0.0).sum(axis=0)
    units = {"expected": expected, "sold": np.nansum(held.ahead, axis=0)}
    ends: dict[str, list[float | None]] = {"low": [None] * AHEAD, "high": [None] * AHEAD}
    if interval is not None:
        share = expected / np.maximum(interval["expected_units"].to_numpy(), np.finfo(float).tiny)
        ends = {name: list(interval[f"{name}_units"].to_numpy() * share) for name in ends}
    return pl.DataFrame({"week": range(1, AHEAD + 1), **units, **ends})


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    silver_movement_versions: pl.DataFrame,
    silver_product_versions: pl.DataFrame,
    predictions_demand_models: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    parts = []
    for day in filter(is_period_end, days["day"].sort()):
        start = last_period_end(day)
        models = predictions_demand_models.filter(pl.col("cut_off") == start).select("model", "parameters")
        if models.is_empty():
            continue
        before, after = (
            (
                sales_at(at, silver_order_versions, silver_order_item_versions, silver_movement_versions),
                products_at(at, silver_product_versions),
            )
            for at in (start, day)
        )
        parts.append(scored(day, models.sort("model"), before, after).filter(pl.col("products") > 0))
    return frame_of(DemandScores, parts)


BY_WEEK = points(
    "predictions.demand_scores",
    "by_week",
    {"week": "BIGINT", "expected": "DOUBLE", "low": "DOUBLE", "high": "DOUBLE", "sold": "DOUBLE"},
)
FORECAST = " UNION ALL ".join(
    f"SELECT period_end, {line} AS model, week, {units} AS units FROM ({BY_WEEK}) WHERE model = '{model}'"
    for line, units, model in (
        ("'sold'", "sold", MODEL),
        (f"'{MODEL}'", "expected", MODEL),
        ("'low'", "low", MODEL),
        ("'high'", "high", MODEL),
        (f"'{FLOOR}'", "expected", FLOOR),
    )
)

asset = table_asset(
    DemandScores,
    transform,
    reads={
        "silver_order_versions": history,
        "silver_order_item_versions": history,
        "silver_movement_versions": history,
        "silver_product_versions": history,
        "predictions_demand_models": trailing(PERIOD + 1),
    },
    view=("predictions.demand_by_week", BY_WEEK),
    plots=(
        Plot(
            "forecast against actual, with its 90 % interval",
            "week of the period",
            "units",
            of_last_period(FORECAST, "week", "units"),
            dashed=("low", "high"),
        ),
        by_period("error", "scaled error (WRMSSE)", "predictions.demand_scores", "wrmsse"),
    ),
)
