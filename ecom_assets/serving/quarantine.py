"""What readers do not get to see: rows set aside, and days without good rows. Read from the snapshot."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ecom_assets.days import GOOD, Window, stretches
from ecom_assets.errors import UserError
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.sql import literal, quoted

SCHEMA = "quarantine"
_KEPT_ASIDE = {"arrived_on", "source_file", "record", "unknown_columns", "event_on", "read_on", "key_hash", "reasons"}


class NoSuchTable(UserError):
    """A table of which no rows are set aside here."""


@dataclass(frozen=True)
class BadDays:
    """Days on which a table has no good rows, or was made without those of an input.

    `why` says what broke, which table they wait for, or which rows are missing.
    """

    table: str
    state: str
    why: str
    windows: Sequence[Window]


@dataclass(frozen=True)
class SetAside:
    """How many rows of a table were set aside for a reason. A row with several reasons counts under each."""

    table: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Row:
    """One row that was set aside: where it stood, as it came, and why."""

    arrived_on: dt.date
    source_file: str
    record: int
    values: Mapping[str, str]
    """Column to text as sent, without the columns left empty. A record that could not be read is under raw_record."""
    reasons: Sequence[str]


def bad_days(snapshot: Path) -> list[BadDays]:
    """The days without good rows, and then those made without some, by table and reason. Raises NothingPublished."""
    with open_snapshot(snapshot) as con:
        found = con.execute(rf"""
            select table_name, state,
                   coalesce('made without the rows of ' || made_without || ', which has none on the day',
                            regexp_replace(note, ' (on|for) \d{{4}}-\d{{2}}-\d{{2}}', '')) as why,
                   list(day), case state when 'failed' then 1 when 'blocked' then 2 else 3 end as place
            from ledger.days where state not in {GOOD} or made_without is not null group by all
            order by place, table_name, min(day)""").fetchall()
    return [BadDays(table, state, why, stretches(days)) for table, state, why, days, _ in found]


def set_aside(snapshot: Path, table: str | None = None) -> list[SetAside]:
    """Counts by table and reason, the most frequent first; of one table ("orders") or all.

    Raises NothingPublished, NoSuchTable.
    """
    with open_snapshot(snapshot) as con:
        return [
            SetAside(name, reason, n)
            for name in _asked_for(con, table)
            for reason, n in counted_reasons(con, f"from {quoted(f'{SCHEMA}.{name}')}")
        ]


def waiting(snapshot: Path, table: str | None = None) -> list[SetAside]:
    """Records that could not be read, of days on which their table has no good rows: those are not set aside yet.

    Of one table ("orders") or all. Raises NothingPublished, NoSuchTable.
    """
    with open_snapshot(snapshot) as con:
        found = con.execute(
            f"""
            select split_part(b.table_name, '.', 2) as name, sum(b.bad_count)::bigint, min(b.day), max(b.day)
            from ledger.days b left join ledger.days s
                on s.day = b.day and s.table_name = 'silver.' || split_part(b.table_name, '.', 2) and s.state in {GOOD}
            where b.bad_count > 0 and starts_with(b.table_name, 'bronze.') and s.day is null
                and list_contains(?, name)
            group by all order by all""",
            [_asked_for(con, table)],
        ).fetchall()
    return [
        SetAside(name, f"cannot be read, and silver.{name} has no good rows on {Window(*days)} yet: ecom bad", count)
        for name, count, *days in found
    ]


def rows(snapshot: Path, table: str, most: int) -> list[Row]:
    """At most that many rows of one table ("orders"), by arrival, file and record.

    Raises NothingPublished, NoSuchTable.
    """
    with open_snapshot(snapshot) as con:
        name = quoted(f"{SCHEMA}.{_known(con, table)}")
        found = con.execute(f"from {name} order by arrived_on, source_file, record limit {int(most)}")
        columns = [column[0] for column in found.description or ()]
        return [_row(dict(zip(columns, row, strict=True))) for row in found.fetchall()]


def _row(sent: Mapping[str, object]) -> Row:
    values = {name: str(value) for name, value in sent.items() if name not in _KEPT_ASIDE and value is not None}
    return Row(sent["arrived_on"], sent["source_file"], sent["record"], values, sent["reasons"])  # type: ignore[arg-type]


def tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The tables of rows set aside that a snapshot holds, by name ("orders")."""
    return [
        name
        for (name,) in con.execute(
            f"select table_name from duckdb_tables() where schema_name = {literal(SCHEMA)} "
            "and database_name = current_database() order by table_name"
        ).fetchall()
    ]


def _known(con: duckdb.DuckDBPyConnection, table: str) -> str:
    name, there = table.replace("/", ".").rpartition(".")[2], tables(con)
    if name not in there:
        raise NoSuchTable(f"No rows of “{table}” are set aside. There are: {', '.join(there)}.")
    return name


def _asked_for(con: duckdb.DuckDBPyConnection, table: str | None) -> list[str]:
    return tables(con) if table is None else [_known(con, table)]


def counted_reasons(con: duckdb.DuckDBPyConnection, rows: str) -> list[tuple[str, int]]:
    """The reasons of rows set aside, SQL with a column `reasons`, and how many rows have each; the most frequent first.

    They count without the line for which they were given, so that equal ones count together.
    """
    return con.execute(
        r"select regexp_replace(reason, '^line \d+: ', '') as why, count(*) as n "
        f"from (select unnest(reasons) as reason from ({rows})) group by why order by n desc, why"
    ).fetchall()
