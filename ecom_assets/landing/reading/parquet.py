"""Parquet files: in DuckDB, and row by row up to the damage of a broken one."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ecom_assets.landing.reading.records import BATCH_ROWS, LAND_WHOLE, PROBLEM, Record, column_labels, no_known_column
from ecom_assets.landing.reading.statements import Parquet, exact_path, open_parser, statement
from ecom_assets.landing.zone import LandedFile
from ecom_assets.sql import identifier, literal


def parquet_shape(path: Path, columns: Sequence[str]) -> Parquet | None:
    """Returns the shape of a file; None if it cannot be read or has none of the columns."""
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return None
    names = column_labels(schema.names)
    if not {*columns, PROBLEM} & set(names):
        return None
    texts = tuple(_as_text(f"c{place}", kind) for place, kind in enumerate(schema.types))
    return Parquet(names, tuple(map(str, schema.types)), texts)


def _as_text(value: str, kind: pa.DataType) -> str:
    """Returns SQL for the text of a Parquet value, whatever the session's settings."""
    if pa.types.is_nested(kind):
        return f"to_json({value})::VARCHAR"
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return f"({value} at time zone 'UTC')::VARCHAR || '+00'"
    return f"{value}::VARCHAR"


def parquet_rows(shape: Parquet, files: Sequence[LandedFile], columns: Sequence[str]) -> str:
    """Returns SQL for the records of files of one shape, with their provenance."""
    names = ", ".join(literal(file.name) for file in files)
    days = ", ".join(f"DATE {literal(file.arrived_on.isoformat())}" for file in files)
    given = ", ".join(identifier(name) for name in columns)
    read = statement(shape, columns, [file.path for file in files])
    return f"""
        select {given}, [{days}][place] as arrived_on, [{names}][place] as source_file,
            file_row_number + 1 as record, unknown_columns, problem, raw_record
        from (select file_index::BIGINT + 1 as place, * from ({read}))"""


def sound_and_damaged(files: list[LandedFile]) -> tuple[list[LandedFile], list[LandedFile]]:
    """Returns the Parquet files that can be decoded to the end, and those that cannot."""
    with open_parser() as parser:
        if _decodes(parser, [file.path for file in files]):
            return files, []
        sound = [file for file in files if _decodes(parser, [file.path])]
    return sound, [file for file in files if file not in sound]


def _decodes(parser: duckdb.DuckDBPyConnection, paths: Sequence[Path], limit: int = 2**62) -> bool:
    rows = f"select * from read_parquet($files, hive_partitioning = false) limit {limit}"
    try:
        parser.execute(f"select bit_xor(hash(t)) from ({rows}) t", {"files": [exact_path(path) for path in paths]})
    except duckdb.Error:
        return False
    return True


def parquet_records(file: LandedFile, columns: Sequence[str]) -> Iterator[Record]:
    """Yields the rows before the damage and one unreadable record for the rest; all rows if there is no damage."""
    problem = f"the Parquet file is damaged; {LAND_WHOLE}"
    shape = parquet_shape(file.path, columns)
    if shape is None:
        with suppress(OSError, pa.ArrowException):
            problem = no_known_column(pq.read_schema(file.path).names, columns)
    else:
        with TemporaryDirectory(prefix="landing-") as scratch, open_parser() as parser:
            link = Path(scratch) / "file"  # because DuckDB may not find it under its own path
            link.symlink_to(file.path.absolute())
            there = pq.read_metadata(link).num_rows
            rows = _readable_rows(parser, link, there)
            result = parser.execute(f"{statement(shape, columns, [link])} limit {rows}")
            while some := result.fetchmany(BATCH_ROWS):
                for _, _, *values, unknown, noted, raw in some:
                    yield Record(values, unknown, noted, raw)
        if rows == there:
            return
        problem = f"the Parquet file is damaged after {rows} rows; {LAND_WHOLE}"
    yield Record((), problem=problem, raw=f"{file.name} ({file.size} bytes)")


def _readable_rows(parser: duckdb.DuckDBPyConnection, path: Path, high: int) -> int:
    """Returns how many rows, of `high`, can be decoded before the damage."""
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        if _decodes(parser, [path], middle):
            low = middle
        else:
            high = middle - 1
    return low
