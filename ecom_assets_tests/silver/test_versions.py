"""What was known of a row, by the day on which it became known."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.warehouse.ledger.records import StaleDay
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.histories.rows import START, Item, Order, file_of
from ecom_assets_tests.warehouses import session_over

DAYS = Window(START, START + dt.timedelta(days=5))


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path)


def land(zone: Zone, arrived: int, *rows: Any) -> None:
    for feed in {row.feed for row in rows}:
        of_feed = [row for row in rows if row.feed == feed]
        zone.write(feed, START + dt.timedelta(days=arrived), "a.csv", file_of(feed, "a.csv", of_feed))


def run(zone: Zone, *tables: str, **settings: Any) -> Session:
    session = session_over(zone, **settings)
    session.calendar = Window(START, dt.date.max)
    for name in tables:
        session.run(name, DAYS)
    return session


ORDERS = ("bronze.orders", "silver.order_versions")
LINES = ("bronze.order_items", "silver.order_item_versions")


def versions(session: Session, query: str) -> list[tuple[Any, ...]]:
    return [((day - START).days, *rest) for day, *rest in session.con.execute(query).fetchall()]


def test_a_version_stands_on_the_day_on_which_it_arrived(zone):
    land(zone, 0, Order(1, 0), Order(2, 0))
    land(zone, 2, Order(1, 0, version=1, cancelled_for="customer"), Order(3, 0))

    session = run(zone, *ORDERS)

    found = versions(session, "select arrived_on, order_id, status from silver.order_versions order by all")
    assert found == [(0, "O1", "paid"), (0, "O2", "paid"), (2, "O1", "cancelled"), (2, "O3", "paid")]


def test_of_a_days_versions_the_latest_stands(zone):
    land(zone, 0, Order(1, 0, version=3, discount=3), Order(1, 0, version=1), Order(1, 0, version=2))

    session = run(zone, *ORDERS)

    assert versions(session, "select arrived_on, discount from silver.order_versions") == [(0, 3)]


def test_a_bad_row_is_no_version_and_one_that_waits_for_its_customer_is(zone):
    land(zone, 0, Order(1, 0, fault="rule"), Order(2, 0, customer=7))

    session = run(zone, *ORDERS)

    assert versions(session, "select arrived_on, customer_id from silver.order_versions") == [(0, "C7")]


def test_a_line_that_is_taken_out_is_known_to_be(zone):
    land(zone, 0, Item(1, "1", 0))
    land(zone, 1, Item(1, "1", 0, version=1, units="0"))

    session = run(zone, *LINES)

    query = "select arrived_on, is_retracted from silver.order_item_versions order by all"
    assert versions(session, query) == [(0, False), (1, True)]


def test_an_order_that_is_deleted_is_known_to_be(zone):
    land(zone, 0, Order(1, 0))
    land(zone, 1, Order(1, 0, version=1, fault="gone"))

    session = run(zone, *ORDERS)

    query = "select arrived_on, is_retracted from silver.order_versions order by all"
    assert versions(session, query) == [(0, False), (1, True)]


def test_a_late_row_makes_its_arrival_day_stale_and_no_other(zone):
    land(zone, 0, Order(1, 0))
    session = run(zone, *ORDERS)
    land(zone, 3, Order(2, 0))
    session.run("bronze.orders", Window(START + dt.timedelta(days=3), START + dt.timedelta(days=3)))

    stale: list[StaleDay] = session.stale(only=["silver.order_versions"])

    assert [(found.day - START).days for found in stale] == [3]


def test_amounts_in_the_shops_own_currency_name_none(zone):
    land(zone, 0, Order(1, 0, currency="EUR"), Order(2, 0, currency="NOK"))

    session = run(zone, *ORDERS, currency="EUR")

    query = "select arrived_on, order_id, currency from silver.order_versions order by all"
    assert versions(session, query) == [(0, "O1", None), (0, "O2", "NOK")]


def test_another_currency_of_the_shop_makes_versions_stale(zone):
    land(zone, 0, Order(1, 0))

    first, second = (run(zone, *ORDERS, currency=currency) for currency in ("EUR", "NOK"))

    assert first.codes["silver.order_versions"] != second.codes["silver.order_versions"]
