"""Budgets: what each channel's spend brings, and how the same budget would bring more.

The value that a channel brings on a day is a base and an effect of its spend, which carries over to later days and
saturates: weekday x (base + effect x s / (half + s)). Here s is spend carried over, a geometric mean of spend up to the
day, and `half` the steady spend that brings half of the effect (Jin, Wang, Sun, Chan, Koehler 2017, "Bayesian Methods
for Media Mix Modeling with Carryover and Shape Effects", Google). The curve is concave from 0 on, other than Hill
curves with a slope above 1: a shop seldom spends so little that their start would show, and one best budget follows.
Weekdays are those of all channels together. Base and effect are not below 0, by least squares; carry-over and half are
the best of a grid.

Equal marginal returns in all channels bring most. The proposal is the mean of such budgets of samples of blocks of days
(Künsch 1989, Annals of Statistics 17(3)), each within `FURTHEST` of what a channel has spent in a week: what a sample
takes for a better curve by chance moves little. Its gain is that of steady spending, less what the best budgets of
samples promise by their own curves above those of all days: the optimism of Efron 1983, Journal of the American
Statistical Association 78(382). Curves say as much of cause as the value does. Spend that follows demand looks as if it
made it, unless the value is measured by experiments.

Fallbacks: a channel without spend, on few days, with constant spend, or whose curve says no more than its mean by the
criterion of Akaike 1974, IEEE Transactions on Automatic Control 19(6), is not identified, and keeps its spend.
"""

import datetime as dt
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np
import polars as pl

from ecom_assets.models.evaluation import Difference
from ecom_assets.models.fitting import Floats, rounded

RECENT = 28
"""Days whose mean is the budget now."""
FURTHEST = 1.3
"""A channel's proposal is between the least and the most that it spent in a week, by this or times this."""
FEWEST_DAYS = 28
LEAST_VARIATION = 0.1
"""Standard deviation of the spend of days by its mean, from which on a curve can be told."""
WEEK = 7
REPEATS = 200
_SEED = 20_240_102
_MORE_PARAMETERS = 3
_HALVINGS = 100
_WIDER = 50
"""Days with which an interval is twice as wide as samples say, so that it holds the true gain of simulated shops."""
_LEAST_EFFECT = 1e-9
"""Channels without an effect in a sample get what others cannot spend."""
_CARRY_OVERS = np.linspace(0, 0.8, 9)
_HALVES = np.geomspace(0.1, 20, 33)
"""By the mean spend of a day."""

KEPT_BECAUSE = {
    "no_spend": "it has no spend",
    "few_days": f"it has spent on less than {FEWEST_DAYS} days",
    "constant": "its spend is constant, so that its effect cannot be told from its base",
    "no_effect": "its value does not surely rise with its spend",
}
"""Why a channel's spend is not moved."""
_TEXTS = ("channel", "kept_because")
_COLUMNS = (
    *("channel", "spend", "proposed_spend", "value", "proposed_value"),
    *("marginal_return", "proposed_marginal_return", "least_spend", "most_spend", "kept_because"),
)


@dataclass(frozen=True)
class Curve:
    """What a channel brings on a usual day, in the currency or unit of its value, from steady spend."""

    channel: str
    spend: float
    """The mean of recent days."""
    least: float
    most: float
    """Bounds of a proposal."""
    proposed: float
    base: float
    effect: float
    half: float
    carry_over: float
    """Share of a day's spend that works on the next day or later."""
    not_identified: str
    """A key of `KEPT_BECAUSE`, or ""."""

    def value(self, spend: float) -> float:
        """Returns the value of a day with steady spend."""
        return self.base + (self.effect * spend / (self.half + spend) if spend > 0 else 0.0)

    def marginal_return(self, spend: float) -> float:
        """Returns how much more value a little more spend brings, by that spend."""
        return self.effect * self.half / (self.half + spend) ** 2


