import datetime as dt
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from ecom_assets.kpi._profiles import ALL, AMOUNT, AMOUNTS, CAMPAIGNS, DELAY, HOUR, LATEST, ROWS
from ecom_assets.kpi.daily_anomalies import DailyAnomalies, transform
from ecom_assets.kpi.daily_profiles import DailyProfiles
from ecom_assets_tests.samples import broken_rules, collected, days, run, sample

DAY = dt.date(2024, 4, 1)
Series = tuple[str, str, str]
ORDERS: Series = ("orders", ROWS, ALL)


def judged(
    before: Mapping[Series, Any], today: Mapping[Series, float], count: int = 56, of_rows: int = 100
) -> dict[Series, dict[str, Any]]:
    """What is said of a day, by series; `before` has a number for all days before, or a function of their age.

    The day's values are made `of_rows` rows, those of other days of a hundred.
    """
    rows = [(DAY, series, value) for series, value in today.items()]
    for series, value in before.items():
        for age in range(1, count + 1):
            known = value(age) if callable(value) else value
            rows += [] if known is None else [(DAY - dt.timedelta(days=age), series, known)]
    made = collected(run(transform, profiles(rows, of_rows), days(DAY)))
    DailyAnomalies.validate(made.with_columns(anomalies=pl.lit(0, pl.Int64)))
    return {(row["feed"], row["measure"], row["category"]): row for row in made.to_dicts()}


def profiles(rows: list[tuple[dt.date, Series, float]], of_rows: int) -> Any:
    return sample(
        DailyProfiles,
        *(
            {
                "day": day,
                "feed": feed,
                "measure": measure,
                "category": category,
                "value": value,
                "rows": of_rows if day == DAY else 100,
            }
            for day, (feed, measure, category), value in rows
        ),
    )


def is_told(before: Mapping[Series, Any], today: Mapping[Series, float], series: Series = ORDERS) -> bool:
    return bool(judged(before, today)[series]["anomalies"])


def wavy(age: int) -> float:
    """About a hundred rows, more on one weekday, with a little noise."""
    return (200 if age % 7 == 0 else 100) * (1 + (age % 5 - 2) / 50)


@pytest.mark.parametrize(
    ("series", "before", "usual"),
    [
        (ORDERS, 100.0, 100.0),
        (ORDERS, wavy, 200.0),
        (("reviews", ROWS, ALL), 40.0, 40.0),
        (("orders", AMOUNT, ALL), 75.0, 75.0),
        (("orders", HOUR, ALL), 15.0, 15.0),
        (("orders", LATEST, ALL), 22.5, 22.5),
        (("events", DELAY, ALL), 0.0, 0.0),
    ],
)
def test_the_least_change_that_is_stated_is_the_one_that_is_noticed(series, before, usual):
    of_day = judged({series: before}, {series: usual})[series]
    least, in_hours = of_day["least_change"], series[1] in (HOUR, LATEST, DELAY)

    def fallen(by: float) -> float:
        return of_day["expected"] - by if in_hours else of_day["expected"] * (1 - by)

    assert 0 < least < 2
    assert of_day["anomalies"] == 0
    assert not is_told({series: before}, {series: fallen(least * 0.99)}, series)
    assert is_told({series: before}, {series: fallen(least * 1.01)}, series)


@pytest.mark.parametrize(
    ("series", "value", "told"),
    [
        (ORDERS, 50.0, True),
        (ORDERS, 200.0, True),
        (("orders", AMOUNT, ALL), 75.0 * 100, True),
        (("orders", AMOUNT, ALL), 75.0 / 1.3, True),
        (("orders", AMOUNT, ALL), 75.0 * 1.1, False),
        (("events", HOUR, ALL), 15.8 + 2, True),
        (("events", HOUR, ALL), 15.8 - 1, False),
        (("events", LATEST, ALL), 12.0, True),
        (("events", DELAY, ALL), -1.0, True),
    ],
)
def test_days_without_any_variance_have_limits_too(series, value, told):
    usual = {ORDERS: 100.0, ("orders", AMOUNT, ALL): 75.0, ("events", HOUR, ALL): 15.8}
    usual |= {("events", LATEST, ALL): 22.7, ("events", DELAY, ALL): 0.0}

    assert is_told(usual, {**usual, series: value}, series) is told


@pytest.mark.parametrize(("of_rows", "least"), [(400, 0.2), (100, 0.221), (4, 0.713)])
def test_the_amount_of_few_rows_may_be_off_by_more(of_rows, least):
    amount: Series = ("returns", AMOUNT, ALL)
    of_day = judged({amount: lambda age: 50.0 * (1.025 if age % 2 else 1 / 1.025)}, {amount: 50.0}, of_rows=of_rows)

    assert of_day[amount]["least_change"] == pytest.approx(least, abs=0.01)


def test_an_amount_is_off_only_if_median_and_mean_are():
    median, mean = (("orders", measure, ALL) for measure in AMOUNTS)
    usual = {median: 20.0, mean: 25.0}

    assert not is_told(usual, {median: 30.0, mean: 25.0}, median)
    assert not is_told(usual, {median: 20.0, mean: 40.0}, mean)
    assert is_told(usual, {median: 30.0, mean: 40.0}, median)


