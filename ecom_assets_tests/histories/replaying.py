"""Carrying out a history, and the law that it has to keep."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from ecom_assets.days import Window
from ecom_assets.landing.feed_settings import INFERRED, FeedSettings, ValueRule
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import quoted
from ecom_assets.warehouse import repair
from ecom_assets.warehouse.ledger.records import Cause, table_days
from ecom_assets.warehouse.proof import contents, rebuild, settle
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.histories.rows import ROWS, START, file_of
from ecom_assets_tests.histories.steps import Again, Feed, History, Land, Reopen, Repair, Run, Step, tables_of
from ecom_assets_tests.warehouses import unexplained


class Crashed(Exception):
    """Raised in the middle of a write."""


RULES = (
    ValueRule({"utm_source": "paper*"}, {"channel": "affiliates"}),
    ValueRule({"utm_medium": "post"}, {"campaign_id": "A1"}),
)


@contextmanager
def _crash_at(session: Session, step: int | None) -> Iterator[None]:
    if step is None:
        yield
        return
    left = step

    def count(name: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Crashed(name)

    session.on_step = count
    try:
        yield
    except Crashed:
        pass
    finally:
        session.on_step = lambda name: None


@dataclass
class Replay:
    """A history under way: the landing zone and the open warehouse."""

    history: History
    folder: Path
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.zone = Zone(self.folder / "landing")
        self.is_reopened = Reopen() in self.history.steps
        self.open()
        for feed in ROWS:
            self.take(Feed(feed))

    def open(self) -> None:
        con = duckdb.connect(self.folder / "warehouse.duckdb" if self.is_reopened else ":memory:")
        con.execute("set TimeZone = 'UTC'")
        self.begin(con)

    def begin(self, con: duckdb.DuckDBPyConnection) -> None:
        """A session knows the settings with which it began."""
        self.session = Session(con, tables_of(self.history.goal), self.zone, Window(START, dt.date.max))

    def close(self) -> None:
        self.session.con.close()

    def take(self, step: Step) -> None:
        match step:
            case Land(feed, arrived, file, rows):
                self.zone.write(feed, _day(arrived), file, file_of(feed, file, rows))
            case Again(feed, arrived, file, on):
                for landed in self.zone.arrivals(feed, _day(arrived), _day(arrived))[_day(arrived)]:
                    if landed.name == file:
                        self.zone.write(feed, _day(on), f"again-{file}", landed.path.read_bytes())
            case Feed(feed, time_zone, is_due, is_complete, closed, is_ruled, is_partial):
                group, *rest = (
                    self.session.catalog[f"bronze.{feed}"].feed_contract.primary_key if is_complete else ("",)
                )
                due = frozenset(range(7) if is_due else ())
                whole = (group,) if rest else ()
                days, rules = frozenset(map(_day, closed)), RULES if is_ruled else ()
                members = INFERRED if is_partial else None
                known = FeedSettings(time_zone, due, complete=whole, closed=days, rules=rules, members=members)
                self.zone.save_settings(feed, known)
                self.begin(self.session.con)
            case Run(tables, first, last, crash):
                with _crash_at(self.session, crash):
                    for name in self.session.catalog.names:
                        if not tables or name in tables:
                            self.session.run(name, Window(_day(first), _day(last)))
            case Repair(crash):
                with _crash_at(self.session, crash):
                    settle(self.session)
            case Reopen():
                self.close()
                self.open()


def _day(number: int) -> dt.date:
    return START + dt.timedelta(days=number)


@contextmanager
def replay(history: History, folder: Path) -> Iterator[Session]:
    """The session on the warehouse after all steps, before the last repair."""
    with closing(Replay(history, folder)) as replayed:
        for step in history.steps:
            replayed.take(step)
        yield replayed.session


def repair_as_planned(session: Session) -> None:
    """Repair as users do: in one run, after which nothing is stale but days that its files have brought to light.

    A file with rows of a day on which nothing had landed makes that day one on which all feeds lack a file. A second
    run judges such days.
    """
    left = session.stale()
    for _ in range(2):
        if left:
            planned = repair.plan(left, session.catalog, (day for _, day in table_days(session.con)))
            for name in session.catalog.names:
                if name in planned.tables:
                    session.repair(name, planned.window)
        left = session.stale()
        assert {found.cause for found in left} <= {Cause.NO_FILES}
    assert not left


def broken_law(session: Session, by_row: bool = False) -> str:
    """How a warehouse differs from a clean run once nothing is stale; empty where it does not."""
    repair_as_planned(session)
    standing = contents(session)
    with duckdb.connect() as con:
        clean = rebuild(session, con)
        rebuilt = contents(clean)
        order = session.catalog.names
        different = sorted(
            (key for key in standing.keys() | rebuilt.keys() if standing.get(key) != rebuilt.get(key)),
            key=lambda key: (order.index(key[0]), key[1]),
        )
        lines = [f"{key}: it is {standing.get(key)}; a clean run makes it {rebuilt.get(key)}" for key in different]
        lines += [f"the change of a total is not explained: {row}" for row in unexplained(session.con, missing=False)]
        if by_row and not lines:
            lines = [f"{table}: {side}: {row}" for table, side, row in _different_rows(session, clean)]
    return "\n".join(lines)


def _different_rows(session: Session, clean: Session) -> Iterator[tuple[str, str, Any]]:
    for declaration in session.catalog:
        tables = [declaration.name]
        if declaration.from_feed:
            tables += [declaration.quarantine, declaration.superseded]
        for table in tables:
            here, there = (Counter(_rows(one.con, table)) for one in (session, clean))
            yield from ((table, "only in the warehouse", row) for row in here - there)
            yield from ((table, "only in the clean run", row) for row in there - here)


def _rows(con: duckdb.DuckDBPyConnection, table: str) -> list[Any]:
    try:
        rows = con.sql(f"from {quoted(table)}")
    except duckdb.CatalogException:
        return []
    columns = ", ".join(f"{quoted(column)}::varchar" for column in sorted(rows.columns))
    return con.execute(f"select {columns} from {quoted(table)}").fetchall()
