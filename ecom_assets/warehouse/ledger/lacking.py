"""Which days of which tables are made without days of an input, however far up it is."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from ecom_assets.days import ONE_DAY, Reach, State, Window, contiguous
from ecom_assets.declaration import Catalog


@dataclass(frozen=True, order=True)
class Lack:
    """Days of a table whose rows lack days of another that failed."""

    table: str
    days: Window
    failed: str
    failed_on: Window


def lacking(con: duckdb.DuckDBPyConnection, catalog: Catalog, calendar: Window) -> list[Lack]:
    """Returns what the tables lack, directly or by their inputs, within the days that have run.

    Days that are not awaited are not lacked: a day is final without them.
    """
    [(first, last)] = con.execute("select min(day), max(day) from ledger.days").fetchall()
    if first is None:
        return []
    recorded = Window(max(first, calendar.first), max(min(last, calendar.last), first, calendar.first))
    failed: dict[str, list[dt.date]] = {}
    for table, day in con.execute("select table_name, day from ledger.days where state = ?", [State.FAILED]).fetchall():
        if table in catalog and day in recorded:
            failed.setdefault(table, []).append(day)
    return sorted(
        lack
        for table, days in failed.items()
        for window in contiguous(days)
        for lack in _downstream(catalog, table, window, recorded)
    )


def _downstream(catalog: Catalog, failed: str, on: Window, recorded: Window) -> Iterable[Lack]:
    """Yields what tables lack because one failed on a window."""
    reached = {failed: [on]}
    for declaration in catalog:
        days = {
            day
            for read in declaration.reads
            if read.reach.awaited
            for window in reached.get(read.table, ())
            for day in _reading(read.reach, window, recorded)
        }
        if days:
            reached[declaration.name] = contiguous([*days, *(d for w in reached.get(declaration.name, ()) for d in w)])
    for table, windows in reached.items():
        if table != failed:
            yield from (Lack(table, window, failed, on) for window in windows)


def _reading(reach: Reach, window: Window, recorded: Window) -> Iterable[dt.date]:
    """Returns the days that have run whose reach meets a window."""
    after = 0 if reach.key else reach.after
    first = recorded.first if after is None else max(window.first - after * ONE_DAY, recorded.first)
    last = recorded.last if reach.before is None else min(window.last + reach.before * ONE_DAY, recorded.last)
    return Window(first, last) if first <= last else ()
