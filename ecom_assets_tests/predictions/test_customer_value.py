"""Models of purchases from fit to prediction: who predicts, how it scores, and who is champion."""

import datetime as dt
import json
from typing import Any

import duckdb
import polars as pl
import pytest

from ecom_assets.features.customer_histories import CustomerHistories
from ecom_assets.predictions import customer_drift, customer_value, registry, value_models, value_scores
from ecom_assets.predictions.basket_models import BasketModels
from ecom_assets.predictions.basket_scores import BasketScores
from ecom_assets.predictions.demand_models import DemandModels
from ecom_assets.predictions.demand_scores import DemandScores
from ecom_assets.predictions.fraud_models import FraudModels
from ecom_assets.predictions.fraud_scores import FraudScores
from ecom_assets.predictions.value_models import ValueModels
from ecom_assets.predictions.value_scores import ValueScores
from ecom_assets_tests.samples import collected, sample

pytestmark = pytest.mark.slow
FIRST, SECOND, SUNDAY = dt.date(2024, 2, 4), dt.date(2024, 3, 3), dt.date(2024, 3, 10)


def on(*days: dt.date) -> pl.DataFrame:
    return pl.DataFrame({"day": days}, {"day": pl.Date})


def customer(cut_off: dt.date, number: int, repeat_orders: int, **more: Any) -> dict[str, Any]:
    ages = {"last_order_age": 20 if repeat_orders else 0, "age": 30 + (cut_off - FIRST).days}
    value = {"mean_value": 10.0, "mean_repeat_value": 10.0 if repeat_orders else None}
    return {"cut_off": cut_off, "customer_id": f"C{number:03}", "repeat_orders": repeat_orders, **ages, **value, **more}


def histories(cut_off: dt.date, **more: Any) -> list[dict[str, Any]]:
    """150 customers of whom a third order every few days, and the others have ordered once."""
    return [customer(cut_off, number, 9 if number % 3 == 0 else 0, **more) for number in range(150)]


@pytest.fixture(scope="module")
def first() -> pl.DataFrame:
    return collected(sample(CustomerHistories, *histories(FIRST)))


@pytest.fixture(scope="module")
def models(first: pl.DataFrame) -> pl.DataFrame:
    return value_models.transform(first, on(FIRST))


@pytest.fixture(scope="module")
def scores(first: pl.DataFrame, models: pl.DataFrame) -> pl.DataFrame:
    """Those of a month in which customers went on as before."""
    came = [{**row, "orders_in_period": row["repeat_orders"], "value_in_period": "90"} for row in histories(SECOND)]
    after = collected(sample(CustomerHistories, *came))
    return value_scores.transform(pl.concat([first, after]), models, on(SECOND))


def test_a_refit_is_the_same(first, models):
    again = value_models.transform(first.reverse(), on(FIRST))

    assert again.sort("model").equals(models.sort("model"))
    assert models["customers"].unique().to_list() == [150]


def test_on_other_days_nothing_is_fitted(first):
    assert value_models.transform(first, on(FIRST + dt.timedelta(days=1))).is_empty()


def test_models_that_tell_customers_apart_beat_the_floor(scores):
    beaten = dict(scores.select("model", "beats").iter_rows())

    assert "nbd" not in beaten["steady_rate"].split("; ")
    assert "steady_rate" in beaten["nbd"].split("; ")
    assert dict(scores.select("model", "auc").iter_rows())["nbd"] == 1.0
    assert set(scores["customers"]) == {150}


def test_tenths_of_customers_make_up_what_was_predicted_and_came(scores):
    told = dict(scores.select("model", "tenths").iter_rows())

    for tenths in (json.loads(told[model]) for model in ("nbd", "steady_rate")):
        assert sum(tenth["count"] for tenth in tenths) == 150
        assert sum(tenth["count"] * tenth["actual"] for tenth in tenths) == pytest.approx(50 * 9)
    assert [tenth["actual"] for tenth in json.loads(told["nbd"])] == [0.0, 9.0]


