"""What the published ledger says of the platform's own state: states, newest days, rows per feed, quality by day."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecom_assets.days import GOOD, State
from ecom_assets.serving.bad_days import stale_count
from ecom_assets.serving.snapshot import NothingPublished, open_snapshot

DAYS_OF_FEEDS = 400
DAYS_OF_QUALITY = 35
MOST_BAD_DAYS = 10_000


@dataclass(frozen=True)
class ArrivalDay:
    """A day of a table of bronze that has run."""

    day: dt.date
    is_good: bool
    rows: int


@dataclass(frozen=True)
class LedgerFacts:
    """The state of all table-days as last published."""

    published_at: dt.datetime
    """UTC."""
    states: Mapping[State, int]
    """Table-days by state."""
    bad: Sequence[tuple[str, dt.date, State]]
    """Failed and blocked table-days, at most MOST_BAD_DAYS."""
    stale: int
    newest: Mapping[str, dt.date | None]
    """The newest day with good rows of each table."""
    arrivals: Mapping[str, Sequence[ArrivalDay]]
    """The last days of each feed, in order."""
    quality: Mapping[dt.date, tuple[int, int]]
    """Rows checked and passed on the last days, over all tables."""


def ledger_facts(snapshot: Path) -> LedgerFacts | None:
    """Returns what the snapshot says; None before the first publish. Raises duckdb.Error, OSError, SnapshotInUse."""
    try:
        with open_snapshot(snapshot) as con:
            days = con.execute(
                f"select table_name, max(day) filter (state in {GOOD}), count(*) filter (state = 'stored'), "
                "count(*) filter (state = 'provisional'), count(*) filter (state = 'failed'), "
                "count(*) filter (state = 'blocked') from ledger.days group by all order by all"
            ).fetchall()
            bad = con.execute(
                f"select table_name, day, state from ledger.days where state not in {GOOD} order by all "
                f"limit {MOST_BAD_DAYS}"
            ).fetchall()
            arrived = con.execute(
                f"select table_name, day, state in {GOOD}, coalesce(row_count, 0) from ledger.days "
                "where starts_with(table_name, 'bronze.') "
                f"and day > (select max(day) from ledger.days) - {DAYS_OF_FEEDS} order by all"
            ).fetchall()
            quality = con.execute(
                "select day, sum(rows_checked)::bigint, sum(rows_passed)::bigint from kpi.daily_quality "
                f"where day > (select max(day) from ledger.days) - {DAYS_OF_QUALITY} group by all order by all"
            ).fetchall()
            [(published_at,)] = con.execute("select published_at from ledger.published").fetchall()
            stale = stale_count(con)
    except NothingPublished:
        return None
    arrivals: dict[str, list[ArrivalDay]] = {}
    for table, *arrival in arrived:
        arrivals.setdefault(table.partition(".")[2], []).append(ArrivalDay(*arrival))
    counts = zip(*(row[2:] for row in days), strict=True) if days else [()] * 4
    return LedgerFacts(
        published_at.replace(tzinfo=dt.UTC),
        dict(zip((State.STORED, State.PROVISIONAL, State.FAILED, State.BLOCKED), map(sum, counts), strict=True)),
        [(table, day, State(state)) for table, day, state in bad],
        stale,
        {table: newest for table, newest, *_ in days},
        arrivals,
        {day: (checked, passed) for day, checked, passed in quality},
    )
