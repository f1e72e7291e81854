"""What a format of exports gets and returns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ecom_assets.declaration import Catalog
from ecom_assets.exports.tables import ExportedTable


@dataclass(frozen=True)
class Written:
    """A file of an export. `table` and `rows` are those of a file with the rows of one table."""

    path: Path
    table: str | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Exporting:
    """What a format gets: a connection to the snapshot, its tables, and the folder to write to.

    What is in the folder `scratch` is no part of the export, and is removed.
    """

    con: duckdb.DuckDBPyConnection
    catalog: Catalog
    tables: Sequence[ExportedTable]
    folder: Path
    scratch: Path
    on_step: Callable[[str], object]
    """Gets what comes next."""

    def path(self, name: str) -> Path:
        """Returns the path of a file to be written, in a folder that exists."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
