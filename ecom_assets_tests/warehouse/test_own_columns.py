"""Columns that a shop sends beside a feed's own, and wants to keep."""

import json
from decimal import Decimal
from typing import Any

import pytest

from ecom_assets import catalog
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog
from ecom_assets.landing.feed_settings import FeedSettings, FeedSettingsError
from ecom_assets.landing.zone import Zone
from ecom_assets.warehouse.proof import verify
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import START, run_all, session_over, window

AT = f"{START}T10:00:00Z"
TABLES = [*catalog.tables().upstream("gold.fact_sales"), "gold.fact_sales"]
ORDER: dict[str, Any] = {
    "order_id": "O1",
    "ordered_at": AT,
    "updated_at": AT,
    "status": "paid",
    "channel": "web",
    "discount": "0",
    "shipping": "0",
    "tax": "0",
}
LINE: dict[str, Any] = {
    "order_id": "O1",
    "line_number": "1",
    "product_id": "P1",
    "ordered_at": AT,
    "updated_at": AT,
    "quantity": "1",
    "unit_price": "10",
    "discount": "0",
}
PRODUCT: dict[str, Any] = {"product_id": "P1", "changed_at": AT, "price": "10"}


def _land(zone: Zone, feed: str, *rows: dict[str, Any]) -> None:
    zone.write(feed, START, "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())


def _session(zone: Zone) -> Session:
    return session_over(zone, tables=Catalog(map(catalog.tables().__getitem__, TABLES)))


@pytest.fixture
def zone(tmp_path) -> Zone:
    zone = Zone(tmp_path)
    zone.save_settings("orders", FeedSettings(extra={"tier": "text", "is gift": "boolean", "points": "integer"}))
    zone.save_settings("order_items", FeedSettings(extra={"engraving": "text"}))
    zone.save_settings("products", FeedSettings(extra={"weight": "decimal", "eu/size": "text"}))
    _land(zone, "orders", {**ORDER, "tier": " Gold ", "is gift": "yes", "points": "12", "noise": "x"})
    _land(zone, "order_items", {**LINE, "engraving": "Ann"})
    _land(zone, "products", {**PRODUCT, "weight": "1.25", "eu/size": "42"})
    return zone


@pytest.mark.slow
def test_own_columns_reach_the_fact_and_the_dimension_with_their_types(zone):
    session = _session(zone)
    run_all(session, window(1))

    [(order, line)] = session.con.execute("select order_extra, extra from gold.fact_sales").fetchall()
    [(product,)] = session.con.execute("select extra from gold.dim_product_versions").fetchall()

    assert json.loads(order) == {"tier": "Gold", "is gift": True, "points": 12}
    assert json.loads(line) == {"engraving": "Ann"}
    assert json.loads(product, parse_float=Decimal) == {"weight": Decimal("1.25"), "eu/size": "42"}


def test_a_value_that_does_not_fit_its_kind_is_set_aside(zone):
    _land(zone, "orders", {**ORDER, "points": "many"}, {**ORDER, "order_id": "O2", "points": ""})
    session = _session(zone)
    run_all(session, window(1))

    assert session.con.execute("select order_id, reasons, reason_codes from quarantine.orders").fetchall() == [
        ("O1", ["points is not a whole number of at most 9 digits"], ["points_unreadable"])
    ]
    assert session.con.execute("select order_id, extra from silver.orders").fetchall() == [("O2", None)]


def test_a_new_version_of_a_product_starts_where_an_own_column_changes(zone):
    later = window(2).last
    zone.write("products", later, "rows.jsonl", json.dumps({**PRODUCT, "changed_at": f"{later}T10:00:00Z"}).encode())
    session = _session(zone)
    run_all(session, window(2))

    assert session.con.execute("select count(*) from gold.dim_product_versions").fetchall() == [(2,)]


@pytest.mark.slow
def test_columns_that_are_declared_later_are_filled_in_by_a_repair(zone):
    zone.save_settings("orders", FeedSettings())
    first = _session(zone)
    run_all(first, window(1))
    assert first.con.execute("select order_extra from gold.fact_sales").fetchall() == [(None,)]

    zone.save_settings("orders", FeedSettings(extra={"tier": "text"}))
    session = Session(first.con, first.catalog, Zone(zone.root), first.calendar)
    while stale := session.stale():
        for item in stale:
            session.run(item.table, Window(item.day, item.day))

    assert first.con.execute("select order_extra from gold.fact_sales").fetchall() == [('{"tier":"Gold"}',)]
    assert verify(session) is None


def test_a_column_of_the_feed_cannot_be_declared_again(zone):
    zone.save_settings("orders", FeedSettings(extra={"country": "text"}))
    catalog = _session(zone).catalog

    with pytest.raises(FeedSettingsError, match=r"\[orders\] extra: country is a column of the feed"):
        zone.check_settings(catalog.feed_columns, by_rule=catalog.set_by_rules)
