"""Landing an export with its feed map: one Parquet file per feed, source file and arrival day."""

import datetime as dt
import difflib
import filecmp
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl

from ecom_assets.days import Window
from ecom_assets.errors import suggestion
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.provenance import ORIGIN as ORIGIN_COLUMNS
from ecom_assets.landing.provenance import sql_types
from ecom_assets.landing.reading import PROBLEM, RAW
from ecom_assets.landing.zone import Zone, kind_of
from ecom_assets.sources.feed_map.macros import create_macros
from ecom_assets.sources.feed_map.model import (
    PLAIN,
    Feed,
    FeedMap,
    Source,
    by_source,
    columns_named,
    number_columns,
    unreadable_feed,
)
from ecom_assets.sources.feed_map.query import (
    LINES,
    ORIGIN,
    Query,
    QueryError,
    as_text,
    complaints_of_columns,
    missing_column,
    missing_in,
    mistake_of,
)
from ecom_assets.sources.feed_map.report import EXAMPLES, FileReport, LandReport
from ecom_assets.sources.feed_map.sources import (
    UNKNOWN_DAY,
    NothingToLand,
    SourceFile,
    batches,
    export_files,
    landed_name,
)
from ecom_assets.sources.feed_map.sql import (
    condition_of_all,
    number_text,
    statement,
    unread_moments,
    why_no_day,
    with_unreadable,
)
from ecom_assets.sources.feed_map.tables import create_named, create_whole
from ecom_assets.sources.feed_map.toml_text import TomlText
from ecom_assets.sql import connect, identifier


def land(
    feed_map: FeedMap, folder: Path, zone: Zone, check: Callable[[Window, Zone], object] = lambda days, staged: None
) -> LandReport:
    """Turns the export in `folder` into files of the landing zone, one Parquet file per feed, source file and day.

    Landing the same files again changes nothing. A line that cannot be read goes, with its reason, to the feed
    named by `unreadable`. Nothing is written before all files are read and `check`, which gets the first and last
    arrival day and the files in a zone of their own, has passed. Raises FeedMapError with all mistakes in columns and
    SQL, NothingToLand if the folder has no file that lands.
    """
    folder = Path(folder)
    reports: list[FileReport] = []
    skipped: list[str] = []
    missing: list[str] = []

    def found(source: Source, *, is_joined: bool) -> list[SourceFile]:
        try:
            files, nameless = export_files(replace(source, arrival_day={}) if is_joined else source, folder)
        except NothingToLand as error:
            missing.append(str(error))
            return []
        skipped.extend(f"{name}: no arrival day in its name" for name in nameless)
        return files

    with TemporaryDirectory(prefix="feed-map-") as scratch:
        staged = Zone(Path(scratch))
        together = {source.name: source for source in feed_map.joined()}
        along: dict[str, Sequence[Feed]] = {}
        for source, feeds in by_source(feed_map.feeds):
            if source.name in together and together[source.name].files == source.files:
                along[source.name] = feeds
                continue
            for batch in batches(found(source, is_joined=False)):
                reports += _land_words(source, feeds, batch, feed_map.text, staged)
        if feed_map.queries:
            files = {
                source.name: found(source, is_joined=not (feed_map.driven(source) or source.name in along))
                for source in together.values()
            }
            reports += _land_queries(feed_map, files, along, staged)
        skipped += [f"{report.name}: {report.without_day}" for report in reports if report.without_day]
        reports = [report for report in reports if not report.without_day]
        if not reports:
            raise NothingToLand("Nothing to land. " + " ".join([*missing, *(f"Skipped {each}." for each in skipped)]))
        arrived_on = sorted(day for feed in staged.feeds() for day in staged.days(feed))
        days = Window(arrived_on[0], arrived_on[-1]) if arrived_on else None
        if days:
            check(days, staged)
        due_otherwise = tuple(_due_otherwise(feed_map, zone))
        emptied = sum(_stage_emptied(feed, reports, staged, zone) for feed in feed_map.names)
        _publish(staged, zone)
    return LandReport(feed_map.names, tuple(reports), days, emptied, tuple(skipped), tuple(missing), due_otherwise)