def test_the_gain_is_the_share_of_orders_of_those_predicted_highest(scores):
    gain = duckdb.sql(value_scores.GAIN.replace("predictions.value_scores", "scores")).pl()

    of = gain.filter(pl.col("model") == "nbd").sort("customers")
    assert of["customers"].to_list() == pytest.approx([1 / 3, 1])
    assert of["orders"].to_list() == pytest.approx([1, 1])


def test_without_a_fit_at_its_start_a_month_has_no_scores(first, models):
    assert value_scores.transform(first, models.clear(), on(SECOND)).is_empty()


def predicted(models: pl.DataFrame, scores: pl.DataFrame, *rows: dict[str, Any]) -> pl.DataFrame:
    return customer_value.transform(collected(sample(CustomerHistories, *rows)), models, scores, on(SUNDAY))


def test_the_champion_of_the_last_month_predicts(models, scores):
    rows = [customer(SUNDAY, 1, 9), customer(SUNDAY, 2, 0)]

    before, after = (predicted(models, told, *rows) for told in (scores.clear(), scores))

    assert before["model"].unique().to_list() == ["steady_rate"]
    assert before["expected_orders_30d"].n_unique() == 1
    assert after["model"].unique().to_list() != ["steady_rate"]
    assert after["expected_orders_30d"][0] > after["expected_orders_30d"][1]
    assert after["fitted_on"].unique().to_list() == [FIRST]


def test_before_the_first_fit_all_order_at_the_same_rate(models, scores):
    made = predicted(models.clear(), scores.clear(), customer(SUNDAY, 1, 9), customer(SUNDAY, 2, 0))

    assert made.select("model", "fitted_on").unique().rows() == [("steady_rate", SUNDAY)]
    assert all(frame.is_finite().all() for frame in made.select(pl.col(pl.Float64)))


def test_a_customer_with_one_order_of_no_value_is_predicted_too(models, scores):
    made = predicted(models, scores, customer(SUNDAY, 1, 0, age=0, mean_value=0.0))

    assert made["expected_value_365d"].is_finite().all()


OTHERS = [BasketModels, BasketScores, DemandModels, DemandScores, FraudModels, FraudScores]


def nothing_else() -> list[pl.DataFrame]:
    """The models and scores of other subjects: none."""
    return [collected(sample(model)) for model in OTHERS]


def test_the_registry_names_the_champion_since_when(models, scores):
    later = models.with_columns(cut_off=pl.lit(SECOND))

    rows = registry.transform(pl.concat([models, later]), scores, *nothing_else())

    roles = {(row["cut_off"], row["model"]): row["role"] for row in rows.iter_rows(named=True)}
    assert roles[FIRST, "steady_rate"] == "champion"
    assert roles[SECOND, "steady_rate"] == "floor"
    champions = rows.filter(pl.col("role") == "champion").sort("cut_off")
    assert champions["champion_since"].to_list() == [None, SECOND]
    assert champions["score"].is_null().to_list() == [True, False]


def test_nothing_is_predicted_of_an_empty_shop(models, scores):
    assert customer_value.transform(
        collected(sample(CustomerHistories)), models.clear(), scores.clear(), on(SUNDAY)
    ).is_empty()
    assert collected(sample(ValueModels)).schema == models.schema
    assert collected(sample(ValueScores)).schema == scores.schema


def test_drift_is_told_against_the_last_fit(first, models):
    grown = [{**row, "repeat_orders": row["repeat_orders"] * 3 + 5} for row in histories(SUNDAY)]
    later = pl.concat([first, collected(sample(CustomerHistories, *grown))])
    at_second = models.with_columns(cut_off=pl.lit(SECOND))

    assert customer_drift.transform(later, at_second, on(SUNDAY)).is_empty()
    rows = customer_drift.transform(later.with_columns(pl.col("cut_off").replace(FIRST, SECOND)), at_second, on(SUNDAY))

    told = dict(rows.select("feature", "population_stability").iter_rows())
    assert told["repeat_orders"] > 0.2
    assert told["mean_value"] == 0
    assert rows["fitted_on"].unique().to_list() == [SECOND]
