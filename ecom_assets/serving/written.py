"""What has become of rows that the API wrote, as last published."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import duckdb

from ecom_assets.days import GOOD
from ecom_assets.serving.quarantine import tables as quarantines
from ecom_assets.sql import quoted


class Fate(StrEnum):
    """What has become of a row."""

    PENDING = "pending"
    """Not read yet, or its day has no good rows."""
    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    SUPERSEDED = "superseded"
    """Another version of it counts."""
    DELETED = "deleted"
    """It says that there is none any more, and counts."""

    @property
    def is_settled(self) -> bool:
        """Whether the snapshot shows what it led to."""
        return self is not Fate.PENDING


class Place(NamedTuple):
    """Where a row stands: its feed, arrival day, file and record, and the day on which it happened if it says so."""

    feed: str
    arrived_on: dt.date
    file: str
    record: int
    event_on: dt.date | None


@dataclass(frozen=True)
class Outcome:
    """What has become of a row, and why."""

    fate: Fate
    reasons: Sequence[str] = ()


def outcome(con: duckdb.DuckDBPyConnection, place: Place) -> Outcome:
    """Returns what has become of a row in the snapshot of a connection."""
    feed, silver = place.feed, f"silver.{place.feed}"
    file = [place.arrived_on, place.file]
    if not con.execute(
        "select 1 from ledger.files where feed = ? and (arrived_on, source_file) = (?, ?)", [feed, *file]
    ).fetchone():
        return Outcome(Fate.PENDING)
    if feed in quarantines(con):
        row = con.execute(
            f"select reasons from {quoted(f'quarantine.{feed}')} where (arrived_on, source_file, record) = (?, ?, ?)",
            [*file, place.record],
        ).fetchone()
        if row:
            return Outcome(Fate.QUARANTINED, row[0])
    if feed in quarantines(con, "superseded"):
        row = con.execute(
            "select kind, by_arrived_on, by_source_file, by_record "
            f"from {quoted(f'superseded.{feed}')} where (arrived_on, source_file, record) = (?, ?, ?)",
            [*file, place.record],
        ).fetchone()
        if row:
            kind, day, name, record = row
            if kind == "retraction":
                return Outcome(Fate.DELETED)
            return Outcome(Fate.SUPERSEDED, [f"record {record} of {feed}/{day}/{name} counts instead"])
    day = place.event_on or place.arrived_on
    found = con.execute("select state, note from ledger.days where table_name = ? and day = ?", [silver, day])
    state, note = found.fetchone() or (None, "")
    waits = con.execute("select 1 from ledger.stale where table_name = ? and day = ?", [silver, day]).fetchone()
    if state not in GOOD or waits:
        return Outcome(Fate.PENDING, [f"{silver} of {day}: {note}"] if note and state not in GOOD else ())
    return Outcome(Fate.ACCEPTED)


def unread(
    con: duckdb.DuckDBPyConnection, files: Collection[tuple[str, dt.date, str]]
) -> set[tuple[str, dt.date, str]]:
    """Returns which files, each a feed, an arrival day and a name, had not been read when a snapshot was published."""
    if not files:
        return set()
    since = min(day for _, day, _ in files)
    known = "select feed, arrived_on, source_file from ledger.files where arrived_on >= ?"
    return set(files) - set(con.execute(known, [since]).fetchall())
