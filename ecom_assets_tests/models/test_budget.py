"""Curves of channels and what a better budget gains, on shops whose curves are known."""

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.models import budget
from ecom_assets.models.fitting import Floats

FIRST = dt.date(2024, 1, 1)
SCHEMA = {"day": pl.Date, "channel": pl.String, "spend": pl.Float64, "value": pl.Float64}


def channel(name: str, spend: Floats, value: Floats) -> pl.DataFrame:
    days = [FIRST + dt.timedelta(days=day) for day in range(len(spend))]
    return pl.DataFrame({"day": days, "channel": [name] * len(spend), "spend": spend, "value": value}, SCHEMA)


@dataclass
class Shop:
    """A shop whose curves are known: bases, effects and halves by channel."""

    days: pl.DataFrame
    bases: Floats
    effects: Floats
    halves: Floats

    def value(self, spends: list[float]) -> float:
        return float((self.bases + self.effects * np.array(spends) / (self.halves + spends)).sum())


def shop(seed: int, days: int, noise: float, channels: int = 5) -> Shop:
    draws = np.random.default_rng(seed)
    usual = draws.uniform(50, 400, channels)
    halves = usual * draws.uniform(0.3, 3, channels)
    effects = (usual + halves) * draws.uniform(2, 10, channels)
    bases = effects * draws.uniform(0, 0.3, channels)
    weekdays = 1 + 0.3 * np.sin(2 * np.pi * np.arange(days) / 7)
    frames = []
    for place in range(channels):
        moves = np.repeat(draws.normal(size=days // 5 + 1), 5)[:days] + draws.normal(size=days)
        spend = usual[place] * np.exp(0.28 * moves)
        carried, share = spend[:7].mean(), draws.choice([0, 0.2, 0.4, 0.6])
        value = np.zeros(days)
        for day in range(days):
            carried = share * carried + (1 - share) * spend[day]
            value[day] = bases[place] + effects[place] * carried / (halves[place] + carried)
        value *= weekdays * np.exp(noise * draws.normal(size=days))
        frames.append(channel(f"C{place}", spend, value))
    return Shop(pl.concat(frames), bases, effects, halves)


def now(model: budget.BudgetModel) -> list[float]:
    return [curve.spend for curve in model.curves]


def proposed(model: budget.BudgetModel) -> list[float]:
    return [curve.proposed for curve in model.curves]


def test_curves_are_found_where_the_shop_has_spent():
    known = shop(1, 365, 0.1)

    for place, curve in enumerate(budget.fit(known.days).curves):
        for spend in (0.7 * curve.spend, curve.spend, 1.3 * curve.spend):
            true = known.bases[place] + known.effects[place] * spend / (known.halves[place] + spend)
            slope = known.effects[place] * known.halves[place] / (known.halves[place] + spend) ** 2
            assert curve.value(spend) == pytest.approx(true, rel=0.05)
            assert curve.marginal_return(spend) == pytest.approx(slope, rel=0.35)


def test_the_proposal_gains_more_by_the_true_curves_than_both_floors_and_about_what_it_says():
    gains, by_roas, promised, held = [], [], [], []
    for seed in range(5):
        known = shop(seed, 120, 0.2)
        model = budget.fit(known.days)
        before = known.value(now(model))
        gains.append(known.value(proposed(model)) / before - 1)
        by_roas.append(known.value(budget.in_proportion_to_roas(model)) / before - 1)
        promised.append(model.gain / before)
        held.append(model.gain_low <= gains[-1] * before <= model.gain_high)

    assert np.mean(gains) > max(0.02, 1.5 * np.mean(by_roas))
    assert np.mean(promised) == pytest.approx(np.mean(gains), abs=0.01)
    assert sum(held) >= 4


few = settings(max_examples=3, deadline=None)


@few
@given(st.integers(0, 1_000), st.integers(30, 90))
def test_the_budget_stays_the_same_within_bounds_and_the_order_of_rows_changes_nothing(seed, days):
    known = shop(seed, days, 0.3, channels=3)
    model = budget.fit(known.days)

    assert model == budget.fit(known.days.sample(fraction=1, shuffle=True, seed=seed))
    assert model == budget.BudgetModel.from_json(model.to_json())
    assert model.gain_low <= model.gain_high
    for spends in (proposed(model), budget.in_proportion_to_roas(model)):
        assert sum(spends) == pytest.approx(sum(now(model)), rel=1e-4)
        for curve, spend in zip(model.curves, spends, strict=True):
            assert curve.least * 0.9999 <= spend <= curve.most * 1.0001


@few
@given(st.integers(0, 1_000), st.sampled_from([0.01, 7.0, 1000.0]))
def test_another_currency_gives_the_same_proposal(seed, rate):
    days = shop(seed, 60, 0.2, channels=3).days
    model = budget.fit(days)
    exchanged = budget.fit(days.with_columns(pl.col("spend", "value") * rate))

    assert proposed(exchanged) == pytest.approx([spend * rate for spend in proposed(model)], rel=1e-3)
    assert exchanged.gain == pytest.approx(model.gain * rate, rel=1e-2, abs=1e-3 * rate)


def test_channels_whose_effect_cannot_be_told_keep_their_spend():
    draws = np.random.default_rng(3)
    known = shop(3, 90, 0.1, channels=2).days
    ones = np.ones(90)
    varied = 100 * np.exp(0.3 * draws.normal(size=90))
    days = pl.concat(
        [
            known,
            channel("constant", 50 * ones, 300 * ones + draws.normal(size=90)),
            channel("free", 0 * ones, 80 * ones),
            channel("new", np.where(np.arange(90) < 80, 0, varied), 100 * ones),
            channel("useless", varied, 300 * np.exp(0.2 * draws.normal(size=90))),
        ]
    )

    found = budget.propose(budget.fit(days))

    kept = found.filter(pl.col("kept_because").is_not_null())
    assert dict(kept.select("channel", "kept_because").rows()) == {
        "constant": budget.KEPT_BECAUSE["constant"],
        "free": budget.KEPT_BECAUSE["no_spend"],
        "new": budget.KEPT_BECAUSE["few_days"],
        "useless": budget.KEPT_BECAUSE["no_effect"],
    }
    assert kept["proposed_spend"].to_list() == kept["spend"].to_list()
    assert not any(math.isnan(value) for row in found.rows() for value in row if isinstance(value, float))


def test_one_channel_alone_keeps_the_budget():
    found = budget.fit(shop(4, 90, 0.1, channels=1).days)

    assert proposed(found) == pytest.approx(now(found), rel=1e-4)
    assert found.gain == pytest.approx(0, abs=1e-3 * found.curves[0].value(found.curves[0].spend))


@pytest.mark.parametrize("days", [0, 1, 3])
def test_without_days_or_on_few_nothing_is_moved(days):
    model = budget.fit(channel("C", np.full(days, 5.0), np.full(days, 9.0)))

    assert (model.gain, model.gain_low, model.gain_high) == (0, 0, 0)
    assert proposed(model) == now(model)
    assert budget.propose(model).height == min(days, 1)
    assert budget.propose(model).schema == budget.propose(budget.fit(shop(1, 60, 0.1).days)).schema
