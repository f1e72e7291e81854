"""Days without good rows, with their first causes, as last published."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ecom_assets.days import GOOD, State, Window, contiguous
from ecom_assets.landing.provenance import ORIGIN, column_list
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.sql import among, quoted

MISSING_REFERENCE = "_missing_reference"
"""How the codes of reasons end that wait for a row to which a column refers."""
CONFLICT, PARTIAL = "conflict", "partial"
_TOO_MANY = re.compile(r"\d+ of \d+ (rows are quarantined, more than the allowed .*)")
_WAITS_FOR = re.compile(r"(\S+) is (?:failed|blocked) on ")
_OF_THE_DAY = re.compile(r"(?<!\S)\d+ (?=rows break: )| (?:on|for) \d{4}-\d{2}-\d{2}")
"""What a note says of its day alone: equal causes count together without it."""


@dataclass(frozen=True)
class BadDays:
    """Days on which tables are failed, blocked or partial, or one has conflicts: versions of different things.

    `why` is the broken rule or what is wrong with most quarantined rows; for blocked and partial days, made without the
    rows of an input, the tables further up with which it began; or the number of conflicts.
    """

    tables: Sequence[str]
    state: str
    why: str
    windows: Sequence[Window]
    follows: bool = False
    """Whether the days failed because rows refer to ones of another table, which may have failed itself."""


@dataclass(frozen=True)
class _Day:
    state: State
    note: str
    made_without: str | None


_Days = Mapping[tuple[str, dt.date], _Day]


def bad_days(snapshot: Path) -> list[BadDays]:
    """Returns failed days, then blocked ones, then partial ones, then those with a damaged file or with conflicts.

    Tables that are bad on the same days for the same cause are together. Raises NothingPublished.
    """
    with open_snapshot(snapshot) as con:
        return bad_days_of(con)


def bad_days_of(con: duckdb.DuckDBPyConnection) -> list[BadDays]:
    """Returns the same of a snapshot that is open."""
    days = _bad(con)
    causes: dict[tuple[str, str, str], list[dt.date]] = {}
    for (table, day), found in days.items():
        if found.state is State.BLOCKED:
            state, why = str(found.state), _first_cause(days, table, day)
        elif found.made_without:
            inputs = sorted({root for name in found.made_without.split(", ") for root in _roots(days, name, day)})
            state, why = PARTIAL, f"made without the rows of {' and '.join(inputs)} of the day, which are not good"
        else:
            too_many = _TOO_MANY.fullmatch(found.note)
            state, why = str(found.state), too_many[1] if too_many else _OF_THE_DAY.sub("", found.note)
        causes.setdefault((state, table, why), []).append(day)
    together: dict[tuple[str, str, tuple[Window, ...], bool], list[str]] = {}
    for (state, table, why), on in causes.items():
        text, follows = _quarantined(con, table, on, why) if state == State.FAILED else (why, False)
        together.setdefault((state, text, tuple(contiguous(on)), follows), []).append(table)
    places = [State.FAILED, State.BLOCKED, PARTIAL, State.PROVISIONAL]
    listed = [BadDays(sorted(tables), *cause) for cause, tables in together.items()]
    listed.sort(
        key=lambda bad: (
            places.index(bad.state),
            bad.follows,
            bad.tables[0] if len(bad.tables) == 1 else "",
            bad.windows,
        )
    )
    return [*listed, *map(_with_conflicts, conflicts(con))]


def _bad(con: duckdb.DuckDBPyConnection) -> _Days:
    rows = con.execute(f"""
        select table_name, day, state, note, made_without from ledger.days
        where state not in {GOOD} or made_without is not null
            or (state = 'provisional' and starts_with(table_name, 'bronze.')) order by all""").fetchall()
    return {(table, day): _Day(State(state), note, without) for table, day, state, note, without in rows}


def _roots(days: _Days, table: str, day: dt.date) -> list[str]:
    """Returns the table with which it began that a table has no good rows on a day."""
    found = days.get((table, day))
    waits_for = _WAITS_FOR.match(found.note) if found and found.state is State.BLOCKED else None
    return _roots(days, waits_for[1], day) if waits_for and (waits_for[1], day) in days else [table]


def _first_cause(days: _Days, table: str, day: dt.date) -> str:
    """Returns why a table is blocked on a day: the failed table, or one that has not run."""
    [root] = _roots(days, table, day)
    found = days[root, day]
    return f"{root} is {found.state}" if found.state is State.FAILED else _OF_THE_DAY.sub("", found.note)


def _quarantined(con: duckdb.DuckDBPyConnection, table: str, days: Iterable[dt.date], why: str) -> tuple[str, bool]:
    """Returns why days failed, and whether for missing references.

    If it is for quarantined rows, it says what is wrong with most, and where the first is.
    """
    layer, _, feed = table.partition(".")
    if layer != "silver" or not why.startswith("rows are quarantined"):
        return why, False
    rows = con.execute(rf"""
        select regexp_replace(reason, '^line \d+: ', '') as wrong, count(*) as n, min(({column_list(ORIGIN)})),
               coalesce(any_value(code), '')
        from (select {column_list(ORIGIN)}, unnest(reasons) as reason, unnest(reason_codes) as code
              from {quoted(f"quarantine.{feed}")}
              where {among("read_on", list(days))})
        group by wrong order by n desc, wrong""").fetchall()
    if not rows:
        return why, False
    (wrong, n, first, code), others = rows[0], len(rows) - 1
    arrived_on, file, record = first
    more = f"; {others} more reason{'s' if others > 1 else ''}: ecom quarantine {feed}" if others else ""
    count = f"{n:,} row{'s' if n > 1 else ''}"
    place = f"record {record} of {arrived_on}/{file}"
    return f"{why}: {wrong.removeprefix('broken: ').rstrip('.')} ({count}, the first is {place}){more}", code.endswith(
        MISSING_REFERENCE
    )


def _with_conflicts(found: tuple[str, int, list[dt.date]]) -> BadDays:
    table, rows, days = found
    why = (
        f"{rows} superseded rows differ in all that identifies them from the one that counts; perhaps one key is that "
        f"of two things: see superseded.{table} where kind = 'conflict'"
    )
    return BadDays([f"silver.{table}"], CONFLICT, why, contiguous(days))


def conflicts(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, list[dt.date]]]:
    """Returns the tables ("orders") with rows that a version of another thing superseded, their number and days."""
    found = []
    for (table,) in con.execute(
        "select table_name from duckdb_tables() where schema_name = 'superseded' and database_name = "
        "current_database() order by table_name"
    ).fetchall():
        [(rows, days)] = con.execute(
            f"select count(*), list(distinct read_on) from {quoted(f'superseded.{table}')} where kind = 'conflict'"
        ).fetchall()
        if rows:
            found.append((table, rows, days))
    return found


def quiet_days(con: duckdb.DuckDBPyConnection, others: Iterable[dt.date] = ()) -> list[Window]:
    """Returns the days between others of which no file has been read, and no row: nothing is stale or bad there.

    Args:
        con: A connection to a snapshot or to the warehouse.
        others: Days besides the recorded ones that are known to have files.
    """
    rows = con.execute("select distinct day from ledger.days where starts_with(table_name, 'bronze.')").fetchall()
    known = {day for (day,) in rows} | set(others)
    if not known:
        return []
    return contiguous({*Window(min(known), max(known))} - known)


def about_quiet_days(windows: Sequence[Window]) -> str:
    """Returns what to know of the days of which nothing was read."""
    return (
        f"Nothing has landed for {', '.join(map(str, windows))}, and these days have not run. If files are missing, "
        f"land them. Otherwise ecom run {windows[0]} runs them as days without files, which fail where files are due."
    )


def stale_count(con: duckdb.DuckDBPyConnection) -> int:
    """Returns how many table-days of days that are over have to run again."""
    [(count,)] = con.execute(
        "select count(*) from ledger.stale, ledger.published where day < timezone(time_zone, now())::date"
    ).fetchall()
    return int(count)


def advice(found: Sequence[BadDays], stale: int) -> list[str]:
    """Returns what helps: nothing has to run again by itself unless it is stale."""
    said = []
    if any(bad.state == State.FAILED for bad in found):
        said.append(
            "To run them again does not help. Land files with good rows, or correct the table, then: ecom run --stale. "
            "It runs the blocked and partial days that follow too."
        )
    if stale:
        said.append(f"{stale:,} table-days are stale: ecom run --stale runs them.")
    return said
