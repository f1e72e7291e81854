"""How good forecasts of demand are in the weeks after a cut-off, beside simple methods.

Errors are in the scale of M5 (Makridakis, Spiliotis, Assimakopoulos 2022, International Journal of Forecasting 38(4)):
by a product's change from week to week before the cut-off, since its first sale. Products count by their share in what
was sold in the last four weeks; those without a change are left out.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from ecom_assets.models import demand, smoothing
from ecom_assets.models.demand_history import WEEK, DemandHistory
from ecom_assets.models.fitting import Floats
from ecom_assets.models.smoothing import Flags

AHEAD = 4
"""Weeks that are scored, and weeks before the cut-off whose sales are a product's share."""
_CONSTANTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
FLOORS: Mapping[str, tuple[Callable[[Floats, float], Floats], tuple[float, ...]]] = {
    "last week": (lambda units, _: smoothing.last(units), (1,)),
    "mean of weeks": (lambda units, weeks: smoothing.mean_of_last(units, int(weeks)), (2, 3, 4, 6, 8, 12, 26)),
    "simple exponential smoothing": (smoothing.simple_exponential, _CONSTANTS),
    "Teunter, Syntetos, Babai": (smoothing.teunter_syntetos_babai, _CONSTANTS),
    "Croston": (smoothing.croston, _CONSTANTS),
    "Syntetos, Boylan": (lambda units, constant: smoothing.croston(units, constant, corrected=True), _CONSTANTS),
}
"""Simple methods with the constants from which one is chosen: levels of units after each week."""
MODEL = "demand"
EMPIRICAL = "simple exponential smoothing"
"""The floor whose quantiles are those of each product's own earlier errors."""
_FIRST_ERROR = 4
"""Weeks before the first of these errors."""


@dataclass(frozen=True)
class Forecast:
    """Units expected by product and week ahead, and their quantiles by level, if a method has any."""

    expected: Floats
    quantiles: Mapping[float, Floats]


@dataclass(frozen=True)
class HoldOut:
    """Units by product and week before and after a cut-off, NaN where demand is not known."""

    products: pl.Series
    units: Floats
    ahead: Floats
    prices: Floats

    @classmethod
    def of(
        cls, sales: pl.DataFrame, products: pl.DataFrame, cut_off: dt.date, prices: pl.DataFrame | None = None
    ) -> Self:
        """Returns the weeks around a cut-off, from the frames that `DemandHistory.of` takes.

        `prices` has `product_id` and `price`, by which units count; each unit counts the same without.
        """
        before = DemandHistory.of(sales, products, cut_off)
        after = DemandHistory.of(sales, products, cut_off + dt.timedelta(days=AHEAD * WEEK))
        names = before.products["product_id"]
        place = after.products["product_id"].search_sorted(names).to_numpy()
        price = np.ones(len(names))
        if prices is not None:
            joined = before.products.join(prices, on="product_id", how="left", maintain_order="left")
            price = joined["price"].cast(pl.Float64).fill_null(0.0).to_numpy()
        return cls(names, before.weeks, after.weeks[place, -AHEAD:], price)

    @property
    def weights(self) -> Floats:
        """Each product's share in recent sales, 0 for those that are not scored."""
        recent = np.nansum(self.units[:, -AHEAD:], axis=1) * self.prices
        shares = np.where(self.is_scored, recent, 0.0)
        return np.asarray(shares / shares.sum()) if shares.sum() else shares

    @property
    def is_scored(self) -> Flags:
        """Products whose units have changed from week to week before the cut-off, and are known after it."""
        started = smoothing.first_demand(self.units) < self.units.shape[1] - 1
        return np.asarray((self._mean_change(2) > 0) & started & ~np.isnan(self.ahead).all(axis=1))

    def scaled_errors(self, expected: Floats) -> Floats:
        """Returns the root mean squared scaled error of each product (RMSSE), of units expected, (products, weeks)."""
        squared = np.nan_to_num(np.square(self.ahead - expected)).sum(axis=1) / self._known_weeks
        return np.asarray(np.sqrt(_by(squared, self._mean_change(2))))

    def scaled_errors_by_week(self, expected: Floats) -> Floats:
        """Returns the same of each week ahead alone, (products, weeks)."""
        squared = np.nan_to_num(np.square(self.ahead - expected))
        return np.asarray(np.sqrt(_by(squared, self._mean_change(2)[:, None])))

    def scaled_pinball(self, quantiles: Floats, level: float) -> Floats:
        """Returns the scaled pinball loss of each product's quantiles at a level (Koenker, Bassett 1978)."""
        above = self.ahead - quantiles
        loss = np.nan_to_num(np.maximum(level * above, (level - 1) * above)).sum(axis=1) / self._known_weeks
        return _by(loss, self._mean_change(1))

    def bias(self, expected: Floats) -> float:
        """Returns by which share units expected exceed those sold."""
        sold = float(np.nansum(self.ahead))
        return float(np.where(np.isnan(self.ahead), 0.0, expected).sum()) / sold - 1 if sold else 0.0

    def share_within(self, quantiles: Floats) -> float:
        """Returns the share of products' weeks in which no more was sold than a quantile, of products scored."""
        rows = self.ahead[self.is_scored], quantiles[self.is_scored]
        known = ~np.isnan(rows[0])
        return float((rows[0] <= rows[1])[known].mean()) if known.any() else 1.0

    @property
    def _known_weeks(self) -> Floats:
        return np.asarray(np.maximum((~np.isnan(self.ahead)).sum(axis=1), 1), np.float64)

    def _mean_change(self, power: int) -> Floats:
        changes = np.abs(np.diff(self.units, axis=1)) ** power
        counts = np.arange(1, self.units.shape[1]) > smoothing.first_demand(self.units)[:, None]
        counts = counts & ~np.isnan(changes)
        return np.asarray(np.where(counts, changes, 0.0).sum(axis=1) / np.maximum(counts.sum(axis=1), 1))


