"""Places of values in a snapshot, by an index that is made when it is asked for."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_assets.api.answers import narrowed
from ecom_assets.api.published import served
from ecom_assets.api.questions import asked
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving import snapshots
from ecom_assets.serving.snapshots import Snapshots
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests.tiny_shop import TinyShop, open_shop, order, tables

SALES = served(tables())["gold.sales"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with open_shop(tmp_path, warehouse=tmp_path / "warehouse.duckdb") as shop:
        for day in range(3):
            shop.land_customers(day, f"c{day}")
            shop.land_orders(day, *(order(10 * day + number, day) for number in range(4)))
        settle(shop.session)
        publish(shop.session, tmp_path / "snapshot.duckdb")
        yield shop


def found(kept: Snapshots, *numbers: str) -> tuple[bool, list[str]]:
    """Whether the places of numbers are known, and the numbers of the orders that are found."""
    with kept.reading() as reading:
        question = narrowed(asked(SALES, [("order_id", number) for number in numbers]), reading)
        rows = reading.con.execute(*question.sql()).fetchall()
        return question.places is not None, [row[0] for row in rows]


def test_numbers_are_found_by_their_places_once_there_is_an_index(shop, tmp_path):
    kept = Snapshots(tmp_path / "snapshot.duckdb", beside=lambda work: work())

    assert found(kept, "11", "22") == (False, ["11", "22"])
    assert found(kept, "11", "22") == (True, ["11", "22"])
    assert found(kept, "nobody") == (True, [])
    kept.close()


def test_what_follows_opens_what_is_published_without_a_question_until_it_is_closed(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "FOLLOWED_SECONDS", 0.001)
    opened = threading.Event()
    kept = Snapshots(tmp_path / "snapshot.duckdb")
    monkeypatch.setattr(kept, "_open", lambda inode, open=kept._open: opened.set() or open(inode))

    kept.follow()

    assert opened.wait(30)
    kept.close()
    assert kept.current() is None


def test_each_snapshot_has_places_of_its_own_as_soon_as_it_is_open(shop, tmp_path):
    kept = Snapshots(tmp_path / "snapshot.duckdb", beside=lambda work: work())
    for _ in range(2):
        assert found(kept, "99", "11")[1] == ["11"]

    shop.land_orders(0, order(99, 0), file="late.csv")
    settle(shop.session)
    publish(shop.session, tmp_path / "snapshot.duckdb")

    assert found(kept, "99", "11") == (True, ["99", "11"])
    kept.close()


def test_without_an_index_the_table_is_read(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "MAX_INDEXED_ROWS", 3)
    kept = Snapshots(tmp_path / "snapshot.duckdb", beside=lambda work: work())

    for _ in range(2):
        assert found(kept, "11") == (False, ["11"])
    with kept.reading() as reading:
        assert [reading.places("kpi.no_such_table", "order_id", ["11"]) for _ in range(2)] == [None, None]
    kept.close()
    assert not any(each.readers for each in kept._kept)
