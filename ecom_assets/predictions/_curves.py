"""Curves of scores: as JSON in a column, and as rows."""

import json
from collections.abc import Mapping

import polars as pl
from polars import selectors as cs

from ecom_assets.models.evaluation import calibration
from ecom_assets.models.fitting import Floats
from ecom_assets.table_asset import Plot

_DIGITS = 6


def as_text(points: pl.DataFrame) -> str:
    """Returns the rows of a curve as JSON, with six digits after the point."""
    return json.dumps(points.with_columns(cs.float().round(_DIGITS)).to_dicts())


def tenths(predicted: Floats, actual: Floats) -> str:
    """Returns `models.evaluation.calibration` as the text of `as_text`: `tenth`, `count`, `predicted`, `actual`."""
    return as_text(calibration(predicted, actual).rename({"group": "tenth"}))


TENTHS = {"tenth": "BIGINT", "count": "BIGINT", "predicted": "DOUBLE", "actual": "DOUBLE"}
"""Columns of `tenths`, with their types in SQL."""


def points(table: str, column: str, types: Mapping[str, str]) -> str:
    """Returns SQL for the points of curves: `period_end`, `model` and columns of these types."""
    shape = json.dumps([types])
    return (
        f"SELECT period_end, model, unnest(from_json({column}, '{shape}'), recursive := true) "
        f"FROM {table} WHERE {column} IS NOT NULL"
    )


def of_last_period(curves: str, x: str, y: str) -> str:
    """Returns SQL for a plot of the curves of the last period, of the SQL of `points`."""
    return f"""
        WITH curves AS ({curves})
        SELECT model AS line, {x} AS x, {y} AS y FROM curves
        WHERE period_end = (SELECT max(period_end) FROM curves)"""


IDEAL = "as predicted"
"""The line of a plot on which what came is what was predicted."""


def calibration_of_last_period(curves: str) -> str:
    """Returns SQL for a plot of `tenths` of the last period, and of the line on which they should be."""
    found = of_last_period(curves, "predicted", "actual")
    return f"{found} UNION ALL SELECT '{IDEAL}', x, x FROM ({found})"


def by_period(title: str, up: str, table: str, measure: str) -> Plot:
    """Returns the plot of a measure of each model, by the end of the period."""
    query = f"SELECT model AS line, period_end AS x, {measure} AS y FROM {table}"
    return Plot(f"{title} by period", "end of the period", up, query)


def by_fit(title: str, table: str, measure: str) -> Plot:
    """Returns the plot of how much models were fitted to, by the day of the fit."""
    query = f"SELECT '{measure}' AS line, cut_off AS x, max({measure}) AS y FROM {table} GROUP BY cut_off"
    return Plot(f"{title} of each fit", "day of the fit", measure, query)
