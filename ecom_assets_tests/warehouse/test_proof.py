"""The proof against a full rebuild."""

import datetime as dt
from pathlib import Path

import pytest

from ecom_assets.days import Window
from ecom_assets.declaration import Catalog
from ecom_assets.warehouse.proof import contents, settle, verify
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.tiny_shop import days, on, open_shop, order


def test_tables_that_nobody_declares_any_more_do_not_count(tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        shop.land_customers(0)
        shop.land_orders(0, order(1, 0))
        shop.run(days(0))
        assert ("kpi.daily", "2024-03-01") in contents(shop.session)
        fewer = Catalog(table for table in shop.session.catalog if table.name != "kpi.daily")
        session = Session(shop.con, fewer, shop.session.zone, shop.session.calendar)

        shop.con.execute("update ledger.days set state = 'failed' where table_name = 'kpi.daily'")

        assert verify(session) is None


@pytest.mark.parametrize(
    ("before", "on_it"),
    [
        ([order(9, 0)], [order(1, 1, customer="a"), order(2, 1)]),
        ([order(9, 0), order(5, 1)], [order(2, 1)]),
        ([order(1, 0, version=5)], [order(1, 1, version=1)]),
    ],
    ids=["reference", "arrival", "better version"],
)
def test_what_stands_before_a_first_day_that_was_moved_counts_for_nothing(
    tmp_path: Path, before: list[str], on_it: list[str]
) -> None:
    with open_shop(tmp_path) as shop:
        for day, (customer, orders) in enumerate([("a", before), ("z", on_it), ("y", [order(3, 2)])]):
            shop.land_customers(day, customer)
            shop.land_orders(day, *orders)
        shop.run(days(0, 2))
        later = Session(shop.con, shop.session.catalog, shop.session.zone, Window(on(1), dt.date.max))

        settle(later)

        assert verify(later) is None


def test_each_table_is_told_before_its_rebuild_and_logged_after(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_shop(tmp_path) as shop:
        shop.land_customers(0)
        shop.land_orders(0, order(1, 0))
        shop.run(days(0))

        told = []
        with caplog.at_level("INFO", "ecom_assets"):
            verify(shop.session, lambda step, share: told.append((step, share)))

        tables = shop.session.catalog.names
        shares = [n / len(tables) for n in range(len(tables) + 1)]
        assert told == list(zip([*tables, "what is still stale"], shares, strict=True))
        assert [line.partition(": 1 days rebuilt, ")[0] for line in caplog.messages] == shop.session.catalog.names
