"""Extracts: what is new in a shop's own PostgreSQL database since the last one, as files that its feed map lands.

All tables are read in one transaction, so they are of one moment. What is known of a database is kept below the landing
zone, in `.extracts/<map>`: `state-<number>` after the extract of that number has landed, `pending` one that has been
read and not landed yet. Whoever is killed lands what is pending first, which changes nothing if it has landed already.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from ecom_assets.errors import UserError, suggestion
from ecom_assets.postgres.connection import DatabaseError, connected, name_of
from ecom_assets.sources.feed_map.model import ARRIVES_ON, IS_GONE, FeedMap, Source, Table, columns_named
from ecom_assets.sql import connect, identifier, literal, quoted

if TYPE_CHECKING:
    import psycopg

FOLDER = ".extracts"
MEMORY_LIMIT = "512MB"
"""What DuckDB may use to compare what was read with what is known."""
_STATE, _PENDING, _NEXT, _FILES = "state", "pending", "next", "files"
_ABOUT = "state.json"
_ROWS_AT_ONCE = 20_000
_FAMILIES = {
    **dict.fromkeys(("smallint", "integer", "bigint"), "an integer"),
    **dict.fromkeys(("text", "character varying", "character"), "a text"),
    **dict.fromkeys(("real", "double precision"), "a float"),
}
"""Types that may become one another, since their texts mean the same."""
_PLAIN_TEXTS = ("timezone = 'UTC'", "datestyle = 'ISO, YMD'", "intervalstyle = 'iso_8601'", "extra_float_digits = 1")
_MOMENTS = ("timestamp with time zone", "timestamp without time zone", "date")


@dataclass(frozen=True)
class Extract:
    """What is to land: a folder for the map's sources, with the number of new rows of each, gone ones included.

    It `is_resumed` if an earlier extract was killed before it had landed; there may be newer rows.
    """

    folder: Path
    rows: Mapping[str, int]
    database: str
    is_resumed: bool = False

    def __str__(self) -> str:
        listed = ", ".join(f"{count:,} of {name}" for name, count in self.rows.items())
        again = "Resumed the extract that was killed" if self.is_resumed else "Extracted"
        return f"{again} from {self.database}: {listed}."


@contextmanager
def extracted(
    feed_map: FeedMap,
    root: Path,
    *,
    other_types: bool = False,
    keeps: bool = True,
    told: Callable[[str, float], object] = lambda step, share: None,
) -> Iterator[Extract | None]:
    """Yields what is new in the database of a map, None if nothing is; it counts as landed when the block ends.

    `root` is that of the landing zone. If the block raises, the rows are read again; after an OSError, or a kill, they
    are landed again first. `other_types` accepts columns whose type has changed. Without `keeps` nothing is remembered.
    `told` gets what comes next, and the share that is done. Raises DatabaseError, UserError if another extract of the
    map is under way.
    """
    folder = root / FOLDER / feed_map.name
    if not keeps:
        with TemporaryDirectory(prefix="extract-") as scratch:
            found = _read(feed_map, _newest_state(folder), Path(scratch), other_types, told)
            yield found if any(found.rows.values()) else None
        return
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _clean_up(folder)
        pending = folder / _PENDING
        resumed = pending.exists()
        if not resumed:
            (folder / _NEXT).mkdir()
            found = _read(feed_map, _newest_state(folder), folder / _NEXT, other_types, told)
            if not any(found.rows.values()):
                shutil.rmtree(folder / _NEXT)
                yield None
                return
            os.rename(folder / _NEXT, pending)
        about = json.loads((pending / _STATE / _ABOUT).read_text("utf-8"))
        try:
            yield Extract(pending / _FILES, about["rows"], about["database"], resumed)
        except Exception as error:
            if isinstance(error, UserError) or not isinstance(error, OSError):  # the disk may have failed half-way
                shutil.rmtree(pending)
            raise
        os.rename(pending / _STATE, folder / f"{_STATE}-{about['number']:08}")
        _clean_up(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout as error:
        raise UserError(f"Another extract of this map is under way ({folder}). Wait for its end.") from error


def _clean_up(folder: Path) -> None:
    """Removes what extracts have left that were killed, and older states than the newest."""
    shutil.rmtree(folder / _NEXT, ignore_errors=True)
    if not (folder / _PENDING / _STATE / _ABOUT).exists():  # it has landed
        shutil.rmtree(folder / _PENDING, ignore_errors=True)
    for old in sorted(folder.glob(f"{_STATE}-*"))[:-1]:
        shutil.rmtree(old)


def _newest_state(folder: Path) -> Path | None:
    return max(folder.glob(f"{_STATE}-*"), default=None)


def _read(
    feed_map: FeedMap,
    before: Path | None,
    into: Path,
    other_types: bool,
    told: Callable[[str, float], object],
) -> Extract:
    """Reads all tables in one transaction, and writes what is new and what is known then."""
    known: dict[str, Any] = json.loads((before / _ABOUT).read_text("utf-8")) if before else {"number": 0, "sources": {}}
    sources = [source for source in feed_map.sources.values() if source.table]
    number = known["number"] + 1
    (into / _STATE).mkdir()
    states: dict[str, Any] = {}
    rows: dict[str, int] = {}
    with connected(feed_map.database()) as pg, connect() as con:
        _begin(pg)
        con.execute(f"set memory_limit = {literal(MEMORY_LIMIT)}")
        con.execute(f"set temp_directory = {literal(str(into))}")
        for place, source in enumerate(sources):
            told(f"reading {source.name}", place / len(sources))
            table = _declared(source)
            before_it = known["sources"].get(source.name, {})
            if before_it.get("table") != table.name:
                before_it = {}
            types = _types(pg, source, table)
            if not other_types:
                _refuse_other_types(feed_map, source, table, before_it.get("types", {}), types)
            reading = _Reading(source, table, types, before if before_it else None, into, _is_driven(feed_map, source))
            watermark = reading.read(pg, before_it.get("watermark"))
            [(today,)] = pg.execute(f"select {_today(source)}::text").fetchall()
            file = into / _FILES / source.name / f"{number:08}.parquet"
            rows[source.name] = reading.keep_new(con, today, file)
            states[source.name] = {"table": table.name, "types": types, "watermark": watermark}
        database = name_of(pg)
    about = {"number": number, "database": database, "rows": rows, "sources": states}
    (into / _STATE / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
    return Extract(into / _FILES, rows, database)


def _begin(pg: "psycopg.Connection") -> None:
    """Begins a transaction that sees one moment of the database and writes nothing, and whose texts are unambiguous."""
    import psycopg

    pg.isolation_level, pg.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
    for setting in _PLAIN_TEXTS:
        pg.execute(f"set local {setting}")


def _declared(source: Source) -> Table:
    if source.table is None:
        raise TypeError(f"{source.name} is not a table of a database.")
    return source.table


def _is_driven(feed_map: FeedMap, source: Source) -> bool:
    """Returns whether feeds take rows from a source, rather than only join it."""
    return bool(feed_map.driven(source)) or any(feed.source.name == source.name for feed in feed_map.feeds)


def _types(pg: "psycopg.Connection", source: Source, table: Table) -> dict[str, str]:
    """Returns the columns of a table with their types, without lengths. Raises DatabaseError if one is missing."""
    found: dict[str, str] = dict(
        pg.execute(
            "select attname, format_type(atttypid, null) from pg_attribute "
            "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
            [quoted(table.name)],
        ).fetchall()
    )
    if not found:
        tables = pg.execute(
            "select schemaname || '.' || tablename from pg_tables where schemaname not in "
            "('pg_catalog', 'information_schema') order by 1"
        ).fetchall()
        raise DatabaseError(
            f"{name_of(pg)} has no table {table.name!r}{suggestion(table.name, [name for (name,) in tables])}"
        )
    for what, column in (("updated_at", table.updated_at), *(("key", column) for column in table.key)):
        if column and column not in found:
            raise DatabaseError(
                f"{table.name} has no column {column!r}, the {what} of {source.name}{suggestion(column, list(found))}"
            )
    if table.updated_at and found[table.updated_at] not in _MOMENTS:
        raise DatabaseError(
            f"{table.name}.{table.updated_at} is of type {found[table.updated_at]}: updated_at must name a "
            "timestamp or a date. Leave it out to read the table whole each time."
        )
    if taken := {ARRIVES_ON, IS_GONE} & {name.lower() for name in found}:
        raise DatabaseError(f"{table.name} has a column {taken.pop()!r}, which extracts add: read a view without it.")
    return found


def _refuse_other_types(
    feed_map: FeedMap, source: Source, table: Table, before: Mapping[str, str], now: Mapping[str, str]
) -> None:
    """Raises DatabaseError if a column that the map uses is gone, or of a type whose texts mean something else."""
    used = {column for query in feed_map.queries if source.name in query.sources for column in query.columns}
    in_words = [feed for feed in feed_map.feeds if feed.source.name == source.name]
    used |= {name.lower() for name in columns_named(source, in_words)}
    for name, kind in before.items():
        if name.lower() not in used:
            continue
        if name not in now:
            raise DatabaseError(f"{table.name} has no column {name!r} any more{suggestion(name, list(now))}")
        if _FAMILIES.get(kind, kind) != _FAMILIES.get(now[name], now[name]):
            raise DatabaseError(
                f"{table.name}.{name} was of type {kind} and is of type {now[name]}: rows may mean something else than "
                "before. Look at the map, then land with --other-types."
            )


@dataclass(frozen=True)
class _Reading:
    """A table while it is read: what was known of it, where it is written, and whether feeds take rows from it."""

    source: Source
    table: Table
    types: Mapping[str, str]
    before: Path | None
    into: Path
    is_driven: bool

    def read(self, pg: "psycopg.Connection", watermark: str | None) -> str | None:
        """Copies rows that may be new, and all keys if deletes count. Returns the new watermark."""
        table, name = self.table, quoted(self.table.name)
        texts = [f"{self._text(column)} as {identifier(column)}" for column in self.types]
        some, order = "", ""
        if table.updated_at:
            at = identifier(table.updated_at)
            order = f"order by {at}"
            if watermark and self.is_driven:
                since = f"{literal(watermark)}::timestamptz - interval {literal(table.overlap)}"
                some = f"where {self._moment} >= {since} or {at} is null"
        elif table.key:
            order = f"order by {', '.join(map(identifier, table.key))}"
        query = f"select {', '.join(texts)}, {self._arrival} from {name} {some} {order}"
        _copy(pg, query, [*self.types, ARRIVES_ON], self._raw)
        if table.sends_deletes:
            keys = ", ".join(map(self._text, table.key))
            _copy(pg, f"select {keys} from {name}", table.key, self._keys)
        if not table.updated_at:
            return None
        [(newest,)] = pg.execute(f"select least(max({self._moment}), now())::text from {name}").fetchall()
        return newest or watermark

    def keep_new(self, con: duckdb.DuckDBPyConnection, today: str, file: Path) -> int:
        """Writes the rows that were not read before, and those that are gone, to a file.

        Returns how many there are; none of a table that is only joined, which is written whole.
        """
        listed = ", ".join(map(identifier, self.types))
        con.execute(f"""
            create or replace temp view raw as
            select {listed}, {ARRIVES_ON}, file_row_number as place, md5(to_json([{listed}])::varchar) as hash
            from read_parquet({literal(str(self._raw))}, file_row_number = true)""")
        rows = "from raw"
        if self.is_driven and (hashes := self._known("hashes")):
            rows = f"from raw anti join {hashes} using (hash)"
        rows = f"select * exclude (hash) {rows}"
        self._write(con, "select hash from raw", "hashes")
        if self.table.sends_deletes:
            rows = f"select *, null::varchar as {IS_GONE} from ({rows})"
            kept = "select * exclude (hash, place) from raw"
            if known := self._known("rows"):
                keys = ", ".join(map(identifier, self.table.key))
                con.execute(f"create or replace temp view known as from {known}")
                con.execute(f"create or replace temp view keys as from read_parquet({literal(str(self._keys))})")
                rows += f"""
                    union all by name select * replace ({literal(today)} as {ARRIVES_ON}), 'true' as {IS_GONE}
                    from known anti join keys using ({keys})"""
                kept += f"""
                    union all by name
                    select * from (select * from known semi join keys using ({keys})) anti join raw using ({keys})"""
            self._write(con, kept, "rows")
        file.parent.mkdir(parents=True)
        ordered = f"select * exclude (place) from ({rows}) order by place"
        con.execute(f"copy ({ordered}) to {literal(str(file))} (format parquet)")
        self._raw.unlink()
        self._keys.unlink(missing_ok=True)
        return pq.read_metadata(file).num_rows if self.is_driven else 0

    @property
    def _raw(self) -> Path:
        return self.into / f"{self.source.name}.read"

    @property
    def _keys(self) -> Path:
        return self.into / f"{self.source.name}.keys"

    def _known(self, what: str) -> str | None:
        """Returns SQL for what the extract before knew, None if it knew nothing."""
        path = self.before / f"{self.source.name}.{what}.parquet" if self.before else None
        return f"read_parquet({literal(str(path))})" if path and path.exists() else None

    def _write(self, con: duckdb.DuckDBPyConnection, query: str, what: str) -> None:
        path = self.into / _STATE / f"{self.source.name}.{what}.parquet"
        con.execute(f"copy ({query}) to {literal(str(path))} (format parquet, compression zstd)")

    def _text(self, column: str) -> str:
        """Returns SQL for a column's values as text: arrays as JSON, and moments with the offset of UTC."""
        name = identifier(column)
        if self.types[column].endswith("[]"):
            return f"to_json({name})::text"
        return f"{self._in_zone(name)}::text" if self.types[column] == _MOMENTS[1] else f"{name}::text"

    def _in_zone(self, moment: str) -> str:
        """Returns SQL for a moment that was stored without time zone, in that of the source."""
        return f"({moment}::timestamp at time zone {literal(self.source.time_zone)})"

    @property
    def _moment(self) -> str:
        """SQL for when a row was updated; without time zone, it is in that of the source."""
        at = identifier(str(self.table.updated_at))
        if self.types[str(self.table.updated_at)] == _MOMENTS[0]:
            return at
        return self._in_zone(at)

    @property
    def _arrival(self) -> str:
        """SQL for the day on which a row arrives: that of its update, but none that is still to come."""
        today = _today(self.source)
        if not self.table.updated_at:
            return f"{today}::text"
        return f"least(({self._moment} at time zone {literal(self.source.time_zone)})::date, {today})::text"


def _today(source: Source) -> str:
    return f"(now() at time zone {literal(source.time_zone)})::date"


def _copy(pg: "psycopg.Connection", query: str, names: Sequence[str], file: Path) -> None:
    """Writes the texts that a query returns to a Parquet file, some rows at a time."""
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    with pg.cursor(name="extract") as cursor, pq.ParquetWriter(file, schema) as written:
        cursor.execute(query)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
            written.write_table(pa.table(columns, schema=schema))
