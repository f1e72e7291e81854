"""Tables in DuckDB: their columns and types, and frames that are read from them or checked before they are stored."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa

from ecom_assets.contract import EXTRA, Kind
from ecom_assets.days import Window
from ecom_assets.declaration import Declaration, Read
from ecom_assets.errors import UserError
from ecom_assets.landing.provenance import BRONZE, ORIGIN, QUARANTINE, READ_ON, SUPERSEDED, sql_types
from ecom_assets.sql import named_between, quoted

SQL_TYPES: Mapping[Kind, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "decimal": "DECIMAL(18,4)",
    "rate": "DECIMAL(18,10)",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
}
REASONS_TYPE = "STRUCT(code VARCHAR, sentence VARCHAR)[]"
"""SQL type of the reasons of a row while it is judged; see `contract.Reason`."""
_FITS: Mapping[str, str] = {
    "BIGINT": r"(U?(TINY|SMALL)INT|U?INTEGER|BIGINT|HUGEINT)",
    "DECIMAL(18,4)": r"(DECIMAL\(\d+,[0-4]\)|(TINY|SMALL|BIG)INT|INTEGER)",
    "DOUBLE": r"(DOUBLE|FLOAT)",
    "TIMESTAMP": r"TIMESTAMP(_S|_MS)?",
}
UNTYPED = '"NULL"'
"""The type of a column with only null values."""


@dataclass(frozen=True)
class Query:
    """Rows that are not fetched yet: SQL, and the connection that can run it."""

    con: duckdb.DuckDBPyConnection
    sql: str

    def relation(self) -> duckdb.DuckDBPyRelation:
        """Returns the rows as a DuckDB relation. Raises duckdb.Error if the SQL is invalid."""
        return self.con.sql(self.sql)


class ShapeError(UserError):
    """The result of a transform does not have the columns or types of its contract."""


def columns_of(declaration: Declaration) -> dict[str, str]:
    """Returns the SQL type of each column of the stored table."""
    columns = declaration.contract.columns.values()
    if declaration.is_bronze:
        return {**{column.name: "VARCHAR" for column in columns}, **sql_types(BRONZE)}
    stored = {column.name: SQL_TYPES[column.kind] for column in columns}
    return {**stored, **sql_types(ORIGIN)} if declaration.from_feed else stored


def parsed_columns(declaration: Declaration) -> dict[str, str]:
    """Returns the SQL type of each column of typed rows of bronze: without columns that the transform computes."""
    promise = declaration.contract
    computed = {
        name
        for name, column in promise.columns.items()
        if name not in (*declaration.feed_contract.columns, EXTRA, promise.partition_column)
        and not (column.day_of or column.latest_of or column.original_of)
        and column.by_rule is None
    }
    return {name: sql_type for name, sql_type in columns_of(declaration).items() if name not in computed}


def version_columns(declaration: Declaration) -> dict[str, str]:
    """Returns the SQL type of each column of rows that are read by arrival day."""
    return {**parsed_columns(declaration), "is_retraction": "BOOLEAN"}


@dataclass(frozen=True)
class Stored:
    """A table for SQL: all names but those of `columns` are quoted."""

    name: str
    day: str
    """The column with a row's day."""
    keys: tuple[str, ...]
    columns: Mapping[str, str]
    """Returns the SQL type of each column, in order."""

    @property
    def listed(self) -> str:
        """Returns SQL for all columns, separated by commas."""
        return ", ".join(map(quoted, self.columns))

    @property
    def key(self) -> str:
        """Returns SQL for the columns of the key, separated by commas."""
        return ", ".join(self.keys)

    def rows_in(self, window: Window) -> str:
        """SQL: "from … where …", the rows of the days of a window; DuckDB skips row groups of other days."""
        return f"from {self.name} where {named_between(self.day, window)}"


@lru_cache(maxsize=1_000)
def stored(declaration: Declaration) -> Stored:
    """Returns the table of a declaration."""
    promise = declaration.contract
    keys = tuple(map(quoted, promise.primary_key))
    return Stored(quoted(declaration.name), quoted(promise.partition_column), keys, columns_of(declaration))


@lru_cache(maxsize=1_000)
def quarantine(declaration: Declaration) -> Stored:
    """Returns the quarantine of a table from a feed: bronze's columns, and the reasons."""
    columns = dict.fromkeys(declaration.feed_contract.columns, "VARCHAR") | sql_types(QUARANTINE)
    return Stored(quoted(declaration.quarantine), READ_ON.name, (), columns)


@lru_cache(maxsize=1_000)
def superseded(declaration: Declaration) -> Stored:
    """Returns the table of the superseded rows of a table from a feed."""
    return Stored(quoted(declaration.superseded), READ_ON.name, (), sql_types(SUPERSEDED))


