"""Scores of demand, on weeks written down, on a drawn shop, and on a real one beside its floors."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from bench.real_demand import SEASONS, TSB, constants_of_floors, forecasts_at, real_sales, reorder_points
from ecom_assets.models import demand, demand_scores
from ecom_assets.models.demand_scores import AHEAD, FLOORS, MODEL, HoldOut
from ecom_assets_tests.real_data import only_with, source

CUT_OFF = dt.date(2024, 6, 30)
PRODUCTS = pl.DataFrame(schema={"product_id": pl.String, "category": pl.String, "listed_on": pl.Date})


def held(units: list[list[float]], ahead: list[list[float]], prices: list[float] | None = None) -> HoldOut:
    names = pl.Series([f"P{place}" for place in range(len(units))])
    return HoldOut(names, np.array(units), np.array(ahead), np.array(prices or [1.0] * len(units)))


def test_errors_are_by_the_change_from_week_to_week_since_the_first_sale():
    found = held([[0, 0, 4, 6, 4, 6]], [[5, 5, 5, 5]])

    assert found.scaled_errors(np.full((1, AHEAD), 5.0)).tolist() == [0]
    assert found.scaled_errors(np.full((1, AHEAD), 9.0)).tolist() == [2]
    assert found.scaled_pinball(np.full((1, AHEAD), 9.0), 0.9).tolist() == pytest.approx([0.2])
    assert found.scaled_pinball(np.full((1, AHEAD), 1.0), 0.9).tolist() == pytest.approx([1.8])


def test_products_count_by_the_value_that_they_sold_lately():
    found = held([[9, 1, 1, 1, 0], [0, 3, 3, 3, 0], [5, 5, 5, 5, 5], [0, 0, 0, 0, 0]], [[1] * 4] * 4, [9, 1, 50, 50])

    assert found.weights.tolist() == [0.75, 0.25, 0, 0]


def test_weeks_without_stock_are_not_scored():
    found = held([[4, 6, 4, 6]], [[5, np.nan, 5, np.nan]])

    assert found.scaled_errors(np.full((1, AHEAD), 7.0)).tolist() == [1]
    assert found.bias(np.full((1, AHEAD), 7.0)) == pytest.approx(0.4)
    assert found.share_within(np.array([[4.0, 9.0, 6.0, 0.0]])) == 0.5


def _shop(weeks: int = 44) -> pl.DataFrame:
    """Products whose level drifts, and which sell ten times as much in some weeks."""
    draws = np.random.default_rng(11)
    levels = draws.gamma(1, 6, (200, 1)) * np.exp(0.1 * draws.normal(size=(200, weeks)).cumsum(axis=1))
    units = draws.poisson(levels) * np.where(draws.random((200, weeks)) < 0.03, 10, 1)
    rows = [
        (f"P{product:03}", CUT_OFF - dt.timedelta(days=7 * (weeks - AHEAD - 1 - week)), float(sold), None)
        for product, of_product in enumerate(units)
        for week, sold in enumerate(of_product)
    ]
    schema = {"product_id": pl.String, "day": pl.Date, "units": pl.Float64, "in_stock": pl.Boolean}
    return pl.DataFrame(rows, schema, orient="row")


def _scores(sales: pl.DataFrame) -> pl.DataFrame:
    found = HoldOut.of(sales, PRODUCTS, CUT_OFF)
    model = demand.fit(sales, PRODUCTS, CUT_OFF)
    expected = demand.outlook(model, sales, PRODUCTS, CUT_OFF)
    before = HoldOut.of(sales, PRODUCTS, CUT_OFF - dt.timedelta(days=7 * AHEAD))
    constants = demand_scores.best_constants([before])
    return demand_scores.scores(found, demand_scores.forecasts(found, model, expected, constants))


def test_where_levels_drift_and_single_orders_are_large_the_model_is_better_than_smoothing():
    found = _scores(_shop())

    assert found["method"].to_list() == [MODEL, *FLOORS]
    errors = dict(found.select("method", "wrmsse").rows())
    assert errors[MODEL] < min(errors[demand_scores.EMPIRICAL], errors[TSB])
    assert found["pinball_95"].arg_min() == 0
    assert abs(found["bias"][0]) < 0.05
    assert found.row(0, named=True)["within_95"] == pytest.approx(0.95, abs=0.03)


def test_constants_are_not_chosen_on_the_weeks_that_are_scored():
    sales = _shop()
    is_after = pl.col("day") > CUT_OFF
    changed = sales.with_columns(units=pl.when(is_after).then(pl.col("units") * 7 + 3).otherwise("units"))
    earlier = CUT_OFF - dt.timedelta(days=7 * AHEAD)

    constants, others = (demand_scores.best_constants([HoldOut.of(of, PRODUCTS, earlier)]) for of in (sales, changed))

    assert constants == others


def test_without_sales_all_scores_are_nothing():
    found = _scores(_shop().clear())

    numbers = found.drop("method", "within_90", "within_95").select(pl.all().fill_null(0.0)).rows()
    assert {number for row in numbers for number in row} == {0}


@pytest.fixture(scope="module")
def online_retail():
    return real_sales(source("online_retail"))


@only_with("online_retail")
@pytest.mark.long
def test_on_a_real_shop_the_model_is_better_than_all_floors_in_each_week_ahead(online_retail):
    sales, prices = online_retail
    constants = constants_of_floors(sales, prices)
    scored, by_week = [], []
    for weeks in (40, 42, 44, 46, 48, 49):
        held_out, forecasts = forecasts_at(sales, prices, constants, weeks)
        scored.append(demand_scores.scores(held_out, forecasts))
        by_week.append([held_out.scaled_errors_by_week(of.expected).T @ held_out.weights for of in forecasts.values()])

    means = pl.concat(scored).group_by("method", maintain_order=True).agg(pl.selectors.float().mean())

    model, smoothed = means.row(0, named=True), means.filter(method=demand_scores.EMPIRICAL).row(0, named=True)
    assert means["wrmsse"].arg_min() == 0
    assert model["wrmsse"] < 1.09
    assert np.mean(by_week, axis=0).argmin(axis=0).tolist() == [0] * AHEAD
    for name in ("pinball_50", "pinball_90", "pinball_95"):
        assert model[name] < 0.9 * smoothed[name]
    assert model["within_95"] == pytest.approx(0.95, abs=0.02)


@only_with("online_retail")
@pytest.mark.long
@pytest.mark.parametrize("season", SEASONS)
def test_on_a_real_shop_reorder_points_reach_what_they_say_with_less_stock_than_scaled_ones(online_retail, season):
    points = {name: (within, value) for name, within, value in reorder_points(*online_retail, SEASONS[season]).rows()}

    within, value = points.pop(MODEL)
    assert within == pytest.approx(0.95, abs=0.02)
    for name, (others, of_others) in points.items():
        assert of_others > value or others < within, name
