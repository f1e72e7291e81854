"""The tables as a Tableau extract (.hyper)."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from ecom_assets.errors import UserError
from ecom_assets.exports.rows import ROWS_OF_A_GROUP, write_parquet
from ecom_assets.exports.tables import ExportedColumn, ExportedTable
from ecom_assets.exports.writing import Exporting, Written
from ecom_assets.serving.ledger import snapshot_name
from ecom_assets.sql import identifier, literal, quoted

NAME = "shop.hyper"


@dataclass(frozen=True)
class _Name:
    """A name as pantab takes it from Tableau's own package."""

    unescaped: str

    @property
    def name(self) -> "_Name":
        return self


@dataclass(frozen=True)
class _TableName:
    name: _Name
    schema_name: _Name


def hyper(exporting: Exporting) -> Iterable[Written]:
    """Writes one extract with all tables, and a table "snapshot" with its name.

    Raises UserError without pantab, or if it fails. pantab cannot write decimals between -0.1 and 0: tables that have
    some are read by Hyper itself, from Parquet files, which starts it anew for each statement.
    """
    try:
        import pantab
    except ModuleNotFoundError as error:
        raise UserError("The format hyper needs pantab: pip install 'ecom_assets[tableau]'.") from error
    exporting.on_step("all tables as hyper")
    path, parquet = exporting.path(f"hyper/{NAME}"), exporting.scratch / "rows.parquet"
    log = {"log_dir": str(exporting.scratch)}
    others = [table for table in exporting.tables if _has_small_negatives(exporting, table)]
    about = pa.table({"snapshot": [snapshot_name(exporting.con)]})
    try:
        with _ended_by_signal():
            pantab.frame_to_hyper(about, path, table="snapshot", process_params=log, atomic=False)
            for table in others:  # first, since a statement takes longer the more is in the file
                write_parquet(exporting.con, _query(table), parquet)
                create = f"create table {quoted(table.name)} as (select * from external({literal(str(parquet))}))"
                for statement in (f"create schema if not exists {identifier(_schema(table))}", create):
                    pantab.frame_from_hyper_query(path, statement, return_type="pyarrow", process_params=log)
            frames = {
                _table_name(table): _stream(exporting, table) for table in exporting.tables if table not in others
            }
            pantab.frames_to_hyper(frames, path, table_mode="a", process_params=log, atomic=False)
    except RuntimeError as error:
        raise UserError(f"Tableau's Hyper could not write the extract: {error}") from error
    yield Written(path)


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """Lets processes that the block starts get SIGINT, by which Hyper is ended; without, each end takes seconds."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _schema(table: ExportedTable) -> str:
    return table.name.partition(".")[0]


def _table_name(table: ExportedTable) -> _TableName:
    return _TableName(_Name(table.name.partition(".")[2]), _Name(_schema(table)))


def _query(table: ExportedTable) -> str:
    """Returns SQL for the rows. Amounts of 38 digits, of which an extract has 18, have to fit."""

    def column(one: ExportedColumn) -> str:
        name = identifier(one.name)
        return f"{name}::decimal(18, 4) as {name}" if one.sql_type == "DECIMAL(38,4)" else name

    return f"select {', '.join(map(column, table.columns))} from ({table.query})"


def _has_small_negatives(exporting: Exporting, table: ExportedTable) -> bool:
    decimals = [identifier(column.name) for column in table.columns if column.sql_type.startswith("DECIMAL")]
    if not decimals:
        return False
    some = " or ".join(f"({name} > -0.1 and {name} < 0)" for name in decimals)
    return bool(exporting.con.execute(f"select 1 from {quoted(table.name)} where {some} limit 1").fetchall())


def _stream(exporting: Exporting, table: ExportedTable) -> pa.RecordBatchReader:
    """Returns the rows of a table, which are read when the first is asked for."""
    query = _query(table)
    schema = exporting.con.execute(f"from ({query}) limit 0").to_arrow_reader(ROWS_OF_A_GROUP).schema

    def batches() -> Iterator[pa.RecordBatch]:
        yield from exporting.con.execute(query).to_arrow_reader(ROWS_OF_A_GROUP)

    return pa.RecordBatchReader.from_batches(schema, batches())
