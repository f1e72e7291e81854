import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.real_orders import CDNOW_CUT_OFF, CDNOW_DAYS, cdnow_sample, customers_at, ordered_after
from ecom_assets.models.evaluation import auc, bias, calibration_slope, correlation, rmse
from ecom_assets.models.fitting import Floats
from ecom_assets.models.gamma_gamma import GammaGamma
from ecom_assets.models.histories import Histories
from ecom_assets.models.lifetime_value import COLUMNS, FEWEST, MOST_DAYS, LifetimeValue, MeanValue, fit, predict
from ecom_assets.models.pareto_nbd import ParetoNBD
from ecom_assets.models.staying import NBD, SteadyRate, as_in_the_past
from ecom_assets_tests.real_data import only_with, source

SCHEMA = {
    "customer_id": pl.String,
    "repeat_orders": pl.Int64,
    "last_order_age": pl.Int64,
    "age": pl.Int64,
    "mean_repeat_value": pl.Float64,
    "mean_value": pl.Float64,
}


def customers(*rows: dict[str, Any]) -> pl.DataFrame:
    """Customers with one order of 20 a hundred days ago, except for what a row says."""
    usual = {"repeat_orders": 0, "last_order_age": 0, "age": 100, "mean_repeat_value": None, "mean_value": 20.0}
    return pl.DataFrame([{"customer_id": f"c{n}", **usual, **row} for n, row in enumerate(rows)], schema=SCHEMA)


def shop(size: int) -> pl.DataFrame:
    """Customers of whom half ordered again."""
    draws = np.random.default_rng(5)
    orders = draws.geometric(0.5, size) - 1
    age = draws.integers(30, 300, size)
    last = np.where(orders > 0, (age * draws.random(size)).astype(int), 0)
    values = draws.gamma(4, 10, size)
    repeat = [value if n else None for value, n in zip(values, orders, strict=True)]
    rows = zip(orders, last, age, repeat, values, strict=True)
    return customers(*(dict(zip(list(SCHEMA)[1:], map(_plain, row), strict=True)) for row in rows))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def test_the_order_of_rows_changes_nothing() -> None:
    known = shop(FEWEST)
    shuffled = known.sample(fraction=1, shuffle=True, seed=1)
    fitted = fit(known)

    assert fit(shuffled).to_json() == fitted.to_json()
    assert predict(fitted, shuffled).sort("customer_id").equals(predict(fitted, known).sort("customer_id"))


@pytest.mark.parametrize("law", ["ParetoNBD", "BGNBD", "NBD", "SteadyRate"])
def test_laws_are_read_back_as_they_were_written(law: str) -> None:
    fitted = fit(shop(FEWEST), law)

    assert type(fitted.orders).__name__ == law
    assert LifetimeValue.from_json(fitted.to_json()) == fitted


def test_few_customers_all_order_at_the_rate_of_the_shop() -> None:
    known = customers({"repeat_orders": 3, "last_order_age": 60, "mean_repeat_value": 50.0}, {})

    fitted = fit(known)

    assert fitted == LifetimeValue(SteadyRate(3 / 200), MeanValue(50.0))
    assert predict(fitted, known)["expected_orders_30d"].to_list() == pytest.approx([0.45, 0.45])


def test_a_shop_without_a_repeat_order_expects_none() -> None:
    known = customers(*[{}] * FEWEST)

    found = predict(fit(known), known)

    assert found["expected_orders_365d"].to_list() == [0] * FEWEST
    assert found["expected_order_value"].to_list() == [20] * FEWEST
    assert found["days_until_overdue"].max() == MOST_DAYS - 100


def test_equal_values_are_expected_again() -> None:
    known = shop(FEWEST).with_columns(mean_repeat_value=pl.lit(12.5))

    assert fit(known, "SteadyRate").values == MeanValue(12.5)


def test_an_empty_shop_has_no_predictions() -> None:
    known = pl.DataFrame(schema=SCHEMA)

    found = predict(fit(known), known)

    assert found.is_empty()
    assert dict(found.schema) == COLUMNS


def test_a_customer_whose_values_are_not_above_zero_is_expected_to_spend_like_others() -> None:
    known = customers(
        {}, *({"repeat_orders": 2, "last_order_age": 9, "mean_repeat_value": value} for value in (-5.0, 0.0, math.nan))
    )

    found = predict(LifetimeValue(NBD(1, 10), GammaGamma(4, 3, 20)), known)

    assert found["expected_order_value"].to_list() == [40] * 4