@dataclass(frozen=True)
class BudgetModel:
    """The curves of all channels, in order of their names, and what the proposal gains on a usual day."""

    curves: tuple[Curve, ...]
    gain: float
    gain_low: float
    gain_high: float
    """Both ends of an interval of 95 %: of samples, and wider with few days."""

    def to_json(self) -> str:
        """Returns the curves; equal models have equal text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Returns the model of a text of `to_json`. Raises ValueError, KeyError or TypeError if it is none."""
        found = json.loads(text)
        return cls(**{**found, "curves": tuple(Curve(**curve) for curve in found["curves"])})


def fit(days: pl.DataFrame) -> BudgetModel:
    """Returns the curves of channels and a proposal with the budget of now.

    `days` has `day`, `channel`, `spend` and `value`; a day without a row of a channel has neither.
    """
    known = _Days.of(days)
    curves = [_curve(known, place) for place in range(len(known.channels))]
    movable = [place for place, curve in enumerate(curves) if not curve.not_identified]
    samples = _Samples.of(known, curves, movable)
    proposed = samples.best().mean(axis=1)
    for place, spend in zip(movable, proposed, strict=True):
        curves[place] = replace(curves[place], proposed=rounded(float(spend)))
    expected = samples.gain(proposed)
    return BudgetModel(tuple(curves), *(rounded(of) for of in (expected.value, expected.low, expected.high)))


def propose(model: BudgetModel) -> pl.DataFrame:
    """Returns one row per channel, in order of their names: what it spends on a day, and what it should.

    Columns: `channel`, `spend`, `proposed_spend`, `value` and `proposed_value` of a usual day, `marginal_return` and
    `proposed_marginal_return`, `least_spend` and `most_spend`, and `kept_because`. Marginal returns are null for
    channels that are not identified, and `kept_because` for all others.
    """
    rows = [
        {
            "channel": curve.channel,
            "spend": curve.spend,
            "proposed_spend": curve.proposed,
            "value": curve.value(curve.spend),
            "proposed_value": curve.value(curve.proposed),
            "marginal_return": None if curve.not_identified else curve.marginal_return(curve.spend),
            "proposed_marginal_return": None if curve.not_identified else curve.marginal_return(curve.proposed),
            "least_spend": curve.least,
            "most_spend": curve.most,
            "kept_because": KEPT_BECAUSE.get(curve.not_identified),
        }
        for curve in model.curves
    ]
    return pl.DataFrame(rows, {name: pl.String if name in _TEXTS else pl.Float64 for name in _COLUMNS})


def in_proportion_to_roas(model: BudgetModel) -> list[float]:
    """Returns a floor: spends in order of channels, those that can be moved in proportion to value by spend.

    They are within the same bounds, and of the same budget, as the proposal.
    """
    movable = [curve for curve in model.curves if not curve.not_identified]
    returns = np.array([curve.value(curve.spend) / curve.spend for curve in movable])[:, None]
    least, most, now = (np.array([getattr(of, name) for of in movable])[:, None] for name in ("least", "most", "spend"))
    moved = iter(_of_budget(lambda scale: np.clip(returns * scale, least, most), now)[:, 0])
    return [curve.spend if curve.not_identified else float(next(moved)) for curve in model.curves]


