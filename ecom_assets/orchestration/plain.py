"""Plain assets: a user's own `@dg.asset`, which reads our tables as frames and stores one of its own.

dagster-duckdb finds the rows of a partition and dagster-duckdb-pandas stores pandas frames. Both work on the connection
of the run, and a write is one transaction. A plain table is outside the ledger: it has no contract, is never stale, and
is neither repaired nor verified. It is published in the snapshot.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import dagster as dg
import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
from dagster_duckdb.io_manager import DuckDbClient
from dagster_duckdb_pandas import DuckDBPandasTypeHandler

from ecom_assets import settings
from ecom_assets.days import Window, contiguous
from ecom_assets.engine.duckdb.tables import (
    UNTYPED,
    Query,
    as_arrow,
    as_query,
    as_wanted,
    columns_of,
    fits,
    stored_type,
)
from ecom_assets.errors import UserError
from ecom_assets.orchestration._dagster import DbIOManager, DbTypeHandler, Step, TablePartitionDimension, TableSlice
from ecom_assets.orchestration.assets import partitions_of, table_of
from ecom_assets.sql import quoted
from ecom_assets.warehouse.ledger import plain, records
from ecom_assets.warehouse.session import Session

RESERVED = frozenset({"landing", "quarantine", "superseded", "held", "ledger", "quality"}) | {
    *("main", "temp", "information_schema", "pg_catalog")
}
"""Schemas of the platform and of DuckDB, besides the layers: plain assets cannot store tables there."""
OUTSIDE = "This table has no contract, is never stale, and is neither repaired nor verified."
_FRAMES = (pa.Table, pl.DataFrame, pl.LazyFrame, nw.LazyFrame)


class PlainAssetError(UserError):
    """The inputs of a plain asset cannot be read, or its output cannot be stored."""


def shop_days() -> dg.DailyPartitionsDefinition:
    """Returns the days of the shop's calendar in its time zone, by which all tables are partitioned."""
    known = settings.load()
    return partitions_of(known.calendar, known.time_zone)


def load(session: Session, context: dg.InputContext) -> Any:
    """Returns the rows of the input's partitions as the frame that its annotation names.

    pandas frames are backed by Arrow, so that amounts stay decimals. An input without an annotation is a narwhals
    LazyFrame, as in a table's transform. A day without good rows gives none. Raises PlainAssetError, and Failure if all
    of the days are failed or blocked.
    """
    table = table_of(context.asset_key)
    if table in session.catalog and context.has_asset_partitions and context.asset_partition_keys:
        days = [dt.date.fromisoformat(key) for key in context.asset_partition_keys]
        recorded = records.states(session.con, [table], Window(min(days), max(days)))
        found = [state for day in days if (state := recorded.get((table, day)))]
        if found and not any(state.is_good for state in found):
            why = f"{table} has no good rows on {', '.join(map(str, contiguous(days)))}"
            raise dg.Failure(why, allow_retries=False)
    return _manager(session).load_input(context)


def store(session: Session, context: dg.OutputContext, frame: Any) -> None:
    """Store a frame in place of the rows of the output's partitions, or of the whole table, in one transaction.

    Columns go by name; a new one is added. Raises PlainAssetError if the table is one of the platform's, if a stored
    column is missing or has another type, or if rows are outside the partitions.
    """
    if frame is None:
        raise PlainAssetError(f"{context.asset_key.to_user_string()} returns no frame.")
    rows = as_arrow(frame)  # now, because a lazy frame may read rows that are about to be deleted
    is_pandas = isinstance(frame, pd.DataFrame)
    _manager(session).handle_output(context, rows.to_pandas(types_mapper=pd.ArrowDtype) if is_pandas else rows)
    context.add_output_metadata({"outside the ledger": OUTSIDE})


def _manager(session: Session) -> DbIOManager:
    return DbIOManager(
        type_handlers=[_Pandas(session), _Arrow(session)],
        db_client=_Client(session),
        database="",
        io_manager_name="Warehouse",
        default_load_type=nw.LazyFrame,
    )


class _Client(DuckDbClient):
    """dagster-duckdb's client on the connection of a run."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def connect(  # type: ignore[override]
        self, context: dg.InputContext | dg.OutputContext, table_slice: TableSlice
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yields the run's connection; for an output, in a transaction."""
        if isinstance(context, dg.InputContext):
            yield self._session.con
            return
        if table_slice.schema.lower() in RESERVED | {table.contract.layer for table in self._session.catalog}:
            raise PlainAssetError(
                f"{_name(table_slice)}: the schema {table_slice.schema} is the platform's. Give the asset another "
                f'key_prefix, as in @dg.asset(key_prefix="research").'
            )
        with self._session.transaction():
            yield self._session.con
            plain.record(self._session.con, _name(table_slice), self._session.now())

    def delete_table_slice(  # type: ignore[override]
        self, context: dg.OutputContext, table_slice: TableSlice, connection: duckdb.DuckDBPyConnection
    ) -> None:
        """Delete the rows of the partitions, if there is a table: an error would undo the transaction."""
        if self._session.stored_types(_name(table_slice)):
            super().delete_table_slice(context, table_slice, connection)
            self._session.on_step("rows deleted")