def _stage_emptied(feed: str, reports: Sequence[FileReport], staged: Zone, zone: Zone) -> int:
    """Stages an empty file for each landed file whose source now has no such rows. Returns how many had rows."""
    empty = pl.DataFrame(schema=dict.fromkeys((*feed_contracts()[feed].columns, PROBLEM, RAW), pl.String))
    names = {landed_name(report.name) for report in reports if feed in report.rows}
    emptied = 0
    for day in zone.days(feed):
        place = Path(feed, day.isoformat())
        for name in names.intersection(os.listdir(zone.root / place)):
            if not (staged.root / place / name).exists():
                _write(staged, feed, day, name, empty)
                emptied += not filecmp.cmp(staged.root / place / name, zone.root / place / name, shallow=False)
    return emptied


def _publish(staged: Zone, zone: Zone) -> None:
    """Writes the staged files to the landing zone, except those that are landed already."""
    for path in sorted(staged.root.glob("*/*/*")):
        feed, day, name = path.relative_to(staged.root).parts
        landed = zone.root / feed / day / name
        if not (landed.exists() and filecmp.cmp(path, landed, shallow=False)):
            zone.write(feed, dt.date.fromisoformat(day), name, partial(shutil.copyfile, path))


def _due_otherwise(feed_map: FeedMap, zone: Zone) -> Iterator[str]:
    """Saves the map's due days for feeds without settings. Yields the feeds whose own settings differ, and stay."""
    if feed_map.due is None:
        return
    for feed in feed_map.names:
        if not zone.has_settings(feed):
            zone.save_settings(feed, FeedSettings(due=feed_map.due))
        elif zone.settings(feed).due != feed_map.due:
            yield feed


def _write(zone: Zone, feed: str, day: dt.date, name: str, rows: pl.DataFrame) -> None:
    zone.write(feed, day, name, partial(rows.write_parquet, compression="zstd", statistics=False))


def _land_words(
    source: Source, feeds: Sequence[Feed], files: Sequence[SourceFile], toml: TomlText, zone: Zone
) -> Iterator[FileReport]:
    """Lands the feeds in words that read some files of a source."""
    with connect() as con:
        con.execute("set TimeZone = 'UTC'")
        create_named(con, source, files, columns_named(source, feeds), toml, "sent")
        yield from _land_source(con, source, "sent", files, feeds, {}, zone)


def _land_source(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    table: str,
    files: Sequence[SourceFile],
    feeds: Sequence[Feed],
    queried: Mapping[str, str],
    zone: Zone,
) -> Iterator[FileReport]:
    """Lands the feeds in words that read a table, and its unreadable lines. Yields what became of each file.

    `queried` has the feeds that take their rows from it by SQL, each with the table of these rows.
    """
    replaced = ""
    if source.number_format != PLAIN and (columns := number_columns(feeds)):
        texts = (f"{number_text(column, source.number_format)} as {identifier(column)}" for column in columns)
        replaced = f"replace ({', '.join(texts)})"
    con.execute(f"create or replace temp view lines_read as select * {replaced} from {identifier(table)}")
    unreadable = unreadable_feed(source, feeds, list(queried))
    landed: dict[str, Mapping[str, int]] = {}
    for feed in feeds:
        made = con.sql(statement(feed, with_unreadable=feed.name == unreadable)).pl()
        landed[feed.name] = _write_feed(con, source, feed.name, made, files, zone)
    for name, rows in queried.items():
        own = f"select * from {rows} where origin.source_file in (select source_file from lines_read)"
        made = con.sql(with_unreadable(own, name == unreadable)).pl()
        landed[name] = _write_feed(con, source, name, made, files, zone)
    taken = " or ".join(condition_of_all(feed.where) for feed in feeds) or "false"
    read = " union all ".join(f"select source_file, record from {identifier(f'lines of {name}')}" for name in queried)
    not_read = f"and (source_file, record) not in ({read})" if read else ""
    counted = con.execute(
        f"""
        select source_file, case when min(arrived_on) = $1 then {why_no_day(source.arrival_day)} else '' end,
            count(*), count(problem), count(*) filter (problem is null and not ({taken}) {not_read}),
            coalesce(list(problem order by record) filter (problem is not null), [])[:{EXAMPLES}],
            {unread_moments(feeds)}
        from lines_read group by all""",
        [UNKNOWN_DAY],
    ).fetchall()
    counts: Mapping[str, Sequence[Any]] = {name: rest for name, *rest in counted}
    for file in files:
        of_file = {feed: landed[feed].get(file.name, 0) for feed in landed}
        yield FileReport(file.source, of_file, *counts.get(file.name, ("", 0, 0, 0, [], [])))


