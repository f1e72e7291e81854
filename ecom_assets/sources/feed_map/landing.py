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
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.reading import PROBLEM, RAW, header, read
from ecom_assets.landing.zone import Zone, kind_of
from ecom_assets.sources import fixed_width
from ecom_assets.sources.feed_map.model import PLAIN, Feed, FeedMap, Lookup
from ecom_assets.sources.feed_map.report import EXAMPLES, FileReport, LandReport
from ecom_assets.sources.feed_map.sources import (
    UNKNOWN_DAY,
    NothingToLand,
    SourceFile,
    batches,
    export_files,
    landed_name,
    lookup_files,
)
from ecom_assets.sources.feed_map.sql import (
    condition_of_all,
    day_of_line,
    listed,
    number_text,
    statement,
    unread_moments,
    why_no_day,
)
from ecom_assets.sql import connect, identifier


def land(
    feed_map: FeedMap, folder: Path, zone: Zone, check: Callable[[Window], object] = lambda days: None
) -> LandReport:
    """Turns the export in `folder` into files of the landing zone, one Parquet file per feed, source file and day.

    Landing the same files again changes nothing. A line that cannot be read goes, with its reason, to the feed
    named by `unreadable`. Nothing is written before all files are read and `check`, which gets the first and last
    arrival day, has passed. Raises FeedMapError if the export lacks a column that the map names, NothingToLand if the
    folder has no file that lands.
    """
    folder = Path(folder)
    reports: list[FileReport] = []
    skipped: list[str] = []
    missing: list[str] = []
    with TemporaryDirectory(prefix="feed-map-") as scratch:
        staged = Zone(Path(scratch))
        for pattern, part in feed_map.by_files():
            try:
                files, nameless = export_files(feed_map, folder, pattern)
            except NothingToLand as error:
                missing.append(str(error))
                continue
            skipped += [f"{name}: no arrival day in its name" for name in nameless]
            for batch in batches(files):
                reports += _land_batch(part, batch, folder, staged)
        skipped += [f"{report.name}: {report.without_day}" for report in reports if report.without_day]
        reports = [report for report in reports if not report.without_day]
        if not reports:
            raise NothingToLand("Nothing to land. " + " ".join([*missing, *(f"Skipped {each}." for each in skipped)]))
        arrived_on = sorted(day for feed in staged.feeds() for day in staged.days(feed))
        days = Window(arrived_on[0], arrived_on[-1]) if arrived_on else None
        if days:
            check(days)
        due_otherwise = tuple(_due_otherwise(feed_map, zone))
        emptied = sum(_stage_emptied(feed, reports, staged, zone) for feed in feed_map.feeds)
        _publish(staged, zone)
    feeds = tuple(feed.name for feed in feed_map.feeds)
    return LandReport(feeds, tuple(reports), days, emptied, tuple(skipped), tuple(missing), due_otherwise)


def _stage_emptied(feed: Feed, reports: Sequence[FileReport], staged: Zone, zone: Zone) -> int:
    """Stages an empty file for each landed file whose source now has no such rows. Returns how many had rows."""
    empty = pl.DataFrame(schema=dict.fromkeys((*feed.columns, PROBLEM, RAW), pl.String))
    names = {landed_name(report.name) for report in reports if feed.name in report.rows}
    emptied = 0
    for day in zone.days(feed.name):
        place = Path(feed.name, day.isoformat())
        for name in names.intersection(os.listdir(zone.root / place)):
            if not (staged.root / place / name).exists():
                _write(staged, feed.name, day, name, empty)
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
    for feed in feed_map.feeds:
        if not zone.has_settings(feed.name):
            zone.save_settings(feed.name, FeedSettings(due=feed_map.due))
        elif zone.settings(feed.name).due != feed_map.due:
            yield feed.name


def _write(zone: Zone, feed: str, day: dt.date, name: str, rows: pl.DataFrame) -> None:
    zone.write(feed, day, name, partial(rows.write_parquet, compression="zstd", statistics=False))


def _land_batch(feed_map: FeedMap, files: Sequence[SourceFile], folder: Path, zone: Zone) -> Iterator[FileReport]:
    with connect() as con:
        con.execute("set TimeZone = 'UTC'")
        columns = feed_map.source_columns()
        _read(con, feed_map, files, columns, "sent")
        looked_up = [_join(con, feed_map, lookup, wanted, folder) for lookup, wanted in feed_map.lookups_used()]
        joined = " ".join(["sent", *looked_up])
        computed = {"arrived_on": day_of_line(feed_map.arrival_day)}
        if feed_map.number_format != PLAIN:
            computed |= {column: number_text(column, feed_map.number_format) for column in feed_map.number_columns()}
        replaced = ", ".join(f"{sql} as {identifier(column)}" for column, sql in computed.items())
        con.execute(f"create table lines as select * replace ({replaced}) from {joined}")
        landed = {feed.name: _land_feed(con, feed_map, feed, files, zone) for feed in feed_map.feeds}
        taken = " or ".join(condition_of_all(feed.where) for feed in feed_map.feeds)
        counted = con.execute(
            f"""
            select source_file, case when min(arrived_on) = $1 then {why_no_day(feed_map.arrival_day)} else '' end,
                count(*), count(problem), count(*) filter (problem is null and not ({taken})),
                coalesce(list(problem order by record) filter (problem is not null), [])[:{EXAMPLES}],
                {unread_moments(feed_map.feeds)}
            from lines group by all""",
            [UNKNOWN_DAY],
        ).fetchall()
    counts: Mapping[str, Sequence[Any]] = {name: rest for name, *rest in counted}
    for file in files:
        rows = {feed: landed[feed].get(file.name, 0) for feed in landed}
        yield FileReport(file.source, rows, *counts.get(file.name, ("", 0, 0, 0, [], [])))