def stored_types(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Returns the columns and SQL types of each table of the current database."""
    found: dict[str, dict[str, str]] = {}
    for table, column, sql_type in con.execute(
        "select schema_name || '.' || table_name, column_name, data_type "
        "from duckdb_columns() semi join duckdb_tables() using (database_oid, table_oid) "
        "where database_name = current_database() order by table_oid, column_index"
    ).fetchall():
        found.setdefault(table, {})[column] = sql_type
    return found


def ensure_table(
    con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], stored: Mapping[str, str] | None = None
) -> None:
    """Creates the table, or adds missing columns to it. Raises ShapeError if a type changed that values do not fit."""
    if not stored:
        con.execute(f"create schema if not exists {quoted(table.partition('.')[0])}")
        con.execute(f"create table {quoted(table)} ({', '.join(f'{quoted(c)} {t}' for c, t in columns.items())})")
        return
    for name, sql_type in columns.items():
        if name not in stored:
            con.execute(f"alter table {quoted(table)} add column {quoted(name)} {sql_type}")
        elif stored[name] == sql_type:
            continue
        elif fits(stored[name], sql_type):
            con.execute(f"alter table {quoted(table)} alter column {quoted(name)} type {sql_type}")
        else:
            raise ShapeError(
                f"{table}.{name} is stored as {stored[name]} but declared as {sql_type}. Give the column a new "
                f"name, or rebuild: drop the table and run all its days again."
            )


def check_shape(name: str, relation: duckdb.DuckDBPyRelation, columns: Mapping[str, str]) -> None:
    """Raises ShapeError for a result that lacks a column or would need a lossy cast."""
    found = dict(zip(relation.columns, map(str, relation.types), strict=True))
    for column, wanted in columns.items():
        if column not in found:
            raise ShapeError(f"{name}: transform does not return the column {column}; it returns {', '.join(found)}.")
        if not fits(found[column], wanted):
            raise ShapeError(
                f"{name}.{column}: transform returns {found[column]}, the contract has {wanted}; cast it in transform."
            )


def fits(given: str, stored: str) -> bool:
    """Returns whether values of one SQL type can be stored as another without loss."""
    return given in (stored, UNTYPED) or bool(re.fullmatch(_FITS.get(stored, "(?!)"), given))


def stored_type(given: str) -> str:
    """Returns the SQL type under which values of a type are stored: the first of ours that they fit, else their own."""
    return next((ours for ours in SQL_TYPES.values() if fits(given, ours)), given)


def as_query(con: duckdb.DuckDBPyConnection, frame: Any) -> Query:
    """Returns a query, or a narwhals, Polars or pandas frame, as a query of this connection."""
    if isinstance(frame, Query):
        return frame
    con.register("transformed", as_arrow(frame))
    return Query(con, "select * from transformed")


def as_arrow(frame: Any) -> pa.Table:
    """Returns a narwhals, Polars or pandas frame, or DuckDB's relation, as an Arrow table."""
    native = frame.to_native() if isinstance(frame, (nw.LazyFrame, nw.DataFrame)) else frame
    if isinstance(native, duckdb.DuckDBPyRelation):
        native = native.to_arrow_table()
    elif hasattr(native, "collect"):
        native = native.collect()
    if isinstance(native, pd.DataFrame):
        native = pa.Table.from_pandas(native, preserve_index=False)
    elif hasattr(native, "to_arrow"):
        native = native.to_arrow()
    return native


def as_wanted(query: Query, wanted: Any) -> Any:
    """Returns a query as the frame of an annotation: Polars, pandas on Arrow, otherwise a narwhals LazyFrame."""
    if wanted is pl.DataFrame:
        return query.relation().pl()
    if wanted is pd.DataFrame:
        arrow = query.relation().to_arrow_table()
        return arrow.to_pandas(types_mapper=pd.ArrowDtype)  # days and amounts keep their types
    return nw.from_native(query.relation())


def days_query(window: Window) -> str:
    """Returns SQL for the days of a window, as the transform's parameter `days` gets them: without holes."""
    return f"select unnest(generate_series(date '{window.first}', date '{window.last}', interval 1 day))::date as day"


def columns_read(source: Declaration, read: Read) -> list[str]:
    """Returns the columns of an input that a table reads: all, or the key and the day."""
    key = {read.reach.key, source.contract.partition_column}
    return [name for name in source.contract.columns if not read.reach.days_alone or name in key]


def read_query(
    source: Declaration, read: Read, window: Window, calendar: Window, keys_of: Sequence[Declaration] = ()
) -> str:
    """Returns SQL for the rows of an input that a window reaches; by key, those with a key of the window in a table."""
    reached = read.reach.window(window, calendar)
    names = ", ".join(map(quoted, columns_read(source, read)))
    distinct = "distinct " if read.reach.days_alone else ""
    rows = f"select {distinct}{names} {stored(source).rows_in(reached)}"
    if read.reach.key is None:
        return rows
    key = quoted(read.reach.key)
    if [*keys_of] == [source] and reached == window:
        return f"{rows} and {key} is not null"
    keys = " union all ".join(f"select {key} {stored(table).rows_in(window)}" for table in keys_of)
    return f"{rows} and {key} in ({keys})"
