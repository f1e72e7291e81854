"""The star schema and the measures as tables of a PostgreSQL database: what changed since it was last written.

The database remembers in its schema `ledger` which content of each table-day it holds, in the transaction that writes
the rows: readers, and a publish after one that was killed, see the old state or the new one.
"""

import datetime as dt
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from pyarrow import csv

from ecom_assets.declaration import Catalog
from ecom_assets.engine.duckdb.hashing import row_hash
from ecom_assets.exports.rows import ROWS_OF_A_GROUP
from ecom_assets.exports.star import relationships
from ecom_assets.exports.tables import ExportedColumn, ExportedTable, exported
from ecom_assets.postgres.connection import DatabaseError, connected, name_of
from ecom_assets.serving.ledger import DAY_CONTENTS, published_at, snapshot_name, time_zone
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.sql import among, identifier, literal, literals, quoted

if TYPE_CHECKING:
    import psycopg

READER = "ecom_reader"
"""The role that may read what is published, and nothing else."""
LEDGER = "ledger"
"""The schema in which the database remembers what it holds."""
MEMORY_LIMIT = "256MB"
"""What DuckDB may use."""
NO_DAY = dt.date.min
"""Stands in the database's ledger for the day of rows that no day made."""
_LOCK = 0x65636F6D
_TYPES = {
    "VARCHAR": "text",
    "BIGINT": "bigint",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "DOUBLE": "double precision",
    "BOOLEAN": "boolean",
}
_OWN_TABLES = f"""
create table {LEDGER}.tables (
    table_name text primary key, columns text[] not null, primary_key text[] not null, comments text not null
);
create table {LEDGER}.days (
    table_name text not null, day date not null, state text not null, row_count bigint not null,
    content numeric(39) not null, primary key (table_name, day)
);
create table {LEDGER}.published (snapshot text not null, published_at timestamp not null, time_zone text not null);
comment on table {LEDGER}.tables is 'One row per published table, as it was made.';
comment on table {LEDGER}.days is
    'One row per published table and day: its state, as in the data dictionary, and the content hash of its rows. '
    '0001-01-01 stands for rows that no day made.';
comment on table {LEDGER}.published is 'One row on the snapshot that the tables hold; moments are UTC.';
"""


@dataclass(frozen=True)
class Published:
    """What a publish has written: to which database, the snapshot, its table-days with other rows, and these rows."""

    database: str
    snapshot: str
    tables: int
    days: int
    rows: int

    def __str__(self) -> str:
        if not self.days:
            return f"{self.database} holds the rows of snapshot {self.snapshot} already."
        return (
            f"Published snapshot {self.snapshot} to {self.database}: {self.rows:,} rows of {self.days:,} table-days in "
            f"{self.tables:,} tables."
        )


@dataclass(frozen=True)
class _Made:
    """A table as the database has it: columns with types, key, and the statements of its comments."""

    columns: Sequence[str]
    primary_key: Sequence[str]
    comments: str


def publish(
    snapshot: Path,
    catalog: Catalog,
    address: str,
    memory_limit: str | None = None,
    on_step: Callable[[str, float], object] = lambda step, share: None,
) -> Published:
    """Makes the tables of a database equal to the newest snapshot, in one transaction, by the table-days that differ.

    `on_step` gets what comes next, and the share that is done, 0 to 1. Raises DatabaseError, NothingPublished,
    SnapshotInUse, duckdb.Error; the database is then as before.
    """
    tables = exported(catalog)
    with connected(address) as pg, TemporaryDirectory(prefix="ecom-publish-") as scratch:
        on_step("waiting for other publishes", 0.0)
        pg.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        with open_snapshot(snapshot) as con:
            con.execute(f"set memory_limit = {literal(memory_limit or MEMORY_LIMIT)}")
            con.execute(f"set temp_directory = {literal(scratch)}")
            _make_tables(pg, tables)
            on_step("comparing days", 0.0)
            _compare(con, pg, tables)
            [(days, changed)] = con.execute(
                "select count(*), count(distinct table_name) from differing where rows_differ"
            ).fetchall()
            rows = 0
            for number, table in enumerate(tables):
                on_step(table.name, number / len(tables))
                rows += _replace_days(con, pg, table)
            on_step("committing", 1.0)
            _remember(con, pg)
            return Published(name_of(pg), snapshot_name(con), changed, days, rows)