@dataclass(frozen=True)
class _Samples:
    """Curves that can be moved, of all days and of samples: arrays (channels, 1) and (channels, samples)."""

    curves: list[Curve]
    effects: Floats
    halves: Floats
    days: int

    @classmethod
    def of(cls, days: "_Days", curves: list[Curve], movable: list[int]) -> Self:
        weights = _block_weights(days.weekdays.size)
        fitted = [_fitted(days, place, weights)[1:3] for place in movable]
        effects, halves = (np.array([of[part] for of in fitted]).reshape(len(movable), REPEATS) for part in (0, 1))
        return cls([curves[place] for place in movable], effects, halves, days.weekdays.size)

    def best(self) -> Floats:
        """Returns the spends with equal marginal returns of each sample."""
        slopes = np.sqrt(np.maximum(self.effects, _LEAST_EFFECT) * self.halves)
        # The marginal return is 1 / scale² where no bound is in the way.
        return _of_budget(
            lambda scale: np.clip(slopes * scale - self.halves, self._of("least"), self._of("most")), self._of("spend")
        )

    def gain(self, spends: Floats) -> Difference:
        """Returns by how much the value of spends exceeds that of now, with an interval of 95 %."""
        best = self.best()
        effect, half = self._of("effect"), self._of("half")
        optimism = float((self._gains(best, self.effects, self.halves) - self._gains(best, effect, half)).mean())
        value = float(self._gains(spends[:, None], effect, half)[0]) - optimism
        apart = self._gains(spends[:, None], self.effects, self.halves) - optimism - value
        low, high = value + (1 + _WIDER / max(self.days, 1)) * np.quantile(apart, [0.025, 0.975])
        return Difference(value, float(low), float(high))

    def _gains(self, spends: Floats, effects: Floats, halves: Floats) -> Floats:
        now = self._of("spend")
        return np.asarray((effects * (spends / (halves + spends) - now / (halves + now))).sum(axis=0))

    def _of(self, name: str) -> Floats:
        return np.array([getattr(curve, name) for curve in self.curves], dtype=np.float64)[:, None]


def _of_budget(spends: Callable[[Floats], Floats], now: Floats) -> Floats:
    """Spends that sum up to those of now, of spends that rise with a scale: arrays (channels, samples)."""
    budget = now.sum()
    low = np.zeros(spends(np.zeros(1)).shape[1])
    high = np.ones_like(low)
    for _ in range(_HALVINGS):
        high = np.where(spends(high).sum(axis=0) < budget, 2 * high, high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_less = spends(middle).sum(axis=0) < budget
        low, high = np.where(is_less, middle, low), np.where(is_less, high, middle)
    return spends(high)


@dataclass(frozen=True)
class _Days:
    """Spend and value as arrays (channels, days), of all days from the first to the last."""

    channels: list[str]
    spend: Floats
    value: Floats
    weekdays: Floats
    """How much more or less all channels bring on such a weekday than on a usual day, by day."""

    @classmethod
    def of(cls, days: pl.DataFrame) -> Self:
        rows = (
            days.select("channel", "day", pl.col("spend", "value").cast(pl.Float64).fill_null(0.0))
            .filter(pl.col("channel").is_not_null())
            .sort("channel", "day", "spend", "value")
        )
        channels = rows["channel"].unique().sort().to_list()
        if rows.is_empty():
            return cls([], np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0))
        first, last = rows["day"].min(), rows["day"].max()
        assert isinstance(first, dt.date)
        assert isinstance(last, dt.date)
        shape = len(channels), (last - first).days + 1
        place = np.searchsorted(channels, rows["channel"].to_list()), (rows["day"] - first).dt.total_days().to_numpy()
        spend, value = np.zeros(shape), np.zeros(shape)
        np.add.at(spend, place, np.maximum(rows["spend"].to_numpy(), 0))
        np.add.at(value, place, rows["value"].to_numpy())
        return cls(channels, spend, value, _weekdays(value.sum(axis=0)))


def _weekdays(value: Floats) -> Floats:
    """The mean value of each day's weekday by that of all days; 1 in less than `FEWEST_DAYS` days."""
    place = np.arange(value.size) % WEEK
    if value.size < FEWEST_DAYS or value.mean() <= 0:
        return np.ones(value.size)
    means = np.bincount(place, value, minlength=WEEK) / np.bincount(place, minlength=WEEK)
    return np.asarray(np.maximum(means, 0)[place] / value.mean())


