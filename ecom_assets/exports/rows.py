"""The rows of tables as files, a file per table."""

from collections.abc import Iterable

from ecom_assets.exports.writing import Exporting, Written
from ecom_assets.sql import literal


def _rows(exporting: Exporting, name: str, options: str) -> Iterable[Written]:
    for table in exporting.tables:
        exporting.on_step(f"{table.name} as {name}")
        path = exporting.path(f"{name}/{table.name}.{name}")
        [(rows,)] = exporting.con.execute(f"copy ({table.query}) to {literal(str(path))} ({options})").fetchall()
        yield Written(path, table.name, rows)


def csv(exporting: Exporting) -> Iterable[Written]:
    """Writes a CSV file per table: decimals exact, nothing for null, "" for an empty text."""
    return _rows(exporting, "csv", "format csv, header")


def parquet(exporting: Exporting) -> Iterable[Written]:
    """Writes a Parquet file per table."""
    return _rows(exporting, "parquet", "format parquet, compression zstd")
