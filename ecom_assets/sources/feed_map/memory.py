"""The lines of files that landed before, of sources whose files add lines to groups.

They are kept below the landing zone, in `.maps/<map>/<source>`, one Parquet file per source file, so that a folder need
not hold what landed before for sums, firsts and ordinals to go on.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb

from ecom_assets.landing.files import replace_file
from ecom_assets.sources.feed_map.sources import SourceFile
from ecom_assets.sources.feed_map.toml_text import FeedMapError
from ecom_assets.sql import identifier, literal, literals

FOLDER = ".maps"


class Memory:
    """The remembered lines of one source of a map."""

    def __init__(self, root: Path, map_name: str, source: str) -> None:
        self.folder = root / FOLDER / map_name / source
        self._fresh: dict[str, bytes] = {}

    def recall(
        self,
        con: duckdb.DuckDBPyConnection,
        table: str,
        files: Sequence[SourceFile],
        keys: Collection[tuple[str, ...]] | None,
        scratch: Path,
    ) -> list[SourceFile]:
        """Adds remembered lines to a table of the lines of new files; None for `keys` adds all.

        With keys, these are the lines of groups of which a new file, or an earlier version of it, has a line, and all
        lines of the files that these are in. Returns these files: their rows may change. Raises FeedMapError if what is
        remembered lacks a column of the table.
        """
        self._remember(con, table, files, scratch)
        known = sorted(self.folder.glob("*.parquet"))
        names = {file.landed for file in files}
        older = [path for path in known if path.name not in names]
        if not older:
            return []
        columns = [name for name, *_ in con.execute(f"describe {identifier(table)}").fetchall()]
        has = {name for name, *_ in con.execute(f"describe from {_parquet(older)}").fetchall()}
        if lacking := [name for name in columns if name not in has]:
            raise FeedMapError(
                f"Files of this map landed before without {', '.join(map(repr, lacking))}, which the map names now; "
                f"land them again together with these: {', '.join(path.stem for path in older)}."
            )
        listed = ", ".join(map(identifier, columns))
        con.execute(f"create temp view remembered as select {listed}, filename as place from {_parquet(older)}")
        touched = f"select * from {identifier(table)} where problem is null"
        if replaced := [path for path in known if path.name in names]:
            touched += f" union all by name select * exclude (filename) from {_parquet(replaced)} where problem is null"
        if keys is None:
            places, lines = "select distinct place from remembered", "true"
        else:
            places = f"select distinct place from remembered l where ({_among(con, 'touched', touched, keys)})"
            con.execute(f"create temp table restated as {places} and problem is null")
            both = f"{touched} union all by name select * exclude (place) from remembered"
            both += " where place in (from restated) and problem is null"
            places = "from restated"
            lines = f"place in ({places}) or {_among(con, 'near', both, keys)}"
        found = con.execute(f"select distinct source_file, arrived_on, place from remembered where place in ({places})")
        restated = found.fetchall()
        con.execute(f"insert into {identifier(table)} select {listed} from remembered l where {lines}")
        con.execute("drop view remembered; drop table if exists restated")
        return [
            SourceFile("", day, name, place, 0, "", source=name, landed=Path(place).name)
            for name, day, place in sorted(restated)
        ]

    def _remember(self, con: duckdb.DuckDBPyConnection, table: str, files: Sequence[SourceFile], scratch: Path) -> None:
        """Keeps the lines of new files for `save`."""
        for number, file in enumerate(files):
            path = scratch / f"remembered-{number}"
            rows = f"select * from {identifier(table)} where source_file = {literal(file.name)} order by record"
            con.execute(f"copy ({rows}) to {literal(str(path))} (format parquet, compression zstd)")
            self._fresh[file.landed] = path.read_bytes()
            path.unlink()

    def save(self) -> None:
        """Saves the lines of the new files."""
        for name, content in self._fresh.items():
            path = self.folder / name
            if not (path.exists() and path.read_bytes() == content):
                replace_file(path, content)


def _parquet(paths: Sequence[Path]) -> str:
    return f"read_parquet([{literals(map(str, paths))}], union_by_name = true, filename = true)"


def _among(con: duckdb.DuckDBPyConnection, name: str, lines: str, keys: Collection[tuple[str, ...]]) -> str:
    """Returns SQL for whether a line `l` shares a group with one of the lines."""
    shared = []
    for number, columns in enumerate(keys):
        table = identifier(f"{name} {number}")
        listed = ", ".join(map(identifier, columns))
        con.execute(f"create or replace temp table {table} as select distinct {listed} from ({lines})")
        equal = " and ".join(
            f"k.{identifier(column)} is not distinct from l.{identifier(column)}" for column in columns
        )
        shared.append(f"exists (select 1 from {table} k where {equal})")
    return " or ".join(shared) or "false"
