"""Removal effects and Shapley values against worked examples, and the weights made of them."""

import datetime as dt
from itertools import permutations

import polars as pl
import pytest

from ecom_assets.gold.agg_channel_steps import AggChannelSteps
from ecom_assets.kpi._attribution import conversion_probability, removal_effects, shapley_values
from ecom_assets.kpi.weekly_channel_weights import WeeklyChannelWeights, transform
from ecom_assets_tests.samples import collected, sample

ENDS = {"start": "start", "conversion": "conversion"}
GOOGLE_AND_MAILING = {
    ("start", "google ads"): 4,
    ("start", "mailing"): 1,
    ("google ads", "conversion"): 2,
    ("google ads", "mailing"): 1,
    ("google ads", "no conversion"): 1,
    ("mailing", "conversion"): 2,
}
"""Puzyrov (2019), Markov Chain Attribution: Simple Explanation of Removal Effect, serhiipuzyrov.com: google ads alone
converts twice and once does not, mailing alone converts once, and google ads before mailing once."""


def test_removal_effects_are_those_of_the_worked_example():
    assert conversion_probability(GOOGLE_AND_MAILING, **ENDS) == pytest.approx(0.8)
    assert removal_effects(GOOGLE_AND_MAILING, **ENDS) == pytest.approx({"google ads": 0.75, "mailing": 0.5})


def test_a_channel_visited_again_and_again_weighs_the_same_as_once():
    again = {**GOOGLE_AND_MAILING, ("mailing", "mailing"): 7}

    assert removal_effects(again, **ENDS) == pytest.approx(removal_effects(GOOGLE_AND_MAILING, **ENDS))


def test_journeys_that_go_round_in_circles_have_removal_effects():
    circle = {("start", "a"): 1, ("a", "b"): 1, ("b", "a"): 1, ("b", "conversion"): 1, ("a", "no conversion"): 1}

    assert conversion_probability(circle, **ENDS) == pytest.approx(1 / 3)
    assert removal_effects(circle, **ENDS) == pytest.approx({"a": 1, "b": 1})


def test_without_conversions_nothing_has_an_effect():
    assert removal_effects({("start", "a"): 1, ("a", "no conversion"): 1}, **ENDS) == {"a": 0}


def test_shapley_values_are_those_of_the_glove_game():
    """Two have a left glove, one a right one, and a pair is worth 1: Shapley (1953) gives 1/6, 1/6 and 4/6."""
    dividends = {frozenset("ac"): 1.0, frozenset("bc"): 1.0, frozenset("abc"): -1.0}

    assert shapley_values(dividends) == pytest.approx({"a": 1 / 6, "b": 1 / 6, "c": 4 / 6})


def test_shapley_values_are_mean_gains_over_all_orders_of_joining():
    worth = {frozenset("a"): 5.0, frozenset("ab"): 4.0, frozenset("bc"): 2.0, frozenset("abc"): 3.0}

    def of(coalition):
        return sum(value for channels, value in worth.items() if channels <= set(coalition))

    gains = dict.fromkeys("abc", 0.0)
    for joining in permutations("abc"):
        for place, channel in enumerate(joining):
            gains[channel] += (of(joining[: place + 1]) - of(joining[:place])) / 6

    assert shapley_values(worth) == pytest.approx(gains)


def test_weights_are_made_of_the_steps_of_a_week_end():
    def step(channels, step_from, step_to, steps):
        return {
            "week_end": "2024-03-10",
            "channels": channels,
            "step_from": step_from,
            "step_to": step_to,
            "steps": steps,
        }

    steps = sample(
        AggChannelSteps,
        step("direct", "start", "direct", 3),
        step("direct", "direct", "conversion", 2),
        step("direct", "direct", "no conversion", 1),
        step("email", "start", "email", 1),
        step("email", "email", "conversion", 1),
        step("direct, email", "start", "direct", 1),
        step("direct, email", "direct", "email", 1),
        step("direct, email", "email", "conversion", 1),
    )

    made = transform(collected(steps))

    WeeklyChannelWeights.validate(made)
    columns = ["week_end", "channel", "journeys", "converted_journeys", "removal_effect", "shapley_value"]
    assert made.select(columns).sort("channel").rows() == [
        (dt.date(2024, 3, 10), "direct", 4, 3, 0.75, 2.5),
        (dt.date(2024, 3, 10), "email", 2, 2, 0.5, 1.5),
    ]


def test_each_week_end_has_weights_of_its_own():
    days = ["2024-03-03", "2024-03-10"]
    steps = [
        {"week_end": day, "channels": "direct", "step_from": step_from, "step_to": step_to}
        for day in days
        for step_from, step_to in (("start", "direct"), ("direct", "conversion"))
    ]

    both = transform(collected(sample(AggChannelSteps, *steps)))
    alone = [transform(collected(sample(AggChannelSteps, *(s for s in steps if s["week_end"] == day)))) for day in days]

    assert both.equals(pl.concat(alone))
