"""The rows of tables as files, a file per table."""

from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from ecom_assets.exports.writing import Exporting, Written
from ecom_assets.sql import literal

ROWS_OF_A_GROUP = 50_000


def csv(exporting: Exporting) -> Iterable[Written]:
    """Writes a CSV file per table: decimals exact, nothing for null, "" for an empty text."""
    for table in exporting.tables:
        exporting.on_step(f"{table.name} as csv")
        path = exporting.path(f"csv/{table.name}.csv")
        copy = f"copy ({table.query}) to {literal(str(path))} (format csv, header)"
        [(rows,)] = exporting.con.execute(copy).fetchall()
        yield Written(path, table.name, rows)


def parquet(exporting: Exporting) -> Iterable[Written]:
    """Writes a Parquet file per table."""
    for table in exporting.tables:
        exporting.on_step(f"{table.name} as parquet")
        path = exporting.path(f"parquet/{table.name}.parquet")
        yield Written(path, table.name, write_parquet(exporting.con, table.query, path))


def write_parquet(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    """Writes the rows of a query to a Parquet file, and returns their number.

    By Arrow, since Tableau's Hyper takes pages as DuckDB 1.5 writes them for damaged.
    """
    rows = 0
    batches = con.execute(query).to_arrow_reader(ROWS_OF_A_GROUP)
    with pq.ParquetWriter(path, batches.schema, compression="zstd", store_decimal_as_integer=True) as file:
        for batch in batches:
            file.write_batch(batch)
            rows += batch.num_rows
    return rows