class _Arrow(DbTypeHandler[Any]):
    """Frames as Arrow tables; loads them as any kind of frame but pandas."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def supported_types(self) -> Sequence[type[object]]:
        return _FRAMES

    def handle_output(
        self, context: dg.OutputContext, table_slice: TableSlice, obj: Any, connection: duckdb.DuckDBPyConnection
    ) -> None:
        """Insert the rows by name."""
        columns = _prepared(self._session, table_slice, obj)
        if columns:
            listed = ", ".join(map(quoted, columns))
            connection.register("plain_rows", obj)
            connection.execute(f"insert into {quoted(_name(table_slice))} by name select {listed} from plain_rows")
            connection.unregister("plain_rows")
        context.add_output_metadata({"dagster/storage_kind": "duckdb"})
        _check_stored(self._session, context, table_slice, len(obj))

    def load_input(
        self, context: dg.InputContext, table_slice: TableSlice, connection: duckdb.DuckDBPyConnection
    ) -> Any:
        """Returns the rows of the slice as the frame that the input's annotation names."""
        return _loaded(self._session, context, table_slice)


class _Pandas(DuckDBPandasTypeHandler):
    """dagster-duckdb-pandas' handler: inserts by name, and loads amounts as decimals."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def handle_output(
        self, context: dg.OutputContext, table_slice: TableSlice, obj: pd.DataFrame, connection: Any
    ) -> None:
        """Insert the rows by name."""
        columns = _prepared(self._session, table_slice, obj)
        super().handle_output(cast("dg.OutputContext", _WithoutCounts(context)), table_slice, obj[columns], connection)
        _check_stored(self._session, context, table_slice, len(obj))

    def load_input(self, context: dg.InputContext, table_slice: TableSlice, connection: Any) -> Any:
        """Returns the rows of the slice as a pandas frame on Arrow."""
        return _loaded(self._session, context, table_slice)


class _WithoutCounts:
    """An output's context for a handler that counts all rows of a run for each of its partitions."""

    has_partition_key = False

    def __init__(self, context: dg.OutputContext) -> None:
        self.log = context.log
        self._context = context

    def add_output_metadata(self, metadata: Mapping[str, Any]) -> None:
        self._context.add_output_metadata({name: of for name, of in metadata.items() if not name.endswith("row_count")})


def _name(table_slice: TableSlice) -> str:
    return f"{table_slice.schema}.{table_slice.table}"


def _prepared(session: Session, table_slice: TableSlice, rows: Any) -> list[str]:
    """Make the table or add columns to it. Returns the columns to insert, in the order in which they are stored.

    A column without a value has no type, and is left out until it has one. Raises PlainAssetError.
    """
    name, arrow = _name(table_slice), as_arrow(rows)
    relation = as_query(session.con, arrow).relation()
    given = dict(zip(relation.columns, map(str, relation.types), strict=True))
    given |= {field.name: UNTYPED for field in arrow.schema if pa.types.is_null(field.type)}  # INTEGER to DuckDB
    stored = session.stored_types(name)
    if missing := sorted(set(stored) - set(given)):
        raise PlainAssetError(f"{name}: the frame has no column {', '.join(missing)}; it has {', '.join(given)}.")
    for column, sql_type in given.items():
        if column in stored and not fits(sql_type, stored[column]):
            raise PlainAssetError(f"{name}.{column} is stored as {stored[column]}, and given as {sql_type}; cast it.")
    new = {column: stored_type(sql_type) for column, sql_type in given.items() if sql_type != UNTYPED}
    wanted = {**new, **stored}
    if not wanted and len(rows):
        raise PlainAssetError(f"{name}: the frame has no values.")
    if wanted and (stored or len(rows) or len(wanted) == len(given)):
        session.ensure(name, {**stored, **wanted})
    return [column for column in session.stored_types(name) if column in given]


def _check_stored(session: Session, context: dg.OutputContext, table_slice: TableSlice, rows: int) -> None:
    """Note how many rows each partition has. Raises PlainAssetError if some rows are in none of them."""
    session.on_step("rows inserted")
    if not context.has_asset_partitions:
        context.add_output_metadata({"dagster/row_count": rows})
        return
    if not session.stored_types(_name(table_slice)):
        return
    inside = _count(session, table_slice)
    if inside != rows:
        by, name = ", ".join(of.partition_expr for of in table_slice.partition_dimensions or ()), _name(table_slice)
        raise PlainAssetError(f"{name}: {rows - inside} of {rows} rows are outside the partitions of the run, by {by}.")
    for partition in context.asset_partition_keys:
        one = _slice_of(context, table_slice, partition)
        if one:
            count = _count(session, one)
            Step(context).add_metadata({"dagster/partition_row_count": count}, context.asset_key, partition)


def _slice_of(context: dg.OutputContext, table_slice: TableSlice, partition: str) -> TableSlice | None:
    """Returns the slice of one partition; None for partitions of several dimensions."""
    [first, *others] = table_slice.partition_dimensions or ()
    if others:
        return None
    known = context.asset_partitions_def
    rows: dg.TimeWindow | list[str] = [partition]
    if isinstance(known, dg.TimeWindowPartitionsDefinition):
        rows = known.time_window_for_partition_key(partition)
    return table_slice._replace(partition_dimensions=[TablePartitionDimension(first.partition_expr, rows)])


def _count(session: Session, table_slice: TableSlice) -> int:
    return session.count(f"select count(*) from ({DuckDbClient.get_select_statement(table_slice)})")


def _loaded(session: Session, context: dg.InputContext, table_slice: TableSlice) -> Any:
    name = _name(table_slice)
    if name in session.catalog:
        session.ensure(name, columns_of(session.catalog[name]))
    elif not session.stored_types(name):
        raise PlainAssetError(f"{name}: nothing has been stored yet.")
    if table_slice.partition_dimensions and not context.asset_partition_keys:
        query = f"from {quoted(name)} limit 0"
    else:
        query = DuckDbClient.get_select_statement(table_slice)
    rows, wanted = Query(session.con, query), context.dagster_type.typing_type
    if wanted is pl.LazyFrame:
        return as_wanted(rows, pl.DataFrame).lazy()
    if wanted is pa.Table:
        return rows.relation().to_arrow_table()
    return as_wanted(rows, wanted)
