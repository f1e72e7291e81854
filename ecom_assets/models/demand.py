"""Demand: how many units of each product are going to be sold, by day and week, and how surely.

A product's level is a mix of a slow and a fast one (Teunter, Syntetos, Babai 2011), of weeks without what large orders
have above the usual. How much each counts is what would have been best for all products together, at earlier cut-offs.
Where two years are known, weeks have the season of their category; days have the weekdays of their category.

Quantiles are those of earlier errors of all products, each in units of its product's spread, the latest counting most:
split conformal prediction (Vovk, Gammerman, Shafer 2005, "Algorithmic Learning in a Random World").

The expected units of a category are the sum of those of its products. Its quantiles are those of its own earlier
errors, since quantiles of products do not add up.

Fallbacks: without earlier cut-offs both levels count the same; with less than `FEWEST_ERRORS` errors, or
`FEWEST_OF_CATEGORIES` of categories, these are taken as normal. Products without sales start as others did. Without any
sale in the shop, no units are expected.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
import polars as pl

from ecom_assets.models.demand_history import WEEK, DemandHistory
from ecom_assets.models.demand_levels import LATEST, Levels
from ecom_assets.models.fitting import Floats, rounded
from ecom_assets.models.seasons import SEASON
from ecom_assets.models.smoothing import Integers

FEWEST_ERRORS, FEWEST_OF_CATEGORIES = 50, 8
"""Errors of equal weight that say as much as those measured."""
LEVELS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
"""Quantiles that are measured; others are between them, and none is beyond the last."""
LONGEST = 8
"""Weeks ahead, and weeks together, whose errors are measured; later or longer ones are like the last."""
QUANTILES = {"units_p50": 0.5, "units_p90": 0.9, "units_p95": 0.95}
"""Columns of forecasts, with their quantiles."""
QUANTILES_OF_CATEGORIES = {"units_p05": 0.05, **QUANTILES}
_WEEKS_OF_DAYS = 8
"""Weeks whose days tell errors of days."""
_DIGITS = 6
"""Digits after the point of units."""

Quantiles = tuple[float, ...]


@dataclass(frozen=True)
class DemandModel:
    """Weights of both levels; and how far demand was from what was expected, in spreads, at `LEVELS`."""

    slow: float
    fast: float
    errors_of_weeks: tuple[Quantiles, ...]
    """Of the first week ahead, of the second, and so on."""
    errors_of_sums: tuple[Quantiles, ...]
    """Of the first week, of the first two together, and so on."""
    errors_of_days: Quantiles
    errors_of_categories: tuple[Quantiles, ...]
    """Of the first week ahead, of the second, and so on."""

    def to_json(self) -> str:
        """Returns the parameters; equal models have equal text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Returns the model of a text of `to_json`. Raises ValueError, KeyError or TypeError if it is none."""
        found = json.loads(text)
        for name in ("errors_of_weeks", "errors_of_sums", "errors_of_categories"):
            found[name] = tuple(map(tuple, found[name]))
        return cls(**{**found, "errors_of_days": tuple(found["errors_of_days"])})


@dataclass(frozen=True)
class Outlook:
    """What is expected of each product, from the day after a cut-off on."""

    cut_off: dt.date
    products: pl.DataFrame
    """Columns: `product_id`, `category`, `weeks_listed`, `last_sold_on`."""
    rates: Floats
    """Units in a usual week, by product."""
    spreads: Floats
    """Spread of the units of a usual week, by product."""
    of_category: Integers
    seasons: Floats
    """Index of weeks by category, (categories, 52), the next one first."""
    weekdays: Floats
    """Share of each of the next seven days in their week, by category, (categories, 7)."""

    def week(self, ahead: int) -> Floats:
        """Returns the index of a week for each product; 0 weeks ahead is the next one."""
        return np.asarray(self.seasons[self.of_category, ahead % SEASON])

    def by_category(self, values: Floats) -> Floats:
        """Returns sums of values of products, by category."""
        return np.bincount(self.of_category, values, minlength=len(self.seasons)).astype(np.float64)

    def in_days(self, days: Floats) -> tuple[Floats, Floats]:
        """Returns units expected in so many days after the cut-off, and their spread, for each product."""
        weeks = np.maximum(days, 0) / WEEK
        longest = int(np.ceil(weeks.max(initial=0)))
        ahead = np.arange(longest)
        parts = np.clip(weeks[:, None] - ahead, 0, 1)
        index = (parts * self.seasons[self.of_category[:, None], ahead % SEASON]).sum(axis=1)
        mean_index = np.divide(index, weeks, out=np.zeros_like(index), where=weeks > 0)
        return self.rates * index, self.spreads * mean_index * np.sqrt(weeks)


def fit(sales: pl.DataFrame, products: pl.DataFrame, cut_off: dt.date) -> DemandModel:
    """Returns the model of what was known at the end of a day, from the frames that `DemandHistory.of` takes."""
    history = DemandHistory.of(sales, products, cut_off)
    levels = Levels.of(history)
    mix = levels.best_mix()
    return DemandModel(
        *mix,
        tuple(_quantiles(*levels.errors(mix, after, 1)) for after in range(LONGEST)),
        tuple(_quantiles(*levels.errors(mix, 0, weeks)) for weeks in range(1, LONGEST + 1)),
        _quantiles(*_errors_of_days(levels, history, mix)),
        tuple(_quantiles(*levels.errors_of_categories(mix, after), FEWEST_OF_CATEGORIES) for after in range(LONGEST)),
    )


def outlook(model: DemandModel, sales: pl.DataFrame, products: pl.DataFrame, cut_off: dt.date) -> Outlook:
    """Returns what a model expects after a day, from the frames that `DemandHistory.of` takes."""
    history = DemandHistory.of(sales, products, cut_off)
    levels = Levels.of(history)
    rates = levels.rates_at_cut_off((model.slow, model.fast))
    spreads = levels.spreads(rates, levels.weeks)
    return Outlook(cut_off, history.products, rates, spreads, history.of_category, levels.index, history.weekdays)


def weekly(model: DemandModel, expected: Outlook, weeks: int = 4) -> pl.DataFrame:
    """Returns one row per product and week after the cut-off, in order of products and weeks.

    Columns: `product_id`, `category`, `week` from 1, `starts_on`, `expected_units`, and those of `QUANTILES`.
    """
    steps = [
        _forecast(
            expected.products.select("product_id", "category"),
            {"week": ahead + 1, "starts_on": _week_start(expected, ahead)},
            expected.rates * expected.week(ahead),
            expected.spreads * expected.week(ahead),
            model.errors_of_weeks[min(ahead, LONGEST - 1)],
        )
        for ahead in range(weeks)
    ]
    return pl.concat(steps).sort("product_id", "week")


def daily(model: DemandModel, expected: Outlook, days: int = 28) -> pl.DataFrame:
    """Returns one row per product and day after the cut-off, in order of products and days.

    Columns: `product_id`, `category`, `day`, `expected_units`, and those of `QUANTILES`. The expected units of seven
    days are those of their week.
    """
    steps = []
    for ahead in range(days):
        share = expected.weekdays[expected.of_category, ahead % WEEK]
        week = expected.week(ahead // WEEK)
        steps.append(
            _forecast(
                expected.products.select("product_id", "category"),
                {"day": expected.cut_off + dt.timedelta(days=1 + ahead)},
                expected.rates * week * share,
                expected.spreads * week * np.sqrt(share),
                model.errors_of_days,
            )
        )
    return pl.concat(steps).sort("product_id", "day")


def of_categories(model: DemandModel, expected: Outlook, weeks: int = 4) -> pl.DataFrame:
    """Returns one row per category and week after the cut-off, in order of categories and weeks.

    Columns: `category`, `week` from 1, `starts_on`, `expected_units`, the sum of those of products, and those of
    `QUANTILES_OF_CATEGORIES`.
    """
    names = expected.products.select("category").unique().sort("category")
    spreads = expected.by_category(expected.spreads)
    steps = [
        _forecast(
            names,
            {"week": ahead + 1, "starts_on": _week_start(expected, ahead)},
            expected.by_category((expected.rates * expected.week(ahead)).round(_DIGITS)),
            spreads * expected.seasons[:, ahead % SEASON],
            model.errors_of_categories[min(ahead, LONGEST - 1)],
            QUANTILES_OF_CATEGORIES,
        )
        for ahead in range(weeks)
    ]
    return pl.concat(steps).sort("category", "week")


def of_shop(categories: pl.DataFrame) -> pl.DataFrame:
    """Returns one row per week of all products together, from the rows of `of_categories`.

    Columns: `week`, `expected_units`, `low_units` and `high_units`, a 90 % interval as wide as if all categories erred
    together: it holds more weeks than those of the categories do.
    """
    ends = {"low_units": pl.col("units_p05").sum(), "high_units": pl.col("units_p95").sum()}
    return categories.group_by("week").agg(pl.col("expected_units").sum(), **ends).sort("week")


def _week_start(expected: Outlook, ahead: int) -> dt.date:
    return expected.cut_off + dt.timedelta(days=1 + ahead * WEEK)


def _forecast(
    names: pl.DataFrame,
    when: dict[str, int | dt.date],
    expected: Floats,
    spread: Floats,
    errors: Quantiles,
    quantiles: Mapping[str, float] = QUANTILES,
) -> pl.DataFrame:
    units = {"expected_units": expected}
    for name, level in quantiles.items():
        units[name] = np.maximum(expected + np.interp(level, LEVELS, errors) * spread, 0)
    return names.with_columns(
        *(pl.lit(value).alias(name) for name, value in when.items()),
        *(pl.Series(name, values.round(_DIGITS)) for name, values in units.items()),
    )


def _quantiles(errors: Floats, weights: Floats, fewest: int = FEWEST_ERRORS) -> Quantiles:
    if not errors.size or weights.sum() ** 2 / np.square(weights).sum() < fewest:
        found = [NormalDist().inv_cdf(level) for level in LEVELS]
    else:
        found = list(np.quantile(errors, LEVELS, weights=weights, method="inverted_cdf"))
    return tuple(rounded(float(value)) for value in found)


def _errors_of_days(levels: Levels, history: DemandHistory, mix: tuple[float, float]) -> tuple[Floats, Floats]:
    """Errors of days in the weeks before the cut-off, in their part of the spread, and their weights."""
    found, weights = [np.zeros(0)], [np.zeros(0)]
    for origin in levels.origins(1)[-_WEEKS_OF_DAYS:]:
        back = levels.weeks - origin - 1
        share = history.weekdays[history.of_category]
        index = levels.index[history.of_category, (-1 - back) % SEASON][:, None]
        rates = levels.rates(mix, origin)
        spreads = levels.spreads(rates, origin)[:, None] * np.sqrt(share) * index
        error = history.days_of_week(back) - rates[:, None] * share * index
        used = (levels.first < origin - 1)[:, None] & (spreads > 0) & ~np.isnan(error)
        found.append(error[used] / spreads[used])
        weights.append(np.full(int(used.sum()), LATEST**back))
    return np.concatenate(found), np.concatenate(weights)