def _read(
    con: duckdb.DuckDBPyConnection, feed_map: FeedMap, files: Sequence[SourceFile], columns: Sequence[str], table: str
) -> None:
    """Makes a table of the files' records. Raises FeedMapError for a column that a file does not have."""
    with TemporaryDirectory(prefix="feed-map-") as scratch:
        if feed_map.layout:
            unpacked = [replace(file, location=f"{scratch}/{number}") for number, file in enumerate(files)]
            for file, text in zip(unpacked, files, strict=True):
                fixed_width.write_parquet(text.path, file.path, feed_map.layout, feed_map.dialect.encoding)
            files = unpacked
        read(con, files, columns, feed_map.dialect).create(table)
        _refuse_missing_columns(con, feed_map, files, columns, table)


def _join(
    con: duckdb.DuckDBPyConnection, feed_map: FeedMap, lookup: Lookup, columns: Sequence[str], folder: Path
) -> str:
    """Makes a table of a lookup's files, and returns the SQL that joins it to the lines.

    Raises FeedMapError if two of its lines share a key, or one cannot be read.
    """
    place = ["lookup", lookup.name]
    table, keys = identifier(f"lookup {lookup.name}"), listed(lookup.on.values())
    _read(con, feed_map, lookup_files(feed_map, folder, lookup), columns, f"lookup {lookup.name}")
    for name, problem in con.execute(f"select source_file, problem from {table} where problem is not null").fetchall():
        feed_map.text.fail(place, f"{lookup.name} cannot be read: {name}, {problem}")
    for *key, many in con.execute(f"select {keys}, count(*) from {table} group by all having count(*) > 1").fetchall():
        repeated = f"{many} lines for {', '.join(lookup.on.values())} {', '.join(map(str, key))}"
        feed_map.text.fail(place, f"{lookup.name} has {repeated}; a key must be unique.")
    named = ", ".join(f"{identifier(column)} as {identifier(f'{lookup.name}.{column}')}" for column in columns)
    equal = " and ".join(
        f"sent.{identifier(ours)} = {identifier(lookup.name)}.{identifier(f'{lookup.name}.{theirs}')}"
        for ours, theirs in lookup.on.items()
    )
    return f"left join (select {named} from {table}) {identifier(lookup.name)} on {equal}"


def _land_feed(
    con: duckdb.DuckDBPyConnection, feed_map: FeedMap, feed: Feed, files: Sequence[SourceFile], zone: Zone
) -> dict[str, int]:
    """Writes one feed's files. Returns the number of readable rows per source file."""
    unreadable = feed.name == feed_map.unreadable
    frame = con.sql(statement(feed, feed_map.time_zone, with_unreadable=unreadable)).pl()
    parts = frame.partition_by("arrived_on", "source_file", as_dict=True, include_key=False, maintain_order=True)
    if "column" not in feed_map.arrival_day:
        whole = dict(con.execute("select source_file, min(arrived_on) from lines group by all").fetchall())
        for file in files:
            parts.setdefault(
                (whole.get(file.name, file.arrived_on), file.name), frame.drop("arrived_on", "source_file").clear()
            )
    names = {file.name: landed_name(file.source) for file in files}
    rows: dict[str, int] = {}
    for (day, source_file), part in parts.items():
        if day == UNKNOWN_DAY:
            continue
        _write(zone, feed.name, day, names[source_file], part)
        rows[source_file] = rows.get(source_file, 0) + part[PROBLEM].null_count()
    return rows


def _refuse_missing_columns(
    con: duckdb.DuckDBPyConnection, feed_map: FeedMap, files: Sequence[SourceFile], columns: Sequence[str], table: str
) -> None:
    """Raises FeedMapError for a column that a file does not have.

    A JSON record need not have each key: a key is missing only if no record has it and a similar key exists.
    """
    counts = ", ".join(f"count({identifier(column)})" for column in columns)
    [found] = con.execute(f"select {counts} from {identifier(table)}").fetchall()
    empty = {column for column, count in zip(columns, found, strict=True) if not count}
    for file in files:
        named = header(file, feed_map.dialect) or columns
        others = [name for name in named if name not in columns]
        kind = kind_of(file.name)
        for column in columns:
            is_meant = column in empty and difflib.get_close_matches(column, others, 1)
            if column in named or (kind and kind.format == "jsonl" and not is_meant):
                continue
            feed_map.text.fail_at(column, f"{file.source} has no column {column!r}{suggestion(column, others)}")
