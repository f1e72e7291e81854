"""Values that parse and cannot be computed with are set aside, in every feed; the largest that are kept are carried."""

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import duckdb
import pytest

from ecom_assets import catalog
from ecom_assets.contract import FeedContract, Kind, Model
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.samples import DAY, NOON, default_row
from ecom_assets_tests.warehouses import run_all

NEW_YORK = "America/New_York"
SUNDAY = dt.date(2024, 3, 31)
"""The last day of its month too, so that every table has something to compute."""
LARGEST = "9999999999.9999"
KEPT: Mapping[Kind, tuple[str, ...]] = {
    "integer": ("999999999", "-999999999"),
    "decimal": (LARGEST, f"-{LARGEST}"),
    "rate": ("99999999.9999999999", "1e-10", "-1"),
    "date": ("1000-01-01", "9999-12-31"),
    "timestamp": ("1000-01-02T00:00:00Z", "9999-12-29T23:59:59"),
}
REFUSED: Mapping[Kind, tuple[str, ...]] = {
    "integer": ("1000000000", "-1000000000", "9223372036854775807", "-9223372036854775808", "99999999999999999999"),
    "decimal": ("10000000000", "99999999999999.9999", "-99999999999999.9999", "1e300", "NaN", "Infinity"),
    "rate": ("100000000", "1e300", "NaN", "-Infinity"),
    "date": ("epoch", "infinity", "-infinity", "0001-01-01", "10000-01-01", "294000-01-01", "2024-01-31 (BC)"),
    "timestamp": (
        *("epoch", "infinity", "-infinity", "0001-01-01T00:00:00", "9999-12-31T23:59:59", "294000-01-01T00:00:00Z"),
        *("294247-01-10 04:00:54", "294247-01-10 00:00:00.0000005 EST"),
        *("290308-12-22 (BC) 00:00:00", "2024-01-31 (BC)"),
    ),
}
GIVEN: Mapping[str, Mapping[str, str]] = {
    "silver.customer_merges": {"merged_into": "good0"},
    "silver.products": {"price": LARGEST, "cost": LARGEST},
    "silver.shipments": {
        "status": "delivered",
        "promised_on": f"{DAY}",
        "shipped_at": f"{NOON}",
        "delivered_at": f"{NOON}",
    },
}
"""What rows say beside what they have to say, so that a planted value reaches what is computed from it."""

GOOD_ROWS = 150


def model_of(declaration: Declaration) -> type[Model]:
    """The class in which a table's contract is written."""
    module = import_module(f"ecom_assets.{declaration.name}")
    return next(
        member
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Model) and member.__module__ == module.__name__
    )


def record(
    declaration: Declaration, feed: FeedContract, key: str, number: int, refers_to: str = "good"
) -> dict[str, str | None]:
    """A good row of a feed with a key of its own; it refers to the rows of that key and number."""
    row = {**default_row(model_of(declaration)), **GIVEN.get(declaration.name, {})}
    for column in feed.columns.values():
        if column.references:
            row[column.name] = f"{refers_to}{number}"
        elif column.capital and column.name in feed.primary_key:
            row[column.name] = f"{key[1]}{chr(65 + number // 26)}{chr(65 + number % 26)}".upper()
        elif column.kind == "text" and column.name in feed.primary_key:
            row[column.name] = f"{key}{number}"
    sent = {name: row[name] for name in feed.columns}
    return {name: None if value is None else f"{value}".replace(f"{DAY}", f"{SUNDAY}") for name, value in sent.items()}


def planted(feed: FeedContract) -> Iterator[tuple[bool, dict[str, str]]]:
    """What to put into a row, and whether it can be read: an extreme in one column, or in all that are numbers."""
    columns = [column for column in feed.columns.values() if column.kind in KEPT]
    for is_kept, extremes in ((True, KEPT), (False, REFUSED)):
        for column in columns:
            yield from ((is_kept, {column.name: text}) for text in extremes[column.kind])
        numbers = [column for column in columns if column.kind in ("integer", "decimal")]
        if numbers:
            yield is_kept, {column.name: extremes[column.kind][0] for column in numbers}


def land(zone: Zone, declaration: Declaration) -> set[int]:
    """Land a feed's good rows, those with extremes, and good ones that refer to such.

    Gives the record numbers of what cannot be read.
    """
    feed = declaration.feed_contract
    has_own_key = record(declaration, feed, "one", 0) != record(declaration, feed, "other", 0)
    rows = [record(declaration, feed, "good", number) for number in range(GOOD_ROWS if has_own_key else 1)]
    unreadable = set()
    for number, (is_kept, values) in enumerate(planted(feed), start=1):
        rows.append({**record(declaration, feed, "planted", number), **values})
        if not is_kept:
            unreadable.add(len(rows))
    rows += [record(declaration, feed, "heir", number, refers_to="planted") for number in range(1, GOOD_ROWS)]
    name = declaration.feed_name
    zone.save_settings(name, FeedSettings(NEW_YORK))
    zone.write(name, SUNDAY, "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    return unreadable


@pytest.mark.slow
def test_extremes_are_set_aside_or_carried_through_every_table(tmp_path: Path) -> None:
    tables = Catalog(
        dataclasses.replace(d, contract=dataclasses.replace(d.contract, max_bad_share=1.0)) if d.from_feed else d
        for d in catalog.tables()
    )
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        session = Session(con, tables, Zone(tmp_path), Window(SUNDAY, SUNDAY), NEW_YORK)
        unreadable = {table.name: land(session.zone, table) for table in tables if table.from_feed}

        results = run_all(session, Window(SUNDAY, SUNDAY))

        assert [(name, day.note) for name, [day] in results.items() if not day.state.is_good] == []
        for name, records in unreadable.items():
            aside = con.execute(f"select record from {tables[name].quarantine}").fetchall()
            kept = con.execute(f"select record from {name}").fetchall()
            assert records <= {record for (record,) in aside}, name
            assert len(kept) > 0, name
