"""When models are fitted, and which one is the champion: the same for all of them."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from ecom_assets.expressions.known import PERIOD, PERIOD_END
from ecom_assets.models.evaluation import paired_difference, population_stability
from ecom_assets.models.fitting import Floats

CHANGED = 0.2
"""Population stability index from which on a feature counts as changed (Siddiqi 2006, Credit Risk Scorecards)."""
SEPARATOR = "; "
"""Between the names of models that a model beats."""


def is_period_end(day: dt.date) -> bool:
    """Returns whether a period of four weeks ends with a day."""
    return (day - PERIOD_END).days % PERIOD == 0


def last_period_end(day: dt.date) -> dt.date:
    """Returns the last end of a period before a date."""
    return day - dt.timedelta(days=((day - PERIOD_END).days - 1) % PERIOD + 1)


def digest(frame: pl.DataFrame) -> str:
    """Returns a text that is the same for the same rows in any order: the fingerprint of training data."""
    return hashlib.blake2b(frame.sort(frame.columns).write_csv().encode(), digest_size=8).hexdigest()


def drift(before: pl.DataFrame, after: pl.DataFrame, features: Iterable[str]) -> dict[str, float]:
    """Returns the population stability index of each feature, from one cut-off day to a later one."""
    return {feature: population_stability(_numbers(before, feature), _numbers(after, feature)) for feature in features}


def _numbers(frame: pl.DataFrame, column: str) -> Floats:
    return frame[column].cast(pl.Float64).to_numpy()


def fit_days(by_cut_off: Mapping[dt.date, pl.DataFrame], features: Sequence[str]) -> list[dt.date]:
    """Returns the cut-off days of fits: ends of periods, and days that differ much from the last fit.

    Args:
        by_cut_off: The rows to fit to by cut-off day, from the end of a period on, in order.
        features: The columns of which a change matters.
    """
    found: list[dt.date] = []
    for day, rows in sorted(by_cut_off.items()):
        if is_period_end(day) or (
            found
            and found[-1] >= last_period_end(day)
            and max(drift(by_cut_off[found[-1]], rows, features).values(), default=0.0) > CHANGED
        ):
            found.append(day)
    return found


def champions(
    scores: Iterable[tuple[dt.date, str, Sequence[str]]], floor: str
) -> dict[dt.date, tuple[str, dt.date | None]]:
    """Returns the champion from each day with scores on, and since when; the floor until a model beats it.

    A challenger becomes champion only by beating the champion at 95 %; of several the one that beats the most does, the
    first by name among equals.

    Args:
        scores: Day, model and the models that it beats on that day.
        floor: The champion before any scores.
    """
    by_day: dict[dt.date, dict[str, Sequence[str]]] = {}
    for day, model, beaten in scores:
        by_day.setdefault(day, {})[model] = beaten
    champion, since = floor, None
    found: dict[dt.date, tuple[str, dt.date | None]] = {}
    for day, beating in sorted(by_day.items()):
        better = [model for model, beaten in beating.items() if champion in beaten]
        if better:
            champion, since = min(better, key=lambda model: (-len(beating[model]), model)), day
        found[day] = champion, since
    return found


class Fit(NamedTuple):
    """A model as it was fitted."""

    fitted_on: dt.date
    parameters: str


def last_fit(models: pl.DataFrame, day: dt.date, name: str) -> Fit | None:
    """Returns a model as it was last fitted by a day; `models` has `cut_off`, `model` and `parameters`."""
    fits = models.filter(pl.col("cut_off") <= day, pl.col("model") == name).sort("cut_off")
    return Fit(fits["cut_off"][-1], fits["parameters"][-1]) if fits.height else None


def champion_at(day: dt.date, scores: pl.DataFrame, floor: str) -> tuple[str, dt.date | None]:
    """Returns the champion at the end of a day, and since when; `scores` has `period_end`, `model` and `beats`."""
    told = scores.filter(pl.col("period_end") <= day).select("period_end", "model", "beats").iter_rows()
    chosen = champions(((on, model, beats.split(SEPARATOR)) for on, model, beats in told), floor)
    return chosen[max(chosen)] if chosen else (floor, None)


def beaten(model: str, losses: Mapping[str, Floats]) -> str:
    """Returns the models with a larger mean loss than a model at 95 %, by a paired bootstrap over the same units."""
    worse = (
        other for other, loss in losses.items() if other != model and paired_difference(loss, losses[model]).is_better
    )
    return SEPARATOR.join(worse)
