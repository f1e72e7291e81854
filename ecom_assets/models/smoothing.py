"""Smoothing of demand: the usual level of each series after each period, from what was known by then.

Series are rows of an array (series, periods) of units, NaN where demand is not known. `first` is the period of each
series' first demand; before it, and after it while nothing is known, a level stays as it is. Levels come as an array
(periods + 1, series): row t is what is known after t periods, 0 before the first demand.

The methods beside `teunter_syntetos_babai` are floors: simple rules that a forecast has to beat.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ecom_assets.models.fitting import Floats

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


def first_demand(units: Floats) -> Integers:
    """Returns the period of the first demand of each series; the number of periods without any."""
    sold = units > 0
    return np.asarray(np.where(sold.any(axis=1), sold.argmax(axis=1), units.shape[1]), np.int64)


def last(units: Floats) -> Floats:
    """Returns the units of the last known period: the naive forecast."""
    return _smoothed(units, 1.0)


def mean_of_last(units: Floats, periods: int) -> Floats:
    """Returns the mean of the last periods since the first demand."""
    since = np.arange(units.shape[1]) >= first_demand(units)[:, None]
    known = since & ~np.isnan(units)
    sums, counts = (_running(np.where(known, what, 0.0)) for what in (units, 1.0))
    start = np.maximum(np.arange(units.shape[1] + 1) - periods, 0)
    return np.asarray((sums - sums[start]) / np.maximum(counts - counts[start], 1))


def simple_exponential(units: Floats, constant: float) -> Floats:
    """Returns levels by simple exponential smoothing (Brown 1956), which start with the first demand."""
    return _smoothed(units, constant)


def croston(units: Floats, constant: float, *, corrected: bool = False) -> Floats:
    """Returns levels by Croston 1972, Operational Research Quarterly 23(3): smoothed sizes by smoothed intervals.

    Corrected, they are those of Syntetos and Boylan 2005, International Journal of Forecasting 21(2).
    """
    levels = np.zeros((units.shape[1] + 1, len(units)))
    size, interval, since = np.zeros(len(units)), np.ones(len(units)), np.ones(len(units))
    for period, demand, starts, sells, known in _steps(units):
        size = np.where(starts, demand, np.where(sells, size + constant * (demand - size), size))
        interval = np.where(sells & ~starts, interval + constant * (since - interval), interval)
        since = np.where(sells, 1.0, since + known)
        levels[period + 1] = size / interval
    return levels * (1 - constant / 2) if corrected else levels


def teunter_syntetos_babai(units: Floats, constant: float) -> Floats:
    """Returns levels by Teunter, Syntetos, Babai 2011, European Journal of Operational Research 214(3).

    The probability of demand, updated in each period, times its size, updated where there is demand: a product that
    ends fades away. Both have the same constant.
    """
    levels = np.zeros((units.shape[1] + 1, len(units)))
    size, chance = np.zeros(len(units)), np.zeros(len(units))
    for period, demand, starts, sells, known in _steps(units):
        size = np.where(starts, demand, np.where(sells, size + constant * (demand - size), size))
        chance = np.where(starts, 1.0, np.where(known, chance + constant * (sells - chance), chance))
        levels[period + 1] = size * chance
    return levels


def sizes(units: Floats, constant: float) -> tuple[Floats, Floats]:
    """Returns smoothed sizes of demand and of its square, of periods with demand."""
    found = np.zeros((2, units.shape[1] + 1, len(units)))
    for period, demand, starts, sells, _ in _steps(units):
        for power, size in enumerate(found, 1):
            updated = size[period] + constant * (demand**power - size[period])
            size[period + 1] = np.where(starts, demand**power, np.where(sells, updated, size[period]))
    return found[0], found[1]


def capped(units: Floats, most: float, constant: float) -> Floats:
    """Returns units of which none is more than so many times the usual size of demand before it.

    A single large order says little of the weeks that follow. The usual size is that of periods with demand, smoothed
    with a constant, of capped units itself.
    """
    limited, size = units.copy(), np.zeros(len(units))
    for period, demand, starts, sells, _ in _steps(units):
        within = np.where(starts, demand, np.minimum(demand, most * size))
        size = np.where(starts, demand, np.where(sells, size + constant * (within - size), size))
        limited[:, period] = np.where(np.isnan(units[:, period]), np.nan, within)
    return limited


def squared_errors(units: Floats, levels: Floats, constant: float) -> Floats:
    """Returns the smoothed squared error of each level as forecast of the next period, which starts with 0."""
    errors = np.zeros_like(levels)
    for period, demand, starts, _, known in _steps(units):
        updated = errors[period] + constant * (np.square(demand - levels[period]) - errors[period])
        errors[period + 1] = np.where(known & ~starts, updated, errors[period])
    return errors


def ages(units: Floats) -> Floats:
    """Returns known periods from the first demand on, an array (periods + 1, series)."""
    since = np.arange(units.shape[1]) >= first_demand(units)[:, None]
    return _running(np.where(since & ~np.isnan(units), 1.0, 0.0))


def _smoothed(units: Floats, constant: float) -> Floats:
    levels = np.zeros((units.shape[1] + 1, len(units)))
    for period, demand, starts, _, known in _steps(units):
        level = levels[period]
        levels[period + 1] = np.where(starts, demand, np.where(known, level + constant * (demand - level), level))
    return levels


def _steps(units: Floats) -> Iterator[tuple[int, Floats, Flags, Flags, Flags]]:
    """Yields periods with their demand, 0 if not known, and which series start, sell, and are known since they did."""
    first = first_demand(units)
    for period, seen in enumerate(units.T):
        known = ~np.isnan(seen) & (first <= period)
        demand = np.where(known, seen, 0.0)
        yield period, demand, first == period, demand > 0, known


def _running(values: Floats) -> Floats:
    """Sums of the first t periods, for t from 0: an array (periods + 1, series)."""
    return np.vstack([np.zeros(len(values)), values.cumsum(axis=1).T])
