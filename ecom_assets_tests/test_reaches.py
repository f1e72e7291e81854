"""Days run alone after months of history: tables read as far as they have to, and a shorter reach would be found."""

import dataclasses
import datetime as dt
from collections.abc import Collection, Mapping
from pathlib import Path

import duckdb
import pytest

from ecom_assets import catalog
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.declaration import Catalog, Read
from ecom_assets.landing.zone import Zone
from ecom_assets.shop.scale import PRESETS
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import land_shop
from ecom_assets.warehouse.proof import contents
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.histories.steps import EVERYTHING, tables_of
from ecom_assets_tests.warehouses import START, run_all, session_over, small_shop, window

pytestmark = pytest.mark.long
DAYS = 100
LAST = START + (DAYS - 1) * ONE_DAY
ALONE = [
    dt.date(2024, 3, 31),  # a Sunday that ends a month
    LAST - 23 * ONE_DAY,  # nothing ends, and more than half of the 45 days after it are there
    dt.date(2024, 5, 31),
    dt.date(2024, 6, 2),  # a Sunday
    LAST - ONE_DAY,
    LAST,
]
VARIED = dataclasses.replace(PRESETS["varied"], orders_per_day=25, customers_at_start=60, products_at_start=25)
SHORT, LONG = 9, 90
"""Reaches up to the one are tried by the laws and the histories, and those beyond the other by test_month_ends."""
UNSEEN = {
    ("kpi.daily_fulfilment", "gold.fact_shipments", "before"): "The small shop promises for the next days only.",
    ("gold.fact_touchpoints", "silver.session_orders", "before"): "A session of the small shop orders within a day.",
    ("gold.fact_unpaid_cancellations", "silver.payments", "after"): "What is cancelled was paid within days, or never.",
    ("gold.fact_unpaid_cancellations", "silver.returns", "after"): "Cancelled orders are refunded within days.",
    ("gold.fact_authorisations", "silver.payments", "before"): "The shop captures a payment under its own number.",
    ("kpi.settled_reconciliation", "silver.payments", "after"): "It settles within days, and what else is read waits.",
}
"""Reaches of which half is enough for the small shop, and why."""
LONG_REACHES = [
    (declaration.name, read.table, side)
    for declaration in catalog.tables()
    for read in declaration.reads
    for side in ("before", "after")
    if SHORT < (getattr(read.reach, side) or 0) <= LONG
    if (declaration.name, read.table, side) not in UNSEEN
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A warehouse of months, built in one window."""
    session = session_over(small_shop(tmp_path_factory.mktemp("landing"), DAYS), tables=tables_of(EVERYTHING))
    run_all(session, window(DAYS))
    return session


def run_alone(session: Session, tables: Collection[str]) -> None:
    for day in ALONE:
        for name in session.catalog.names:
            if name in tables:
                session.run(name, Window(day, day))


def differing(session: Session, at_once: Mapping[tuple[str, str], str]) -> list[tuple[str, str]]:
    now = contents(session)
    return [key for key in now.keys() | at_once.keys() if now.get(key) != at_once.get(key)]


def with_half_the_reach(tables: Catalog, table: str, read_table: str, side: str) -> Catalog:
    def cut(read: Read) -> Read:
        if read.table != read_table:
            return read
        half = dataclasses.replace(read.reach, **{side: getattr(read.reach, side) // 2})
        return dataclasses.replace(read, reach=half)

    changed = dataclasses.replace(tables[table], reads=tuple(map(cut, tables[table].reads)))
    return Catalog(changed if declaration.name == table else declaration for declaration in tables)


def test_days_run_alone_give_what_a_window_of_months_gives(built: Session):
    at_once = contents(built)

    run_alone(built, [declaration.name for declaration in built.catalog if not declaration.is_bronze])

    assert differing(built, at_once) == []
    assert built.stale() == []


@pytest.mark.parametrize("seed", range(3))
def test_days_run_alone_give_what_a_window_gives_whatever_comes_first(tmp_path: Path, seed: int):
    days = 12
    zone = Zone(tmp_path)
    land_shop(zone, Shop(START, seed, preset=VARIED), window(days))
    session = session_over(with_moved_days(zone, window(days), seed))
    run_all(session, window(days))
    at_once = contents(session)

    for day in window(days):
        for declaration in session.catalog:
            if not declaration.is_bronze:
                session.run(declaration.name, Window(day, day))

    assert differing(session, at_once) == []
    assert session.stale() == []


def with_moved_days(zone: Zone, days: Window, seed: int) -> Zone:
    """Moves half of the rows of all files by up to six days: returns come before orders, orders before customers.

    A row moves with all its moments, and an order with its lines. No day fails for the bad rows that come of it.
    """
    feeds = {table.feed_name: table.feed_contract for table in catalog.tables() if table.is_bronze}
    lenient = (f"[{feed}]\nmax_bad_share = 1.0\n" for feed in feeds)
    zone.root.joinpath("feeds.toml").write_text("".join(lenient))
    readers = {"parquet": "read_parquet(?)", "csv": "read_csv(?, all_varchar=true)", "jsonl": "read_json(?)"}
    with duckdb.connect() as con:
        for path in sorted(zone.root.glob("*/*/*.*")):
            feed = feeds[path.relative_to(zone.root).parts[0]]
            reader = next(reader for suffix, reader in readers.items() if f".{suffix}" in path.suffixes[-2:])
            rows = con.sql(f"from {reader}", params=[str(path)])
            of_order = {"order_id", "ordered_at"} <= set(rows.columns)
            key = ["order_id"] if of_order else [name for name in feed.primary_key if name in rows.columns]
            chance = f"hash({', '.join(key)}, {seed})"
            shift = f"if({chance} % 2 = 0, ({chance} // 2 % 13)::int - 6, 0)"
            columns = ", ".join(
                f"{_moved(name, shift, days) if name.endswith(('_at', '_on')) else f'{name}::varchar'} as {name}"
                for name in rows.columns
            )
            copy = path.with_name(f"{path.stem}-moved.parquet")
            con.execute(f"copy (select {columns} from {reader}) to '{copy}' (format parquet)", [str(path)])
            path.unlink()
    return zone


def _moved(name: str, shift: str, days: Window) -> str:
    """Returns SQL for a moment as a text, on another day of the window at the same time of day."""
    day = f"try_cast(left({name}::varchar, 10) as date)"
    within = f"least(greatest({day} + {shift}, date '{days.first}'), date '{days.last}')"
    return f"if({day} is null, {name}::varchar, {within}::varchar || substr({name}::varchar, 11))"


@pytest.mark.parametrize(("table", "read_table", "side"), LONG_REACHES)
def test_days_run_alone_with_half_a_reach_differ(built: Session, table: str, read_table: str, side: str):
    at_once = contents(built)
    cut = dataclasses.replace(built, catalog=with_half_the_reach(built.catalog, table, read_table, side))

    run_alone(cut, [table])
    found = differing(cut, at_once)
    run_alone(built, [table])

    assert found
    assert differing(built, at_once) == []