def best_constants(hold_outs: Iterable[HoldOut]) -> dict[str, float]:
    """Returns the constant of each floor with the least mean error at some cut-offs."""
    known = list(hold_outs)
    return {
        name: min(constants, key=lambda constant: sum(_error(of, method, constant) for of in known))
        for name, (method, constants) in FLOORS.items()
    }


def forecasts(
    held: HoldOut, model: demand.DemandModel, expected: demand.Outlook, constants: Mapping[str, float]
) -> dict[str, Forecast]:
    """Returns forecasts of the weeks after a cut-off: of a model, under the name `MODEL`, and of the floors."""
    weeks = demand.weekly(model, expected, AHEAD)
    units, *quantiles = (weeks[name].to_numpy().reshape(-1, AHEAD) for name in ("expected_units", *demand.QUANTILES))
    found = {MODEL: Forecast(units, dict(zip(demand.QUANTILES.values(), quantiles, strict=True)))}
    for name, (method, _) in FLOORS.items():
        levels = method(held.units, constants[name])
        own = _own_quantiles(held.units, levels) if name == EMPIRICAL else {}
        found[name] = Forecast(np.tile(levels[-1][:, None], AHEAD), own)
    return found


def scores(held: HoldOut, forecasts: Mapping[str, Forecast]) -> pl.DataFrame:
    """Returns one row per method.

    Columns: `method`, `wrmsse` (the mean of `scaled_errors` by share), `rmsse` (of all products alike), `bias`, and of
    methods with quantiles, else null, `pinball_50`, `pinball_90`, `pinball_95` (means by share), `within_90` and
    `within_95` (shares of weeks). All are 0 where nothing was sold before or after.
    """
    rows = []
    for name, forecast in forecasts.items():
        errors, of = held.scaled_errors(forecast.expected), forecast.quantiles
        row: dict[str, str | float | None] = {
            "method": name,
            "wrmsse": float(errors @ held.weights),
            "rmsse": float(errors[held.is_scored].mean()) if held.is_scored.any() else 0.0,
            "bias": held.bias(forecast.expected),
        }
        for level in demand.QUANTILES.values():
            loss = float(held.scaled_pinball(of[level], level) @ held.weights) if level in of else None
            row[f"pinball_{level * 100:.0f}"] = loss
        for level in (0.9, 0.95):
            row[f"within_{level * 100:.0f}"] = held.share_within(of[level]) if level in of else None
        rows.append(row)
    texts = {"method": pl.String}
    return pl.DataFrame(rows, schema_overrides={name: texts.get(name, pl.Float64) for name in rows[0]})


def _own_quantiles(units: Floats, levels: Floats) -> dict[float, Floats]:
    """The last level and quantiles of each product's own earlier errors as many weeks ahead, by level."""
    first, wanted = smoothing.first_demand(units), list(demand.QUANTILES.values())
    found = {level: np.zeros((len(units), AHEAD)) for level in wanted}
    for ahead in range(AHEAD):
        origins = np.arange(_FIRST_ERROR, units.shape[1] - ahead)
        errors = np.where(first[:, None] < origins, units[:, origins + ahead] - levels[origins].T, np.nan)
        errors = np.where(np.isnan(errors).all(axis=1, keepdims=True), 0.0, errors)
        own = np.nanquantile(errors, wanted, axis=1) if origins.size else np.zeros((len(wanted), len(units)))
        for level, error in zip(wanted, own, strict=True):
            found[level][:, ahead] = np.maximum(levels[-1] + error, 0)
    return found


def _error(held: HoldOut, method: Callable[[Floats, float], Floats], constant: float) -> float:
    expected = method(held.units, constant)[-1]
    return float(held.scaled_errors(np.tile(expected[:, None], AHEAD)) @ held.weights)


def _by(values: Floats, scale: Floats) -> Floats:
    return np.divide(values, scale, out=np.zeros_like(values), where=np.broadcast_to(scale, values.shape) > 0)
