"""Real exports landed by the maps that ship and run through every layer, held against figures that others computed.

The exports are kept beside the repository, each with the published figures in `expected`. Tests whose export is absent
are skipped.
"""

import csv
import datetime as dt
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ecom_assets.cli.land import MAPS
from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.sources.feed_map import LandReport, land, load_map
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import run_all, session_over, upstream_of

_FOLDER = Path(__file__).parents[2] / "shared" / "data"


def source(name: str) -> Path:
    """Where an export stands, if it does."""
    return _FOLDER / name


def only_with(name: str) -> pytest.MarkDecorator:
    """Skips tests of an export that is absent."""
    return pytest.mark.skipif(
        not source(name).is_dir(), reason=f"The export and its published figures are not at {source(name)}."
    )


@dataclass
class RealData:
    """A window of an export's days, landed and run through every layer."""

    name: str
    session: Session
    days: Window
    report: LandReport

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.session.con.execute(sql).fetchall()

    def refused_days(self) -> list[tuple[Any, ...]]:
        """Table, day and reason where a day has no good rows."""
        return self.query("select table_name, day, note from ledger.days where state in ('failed', 'blocked')")

    def matches(self, name: str, sql: str, within: str = "0") -> None:
        """Assert that a query gives exactly the rows of an expected file that lie in the window.

        The query names its columns as the file does, the ones that tell rows apart first. Amounts may be `within`
        that much of those of the file, where these were rounded from floats. A column `d` or `month` places a row.
        An average order value is the query's revenue by its orders, compared at the file's decimals.
        """
        relation = self.session.con.sql(sql)
        columns, found = relation.columns, relation.fetchall()
        with (source(self.name) / "expected" / f"{name}.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if self._holds(row)]
        expected = [tuple(_as_like(row[c], v) for c, v in zip(columns, found[0], strict=True)) for row in rows]
        assert rows
        pairs = zip(sorted(found), sorted(expected), strict=True)
        assert [pair for pair in pairs if not _alike(*pair, Decimal(within))] == []
        for row in rows:
            if "aov" in row:
                aov = Decimal(row["revenue"]) / int(row.get("orders") or row["invoices"])
                assert aov.quantize(Decimal("0.000001")) == Decimal(row["aov"])

    def _holds(self, row: dict[str, str]) -> bool:
        if "month" in row:
            return row["month"] in {f"{day:%Y-%m}" for day in self.days}
        return "d" not in row or dt.date.fromisoformat(row["d"]) in self.days


def _alike(found: tuple[Any, ...], expected: tuple[Any, ...], within: Decimal) -> bool:
    return all(
        abs(ours - theirs) <= within if isinstance(ours, Decimal) else ours == theirs
        for ours, theirs in zip(found, expected, strict=True)
    )


def _as_like(text: str, value: Any) -> Any:
    """The text as a value of the same type."""
    if isinstance(value, dt.date):
        return type(value).fromisoformat(text)
    return type(value)(text)


@contextmanager
def run_through(
    name: str, folder: Path, days: Window | None = None, export: Path | None = None, goals: Collection[str] = ()
) -> Iterator[RealData]:
    """Land an export, or a part of it, and run its days, or some of them, through every layer.

    Where there are goals, tables run up to these only.
    """
    declared = load_map(MAPS / f"{name}.toml")
    zone = Zone(folder / "landing")
    report = land(declared, export or source(name), zone)
    tables = upstream_of(*goals) if goals else None
    session = session_over(zone, folder / "warehouse.duckdb", tables, time_zone=declared.time_zone)
    assert declared.start
    assert declared.end
    session.calendar = Window(declared.start, declared.end)
    with closing(session.con):
        run_all(session, days or session.calendar)
        yield RealData(name, session, days or session.calendar, report)