def _make_tables(pg: "psycopg.Connection", tables: Sequence[ExportedTable]) -> None:
    """Creates missing tables, adds missing columns, and drops tables that are published no longer or otherwise.

    Raises DatabaseError if a table of that name is not from here.
    """
    if pg.execute("select to_regclass(%s)", [f"{LEDGER}.tables"]).fetchall() == [(None,)]:
        pg.execute(f"create schema if not exists {LEDGER}")
        pg.execute(_OWN_TABLES)
    known = {
        name: _Made(*made)
        for name, *made in pg.execute(f"select table_name, columns, primary_key, comments from {LEDGER}.tables")
    }
    references = {(r.table, r.column): f"{r.dimension}.{r.key}" for r in relationships(tables)}
    wanted = {table.name: _made(table, references) for table in tables}
    if known == wanted:
        return
    for name in known.keys() - wanted.keys():
        _drop(pg, name)
    for name, made in wanted.items():
        before = known.get(name)
        if before and not _can_grow(before, made):
            _drop(pg, name)
            before = None
        if before is None:
            _create(pg, name, made)
        elif before.columns != made.columns:
            added = [column for column in made.columns if column not in before.columns]
            pg.execute(f"alter table {quoted(name)} {', '.join(f'add column {column}' for column in added)}")
            pg.execute(f"delete from {LEDGER}.days where table_name = %s", [name])
        if before != made:
            pg.execute(made.comments)
            pg.execute(f"delete from {LEDGER}.tables where table_name = %s", [name])
            values = (name, list(made.columns), list(made.primary_key), made.comments)
            pg.execute(f"insert into {LEDGER}.tables values (%s, %s, %s, %s)", values)
    _let_read(pg, {LEDGER, *(name.partition(".")[0] for name in wanted)})


def _made(table: ExportedTable, references: Mapping[tuple[str, str], str]) -> _Made:
    columns = [f"{identifier(column.name)} {_sql_type(column.sql_type)}" for column in table.columns]
    comments = [f"comment on table {quoted(table.name)} is {literal(table.description)}"]
    for column in table.columns:
        to = references.get((table.name, column.name))
        about = [column.description, *([f"refers to {to}"] if to else []), *(["personal"] if column.personal else [])]
        comments.append(
            f"comment on column {quoted(table.name)}.{identifier(column.name)} is {literal('; '.join(about))}"
        )
    return _Made(columns, list(table.key), ";\n".join(comments))


def _sql_type(ours: str) -> str:
    return _TYPES.get(ours) or re.sub("^DECIMAL", "numeric", ours)


def _can_grow(before: _Made, made: _Made) -> bool:
    """Returns whether a table can become another one by more columns."""
    return before.primary_key == made.primary_key and set(before.columns) <= set(made.columns)


def _create(pg: "psycopg.Connection", name: str, made: _Made) -> None:
    if pg.execute("select to_regclass(%s)", [quoted(name)]).fetchall() != [(None,)]:
        raise DatabaseError(
            f"{name} exists in {name_of(pg)}, and is not from here. It would be lost: rename it, or give another "
            "database."
        )
    key = ", ".join(map(identifier, made.primary_key))
    pg.execute(f"create schema if not exists {identifier(name.partition('.')[0])}")
    pg.execute(f"create table {quoted(name)} ({', '.join(made.columns)}, primary key ({key}))")


def _drop(pg: "psycopg.Connection", name: str) -> None:
    """Drops a table. Raises DatabaseError if views of others read it."""
    import psycopg

    try:
        pg.execute(f"drop table if exists {quoted(name)}")
    except psycopg.errors.DependentObjectsStillExist as error:
        raise DatabaseError(
            f"{name} has other columns now, and {error.diag.message_detail or 'others depend on it'}. Drop what "
            "depends on it, publish, and make it again."
        ) from error
    for table in ("days", "tables"):
        pg.execute(f"delete from {LEDGER}.{table} where table_name = %s", [name])


def _let_read(pg: "psycopg.Connection", schemas: Iterable[str]) -> None:
    """Lets the role of readers read all published tables. Raises DatabaseError if it is missing and cannot be made."""
    import psycopg

    if not pg.execute("select from pg_roles where rolname = %s", [READER]).fetchall():
        try:
            pg.execute(f"create role {READER} nologin")
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseError(
                f"The role {READER}, which reads what is published, is missing, and {pg.info.user} may not make it: "
                f"let an administrator run: create role {READER} nologin"
            ) from error
    listed = ", ".join(map(identifier, sorted(schemas)))
    pg.execute(f"grant usage on schema {listed} to {READER}")
    pg.execute(f"grant select on all tables in schema {listed} to {READER}")


