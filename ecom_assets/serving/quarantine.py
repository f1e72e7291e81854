"""Quarantined rows, as last published."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ecom_assets.days import GOOD, Window
from ecom_assets.errors import UserError
from ecom_assets.landing.provenance import ORIGIN, PROBLEM, RAW_RECORD, column_list
from ecom_assets.serving.published_tables import QUARANTINE
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.sql import literal, literals, quoted

SCHEMA = QUARANTINE.name.removesuffix(".*")
_NOT_SENT = QUARANTINE.sql_types.keys() - {PROBLEM.name, RAW_RECORD.name}
"""Columns that are not values of the row as sent, nor why a record cannot be read."""


class NoSuchTable(UserError):
    """The snapshot has no quarantine of this name."""


@dataclass(frozen=True)
class ReasonCount:
    """The number of rows of a table quarantined for a reason. A row with several reasons counts for each."""

    table: str
    reason: str
    rows: int


@dataclass(frozen=True)
class QuarantinedRow:
    """One quarantined row: where it came from, its values as sent, and why it is quarantined."""

    arrived_on: dt.date
    source_file: str
    record: int
    values: Mapping[str, str]
    """The text of each column as sent, without empty columns; raw_record is the text of an unreadable record."""
    reasons: Sequence[str]


def reason_counts(snapshot: Path, table: str | None = None) -> list[ReasonCount]:
    """Returns counts by table and reason, the most frequent reason first, for one table ("orders") or all.

    Raises NothingPublished, NoSuchTable.
    """
    with open_snapshot(snapshot) as con:
        return [
            ReasonCount(name, reason, n)
            for name in _asked_for(con, table)
            for reason, n in counted_reasons(con, f"from {quoted(f'{SCHEMA}.{name}')}")
        ]


def unreadable_counts(snapshot: Path, table: str | None = None) -> list[ReasonCount]:
    """Returns counts of records that cannot be read, on days not yet good: they are quarantined once the day is.

    For one table ("orders") or all. Raises NothingPublished, NoSuchTable.
    """
    with open_snapshot(snapshot) as con:
        found = con.execute(
            f"""
            select split_part(b.table_name, '.', 2) as name, sum(b.bad_count)::bigint, min(b.day), max(b.day)
            from ledger.days b left join ledger.days s
                on s.day = b.day and s.table_name = 'silver.' || split_part(b.table_name, '.', 2) and s.state in {GOOD}
            where b.bad_count > 0 and starts_with(b.table_name, 'bronze.') and s.day is null
                and name in ({literals(_asked_for(con, table))})
            group by all order by all"""
        ).fetchall()
    return [
        ReasonCount(name, f"unreadable, and silver.{name} has no good rows on {Window(*days)} yet: see ecom bad", count)
        for name, count, *days in found
    ]


def rows(snapshot: Path, table: str, most: int) -> list[QuarantinedRow]:
    """Returns at most that many quarantined rows of one table ("orders"), by arrival day, file and record.

    Raises NothingPublished, NoSuchTable.
    """
    with open_snapshot(snapshot) as con:
        name = quoted(f"{SCHEMA}.{_known(con, table)}")
        found = con.execute(f"from {name} order by {column_list(ORIGIN)} limit {int(most)}")
        columns = [column[0] for column in found.description or ()]
        return [_row(dict(zip(columns, row, strict=True))) for row in found.fetchall()]


def _row(sent: Mapping[str, object]) -> QuarantinedRow:
    values = {name: str(value) for name, value in sent.items() if name not in _NOT_SENT and value is not None}
    return QuarantinedRow(
        sent["arrived_on"],  # type: ignore[arg-type]
        sent["source_file"],  # type: ignore[arg-type]
        sent["record"],  # type: ignore[arg-type]
        values,
        sent["reasons"],  # type: ignore[arg-type]
    )


def tables(con: duckdb.DuckDBPyConnection, schema: str = SCHEMA) -> list[str]:
    """Returns the tables ("orders") with a quarantine in the snapshot, or with rows in another schema, by name."""
    return [
        name
        for (name,) in con.execute(
            f"select table_name from duckdb_tables() where schema_name = {literal(schema)} "
            "and database_name = current_database() order by table_name"
        ).fetchall()
    ]


def _known(con: duckdb.DuckDBPyConnection, table: str) -> str:
    name, known = table.replace("/", ".").rpartition(".")[2], tables(con)
    if name not in known:
        raise NoSuchTable(f"Rows of “{table}” are not quarantined. Tables with a quarantine: {', '.join(known)}.")
    return name


def _asked_for(con: duckdb.DuckDBPyConnection, table: str | None) -> list[str]:
    return tables(con) if table is None else [_known(con, table)]


def all_reasons_query(con: duckdb.DuckDBPyConnection) -> str:
    """Returns SQL for the reasons of each quarantined row; empty if the snapshot has no quarantine."""
    return " union all ".join(f"select reasons from {quoted(f'{SCHEMA}.{table}')}" for table in tables(con))


def counted_reasons(con: duckdb.DuckDBPyConnection, rows: str) -> list[tuple[str, int]]:
    """Returns the reasons of quarantined rows, and how many rows have each; the most frequent first.

    `rows` is SQL with a column `reasons`. The line for which a reason was given is left out, so that equal reasons
    count together.
    """
    return con.execute(
        r"select regexp_replace(reason, '^line \d+: ', '') as why, count(*) as n "
        f"from (select unnest(reasons) as reason from ({rows})) group by why order by n desc, why"
    ).fetchall()
