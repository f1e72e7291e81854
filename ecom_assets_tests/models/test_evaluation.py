import math

import numpy as np
import polars as pl
import pytest

from ecom_assets.models.evaluation import (
    Difference,
    auc,
    bias,
    calibration,
    calibration_slope,
    correlation,
    coverage,
    expected_calibration_error,
    mae,
    of_lists,
    paired_difference,
    population_stability,
    rmse,
)

NOTHING = np.array([])


def test_auc_counts_pairs_in_the_right_order_and_ties_half() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.9])

    assert auc(scores, np.array([False, False, True, True])) == (1 + 0.5 + 1 + 1) / 4
    assert auc(scores, np.array([True, True, True, True])) == 0.5


def test_errors_of_counts() -> None:
    predicted, actual = np.array([1.0, 3.0]), np.array([2.0, 0.0])

    assert rmse(predicted, actual) == math.sqrt(5)
    assert mae(predicted, actual) == 2
    assert bias(predicted, actual) == 1


def test_errors_of_nothing_are_zero() -> None:
    for error in (rmse, mae, bias, correlation, expected_calibration_error):
        assert error(NOTHING, NOTHING) == 0
    assert correlation(np.ones(3), np.arange(3.0)) == 0
    assert bias(np.ones(2), np.zeros(2)) == 0
    assert population_stability(NOTHING, NOTHING) == 0
    assert paired_difference(NOTHING, NOTHING) == Difference(0, 0, 0)
    assert calibration(NOTHING, NOTHING).is_empty()


def test_groups_of_calibration_keep_equal_predictions_together() -> None:
    predicted = np.array([0.2, 0.2, 0.2, 0.8])

    found = calibration(predicted, np.array([0, 0, 1, 1]), groups=2)

    assert found.rows() == [(1, 3, pytest.approx(0.2), pytest.approx(1 / 3)), (2, 1, 0.8, 1.0)]
    assert expected_calibration_error(predicted, np.array([0, 0, 1, 1]), groups=2) == pytest.approx(
        0.75 * 0.4 / 3 + 0.05
    )


def test_predictions_that_are_too_far_apart_have_a_slope_below_one() -> None:
    actual = np.arange(100.0)

    assert calibration_slope(2 * actual - 50, actual) == pytest.approx(0.5)
    assert calibration_slope(np.ones(100), actual) == 1


def test_a_population_that_moves_is_unstable() -> None:
    before = np.arange(1000.0)

    assert population_stability(before, before) == pytest.approx(0, abs=1e-9)
    assert population_stability(before, before + 10) < 0.02
    assert population_stability(before, before + 500) > 0.2
    assert population_stability(np.zeros(9), np.zeros(9)) == 0


def lists(customer: str, *products: str) -> pl.DataFrame:
    ranks = range(1, len(products) + 1)
    return pl.DataFrame({"customer_id": [customer] * len(products), "product_id": products, "rank": ranks})


def test_a_list_is_scored_by_its_hits_and_their_places() -> None:
    shown = pl.concat([lists("a", "p", "q", "r"), lists("b", "q")])
    wanted = pl.DataFrame({"customer_id": ["a", "a", "c"], "product_id": ["q", "r", "p"]})

    found = of_lists(shown, wanted, "customer_id", most=2)

    ideal = 1 + 1 / math.log2(3)
    assert found.rows() == [("a", 0.5, pytest.approx(1 / math.log2(3) / ideal)), ("c", 0.0, 0.0)]
    assert coverage(shown, 4, most=2) == 0.5


def test_recall_is_whole_if_all_places_are_hits() -> None:
    wanted = pl.DataFrame({"customer_id": ["a"] * 3, "product_id": ["p", "q", "r"]})

    assert of_lists(lists("a", "p", "q"), wanted, "customer_id", most=2).rows() == [("a", 1.0, 1.0)]


def test_a_challenger_is_better_only_if_it_is_so_at_95_percent() -> None:
    noise = np.random.default_rng(1).normal(0, 1, 400)
    slightly, nothing = noise - noise.mean() + 0.02, np.zeros(400)

    assert paired_difference(slightly + 0.5, nothing).is_better
    assert paired_difference(slightly, nothing).value > 0
    assert not paired_difference(slightly, nothing).is_better
    assert paired_difference(slightly, nothing) == paired_difference(slightly, nothing)
