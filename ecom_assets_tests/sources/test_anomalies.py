import datetime as dt

import pytest

from bench.anomalies import SCALE, planted, wilson
from ecom_assets import catalog
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.anomalies import KINDS, Anomaly, FeedDay
from ecom_assets_tests.warehouses import START

LATER = START + dt.timedelta(days=20)


@pytest.fixture(scope="module")
def of_day() -> FeedDay:
    shop = Shop(START, seed=3, preset=SCALE)
    return FeedDay(LATER, shop.arrivals(LATER), shop.arrivals(LATER - dt.timedelta(days=1)), seed=3)


def test_there_are_many_kinds_each_with_a_name_of_its_own():
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 25


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_changes_the_files_of_its_feeds_otherwise_than_its_near_miss(kind: Anomaly, of_day: FeedDay):
    changed, near = kind.plant(of_day), kind.near_miss(of_day)

    assert changed == kind.plant(of_day)
    assert changed != near
    assert {feed for feed, _ in [*changed, *near]} <= set(kind.feeds)
    landed = {(feed, of_day.name(feed)): of_day.data(feed) for feed in kind.feeds}
    assert {**landed, **changed} != landed


def test_each_kind_shows_in_a_table_and_by_a_rule_that_there_are():
    tables = catalog.tables()
    soft = {d.name: {rule.sentence for rule in d.contract.soft_rules} for d in tables}

    for kind in KINDS:
        for shown in kind.shows:
            assert shown.rows or shown.table in tables
            assert not shown.table.startswith("kpi") or shown.rule in soft[shown.table]


def test_orders_that_are_lost_for_good_are_those_of_the_day(of_day: FeedDay):
    [kind] = [kind for kind in KINDS if kind.name == "half_of_the_orders_lost"]
    orders = of_day.rows["orders"]["order_id"].n_unique()

    assert orders * 0.2 < len(kind.gone(of_day)) < orders * 0.8


def test_an_interval_of_a_share_is_wilsons():
    assert wilson(300, 300) == pytest.approx((0.98736, 1), abs=1e-5)
    assert wilson(0, 10_000) == pytest.approx((0, 0.000384), abs=1e-6)
    assert wilson(5, 10) == pytest.approx((0.23659, 0.76341), abs=1e-5)


@pytest.mark.long
def test_each_kind_is_noticed_and_its_near_miss_is_not():
    found = planted(0, days=300)

    missed = {name: counts for name, counts in found.items() if not name.startswith("near ") and counts[0] > counts[1]}
    alarms = {name: counts for name, counts in found.items() if name.startswith("near ") and counts[1]}
    assert {name.removeprefix("near ") for name in found} == {kind.name for kind in KINDS}
    assert (missed, alarms) == ({}, {})