def _land_queries(
    feed_map: FeedMap, files: Mapping[str, Sequence[SourceFile]], words: Mapping[str, Sequence[Feed]], zone: Zone
) -> Iterator[FileReport]:
    """Lands the feeds in SQL, and those in words that read the same sources. `files` are those of each source."""
    toml = feed_map.text
    with TemporaryDirectory(prefix="feed-map-") as scratch, connect(Path(scratch) / "lines.duckdb") as con:
        con.execute("set TimeZone = 'UTC'")
        used = {column for query in feed_map.queries for column in query.columns}
        columns: dict[str, list[str]] = {}
        for source in feed_map.joined():
            named = columns_named(source, words.get(source.name, ()))
            wanted = {*used, *map(str.lower, named)}
            columns[source.name], lacking = create_whole(con, source, files[source.name], wanted, f"sent {source.name}")
            for complaint in lacking:
                with toml.gathered():
                    toml.fail(source.place, complaint)
            for column in named:
                if column not in columns[source.name]:
                    with toml.gathered():
                        told = suggestion(column, columns[source.name])
                        toml.fail_at(column, f"no file of {source.name} has a column {column!r}{told}")
        con.execute("set python_enable_replacements = false; set enable_external_access = false")
        con.execute("set lock_configuration = true")
        for query in feed_map.queries:
            with toml.gathered():
                try:
                    _run(con, feed_map, query, files, columns)
                except QueryError as error:
                    toml.fail_in(["feed", query.feed, "sql"], error.line, str(error))
        toml.raise_gathered()
        for source in feed_map.joined():
            feeds = words.get(source.name, ())
            queried = {feed: identifier(f"rows of {feed}") for feed in feed_map.driven(source)}
            table = f"sent {source.name}"
            if queried or feeds:
                yield from _land_source(con, source, table, files[source.name], feeds, queried, zone)
            elif broken := con.execute(
                f"select source_file, problem from {identifier(table)} where problem is not null"
            ).fetchone():
                toml.fail(source.place, f"{source.name} is only joined, and cannot be read: {': '.join(broken)}")


def _run(
    con: duckdb.DuckDBPyConnection,
    feed_map: FeedMap,
    query: Query,
    files: Mapping[str, Sequence[SourceFile]],
    columns: Mapping[str, list[str]],
) -> None:
    """Makes tables of a statement's rows, as text, and of the lines that they come from. Raises QueryError."""
    source, promised = feed_map.sources[query.driving[0]], feed_contracts()[query.feed]
    create_macros(con, source.number_format.decimal, source.number_format.thousands, source.time_zone)
    mistakes = list(_bind(con, query, files, columns))
    if mistakes:
        raise mistakes[0]
    try:
        con.execute(f"create temp table made as {query.traced()}")
    except duckdb.Error:
        try:
            con.execute(query.text).fetchall()
        except duckdb.Error as as_written:
            error = as_written
        raise mistake_of(error, ()) from error
    types = {name: kind for name, kind, *_ in con.execute("describe made").fetchall()}
    if complaints := complaints_of_columns(con, "made", types, promised):
        raise QueryError(" ".join(complaints))
    texts = ", ".join(
        f"{as_text(name, kind, promised.columns[name.lower()].kind, source.time_zone)} as {identifier(name.lower())}"
        for name, kind in types.items()
        if name.lower() not in (ORIGIN, LINES)
    )
    con.execute(f"create table {identifier(f'rows of {query.feed}')} as select {texts}, origin from made")
    of_lines = "unnest(origins)" if LINES in types else "origin"
    con.execute(
        f"""create table {identifier(f"lines of {query.feed}")} as
        select distinct line.source_file, line.record from (select {of_lines} as line from made); drop table made"""
    )
    [(lost,)] = con.execute(
        f"select count(*) from {identifier(f'rows of {query.feed}')} where origin is null"
    ).fetchall()
    if lost:
        raise QueryError(f"{lost} rows of {query.feed} have no origin; select that of another table too.")


