"""The proof that incremental equals rebuild: a full rebuild over the same landing zone, then a comparison."""

import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ecom_assets.days import Window, contiguous
from ecom_assets.sql import between, connect, literal, quoted
from ecom_assets.warehouse.ledger import records
from ecom_assets.warehouse.repair import RepairStuck, plan
from ecom_assets.warehouse.session import Session

SHOWN_ROWS = 5
Told = Callable[[str, float], object]
"""Gets what a rebuild does next and the share of it that is done, 0 to 1."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Difference:
    """The first table-day that differs from a full rebuild."""

    table: str
    day: str
    stored: str
    rebuilt: str
    rows: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.table} on {self.day}: it is {self.stored}; a full rebuild makes it {self.rebuilt}."]
        return "\n".join([*lines, *self.rows, "`ecom stale` lists what still has to run; else please report this."])


def settle(session: Session) -> None:
    """Repair what is stale until nothing is. Raises RepairStuck if a repair changes nothing of what is stale."""
    last = None
    while stale := session.stale():
        if stale == last:
            raise RepairStuck(stale[0])
        last = stale
        repair = plan(stale, session.catalog, (day for _, day in records.table_days(session.con)))
        for name in session.catalog.names:
            if name in repair.tables:
                session.repair(name, repair.window)


def rebuild(session: Session, con: duckdb.DuckDBPyConnection, told: Told = lambda step, share: None) -> Session:
    """Returns a full rebuild of a warehouse on another connection, from the same landing zone.

    It has the table-days of the warehouse, and those that the warehouse should have because all their inputs exist.
    `told` is called before each table.
    """
    con.execute("set TimeZone = 'UTC'")
    other = Session(
        con,
        session.catalog,
        session.zone,
        session.calendar,
        session.time_zone,
        session.strict,
        currency=session.currency,
    )
    recorded = records.table_days(session.con)
    known = {
        name: {day for table, day in recorded if table == name and day in session.calendar}
        for name in session.catalog.names
    }
    for done, declaration in enumerate(session.catalog):
        told(declaration.name, done / len(session.catalog.names))
        days = known[declaration.name]
        if declaration.reads:
            days |= set.intersection(*(known[read.table] for read in declaration.reads))
        began = time.perf_counter()
        for window in contiguous(days):
            other.run(declaration.name, window)
        if days:
            seconds = time.perf_counter() - began
            _log.info("%s: %s days rebuilt, %.1f s", declaration.name, f"{len(days):,}", seconds)
    told("what is still stale", 1.0)
    settle(other)
    return other


def contents(session: Session) -> dict[tuple[str, str], str]:
    """Returns state, counts and content hash of each table-day of the catalog, as comparable texts."""
    return records.contents(session.con, session.catalog.names, session.calendar)


def verify(session: Session, told: Told = lambda step, share: None) -> Difference | None:
    """Returns the first table-day of a warehouse that differs from a full rebuild, in the order of the tables.

    `told` is that of `rebuild`.
    """
    with tempfile.TemporaryDirectory(prefix="ecom-verify-") as folder:
        path = Path(folder) / "rebuilt.duckdb"
        with connect(path) as con:
            rebuilt = contents(rebuild(session, con, told))
        stored = contents(session)
        order = {name: n for n, name in enumerate(session.catalog.names)}
        different = sorted(
            (key for key in stored.keys() | rebuilt.keys() if stored.get(key) != rebuilt.get(key)),
            key=lambda key: (order[key[0]], key[1]),
        )
        if not different:
            return None
        table, day = different[0]
        rows = _different_rows(session, path, table, Window.parse(day))
        there, should = stored.get((table, day), "missing"), rebuilt.get((table, day), "missing")
        return Difference(table, day, there, should, rows)


def _different_rows(session: Session, path: Path, table: str, day: Window) -> tuple[str, ...]:
    promise = session.catalog[table].contract
    columns = ", ".join(quoted(column) for column in promise.columns)
    here = f"select {columns} from {quoted(table)} where {between(promise.partition_column, day)}"
    there = here.replace(f"from {quoted(table)}", f"from rebuilt.{quoted(table)}")
    session.con.execute(f"attach {literal(str(path))} as rebuilt (read_only)")
    try:
        only_here = session.con.execute(f"{here} except all {there} limit {SHOWN_ROWS}").fetchall()
        only_there = session.con.execute(f"{there} except all {here} limit {SHOWN_ROWS}").fetchall()
    except duckdb.CatalogException:  # one of the two does not have the table
        return ()
    finally:
        session.con.execute("detach rebuilt")
    return (
        *(f"  only in the warehouse: {row}" for row in only_here),
        *(f"  only in the rebuild:   {row}" for row in only_there),
    )
