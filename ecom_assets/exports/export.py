"""An export: a snapshot's tables in some formats, and a manifest of all files."""

import datetime as dt
import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ecom_assets.days import contiguous
from ecom_assets.declaration import Catalog
from ecom_assets.errors import UserError, suggestion
from ecom_assets.exports.folder import MADE_BY, MANIFEST, replaced
from ecom_assets.exports.tables import ExportedTable, exported
from ecom_assets.serving.ledger import days_without_good_rows, provisional_days, snapshot_name, time_zone
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.sql import literal

MEMORY_LIMIT = "512MB"
"""What DuckDB may use; a table whose rows need more to be sorted goes through files."""
_SPILLED = ".spilled"


@dataclass(frozen=True)
class Written:
    """A file of an export. `table` and `rows` are those of a file with the rows of one table."""

    path: Path
    table: str | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Exporting:
    """What a format gets: a connection to the snapshot, its tables, and the empty folder to write to."""

    con: duckdb.DuckDBPyConnection
    catalog: Catalog
    tables: Sequence[ExportedTable]
    folder: Path
    on_step: Callable[[str], object]
    """Gets what comes next."""

    def path(self, name: str) -> Path:
        """Returns the path of a file to be written, in a folder that exists."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True)
class Export:
    """What an export has written: its snapshot, and the rows and bytes of all files."""

    snapshot: str
    files: int
    rows: int
    bytes: int


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


FORMATS: Mapping[str, Callable[[Exporting], Iterable[Written]]] = {"parquet": parquet, "csv": csv}
DEFAULT_FORMATS = ("parquet", "csv")


def export(
    snapshot: Path,
    catalog: Catalog,
    folder: Path,
    formats: Iterable[str] = DEFAULT_FORMATS,
    memory_limit: str | None = None,
    on_step: Callable[[str, float], object] = lambda step, share: None,
) -> Export:
    """Writes the newest snapshot to a folder, in place of the export that is there.

    Equal snapshots give equal files. `on_step` gets what comes next, and the share that is done, 0 to 1. Raises
    NotAnExport, NothingPublished, SnapshotInUse, UserError for an unknown format, duckdb.Error, OSError; the folder is
    then as before.
    """
    formats, tables, steps = list(dict.fromkeys(formats)), exported(catalog), itertools.count()
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"There is no format {name!r}{suggestion(name, FORMATS)}")

    def told(step: str) -> None:
        on_step(step, min(1.0, next(steps) / (len(formats) * len(tables))))

    with replaced(folder) as aside:
        spilled = aside / _SPILLED
        with open_snapshot(snapshot) as con:
            con.execute(f"set memory_limit = {literal(memory_limit or MEMORY_LIMIT)}")
            con.execute(f"set temp_directory = {literal(str(spilled))}")
            exporting = Exporting(con, catalog, tables, aside, told)
            files = [_entry(aside, name, written) for name in formats for written in FORMATS[name](exporting)]
            snapshot_id = snapshot_name(con)
            manifest = {
                "made_by": MADE_BY,
                "snapshot": snapshot_id,
                "time_zone": time_zone(con),
                "tables": _about(con, tables),
                "files": files,
            }
        shutil.rmtree(spilled, ignore_errors=True)
        told(MANIFEST)
        (aside / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        told("new files in place")
    rows, size = (sum(file.get(count, 0) for file in files) for count in ("rows", "bytes"))
    return Export(snapshot_id, len(files), rows, size)


def _entry(folder: Path, name: str, written: Written) -> dict[str, Any]:
    with written.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    entry = {"path": written.path.relative_to(folder).as_posix(), "format": name}
    of_table = {} if written.table is None else {"table": written.table, "rows": written.rows}
    return {**entry, **of_table, "bytes": written.path.stat().st_size, "sha256": digest}


def _about(con: duckdb.DuckDBPyConnection, tables: Iterable[ExportedTable]) -> list[dict[str, Any]]:
    """Returns what the manifest says of each table."""
    provisional, without = provisional_days(con), days_without_good_rows(con)
    return [
        {
            "name": table.name,
            "description": table.description,
            "key": table.key,
            "provisional": _windows(provisional.get(table.days or "", [])),
            "without_good_rows": _windows(without.get(table.days or "", [])),
            "columns": [
                {"name": c.name, "type": c.sql_type, "null": c.may_be_null, "description": c.description}
                for c in table.columns
            ],
        }
        for table in tables
    ]


def _windows(days: Iterable[dt.date]) -> list[str]:
    return [str(window) for window in contiguous(days)]
