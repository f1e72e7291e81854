"""The ledger in the snapshot."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from ecom_assets.days import GOOD, State
from ecom_assets.serving.snapshot import NothingPublished, open_snapshot


class BadDay(NamedTuple):
    """A table-day without good rows."""

    state: State
    bad_count: int
    """Quarantined or offending rows."""
    run_id: str
    """The run that wrote it."""

    @property
    def has_quarantined(self) -> bool:
        """Whether the quarantine of the table has the rows because of which the day failed."""
        return self.state is State.FAILED and self.bad_count > 0


@dataclass(frozen=True)
class LedgerState:
    """The state of all tables when the snapshot was published; days are those of table-days."""

    fingerprints: Mapping[tuple[str, dt.date], int]
    """The fingerprint of the inputs from which each table-day was made."""
    good: Collection[tuple[str, dt.date]]
    """Tables and days with good rows."""
    bad: Mapping[tuple[str, dt.date], BadDay]
    """The table-days without good rows."""
    event_days: Collection[dt.date]
    """Days of silver that read rows of bronze."""
    stale: Sequence[tuple[str, dt.date]]
    """Tables and days that have to run again."""
    written_at: dt.datetime | None
    """When a table-day was last written, UTC; of a damaged snapshot, when its file was."""
    made_of: str | None
    """Code and settings of all tables; None if the snapshot is of a version that did not record it."""


_NOTHING = LedgerState({}, (), {}, (), [], None, None)


def ledger_state(snapshot: Path) -> LedgerState:
    """Returns the state of all tables; an empty one before the first publish, or if the snapshot is damaged.

    Then all days are asked for, of which a repair runs none that is not stale, and publishes. The last state that was
    read is kept for a process that asks again before the snapshot has changed. Raises SnapshotInUse.
    """
    try:
        found = snapshot.stat()
    except FileNotFoundError:
        return _NOTHING
    return _read(snapshot, (found.st_mtime_ns, found.st_size, found.st_ino))


@lru_cache(maxsize=1)
def _read(snapshot: Path, version: tuple[int, int, int]) -> LedgerState:
    try:
        with open_snapshot(snapshot) as con:
            days = con.execute("select table_name, day, inputs from ledger.days").fetchall()
            good = con.execute(f"select table_name, day from ledger.days where state in {GOOD}").fetchall()
            bad = con.execute(
                f"select table_name, day, state, bad_count, run_id from ledger.days where state not in {GOOD}"
            ).fetchall()
            event_days = con.execute("select distinct event_on from ledger.arrivals").fetchall()
            stale = con.execute("select table_name, day from ledger.stale order by all").fetchall()
            publish = con.execute("from ledger.published")
            columns = [column[0] for column in publish.description or ()]
            published = dict(zip(columns, *publish.fetchall(), strict=True))
            written_at = last_write(con)
    except NothingPublished:
        return _NOTHING
    except duckdb.Error:
        damaged_at = dt.datetime.fromtimestamp(version[0] / 1e9, dt.UTC).replace(tzinfo=None)
        return LedgerState({}, (), {}, (), [], damaged_at, None)
    return LedgerState(
        {(table, day): inputs for table, day, inputs in days},
        set(good),
        {(table, day): BadDay(State(state), count, run_id) for table, day, state, count, run_id in bad},
        {day for (day,) in event_days},
        stale,
        written_at,
        published.get("made_of"),
    )


def plain_tables(con: duckdb.DuckDBPyConnection) -> dict[str, dt.datetime]:
    """Returns the snapshot's tables of plain assets, and when each was written, UTC; none if it does not list them."""
    known = con.execute(
        "select * from duckdb_tables() where database_name = current_database() "
        "and schema_name || '.' || table_name = 'ledger.plain_tables'"
    ).fetchall()
    return dict(con.execute("select table_name, written_at from ledger.plain_tables").fetchall()) if known else {}


def last_write(con: duckdb.DuckDBPyConnection) -> dt.datetime | None:
    """Returns when a table-day of the snapshot was last written, UTC; None before the first."""
    written_at: dt.datetime | None
    [(written_at,)] = con.execute("select max(written_at) from ledger.days").fetchall()
    return written_at


def published_at(con: duckdb.DuckDBPyConnection) -> dt.datetime:
    """Returns when a snapshot was published, UTC."""
    at: dt.datetime
    [(at,)] = con.execute("select published_at from ledger.published").fetchall()
    return at


def snapshot_name(con: duckdb.DuckDBPyConnection) -> str:
    """Returns the name of a snapshot: when it was published, UTC, so that names order snapshots by time."""
    return f"{published_at(con):%Y%m%dT%H%M%S.%fZ}"


def time_zone(con: duckdb.DuckDBPyConnection) -> str:
    """Returns the time zone of a snapshot's business days."""
    name: str
    [(name,)] = con.execute("select time_zone from ledger.published").fetchall()
    return name


def days_without_good_rows(con: duckdb.DuckDBPyConnection) -> dict[str, list[dt.date]]:
    """Returns the failed and blocked days of each table, in order; they have the last good rows, or none."""
    query = f"select table_name, list(day order by day) from ledger.days where state not in {GOOD} group by all"
    return dict(con.execute(query).fetchall())


ARRIVED_ROWS = """
select arrived_on as day, greatest(arrived_on - event_on, 0) as days_late, row_count from ledger.arrivals"""
"""Query for the rows that arrived on each day, by days since their event day."""


DAY_CONTENTS = "select table_name, day, state, row_count, content from ledger.days"
"""Query for state, rows and content hash of each table-day; without good rows, the last two are 0 and null."""


def provisional_days(con: duckdb.DuckDBPyConnection) -> dict[str, list[dt.date]]:
    """Returns the days of each table that are good and not final, in order."""
    query = "select table_name, list(day order by day) from ledger.days where state = 'provisional' group by all"
    return dict(con.execute(query).fetchall())


class TableDay(NamedTuple):
    """What the ledger has of a table-day; moments are UTC."""

    table: str
    day: dt.date
    state: State
    rows: int
    inputs: int
    """Fingerprint of the inputs that it was made from."""
    code: int
    """Fingerprint of the code and settings that it was made with."""
    content: int | None
    """Content hash of its rows; None without good rows."""
    note: str
    run_id: str
    written_at: dt.datetime

    @property
    def is_good(self) -> bool:
        return self.content is not None


def table_days(con: duckdb.DuckDBPyConnection) -> Iterator[TableDay]:
    """Yields all table-days of a snapshot, by run, table and day."""
    rows = con.execute(
        "select table_name, day, state, row_count, inputs, code, content, note, run_id, written_at from ledger.days "
        "order by run_id, table_name, day"
    )
    while found := rows.fetchmany(10_000):
        for table, day, state, *rest in found:
            yield TableDay(table, day, State(state), *rest)


class ColumnSource(NamedTuple):
    """A column of a table, and one of an input from which it is computed."""

    table: str
    column: str
    from_table: str
    from_column: str


def column_lineage(con: duckdb.DuckDBPyConnection) -> list[ColumnSource]:
    """Returns from which columns each column of all tables is computed."""
    query = "select table_name, column_name, from_table, from_column from ledger.column_lineage order by all"
    return [ColumnSource(*row) for row in con.execute(query).fetchall()]
