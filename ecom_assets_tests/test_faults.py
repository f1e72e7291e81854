"""What breaks around the platform is said at once, and once it is mended nothing is missing."""

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ecom_assets.publishing.snapshot import is_behind, publish
from ecom_assets.serving.ledger import last_write
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import Settings
from ecom_assets.warehouse.opening import open_session
from ecom_assets_tests.tiny_shop import START, TinyShop, days, order, tables

ROWS = "select order_id, amount::int from gold.sales order by all"


@pytest.fixture
def known(tmp_path: Path) -> Settings:
    """Three days with an order each, run and published."""
    known = Settings(tmp_path / "data", start=START)
    with opened(known) as shop:
        for day in range(3):
            shop.land_customers(day)
            shop.land_orders(day, order(day + 1, day))
        run(shop)
    return known


@contextmanager
def opened(known: Settings) -> Iterator[TinyShop]:
    with open_session(known, tables()) as session:
        yield TinyShop(known.data, session)


def run(shop: TinyShop) -> None:
    shop.run(days(0, 2))
    publish(shop.session, shop.folder / "snapshot.duckdb")


def published(known: Settings, query: str = ROWS) -> list[Any]:
    with open_snapshot(known.snapshot) as con:
        return con.execute(query).fetchall()


def no_database(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1000)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def damaged_head(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(os.urandom(8192))


def damaged_end(file: Path) -> None:
    """The blocks that say what the others hold."""
    with file.open("r+b") as opened:
        opened.seek(12288)
        opened.write(os.urandom(file.stat().st_size - 12288))


DAMAGES = [no_database, cut_off, damaged_head, damaged_end]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_warehouse_is_said_at_once_and_built_anew(known: Settings, damage: Callable[[Path], None]) -> None:
    """DuckDB names a block in its error, which is no lock that another program holds."""
    with opened(known) as shop:
        before = shop.everything()
    damage(known.warehouse)

    with (
        pytest.raises(duckdb.Error, match=r"not a valid DuckDB|Corrupt database|Could not read enough|checksum"),
        opened(known),
    ):
        pass

    known.warehouse.rename(known.data / "warehouse.duckdb.damaged")
    with opened(known) as shop:
        run(shop)
        assert shop.everything() == before
    assert published(known) == [("1", 10), ("2", 10), ("3", 10)]


@pytest.mark.parametrize("damage", [*DAMAGES, empty])
def test_a_damaged_snapshot_is_behind_and_published_anew(known: Settings, damage: Callable[[Path], None]) -> None:
    before = published(known, "select * exclude (written_at) from ledger.days order by all")
    damage(known.snapshot)

    with opened(known) as shop:
        assert is_behind(shop.session, known.snapshot)
        publish(shop.session, known.snapshot)
        assert not is_behind(shop.session, known.snapshot)

    assert published(known) == [("1", 10), ("2", 10), ("3", 10)]
    assert published(known, "select * exclude (written_at) from ledger.days order by all") == before


def test_what_is_written_after_the_clock_was_set_back_is_newer(known: Settings) -> None:
    with opened(known) as shop:
        shop.con.execute("update ledger.days set written_at = written_at + interval 1 day")
        shop.con.execute("update ledger.amounts set recorded_at = recorded_at + interval 1 day")
        publish(shop.session, known.snapshot)
    with open_snapshot(known.snapshot) as con:
        before = last_write(con)
    assert before

    with opened(known) as shop:
        shop.land_orders(1, order(2, 1, amount=7, version=1))
        shop.run(days(0, 2))
        assert is_behind(shop.session, known.snapshot)
        publish(shop.session, known.snapshot)

    assert published(known) == [("1", 10), ("2", 7), ("3", 10)]
    with open_snapshot(known.snapshot) as con:
        after = last_write(con)
    assert after
    assert after > before > dt.datetime.now(dt.UTC).replace(tzinfo=None)
    assert published(known, "select amount::int from ledger.amounts where day = '2024-03-02' order by recorded_at") == [
        (10,),
        (7,),
    ]
