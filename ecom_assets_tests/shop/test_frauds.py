"""Frauds and charge-backs of the synthetic shop."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ecom_assets.shop import frauds
from ecom_assets.shop.draws import DAY, HOUR, MINUTE, generator
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop

START = date(2024, 1, 1)
DAYS, LAST = 8, 75


def on(number: int) -> date:
    return START + timedelta(days=number)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(START, preset=Scale(days=DAYS, events_per_order=0.01))


@pytest.fixture(scope="module")
def truth(shop: Shop) -> pl.DataFrame:
    return pl.concat([shop.truth(on(n))["orders"] for n in range(DAYS)])


@pytest.fixture(scope="module")
def charge_backs(shop: Shop) -> pl.DataFrame:
    """The charge-backs of the first days on which there are any."""
    payments = pl.concat([shop.day(on(n))["payments"] for n in range(frauds.SOONEST_CHARGE_BACK, LAST)])
    return payments.filter(pl.col("status") == "charged_back").unique("payment_id")


@pytest.mark.slow
def test_what_is_charged_back_are_frauds_of_which_the_truth_says_when(
    truth: pl.DataFrame, charge_backs: pl.DataFrame
) -> None:
    taken_back = charge_backs.select("order_id", charged_back_on=pl.col("paid_at").dt.date())
    frauds_ = truth.filter("is_fraud")
    expected = truth.filter(pl.col("charged_back_on") < on(LAST))

    assert expected["is_fraud"].all()
    assert taken_back.sort("order_id").equals(expected.select("order_id", "charged_back_on").sort("order_id"))
    assert 0.4 < 1 - frauds_["charged_back_on"].null_count() / frauds_.height < 0.9


@pytest.mark.slow
def test_banks_take_back_the_whole_amount_30_to_120_days_after_the_order(
    shop: Shop, charge_backs: pl.DataFrame
) -> None:
    orders = pl.concat([shop.day(on(n))["orders"] for n in range(DAYS)]).unique("order_id", keep="last")
    both = charge_backs.join(orders, on="order_id")
    days = (pl.col("paid_at") - pl.col("ordered_at")).dt.total_days()

    assert both.height == charge_backs.height > 5
    assert both.filter(days.is_between(30, 120).not_()).is_empty()
    assert both.filter(pl.col("amount") != pl.col("total")).is_empty()
    assert both.filter(pl.col("fee") > pl.col("amount")).is_empty()


@pytest.mark.slow
def test_a_fraud_is_found_by_the_shop_or_kept_and_nothing_of_it_comes_back(shop: Shop, truth: pl.DataFrame) -> None:
    known = [shop.day(on(n)) for n in range(DAYS + 35)]
    states = pl.concat([rows["orders"] for rows in known]).join(truth.filter("is_fraud"), on="order_id")
    last = states.sort("updated_at", maintain_order=True).unique("order_id", keep="last")
    returns = pl.concat([rows["returns"] for rows in known]).join(last, on="order_id")

    found = last.filter(pl.col("status") == "cancelled")
    kept = last.filter(pl.col("status") == "delivered")

    assert found.height + kept.height == last.height
    assert set(found["cancel_reason"]) == {"fraud"}
    assert found["charged_back_on"].null_count() == found.height
    assert returns.filter(pl.col("cancel_reason").is_null()).is_empty()


def drawn(days: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Times and patterns of the orders of some days, one day after the other."""
    of_days = [
        frauds.patterns(generator(7, "test", day), np.sort(generator(7, "times", day).integers(0, DAY, 250)))
        for day in range(days)
    ]
    times, patterns = zip(*of_days, strict=True)
    return np.concatenate(times).reshape(days, 250), np.concatenate(patterns).reshape(days, 250)


def test_about_one_order_in_a_hundred_is_a_fraud_and_some_of_each_pattern() -> None:
    _, pattern = drawn()

    shares = [(pattern == kind).mean() for kind in range(len(frauds.PATTERNS))]

    assert 0.008 < sum(shares) < 0.016
    assert min(shares) > 0.001


def test_cards_are_tested_several_times_within_minutes() -> None:
    times, pattern = drawn()
    is_first = (pattern == frauds.TESTING) & (np.roll(pattern, 1, axis=1) != frauds.TESTING)
    day, place = np.nonzero(is_first & (np.arange(250) + frauds.TESTS < 250))

    took = times[day, place + frauds.TESTS - 1] - times[day, place]

    assert (pattern[day, place + frauds.TESTS - 1] == frauds.TESTING).all()
    assert took.max() <= (frauds.TESTS - 1) * 3 * MINUTE
    assert (np.diff(times, axis=1) >= 0).all()


def test_stolen_cards_are_used_at_night_and_what_is_denied_later_looks_ordinary() -> None:
    times, pattern = drawn()
    at_night = times < frauds.NIGHT_HOURS * HOUR

    assert at_night[pattern == frauds.STOLEN].mean() > 1.5 * at_night[pattern == frauds.NONE].mean()
    assert abs(at_night[pattern == frauds.DENIED].mean() - at_night[pattern == frauds.NONE].mean()) < 0.1


def test_a_row_of_tests_is_placed_by_one() -> None:
    none, test = frauds.NONE, frauds.TESTING
    pattern = np.array([none, test, test, none, frauds.STOLEN, test])

    assert frauds.first_of_row(pattern).tolist() == [0, 1, 1, 3, 4, 5]
    assert frauds.first_of_row(pattern[:0]).tolist() == []
