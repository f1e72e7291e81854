"""The ledger's rows: what is recorded per table-day, and the queries for it."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import duckdb

from ecom_assets.days import GOOD, State, Window
from ecom_assets.sql import between, literal, literals


@dataclass(frozen=True)
class Slice:
    """The rows of one table-day that are read on one day, and the sum of their hashes."""

    read_day: dt.date
    row_count: int
    content: int


class Missing(NamedTuple):
    """How many rows from a feed have no value in a column, and how many of these have a word for nothing there."""

    row_count: int
    word_count: int


@dataclass(frozen=True)
class DayResult:
    """The result of one day of a write."""

    day: dt.date
    state: State
    row_count: int = 0
    bad_count: int = 0
    note: str = ""
    broken: Mapping[str, int] = field(default_factory=dict)
    """Hard rules or reasons, with the number of rows that broke them."""
    warned: Mapping[str, int] = field(default_factory=dict)
    """Expectations, with the number of rows that missed them."""
    samples: Sequence[Mapping[str, str | None]] = ()
    """A few of the offending rows."""
    checked_count: int = 0
    """Rows that were judged, without superseded ones; counted for failed days too."""
    missing: Mapping[str, "Missing"] = field(default_factory=dict)
    """Columns that declare words for nothing, and how many rows from the feed have no value in them."""


@dataclass(frozen=True)
class Entry:
    """One table-day as recorded: its result, the fingerprint of its inputs, and its slices."""

    result: DayResult
    inputs: int
    slices: tuple[Slice, ...] = ()

    @property
    def row_count(self) -> int:
        return sum(part.row_count for part in self.slices)


@dataclass(frozen=True)
class Expectation:
    """The current inputs of a day: their fingerprint, the missing days in its reach, and the provisional ones."""

    inputs: int
    missing: int
    unsettled: int


class Cause(StrEnum):
    """Why a table-day is stale; the value is stored."""

    FILES_UNREAD = "files_unread"
    FILES_CHANGED = "files_changed"
    FILES_GONE = "files_gone"
    NO_FILES = "no_files"
    NEVER_RUN = "never_run"
    CODE_BROKEN = "code_broken"
    CODE_CHANGED = "code_changed"
    INPUTS_CHANGED = "inputs_changed"
    AWAITED_DAYS_CHANGED = "awaited_days_changed"
    KEY_MOVED = "key_moved"
    REFERENCE_ARRIVED = "reference_arrived"
    REFERENCE_REMOVED = "reference_removed"
    REFERENCE_CHANGED = "reference_changed"
    NUMBER_MERGED = "number_merged"
    RATE_CHANGED = "rate_changed"
    KEY_CHANGED = "key_changed"
    DAY_TURNED = "day_turned"

    @property
    def is_invalidation(self) -> bool:
        """Whether the write that causes it records it; the others are found by comparison."""
        return self in (
            Cause.KEY_MOVED,
            Cause.REFERENCE_ARRIVED,
            Cause.REFERENCE_REMOVED,
            Cause.REFERENCE_CHANGED,
            Cause.NUMBER_MERGED,
            Cause.RATE_CHANGED,
            Cause.KEY_CHANGED,
            Cause.DAY_TURNED,
        )


_SENTENCES = {
    Cause.FILES_UNREAD: "its files have not been read",
    Cause.FILES_CHANGED: "its files changed",
    Cause.FILES_GONE: "its files are gone",
    Cause.NO_FILES: "other feeds have files of that day, but this one has none",
    Cause.NEVER_RUN: "it has not run since its inputs arrived",
    Cause.CODE_BROKEN: "its code cannot run",
    Cause.CODE_CHANGED: "its code changed",
    Cause.INPUTS_CHANGED: "its inputs changed",
    Cause.AWAITED_DAYS_CHANGED: "days in its reach are missing or provisional, or no longer",
    Cause.KEY_MOVED: "a key moved to or from another day",
    Cause.REFERENCE_ARRIVED: "a missing reference arrived",
    Cause.REFERENCE_REMOVED: "a row that it refers to was removed",
    Cause.REFERENCE_CHANGED: "a row that it refers to appeared or disappeared",
    Cause.NUMBER_MERGED: "a number that its rows name was merged into another, or is so no longer,",
    Cause.RATE_CHANGED: "a currency or its rate changed",
    Cause.KEY_CHANGED: "a row of a key that occurs on the day changed",
    Cause.DAY_TURNED: "a day with corrections of its rows, or with what they refer to, failed or became good",
}


@dataclass(frozen=True, order=True)
class TableDay:
    """One day of a table."""

    table: str
    day: dt.date


@dataclass(frozen=True, order=True)
class StaleDay(TableDay):
    """A table-day that has to run again, and why.

    `by` is the table whose rows appeared or disappeared, if that is the cause; `landed` the fingerprint of the unread
    files, if any.
    """

    cause: Cause
    by: str | None = None
    landed: int | None = None

    @property
    def why(self) -> str:
        """The cause as a sentence for users."""
        sentence = _SENTENCES[self.cause]
        return f"{sentence} in {self.by}" if self.by else sentence


def states(con: duckdb.DuckDBPyConnection, tables: Iterable[str], window: Window) -> dict[tuple[str, dt.date], State]:
    """Returns the recorded state of each table-day that has one."""
    query = f"""
        select table_name, day, state from ledger.days
        where table_name in ({literals(tables)}) and {between("day", window)}"""
    return {(table, day): State(state) for table, day, state in con.execute(query).fetchall()}


def table_days(con: duckdb.DuckDBPyConnection) -> set[tuple[str, dt.date]]:
    """Returns the table-days that have been recorded, in any state."""
    return set(con.execute("select table_name, day from ledger.days").fetchall())


def good_days(con: duckdb.DuckDBPyConnection) -> set[tuple[str, dt.date]]:
    """Returns the table-days that have good rows."""
    return set(con.execute(f"select table_name, day from ledger.days where state in {GOOD}").fetchall())


def bad_days_of(con: duckdb.DuckDBPyConnection, runs: Iterable[str]) -> set[tuple[str, dt.date]]:
    """Returns the table-days without good rows that some runs were the last to write."""
    query = f"select table_name, day from ledger.days where state not in {GOOD} and run_id in ({literals(runs)})"
    return set(con.execute(query).fetchall())


def bad_days(con: duckdb.DuckDBPyConnection, table: str, window: Window) -> list[dt.date]:
    """Returns the days of a window on which a table has run and has no good rows."""
    query = f"select day from ledger.days where table_name = ? and state not in {GOOD} and {between('day', window)}"
    return [day for (day,) in con.execute(query, [table]).fetchall()]


def most_rows(con: duckdb.DuckDBPyConnection, tables: Iterable[str], window: Window) -> dict[dt.date, int]:
    """Returns, per day of a window, the row count of the largest of these tables."""
    rows = con.execute(
        f"select read_day, max(n) from (select table_name, read_day, sum(row_count)::bigint as n from ledger.slices "
        f"where table_name in ({literals(tables)}) and read_day between ? and ? group by all) group by all",
        [window.first, window.last],
    ).fetchall()
    return dict(rows)


def rows_by_read_day(table: str, calendar: Window) -> str:
    """Returns SQL for day and row_count of the slices of a table, by the day on which they are read."""
    return f"""
        select read_day as day, row_count from ledger.slices
        where table_name = {literal(table)} and {between("day", calendar)}"""


def recorded_inputs(con: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> dict[tuple[str, dt.date], int]:
    """Returns the fingerprint of the inputs of each table-day that has one."""
    query = f"select table_name, day, inputs from ledger.days where table_name in ({literals(tables)})"
    return {(table, day): inputs for table, day, inputs in con.execute(query).fetchall()}


def recorded_results(
    con: duckdb.DuckDBPyConnection, table: str, window: Window, run_id: str | None
) -> dict[dt.date, DayResult]:
    """Returns the recorded results of the days of a window of a table, without samples of rows.

    If a run is given, only those that it wrote.
    """
    found = _findings(con, table, window)
    rows = con.execute(
        "select day, state, row_count, bad_count, note from ledger.days "
        "where table_name = ? and day between ? and ? and run_id = coalesce(?, run_id)",
        [table, window.first, window.last, run_id],
    ).fetchall()
    return {
        day: DayResult(day, State(state), rows, bad, note, found.get((day, True), {}), found.get((day, False), {}))
        for day, state, rows, bad, note in rows
    }


def _findings(con: duckdb.DuckDBPyConnection, table: str, window: Window) -> dict[tuple[dt.date, bool], dict[str, int]]:
    """Returns, by day and whether rules are hard, the rules that rows broke with counts, largest first."""
    rows = con.execute(
        "select day, is_hard, rule, row_count from ledger.findings where table_name = ? and day between ? and ? "
        "order by row_count desc, rule",
        [table, window.first, window.last],
    ).fetchall()
    found: dict[tuple[dt.date, bool], dict[str, int]] = {}
    for day, is_hard, rule, count in rows:
        found.setdefault((day, is_hard), {})[rule] = count
    return found


def write_entries(
    con: duckdb.DuckDBPyConnection, table: str, code: int, run_id: str, entries: Sequence[Entry], now: dt.datetime
) -> None:
    """Replaces the records of these days of a table, and deletes their invalidations."""
    days = [entry.result.day for entry in entries]
    for part in ("days", "slices", "findings", "missing_values", "invalidations"):
        con.execute(f"delete from ledger.{part} where table_name = ? and list_contains(?, day)", [table, days])
    rows: dict[str, list[tuple[Any, ...]]] = {
        "days": [
            (
                table,
                entry.result.day,
                str(entry.result.state),
                entry.row_count,
                entry.result.bad_count,
                entry.inputs,
                code,
                entry.result.note,
                run_id,
                now,
                entry.result.checked_count,
            )
            for entry in entries
        ],
        "slices": [
            (table, entry.result.day, part.read_day, part.row_count, part.content)
            for entry in entries
            for part in entry.slices
        ],
        "findings": [
            (table, entry.result.day, is_hard, rule, count)
            for entry in entries
            for is_hard, rules in ((True, entry.result.broken), (False, entry.result.warned))
            for rule, count in rules.items()
        ],
        "missing_values": [
            (table, entry.result.day, column, found.row_count, found.word_count)
            for entry in entries
            for column, found in entry.result.missing.items()
        ],
    }
    for part, values in rows.items():
        if values:
            columns = list(map(list, zip(*values, strict=True)))
            con.execute(f"insert into ledger.{part} select {', '.join(['unnest(?)'] * len(columns))}", columns)


def turned_days(con: duckdb.DuckDBPyConnection, table: str, window: Window) -> list[dt.date]:
    """Returns the recorded days of a window that are stale because other days failed or became good."""
    rows = con.execute(
        f"select distinct day from ledger.invalidations semi join ledger.days using (table_name, day) "
        f"where table_name = ? and cause = ? and {between('day', window)}",
        [table, Cause.DAY_TURNED],
    ).fetchall()
    return [day for (day,) in rows]


def turn(con: duckdb.DuckDBPyConnection, table: str, days: Iterable[dt.date], run_id: str, now: dt.datetime) -> None:
    """Makes provisional days of a table stored, and stored ones provisional."""
    con.execute(
        "update ledger.days set state = case state when 'stored' then 'provisional' else 'stored' end, "
        "run_id = ?, written_at = ? where table_name = ? and list_contains(?, day)",
        [run_id, now, table, list(days)],
    )


def contents(con: duckdb.DuckDBPyConnection, tables: Sequence[str], calendar: Window) -> dict[tuple[str, str], str]:
    """Returns state, counts and content hash of each table-day, as comparable texts."""
    query = """
        select d.table_name, d.day::varchar, d.state, d.row_count, d.bad_count,
               sum(hash(s.read_day, s.row_count, s.content)::hugeint)
        from ledger.days d left join ledger.slices s using (table_name, day)
        where list_contains(?, d.table_name) and d.day between ? and ? group by all order by all"""
    rows = con.execute(query, [tables, calendar.first, calendar.last]).fetchall()
    return {
        (table, day): f"{state}, {rows} rows, {bad} bad, content {content}"
        for table, day, state, rows, bad, content in rows
    }