def _curve(days: _Days, place: int) -> Curve:
    spend = days.spend[place]
    now = float(spend[-RECENT:].mean())
    of_weeks = np.convolve(spend, np.full(min(WEEK, spend.size), 1 / min(WEEK, spend.size)), mode="valid")
    least, most = min(float(of_weeks.min()) / FURTHEST, now), max(float(of_weeks.max()) * FURTHEST, now)
    value = float(days.value[place, -RECENT:].mean())
    reason = _unidentified(spend, now)
    base, effect, half, carry_over = value, 0.0, max(now, 1.0), 0.0
    if not reason:
        (base, *_), (effect, *_), (half, *_), (carry_over, *_) = _fitted(days, place, np.ones((spend.size, 1)))
        explained = days.weekdays * (base + effect * _saturated(_carried_over(spend, carry_over), half))
        flat = days.weekdays * float(days.value[place] @ days.weekdays / (days.weekdays @ days.weekdays))
        errors, flat_errors = (float(np.square(days.value[place] - of).sum()) for of in (explained, flat))
        if effect <= 0 or flat_errors <= errors * math.exp(2 * _MORE_PARAMETERS / spend.size):
            reason, base, effect = "no_effect", value, 0.0
    now, least, most, base, effect, half, carry_over = (
        rounded(float(number)) for number in (now, least, most, base, effect, half, carry_over)
    )
    return Curve(days.channels[place], now, least, most, now, base, effect, half, carry_over, reason)


def _unidentified(spend: Floats, now: float) -> str:
    if now <= 0:
        return "no_spend"
    if (spend > 0).sum() < FEWEST_DAYS:
        return "few_days"
    return "constant" if spend.std() < LEAST_VARIATION * spend.mean() else ""


def _fitted(days: _Days, place: int, weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Base, effect, half and carry-over with the least squared error, for each column of weights of days."""
    spend, value, usual = days.spend[place], days.value[place], days.weekdays
    halves = _HALVES * spend.mean()
    carried = np.stack([_carried_over(spend, share) for share in _CARRY_OVERS])
    # All curves of the grid: (carry-overs x halves, days).
    curves = _saturated(carried[:, None], halves[:, None]).reshape(-1, spend.size) * usual
    ones, both, squares = weights.T @ np.square(usual), curves @ (weights * usual[:, None]), np.square(curves) @ weights
    of_base, of_curve = weights.T @ (usual * value), curves @ (weights * value[:, None])
    determinant = ones * squares - both**2
    solvable = determinant > 1e-12 * ones * squares
    effect = np.where(solvable, (ones * of_curve - both * of_base) / np.where(solvable, determinant, 1), 0)
    base = (of_base - both * effect) / ones
    alone = of_curve / squares
    effect, base = np.where(base < 0, alone, effect), np.maximum(base, 0)
    flat = np.maximum(of_base / ones, 0)
    effect, base = np.where(effect < 0, 0.0, effect), np.where(effect < 0, flat, base)
    errors = base**2 * ones + 2 * base * effect * both + effect**2 * squares - 2 * (base * of_base + effect * of_curve)
    best = errors.argmin(axis=0)
    sample = np.arange(best.size)
    return base[best, sample], effect[best, sample], halves[best % halves.size], _CARRY_OVERS[best // halves.size]


def _saturated(spend: Floats, half: float | Floats) -> Floats:
    return np.asarray(spend / (half + spend))


def _carried_over(spend: Floats, share: float) -> Floats:
    """The geometric mean of spend up to each day; before the first day, spend was as in the first week."""
    carried, before = np.zeros_like(spend), float(spend[:WEEK].mean())
    for day, of_day in enumerate(spend):
        before = share * before + (1 - share) * of_day
        carried[day] = before
    return carried


def _block_weights(days: int) -> Floats:
    """How often each day is in each sample of moving blocks of a week: an array (days, samples)."""
    draws = np.random.default_rng(_SEED)
    length = min(WEEK, days)
    if not days:
        return np.zeros((0, REPEATS))
    starts = draws.integers(0, days - length + 1, (REPEATS, -(-days // length)))
    picked = (starts[:, :, None] + np.arange(length)).reshape(REPEATS, -1)[:, :days]
    return np.stack([np.bincount(sample, minlength=days) for sample in picked], axis=1).astype(np.float64)