def test_a_shop_that_grows_is_expected_to():
    grown = judged({ORDERS: lambda age: 100 * 1.01 ** (56 - age)}, {ORDERS: 100 * 1.01**56})[ORDERS]

    assert grown["expected"] == pytest.approx(100 * 1.01**56, rel=0.1)
    assert not grown["anomalies"]


def test_a_day_on_which_all_feeds_that_go_along_are_low_is_a_quiet_one():
    usual = {(feed, ROWS, ALL): 100.0 for feed in ("orders", "order_items", "payments", "events")}
    quiet = dict.fromkeys(usual, 30.0)

    assert not any(of_day["anomalies"] for of_day in judged(usual, quiet).values())
    assert is_told(usual, {**quiet, ORDERS: 12.0})
    assert is_told(usual, {**usual, ORDERS: 45.0})


def test_a_day_without_orders_has_few_payments():
    usual = {(feed, ROWS, ALL): 100.0 for feed in ("orders", "payments", "reviews")}
    payments, reviews = (("payments", ROWS, ALL), ("reviews", ROWS, ALL))

    found = judged(usual, {payments: 8.0, reviews: 8.0})

    assert (found[payments]["anomalies"], found[payments]["lowest"], found[payments]["least_change"]) == (0, None, None)
    assert found[reviews]["anomalies"] == 1
    assert is_told(usual, {ORDERS: 100.0, payments: 8.0}, payments)


@pytest.mark.parametrize(("usual", "rows", "told"), [(10.0, 2.0, False), (30.0, 9.0, False), (30.0, 8.0, True)])
def test_few_rows_are_no_less_than_chance_makes_them(usual, rows, told):
    assert is_told({ORDERS: usual}, {ORDERS: rows}) is told


@pytest.mark.parametrize("measure", [HOUR, LATEST])
def test_clocks_that_change_move_the_hours_of_all_feeds(measure):
    usual = {(feed, measure, ALL): 15.0 for feed in ("orders", "payments", "events")}
    events: Series = ("events", measure, ALL)
    later = dict.fromkeys(usual, 16.0)

    assert not is_told(usual, {**later, events: 17.4}, events)
    assert is_told(usual, {**later, events: 17.6}, events)
    assert is_told(usual, {**usual, events: 16.6}, events)
    assert is_told(usual, dict.fromkeys(usual, 18.0), events)


def test_campaigns_bring_discounts():
    campaign, amount = (CAMPAIGNS, ROWS, ALL), ("orders", AMOUNT, ALL)

    assert not is_told({amount: 75.0}, {amount: 40.0, campaign: 1.0}, amount)
    assert is_told({amount: 75.0}, {amount: 37.0, campaign: 1.0}, amount)
    assert is_told({amount: 75.0}, {amount: 40.0}, amount)


def test_campaigns_bring_more_rows_and_do_not_raise_what_is_expected_after_them():
    campaign: Series = (CAMPAIGNS, ROWS, ALL)
    running = {ORDERS: 100.0}

    assert not is_told(running, {ORDERS: 300.0, campaign: 1.0})
    assert is_told(running, {ORDERS: 40.0, campaign: 1.0})
    after = {ORDERS: lambda age: 300.0 if age < 15 else 100.0, campaign: lambda age: 1.0 if age < 15 else None}
    assert judged(after, {ORDERS: 100.0})[ORDERS]["expected"] == pytest.approx(100)


@pytest.mark.parametrize(("count", "is_judged"), [(20, False), (21, True)])
def test_a_young_shop_is_not_judged(count, is_judged):
    assert (ORDERS in judged({ORDERS: 100.0}, {ORDERS: 100.0}, count)) is is_judged


@pytest.mark.parametrize(
    ("usual", "rows", "told"), [(20.0, None, True), (20.0, 3.0, True), (20.0, 4.0, False), (19.0, None, False)]
)
def test_a_category_that_vanishes_is_told_if_so_many_rows_are_not_missing_by_chance(usual, rows, told):
    web: Series = ("orders", ROWS, "channel=web")
    today = {ORDERS: 100.0} if rows is None else {ORDERS: 100.0, web: rows}

    found = judged({ORDERS: 100.0, web: usual}, today)[web]

    assert (bool(found["anomalies"]), found["least_change"]) == (told, 0.8 if usual >= 20 else None)


def test_nothing_is_said_of_a_feed_without_rows():
    web: Series = ("orders", ROWS, "channel=web")

    assert judged({ORDERS: 100.0, web: 50.0}, {}) == {}


@pytest.mark.parametrize(
    ("measure", "category", "sentence"),
    [
        (ROWS, ALL, "The day has as many rows of the feed as such days before, within the usual limits."),
        (ROWS, "channel=web", "No category of the feed's rows that is usual has vanished."),
        (
            AMOUNT,
            ALL,
            "Amounts are of the size of such days before: in the same unit and currency, and not off by a factor.",
        ),
        (
            HOUR,
            ALL,
            "The rows' moments are spread over the day as on days before: in the same time zone, up to its end.",
        ),
        (DELAY, ALL, "Rows about orders follow them after the usual hours: both feeds have the same clock."),
    ],
)
def test_each_kind_has_a_sentence_of_its_own(measure, category, sentence):
    row = {"measure": measure, "category": category, "days_before": 21}

    assert broken_rules(DailyAnomalies, {**row, "anomalies": 1}) == [sentence]
    assert broken_rules(DailyAnomalies, {**row, "anomalies": 0}) == []
