"""Why table-days have no good rows: what failed first, with its file, followed up from what is blocked."""

import datetime as dt
import re
from typing import NamedTuple

import duckdb

from ecom_assets.days import GOOD, State
from ecom_assets.warehouse.ledger.verdicts import CONTRACT

_WAITS_FOR = re.compile(r"(\S+) is (?:failed|blocked) on (\S+)")


class Cause(NamedTuple):
    """The table that failed first, why, and a first of its offending rows with its file; empty if none is known."""

    table: str
    day: dt.date
    why: str
    sample: str


def first_causes(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, dt.date], Cause]:
    """Returns the first cause of each blocked table-day, and of each failed one itself."""
    found = con.execute(f"""
        with last as (
            select table_name, day, samples from ledger.verdict_changes where check_name = '{CONTRACT}'
            qualify number = max(number) over (partition by table_name, day))
        select table_name, day, state, note, coalesce(samples[1], '')
        from ledger.days left join last using (table_name, day) where state not in {GOOD}""").fetchall()
    known = {(table, day): (state, note, sample) for table, day, state, note, sample in found}
    causes = {}
    for table, day in known:
        at, seen = (table, day), set[tuple[str, dt.date]]()
        while at not in seen and known[at][0] == State.BLOCKED:
            seen.add(at)
            waits = _WAITS_FOR.match(known[at][1])
            above = (waits[1], dt.date.fromisoformat(waits[2])) if waits else at
            at = above if above in known else at
        _, why, sample = known[at]
        causes[table, day] = Cause(*at, why, sample)
    return causes
