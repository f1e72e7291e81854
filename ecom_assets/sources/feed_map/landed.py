"""What has landed, as tables that statements can join: `landed.orders`.

Such a table has the latest row of each key, of the landing zone and of the landing that is under way: text as it
landed, in the columns that statements name. It is read before the connection is locked, if a statement names it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import duckdb

from ecom_assets.contract import STORE, FeedContract
from ecom_assets.engine.duckdb.parsing import text_of, typed_value
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.provenance import ORIGIN as ORIGIN_COLUMNS
from ecom_assets.landing.reading import read
from ecom_assets.landing.zone import LandedFile, Zone
from ecom_assets.sources.feed_map.model import Feed, FeedMap, with_own_columns
from ecom_assets.sources.feed_map.query import LANDED, ORIGIN
from ecom_assets.sources.feed_map.report import FileReport
from ecom_assets.sources.feed_map.sources import UNKNOWN_DAY, SourceFile
from ecom_assets.sql import identifier, literal, quoted

_DELETED = "is_deleted"


class LandedRows:
    """The rows of a feed that have landed, in the columns that statements name."""

    def __init__(
        self, feed: str, promised: FeedContract, named: Collection[str] | None, time_zone: str, store: str | None
    ) -> None:
        """`named` are the columns, in lower case, None for all; `time_zone` is that of the feed's timestamps.

        With a `store`, rows of other stores are not there.
        """
        self.feed = feed
        self._store = literal(store) if store and STORE in promised.columns else None
        version = promised.moment_column
        key = [promised.columns[name] for name in promised.id_columns]
        self.columns = [name for name in promised.columns if named is None or name in named]
        needed = {*self.columns, *promised.primary_key, version, STORE, _DELETED}
        self._read = [name for name in promised.columns if name in needed]
        order = [f"{typed_value(promised.columns[version], time_zone)} desc nulls last"] if version else []
        order += [f"{column.name} desc" for column in ORIGIN_COLUMNS]
        keys = [text_of(column) for column in key]
        self._place = f"row_number() over (partition by {', '.join(keys)} order by {', '.join(order)})"
        self._has_key = " and ".join(f"{each} is not null" for each in keys)
        self._is_deleted = f"coalesce({typed_value(promised.columns[_DELETED], time_zone)}, false)"

    def read(self, con: duckdb.DuckDBPyConnection, files: Sequence[LandedFile]) -> None:
        """Reads landed files into a table for `create`."""
        read(con, files, self._read).create(self._table)

    def create(self, con: duckdb.DuckDBPyConnection, made: str | None, names: Mapping[str, str]) -> None:
        """Creates the table that statements see, with rows that the landing under way makes.

        `made` is SQL for these, with their origin; None if there are none. `names` has, for the names of files in it,
        those under which their rows land.
        """
        rows = f"select * from {identifier(self._table)} where problem is null"
        if self._store:
            rows += f" and {STORE} = {self._store}"
        if made and names:
            columns = {name for name, *_ in con.execute(f"describe {made}").fetchall()}
            kept = ", ".join(quoted(name) for name in self._read if name in columns)
            if self._store and STORE not in columns:
                kept += f", {self._store} as {STORE}"
            listed = ", ".join(f"({literal(name)}, {literal(landed)})" for name, landed in names.items())
            rows += f"""
                union all by name
                select {kept}, arrived_on, landed as source_file, record
                from ({made}) join (values {listed}) n (source_file, landed) using (source_file)
                where arrived_on <> date '{UNKNOWN_DAY}'"""
        kept = ", ".join(map(quoted, self.columns)) + ", " if self.columns else ""
        origin = ", ".join(f"{column.name}: {column.name}" for column in ORIGIN_COLUMNS)
        con.execute(f"""
            create table {LANDED}.{identifier(self.feed)} as
            select {kept}{{{origin}}} as {ORIGIN} from (
                select *, {self._place} as "place of row" from ({rows}) where {self._has_key}
            ) where "place of row" = 1 and not {self._is_deleted}""")

    @property
    def _table(self) -> str:
        return f"as landed {self.feed}"


def _landed_files(zone: Zone, feed: str) -> list[LandedFile]:
    """Returns all files of a feed in a zone."""
    days = zone.days(feed)
    arrivals = zone.arrivals(feed, days[0], days[-1]) if days else {}
    return [file for day in arrivals.values() for file in day if not file.is_control]


def read_landed(
    con: duckdb.DuckDBPyConnection,
    feed_map: FeedMap,
    files: Mapping[str, Sequence[SourceFile]],
    restated: Mapping[str, Sequence[SourceFile]],
    *,
    along: Mapping[str, Sequence[Feed]],
    zones: tuple[Zone, Zone],
    done: Sequence[FileReport],
) -> Iterator[tuple[str, tuple[LandedRows, dict[str, str]]]]:
    """Reads what has landed of each feed that a statement joins as landed, but for rows that this landing makes anew.

    `zones` are that of what landed before and that of this landing. Yields the feed with its rows, and the names of the
    files of which this landing makes them by SQL, each with that under which they land.
    """
    named = None if any(query.has_star for query in feed_map.queries) else set[str]()
    for query in feed_map.queries:
        named = None if named is None else named | query.columns
    for feed in dict.fromkeys(name for query in feed_map.queries for name in query.landed):
        makers = [
            source.name
            for source in feed_map.joined()
            if feed in feed_map.driven(source) or any(each.name == feed for each in along.get(source.name, ()))
        ]
        names = {file.name: file.landed for name in makers for file in (*files[name], *restated[name])}
        replaced = {*names.values(), *(report.file.landed for report in done if feed in report.rows)}
        before, now = (_landed_files(zone, feed) for zone in zones)
        kept = zones[0].settings(feed)
        promised = with_own_columns(feed_contracts()[feed], {**kept.extra, **feed_map.added.get(feed, {})})
        rows = LandedRows(feed, promised, named, kept.time_zone, feed_map.store)
        rows.read(con, [*(file for file in before if file.name not in replaced), *now])
        yield feed, (rows, names)
