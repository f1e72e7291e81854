"""Landed files that have been read, and arrival days whose files changed since."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence

import duckdb

from ecom_assets.days import Window
from ecom_assets.landing.zone import LandedFile, Zone
from ecom_assets.sql import literal, literals, moment_literal
from ecom_assets.warehouse.ledger.records import Cause, StaleDay


def happened_days(con: duckdb.DuckDBPyConnection, bronze: Iterable[str]) -> set[dt.date]:
    """Returns the event days of rows of bronze tables, whenever they arrived."""
    query = f"select distinct read_day from ledger.slices where table_name in ({literals(bronze)})"
    return {day for (day,) in con.execute(query).fetchall()}


def note_files(
    con: duckdb.DuckDBPyConnection, feed: str, files: Sequence[LandedFile], now: dt.datetime
) -> list[tuple[dt.date, str]]:
    """Records files of a feed as read. Returns arrival day and name of those that were read before with other bytes."""
    if not files:
        return []
    rows = ", ".join(
        f"({literal(feed)}, date '{f.arrived_on}', {literal(f.name)}, {literal(f.digest)}, "
        f"{'null' if f.duplicate_of is None else literal(f.duplicate_of)})"
        for f in files
    )
    con.execute(
        "create or replace temp table seen as select * from "
        f"(values {rows}) t (feed, arrived_on, source_file, digest, duplicate_of)"
    )
    known = "known.feed = seen.feed and known.arrived_on = seen.arrived_on and known.source_file = seen.source_file"
    con.execute(
        "create or replace temp table noted as select seen.*, "
        f"case when known.digest <> seen.digest then {moment_literal(now)} else known.replaced_at end as replaced_at, "
        f"known.digest <> seen.digest as replaced from seen left join ledger.files known on {known}"
    )
    con.execute(f"delete from ledger.files known using seen where {known}")
    con.execute("insert into ledger.files select * exclude (replaced) from noted")
    replaced = con.execute("select arrived_on, source_file from noted where replaced order by all").fetchall()
    con.execute("drop table seen; drop table noted")
    return [(on, name) for on, name in replaced]


def unread(
    zone: Zone,
    tables: Collection[str],
    recorded: Mapping[tuple[str, dt.date], int],
    calendar: Window,
    only: Collection[str] | None = None,
    *,
    happened: Collection[dt.date] = (),
) -> list[StaleDay]:
    """Returns the arrival days of bronze tables whose files differ from those that were read.

    A day on which files of any of the tables landed counts for all of them, because tables with several inputs wait
    for each. On the newest day, due files may still arrive. A day without files counts once a later file has brought
    rows of it.
    `recorded` has the fingerprint of the files that were read for a table and day; `happened` the event days of the
    rows that have been read.
    """
    feeds = {table: table.partition(".")[2] for table in tables}
    landed = {table: {day for day in zone.days(feed) if day in calendar} for table, feed in feeds.items()}
    every = set().union(*landed.values())
    newest = max(every, default=None)
    every |= {day for day in happened if newest and day < newest and day in calendar}
    read: dict[str, set[dt.date]] = {}
    for name, day in recorded:
        if name in feeds and day in calendar:
            read.setdefault(name, set()).add(day)
    found = []
    for table in tables if only is None else only:
        feed = feeds[table]
        days = every | read.get(table, set())
        if (
            newest
            and newest not in landed[table]
            and (table, newest) not in recorded
            and zone.is_due(feed, newest, calendar.first)
        ):
            days.discard(newest)
        prints = zone.fingerprint(feed, min(days), max(days), calendar.first) if days else {}
        for day in sorted(days):
            if recorded.get((table, day)) != prints[day]:
                cause = Cause.FILES_CHANGED if (table, day) in recorded else Cause.FILES_UNREAD
                if day not in landed[table]:
                    cause = Cause.FILES_GONE if (table, day) in recorded else Cause.NO_FILES
                found.append(StaleDay(table, day, cause, landed=prints[day]))
    return found
