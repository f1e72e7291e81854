import datetime as dt

import polars as pl
import pytest

from bench.anomalies import FIRST_SEED, GAP, SCALE, Landing, on_local_clocks, planted, schedule
from ecom_assets import catalog
from ecom_assets.landing.zone import Zone
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


def test_each_kind_is_planted_and_faulty_orders_are_apart_from_all_else():
    plants = schedule(1, days=600)
    of_orders = {day for day, kinds in plants.items() for kind, near in kinds if kind.feeds == ("orders",) and not near}
    others = {day for day, [(kind, near), *_] in plants.items() if day % 2 == 0} - of_orders

    assert {(kind.name, near) for kinds in plants.values() for kind, near in kinds} == {
        (kind.name, near) for kind in KINDS for near in (False, True)
    }
    assert min(abs(day - other) for day in of_orders for other in others) > GAP


def test_moments_on_local_clocks_go_forward_and_back():
    local = pl.Series("at", ["2026-03-29 01:30", "2026-03-29 02:30", "2026-07-01 12:00"])
    sent = pl.DataFrame({"at": local.str.to_datetime(), "n": 1})

    moved = on_local_clocks(sent)

    assert moved["at"].dt.strftime("%m-%d %H:%M").to_list() == ["03-29 00:30", "03-29 01:30", "07-01 10:00"]


def test_a_day_as_first_seen_lacks_what_arrives_later(tmp_path):
    shop = Shop(START, seed=3, preset=SCALE)
    landing = Landing(Zone(tmp_path), shop, frozenset({"orders", "reviews"}), {"orders": "ordered_at"})

    landing.land(LATER)

    [file] = (tmp_path / "orders" / str(LATER)).iterdir()
    landed, sent = pl.read_csv(file), shop.arrivals(LATER)["orders"]
    assert 0 < landed.height == sent.filter(pl.col("ordered_at").dt.date() == LATER).height < sent.height


@pytest.mark.long
def test_each_kind_is_noticed_and_its_near_miss_is_not():
    found = planted(FIRST_SEED - 1, days=300)

    wrong = {
        name: (planted, noticed, near, alarms)
        for name, (planted, noticed, near, alarms) in found.items()
        if noticed < planted or alarms
    }
    assert set(found) == {kind.name for kind in KINDS}
    assert wrong == {}
