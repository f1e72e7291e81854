"""An export: a snapshot's tables in some formats, and a manifest of all files."""

import datetime as dt
import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ecom_assets.days import contiguous
from ecom_assets.declaration import Catalog
from ecom_assets.errors import UserError, suggestion
from ecom_assets.exports.folder import MADE_BY, MANIFEST, replaced
from ecom_assets.exports.formats import DEFAULT_FORMATS, FORMATS
from ecom_assets.exports.tables import ExportedTable, exported
from ecom_assets.exports.writing import Exporting, Written
from ecom_assets.serving.ledger import days_without_good_rows, provisional_days, snapshot_name, time_zone
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.sql import literal

MEMORY_LIMIT = "256MB"
"""What DuckDB may use; a table whose rows need more to be sorted goes through files."""
_SCRATCH = ".scratch"


@dataclass(frozen=True)
class Export:
    """What an export has written: its snapshot, and the rows and bytes of all files."""

    snapshot: str
    files: int
    rows: int
    bytes: int


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
        scratch = aside / _SCRATCH
        scratch.mkdir()
        with open_snapshot(snapshot) as con:
            con.execute(f"set memory_limit = {literal(memory_limit or MEMORY_LIMIT)}")
            con.execute(f"set temp_directory = {literal(str(scratch))}")
            exporting = Exporting(con, catalog, tables, aside, scratch, told)
            files = [_entry(aside, name, written) for name in formats for written in FORMATS[name](exporting)]
            snapshot_id = snapshot_name(con)
            manifest = {
                "made_by": MADE_BY,
                "snapshot": snapshot_id,
                "time_zone": time_zone(con),
                "tables": _about(con, tables),
                "files": files,
            }
        shutil.rmtree(scratch)
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
                {
                    "name": c.name,
                    "type": c.sql_type,
                    "null": c.may_be_null,
                    "personal": c.personal,
                    "description": c.description,
                }
                for c in table.columns
            ],
        }
        for table in tables
    ]


def _windows(days: Iterable[dt.date]) -> list[str]:
    return [str(window) for window in contiguous(days)]
