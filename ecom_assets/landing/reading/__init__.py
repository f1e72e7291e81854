"""How landed files become rows of text.

There are two ways: many good files at once in DuckDB, and record by record in Python for a file that DuckDB
rejects, so that one broken line costs one row. For good records both return equal rows.
The meaning of the rows does not belong here.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import reduce

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ecom_assets.landing.provenance import ORIGIN, column_list
from ecom_assets.landing.reading.lines import csv_body, csv_rows, read_lines
from ecom_assets.landing.reading.parquet import parquet_rows, parquet_shape, sound_and_damaged
from ecom_assets.landing.reading.quick import Stream
from ecom_assets.landing.reading.records import (
    LAND_WHOLE,
    OURS,
    PROBLEM,
    RAW,
    RECORD_LIMIT,
    Dialect,
    Unreadable,
    column_labels,
)
from ecom_assets.landing.reading.statements import Parquet, json_shape
from ecom_assets.landing.streamed import overlaps
from ecom_assets.landing.zone import PARQUET, LandedFile, kind_of

__all__ = ["LAND_WHOLE", "PROBLEM", "RAW", "RECORD_LIMIT", "Dialect", "header", "read"]


def read(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[LandedFile],
    columns: Sequence[str],
    dialect: Dialect = OURS,
) -> duckdb.DuckDBPyRelation:
    """Returns the records of the files that are not duplicates: the feed's columns as text, and provenance.

    After `columns` (VARCHAR, as sent; an empty CSV field is NULL) follow arrived_on DATE, source_file VARCHAR,
    record BIGINT (ordinal in the file, from 1, of readable and unreadable records alike), unknown_columns VARCHAR
    (JSON object, or NULL), problem VARCHAR and raw_record VARCHAR (NULL for records that could be read).
    Of a stream, source_file is its name, record the offset plus 1, and each record is there once.

    The relation reads the files whenever it is evaluated, in bounded memory, and can be used inside an open
    transaction: text is parsed on a separate connection, and Parquet is first tried on one.
    Raises FileNotFoundError for a deleted file.
    """
    streamed: list[LandedFile] = []
    groups: dict[Parquet, list[LandedFile]] = {}
    for file in files:
        if file.duplicate_of is not None:
            continue
        if not (file.is_closed or file.path.exists()):
            raise FileNotFoundError(f"{file.path} no longer exists.")
        shape = parquet_shape(file.path, columns) if kind_of(file.name) == PARQUET else None
        if shape is None:
            streamed.append(file)
        else:
            groups.setdefault(shape, []).append(file)
    relations = []
    for shape, group in groups.items():
        sound, damaged = sound_and_damaged(group)
        streamed += damaged
        if sound:
            relations.append(con.sql(parquet_rows(shape, sound, columns)))
    if streamed or not relations:
        relations.append(con.from_arrow(Stream(streamed, columns, dialect)))
    rows = reduce(lambda some, more: some.union(more), relations)
    if any(overlaps((file.arrived_on, file.offsets) for file in files if file.offsets)):
        return rows.query("rows", f"select distinct on ({column_list(ORIGIN)}) * from rows")
    return rows


def header(file: LandedFile, dialect: Dialect = OURS) -> tuple[str, ...] | None:
    """Returns the columns that a file names: CSV's first line, Parquet's schema, the keys of JSON's first record.

    None if they cannot be read.
    """
    kind = kind_of(file.name)
    if kind == PARQUET:
        with suppress(OSError, pa.ArrowException):
            return column_labels(pq.read_schema(file.path).names)
    elif kind and kind.format == "csv":
        for _, _, fields in csv_rows(*csv_body(file.path, dialect)):
            return None if isinstance(fields, Unreadable) else column_labels(fields)
    elif kind:
        for line in read_lines(file.path, dialect.encoding):
            shape = json_shape(line.content)
            return shape.usual_keys if shape else None
    return None