def _compare(con: duckdb.DuckDBPyConnection, pg: "psycopg.Connection", tables: Sequence[ExportedTable]) -> None:
    """Makes `differing`, a table of the table-days that the snapshot and the database have otherwise.

    The content hashes of good days are those of the ledger; of views, and of days that show their last good rows, they
    are computed from the rows.
    """
    kinds = {"table_name": pa.string(), "day": pa.date32(), "state": pa.string(), "row_count": pa.int64()}
    found = pg.execute(f"select table_name, day, state, row_count, content::text from {LEDGER}.days").fetchall()
    schema = pa.schema({**kinds, "content": pa.string()})
    con.register("held", pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in found], schema))
    con.execute("create temp table known as select * replace (content::hugeint as content) from held")
    con.unregister("held")
    of_ledger = literals(table.name for table in tables if not table.is_view)
    con.execute(f"""
        create temp table wanted as from ({DAY_CONTENTS}) where table_name in ({of_ledger})""")
    bad: dict[str, list[dt.date]] = dict(
        con.execute("select table_name, list(day) from wanted where content is null group by all").fetchall()
    )
    for table in tables:
        if table.is_view or table.name in bad:
            con.execute(f"create or replace temp table hashed as {_hashes(table, bad.get(table.name))}")
            if table.is_view:
                rows = f"select {literal(table.name)}, day, 'stored', row_count, content from hashed"
                con.execute(f"insert into wanted {rows}")
            else:
                con.execute(f"""
                    update wanted set row_count = h.row_count, content = h.content from hashed h
                    where wanted.table_name = {literal(table.name)} and wanted.day = h.day""")
    con.execute("""
        create temp table differing as
        select coalesce(n.table_name, o.table_name) as table_name, coalesce(n.day, o.day) as day, n.state,
            coalesce(n.row_count, 0) as row_count, coalesce(n.content, 0) as content, n.day is not null as is_wanted,
            n.content is distinct from o.content as rows_differ
        from (select * replace (coalesce(content, 0) as content) from wanted) n
        full join known o on n.table_name = o.table_name and n.day = o.day
        where n is distinct from o""")


def _hashes(table: ExportedTable, days: Sequence[dt.date] | None) -> str:
    """Returns SQL for the number of rows and the content hash of each day of a table: of some days, or all."""
    day = quoted(table.day)
    hashed = row_hash({column.name: column.sql_type for column in table.columns})
    some = "" if days is None else f"where {among(day, days)}"
    return f"""
        select coalesce({day}, date '{NO_DAY}') as day, count(*) as row_count, sum({hashed})::hugeint as content
        from {quoted(table.name)} {some} group by all"""


def _replace_days(con: duckdb.DuckDBPyConnection, pg: "psycopg.Connection", table: ExportedTable) -> int:
    """Replaces the rows of the days that differ. Returns the number of rows written."""
    found = con.execute("select day from differing where rows_differ and table_name = ?", [table.name]).fetchall()
    days = [day for (day,) in found]
    if not days:
        return 0
    day = identifier(table.day)
    without = f" or {day} is null" if NO_DAY in days else ""
    pg.execute(f"delete from {quoted(table.name)} where {day} = any(%s){without}", [days])
    columns = ", ".join(map(_storable, table.columns))
    rows = con.execute(f"select {columns} from {quoted(table.name)} where {among(day, days)}{without}")
    names = ", ".join(identifier(column.name) for column in table.columns)
    return _copy(pg, f"copy {quoted(table.name)} ({names}) from stdin (format csv)", rows)


def _storable(column: ExportedColumn) -> str:
    """Returns SQL for a column's values; a text of PostgreSQL has no character 0, and gets � for it."""
    name = identifier(column.name)
    return f"replace({name}, chr(0), '�') as {name}" if column.sql_type == "VARCHAR" else name


def _copy(pg: "psycopg.Connection", statement: str, rows: duckdb.DuckDBPyConnection) -> int:
    """Copies rows: as CSV, in which Arrow quotes all texts, so that an empty one is not null."""
    count = 0
    with pg.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in rows.to_arrow_reader(ROWS_OF_A_GROUP):
            text = io.BytesIO()
            csv.write_csv(batch, text, csv.WriteOptions(include_header=False))
            copy.write(text.getbuffer())
            count += batch.num_rows
    return count


def _remember(con: duckdb.DuckDBPyConnection, pg: "psycopg.Connection") -> None:
    """Writes which content the database now holds, of which snapshot."""
    gone = con.execute("select table_name, list(day) from differing group by all").fetchall()
    for table, days in gone:
        pg.execute(f"delete from {LEDGER}.days where table_name = %s and day = any(%s)", [table, days])
    columns = "table_name, day, state, row_count, content"
    rows = con.execute(f"select {columns.replace('content', 'content::varchar')} from differing where is_wanted")
    _copy(pg, f"copy {LEDGER}.days ({columns}) from stdin (format csv)", rows)
    row = (snapshot_name(con), published_at(con), time_zone(con))
    if pg.execute(f"select * from {LEDGER}.published").fetchall() != [row]:
        pg.execute(f"delete from {LEDGER}.published")
        pg.execute(f"insert into {LEDGER}.published values (%s, %s, %s)", row)