def _bind(
    con: duckdb.DuckDBPyConnection,
    query: Query,
    files: Mapping[str, Sequence[SourceFile]],
    columns: Mapping[str, list[str]],
) -> Iterator[QueryError]:
    """Makes the views that a statement reads. Yields its mistakes, those in names one by one.

    A key that no record of JSON has is null, unless another is like it; so is each column of a source without files.
    """
    absent: dict[str, list[str]] = {name: [] for name in query.sources}
    known = [column for name in query.sources for column in columns[name]]
    while True:
        for name in query.sources:
            _create_view(con, name, columns[name], absent[name])
        try:
            con.execute(f"prepare statement_of_feed as\n{query.text}")
        except duckdb.Error as error:
            missing, alias = missing_column(error), missing_in(error)
            mistake = mistake_of(error, known)
            mistake.line -= 1
            if missing is None or any(missing in names for names in absent.values()):
                yield mistake
                return
            meant = [name for name in query.sources if alias is None or query.aliases.get(alias) == name]
            may_lack = [name for name in meant if not files[name] or _has_json(files[name])]
            close = difflib.get_close_matches(missing, known, 1)
            if not may_lack or (close and files[may_lack[0]]):
                yield mistake
            absent[[*may_lack, *meant, *query.sources][0]].append(missing)
        else:
            con.execute("deallocate statement_of_feed")
            return


def _create_view(con: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str], absent: Sequence[str]) -> None:
    """Creates the table of a source that statements see: its readable lines, with their origin."""
    origin = ", ".join(f"{name}: {name}" for name in sql_types(ORIGIN_COLUMNS))
    texts = [*map(identifier, columns), *(f"null::varchar as {identifier(name)}" for name in absent)]
    con.execute(
        f"""create or replace temp view {identifier(source)} as
        select {", ".join([*texts, f"{{{origin}}} as {ORIGIN}"])}
        from {identifier(f"sent {source}")} where problem is null"""
    )


def _has_json(files: Sequence[SourceFile]) -> bool:
    kinds = [kind_of(file.name) for file in files]
    return any(kind and kind.format == "jsonl" for kind in kinds)


def _write_feed(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    feed: str,
    rows: pl.DataFrame,
    files: Sequence[SourceFile],
    zone: Zone,
) -> dict[str, int]:
    """Writes one feed's files. Returns the number of readable rows per source file."""
    parts = rows.partition_by("arrived_on", "source_file", as_dict=True, include_key=False, maintain_order=True)
    if "column" not in source.arrival_day:
        whole = dict(con.execute("select source_file, min(arrived_on) from lines_read group by all").fetchall())
        for file in files:
            day = whole.get(file.name, file.arrived_on)
            parts.setdefault((day, file.name), rows.drop("arrived_on", "source_file").clear())
    names = {file.name: landed_name(file.source) for file in files}
    counts: dict[str, int] = {}
    for (day, source_file), part in parts.items():
        if day == UNKNOWN_DAY:
            continue
        _write(zone, feed, day, names[source_file], part)
        counts[source_file] = counts.get(source_file, 0) + part[PROBLEM].null_count()
    return counts