def test_a_customer_is_overdue_once_the_silence_is_longer_than_most_waits() -> None:
    fitted = LifetimeValue(ParetoNBD(1, 10, 1, 100), MeanValue(1.0))
    usual = (10 + 90) * (0.05 ** (-1 / (1 + 9)) - 1)
    known = customers(
        *({"repeat_orders": 9, "last_order_age": 90, "age": age} for age in (90, 90 + 34, 90 + 35, 90 + 36))
    )

    assert 34 < usual < 35
    assert predict(fitted, known)["days_until_overdue"].to_list() == [35, 1, 0, -1]


numbers = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, 0.0]))
any_customer = st.fixed_dictionaries(
    {
        "repeat_orders": st.one_of(st.none(), st.integers(-1, 1_000)),
        "last_order_age": st.integers(-5, 5_000),
        "age": st.one_of(st.none(), st.integers(-5, 5_000)),
        "mean_repeat_value": numbers,
        "mean_value": numbers,
    }
)


@settings(max_examples=6)
@given(rows=st.lists(any_customer, max_size=8), copies=st.sampled_from([1, FEWEST]))
def test_whatever_customers_there_are_predictions_are_finite(rows, copies) -> None:
    known = customers(*rows * copies)

    found = predict(fit(known), known)

    assert found["customer_id"].equals(known["customer_id"])
    assert found.null_count().sum_horizontal().sum() == 0
    assert all(np.isfinite(found[name].to_numpy()).all() for name in list(COLUMNS)[1:])


class Cdnow:
    def __init__(self) -> None:
        orders = cdnow_sample(source("cdnow"))
        self.customers = customers_at(orders, CDNOW_CUT_OFF)
        self.known = Histories.of(self.customers)
        self.fitted = fit(self.customers)
        self.after = ordered_after(orders, self.customers, CDNOW_CUT_OFF, CDNOW_DAYS)["orders"].to_numpy()

    def log_likelihood(self, law: Any) -> float:
        """In weeks, as published."""
        return float(law.log_likelihoods(self.known).sum() + self.known.repeat_orders.sum() * math.log(7))


@pytest.fixture(scope="module")
def cdnow() -> Cdnow:
    return Cdnow()


@only_with("cdnow")
def test_bg_nbd_of_cdnow_is_as_published(cdnow: Cdnow) -> None:
    """Fader, Hardie, Lee 2005, in weeks."""
    law: Any = fit(cdnow.customers, "BGNBD").orders
    one = Histories(*(np.array([number]) for number in (2.0, 30.43 * 7, 38.86 * 7)))

    assert (law.r, law.alpha / 7, law.a, law.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=5e-4)
    assert cdnow.log_likelihood(law) == pytest.approx(-9582.4, abs=0.05)
    assert law.expected_orders(one, 39 * 7) == pytest.approx(1.226, abs=5e-4)


@only_with("cdnow")
def test_pareto_nbd_and_gamma_gamma_of_cdnow_are_as_published(cdnow: Cdnow) -> None:
    """Fader, Hardie 2005, and Fader, Hardie, Lee 2005b, in weeks."""
    law: Any = cdnow.fitted.orders
    values: Any = cdnow.fitted.values

    assert (law.r, law.alpha / 7, law.s, law.beta / 7) == pytest.approx((0.553, 10.578, 0.606, 11.669), abs=5e-4)
    assert cdnow.log_likelihood(law) == pytest.approx(-9594.98, abs=0.005)
    assert (values.p, values.q, values.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=5e-3)


@only_with("cdnow")
def test_the_orders_that_cdnow_got_are_predicted_better_than_by_floors(cdnow: Cdnow) -> None:
    predicted = cdnow.fitted.orders.expected_orders(cdnow.known, CDNOW_DAYS)
    floors: list[Floats] = [
        NBD.fit(cdnow.known).expected_orders(cdnow.known, CDNOW_DAYS),
        as_in_the_past(cdnow.known, CDNOW_DAYS),
    ]

    assert rmse(predicted, cdnow.after) <= 1.603
    assert correlation(predicted, cdnow.after) >= 0.630
    assert abs(bias(predicted, cdnow.after)) <= 0.12
    assert auc(predicted, cdnow.after > 0) >= 0.778
    assert 0.9 <= calibration_slope(predicted, cdnow.after) <= 1.1
    for floor in floors:
        assert rmse(floor, cdnow.after) > 1.85
        assert auc(floor, cdnow.after > 0) < 0.778


def test_orders_of_less_than_nothing_are_expected_to_bring_nothing():
    known = customers({"mean_value": -5.0}, {"mean_value": -1.0})

    assert predict(fit(known), known)["expected_order_value"].to_list() == [0, 0]
