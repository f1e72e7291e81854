"""Why the total of a table-day is what it is: each recorded change, its parts by cause, and the rows behind them."""

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from ecom_assets.errors import UserError, suggestion


class NoTotal(UserError):
    """A table of which no totals are recorded, or a day of it without one."""


@dataclass(frozen=True)
class Evidence:
    """Rows of a fact that changed for a cause: how many, the keys of some, and landed files that they come from."""

    table: str
    row_count: int
    keys: Sequence[str]
    files: Sequence[str]


@dataclass(frozen=True)
class Part:
    """The part of a change that is due to a cause, in shop currency; `evidence` is of the facts below the table."""

    cause: str
    amount: Decimal
    evidence: Sequence[Evidence]


@dataclass(frozen=True)
class Told:
    """A total as recorded by a run, UTC, and the parts by which it differs from the one before; none for the first."""

    amount: Decimal
    recorded_at: dt.datetime
    run_id: str
    parts: Sequence[Part] = ()


def history(con: duckdb.DuckDBPyConnection, table: str, day: dt.date) -> list[Told]:
    """Returns the totals of a table-day in a snapshot, the oldest first. Raises NoTotal."""
    totals = con.execute(
        "select amount, recorded_at, run_id from ledger.amounts where table_name = ? and day = ? order by recorded_at",
        [table, day],
    ).fetchall()
    if not totals:
        tables = [
            name for (name,) in con.execute("select distinct table_name from ledger.amounts order by 1").fetchall()
        ]
        if table in tables:
            raise NoTotal(f"No total of {table} is recorded for {day}.")
        raise NoTotal(f"No totals of {table} are recorded{suggestion(table, tables)}")
    found = [Told(*totals[0])]
    for (_, before, _), (amount, at, run_id) in itertools.pairwise(totals):
        found.append(Told(amount, at, run_id, _parts(con, table, day, before, at)))
    return found


def _parts(
    con: duckdb.DuckDBPyConnection, table: str, day: dt.date, before: dt.datetime, at: dt.datetime
) -> list[Part]:
    parts = con.execute(
        "select cause, part from kpi.restatements where table_name = ? and day = ? and recorded_at = ? "
        "order by abs(part) desc, cause",
        [table, day, at],
    ).fetchall()
    evidence = con.execute(
        """
        with recursive above as (
            select ? as table_name union
            select from_table from ledger.column_lineage join above using (table_name))
        select cause, table_name, sum(row_count)::bigint, list_sort(list_distinct(flatten(list(samples)))),
               list_sort(list_distinct(flatten(list(files))))
        from ledger.amount_changes semi join above using (table_name)
        where day = ? and recorded_at > ? and recorded_at <= ? and len(files) > 0
        group by all order by table_name""",
        [table, day, before, at],
    ).fetchall()
    return [Part(cause, part, [Evidence(*rest) for of, *rest in evidence if of == cause]) for cause, part in parts]
