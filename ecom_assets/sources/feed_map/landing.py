"""Landing an export with its feed map: one Parquet file per feed, source file and arrival day."""

import datetime as dt
import filecmp
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

from ecom_assets.contract import CURRENCY, STORE, WORDS_FOR_NOTHING
from ecom_assets.days import Window
from ecom_assets.errors import UserError, suggestion
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.reading import PROBLEM, RAW
from ecom_assets.landing.zone import Zone
from ecom_assets.sources.feed_map.landed import read_landed
from ecom_assets.sources.feed_map.macros import create_macros
from ecom_assets.sources.feed_map.memory import Memory
from ecom_assets.sources.feed_map.model import (
    PLAIN,
    Feed,
    FeedMap,
    Source,
    by_source,
    columns_named,
    group_keys,
    number_columns,
    unreadable_feed,
)
from ecom_assets.sources.feed_map.query import (
    LANDED,
    QueryError,
)
from ecom_assets.sources.feed_map.report import EXAMPLES, FileReport, LandReport, Misses
from ecom_assets.sources.feed_map.sources import (
    UNKNOWN_DAY,
    NothingToLand,
    SourceFile,
    batches,
    export_files,
    name_before_maps,
)
from ecom_assets.sources.feed_map.sql import (
    PLACE,
    condition_of_all,
    listed,
    number_text,
    statement,
    unread_values,
    why_no_day,
    with_unreadable,
)
from ecom_assets.sources.feed_map.statements import (
    bind,
    may_lack,
    misses_of,
    run_statement,
    unread_of,
    unread_pieces_of,
    wrong_columns,
)
from ecom_assets.sources.feed_map.tables import create_named, create_whole
from ecom_assets.sources.feed_map.toml_text import TomlText
from ecom_assets.sql import connect, identifier, literal, literals

_NO_KINDS = 50
"""A column with more values than this in lines that no feed reads is a number or a text, not a kind of line."""


def land(
    feed_map: FeedMap,
    folder: Path,
    zone: Zone,
    check: Callable[[Window, Zone], object] = lambda days, staged: None,
    *,
    replacing: bool = False,
    before: Zone | None = None,
    other_currency: str | None = None,
    told: Callable[[str, float], object] = lambda step, share: None,
) -> LandReport:
    """Turns the export in `folder` into files of the landing zone, one Parquet file per feed, source file and day.

    Landing the same files again changes nothing. A line that cannot be read goes, with its reason, to the feed
    named by `unreadable`. Nothing is written before all files are read and `check`, which gets the first and last
    arrival day and the files in a zone of their own, has passed. Statements that join what has landed find it in the
    zone `before`, by default `zone`. `other_currency` is that of amounts whose rows name none, if it is not the shop's.
    `told` gets, before each step of reading, its name and the share of the steps that are done, 0 to 1.
    Raises FeedMapError with all mistakes in columns and SQL, NothingToLand if the folder has no file that lands, and
    WouldEmpty, unless `replacing`, if rows that landed before would be gone.
    """
    folder, feed_map = Path(folder), feed_map.in_currency(other_currency)
    reports: list[FileReport] = []
    skipped: list[str] = []
    missing: list[str] = []
    memories: dict[tuple[str, str | None], Memory] = {}
    together = {source.name: source for source in feed_map.joined()}
    done, steps = count(), len(list(by_source(feed_map.feeds))) + len(feed_map.queries) + 2 * len(together) + 1

    def tell(step: str) -> None:
        told(step, next(done) / steps)

    def found(source: Source, *, is_joined: bool = False) -> list[SourceFile]:
        try:
            read = replace(source, arrival_day={}) if is_joined else source
            files, nameless = export_files(read, folder, feed_map.name)
        except NothingToLand as error:
            missing.append(str(error))
            return []
        skipped.extend(
            f"{name}: no arrival day in its {'path' if 'path' in source.arrival_day else 'name'}" for name in nameless
        )
        return files

    def memory_of(source: Source) -> Memory:
        own = feed_map.sources[source.name].files == source.files
        name = source.name if own else f"{source.name} of {name_before_maps(source.files or '')}"
        return memories.setdefault((source.name, source.files), Memory(zone.root, feed_map.name, name))

    with TemporaryDirectory(prefix="feed-map-") as scratch:
        staged = Zone(Path(scratch))
        along: dict[str, Sequence[Feed]] = {}
        for source, feeds in by_source(feed_map.feeds):
            if source.name in together and together[source.name].files == source.files:
                along[source.name] = feeds
                continue
            tell(f"reading {source.name}")
            if group_keys(feeds):
                if files := found(source):
                    reports += _land_words(source, feeds, files, feed_map.text, staged, memory_of(source))
            else:
                for batch in batches(found(source)):
                    reports += _land_words(source, feeds, batch, feed_map.text, staged, None)
        if feed_map.queries:
            of_sources = {
                source.name: found(source, is_joined=not (feed_map.driven(source) or source.name in along))
                for source in together.values()
            }
            remembering = {
                source.name: memory_of(source)
                for source in together.values()
                if feed_map.remembers(source) or group_keys(along.get(source.name, ()))
            }
            given = (feed_map, of_sources, along, staged, remembering, before or zone, list(reports))
            reports += _land_queries(*given, tell)
        feed_map.text.raise_gathered()
        skipped += [f"{report.name}: {report.without_day}" for report in reports if report.without_day]
        reports = [report for report in reports if not report.without_day]
        if all(report.is_restated for report in reports):
            raise NothingToLand("Nothing to land. " + " ".join([*missing, *(f"Skipped {each}." for each in skipped)]))
        arrived_on = sorted(day for feed in staged.feeds() for day in staged.days(feed))
        days = Window(arrived_on[0], arrived_on[-1]) if arrived_on else None
        if days:
            check(days, staged)
        if other_currency:
            _refuse_unconverted(feed_map, staged, other_currency)
        renamed = [place for feed in feed_map.names for place in _before_maps(feed, reports, zone)]
        emptied = [place for feed in feed_map.names for place in _stage_emptied(feed, reports, staged, zone)]
        lost = [*emptied, *(place for place in renamed if not _is_renamed(place, feed_map.name, staged, zone))]
        if lost and not replacing:
            raise WouldEmpty(lost)
        _refuse_other_kinds(feed_map, zone)
        due_otherwise = tuple(_due_otherwise(feed_map, zone))
        _declare_own_columns(feed_map, zone)
        for memory in memories.values():
            memory.save()
        _publish(staged, zone)
        for place in renamed:
            (zone.root / place).unlink()
    files_now = tuple(report for report in reports if not report.is_restated)
    restated = len(reports) - len(files_now)
    return LandReport(
        feed_map.names, files_now, days, len(emptied), tuple(skipped), tuple(missing), due_otherwise, restated
    )


class WouldEmpty(UserError):
    """Landing would leave nothing of rows that landed before."""

    def __init__(self, places: Sequence[Path]) -> None:
        named = "\n".join(f"  {place.parent}/{place.name}" for place in places)
        super().__init__(
            f"Rows that landed before would be gone, since their files no longer have them:\n{named}\n"
            "If a file stands for all that it held before, land with --replace; otherwise give it a new name."
        )


def _refuse_unconverted(feed_map: FeedMap, staged: Zone, currency: str) -> None:
    """Raises FeedMapError if a feed has amounts that are not converted."""
    for feed in staged.feeds():
        promised = feed_contracts()[feed]
        amounts = [] if promised.converted else [c.name for c in promised.columns.values() if c.is_amount]
        for path in sorted((staged.root / feed).glob("*/*")) if amounts else ():
            rows = pl.read_parquet(path)
            for name in amounts:
                if name in rows.columns and rows[name].null_count() < len(rows):
                    feed_map.text.fail(
                        ["feed", feed],
                        f"{name} is in {currency}, and amounts of {feed} are not converted: leave it out, or convert "
                        "it in SQL.",
                    )


def _before_maps(feed: str, reports: Sequence[FileReport], zone: Zone) -> Iterator[Path]:
    """Yields, below the zone, the files that landed from these sources before landed names had the map's name."""
    names = {name_before_maps(report.name) for report in reports if feed in report.rows}
    for day in zone.days(feed):
        place = Path(feed, day.isoformat())
        yield from (place / name for name in sorted(names.intersection(os.listdir(zone.root / place))))


def _is_renamed(place: Path, map_name: str, staged: Zone, zone: Zone) -> bool:
    """Returns whether a file that landed under its old name lands with the same content now, or had no rows."""
    now = staged.root / place.with_name(f"{map_name}@{place.name}")
    if now.exists() and filecmp.cmp(now, zone.root / place, shallow=False):
        return True
    return not _has_rows(zone.root / place)


def _has_rows(path: Path) -> bool:
    return bool(pq.read_metadata(path).num_rows)


def _stage_emptied(feed: str, reports: Sequence[FileReport], staged: Zone, zone: Zone) -> list[Path]:
    """Stages an empty file for each landed file whose source now has no such rows.

    Returns those that had rows, but for files that are restated because others add to their groups.
    """
    empty = pl.DataFrame(schema=dict.fromkeys((*feed_contracts()[feed].columns, PROBLEM, RAW), pl.String))
    names = {report.file.landed: report.is_restated for report in reports if feed in report.rows}
    emptied = []
    for day in zone.days(feed):
        place = Path(feed, day.isoformat())
        for name in sorted(names.keys() & set(os.listdir(zone.root / place))):
            if not (staged.root / place / name).exists():
                _write(staged, feed, day, name, empty)
                emptied += [place / name] if _has_rows(zone.root / place / name) and not names[name] else []
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


def _refuse_other_kinds(feed_map: FeedMap, zone: Zone) -> None:
    """Raises FeedMapError if a column that the map adds to a feed has another kind in the feed's settings."""
    for feed, own in feed_map.added.items():
        known = zone.settings(feed).extra
        for name, kind in own.items():
            if (other := known.get(name, kind)) != kind:
                feed_map.text.fail(["feed", feed, "extra", name], f"{name} is {other} in feeds.toml, not {kind}.")


def _declare_own_columns(feed_map: FeedMap, zone: Zone) -> None:
    """Saves the columns that the map adds to feeds in their settings."""
    for feed, own in feed_map.added.items():
        known = zone.settings(feed)
        if not own.items() <= known.extra.items():
            zone.save_settings(feed, replace(known, extra={**known.extra, **own}))


def _write(zone: Zone, feed: str, day: dt.date, name: str, rows: pl.DataFrame) -> None:
    zone.write(feed, day, name, partial(rows.write_parquet, compression="zstd", statistics=False))


def _land_words(
    source: Source,
    feeds: Sequence[Feed],
    files: Sequence[SourceFile],
    toml: TomlText,
    zone: Zone,
    memory: Memory | None,
) -> Iterator[FileReport]:
    """Lands the feeds in words that read some files of a source, with what its memory has of their groups."""
    with TemporaryDirectory(prefix="feed-map-") as scratch, connect(Path(scratch) / "lines.duckdb") as con:
        con.execute("set TimeZone = 'UTC'")
        others, absent = create_named(con, source, files, columns_named(source, feeds), toml, "sent")
        if toml.has_mistakes:
            return
        restated = memory.recall(con, "sent", files, group_keys(feeds), Path(scratch)) if memory else []
        for report in _land_source(con, source, "sent", files, restated, feeds, {}, (), zone):
            yield replace(report, unused_columns=others, absent_columns=absent)


def _land_source(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    table: str,
    files: Sequence[SourceFile],
    restated: Sequence[SourceFile],
    feeds: Sequence[Feed],
    queried: Mapping[str, str],
    told_apart: Sequence[str],
    zone: Zone,
) -> Iterator[FileReport]:
    """Lands the feeds in words that read a table, and its unreadable lines. Yields what became of each file.

    `restated` are files that landed before, whose rows may change because of these; `told_apart` the columns by which
    SQL takes lines.

    `queried` has the feeds that take their rows from it by SQL, each with the table of these rows.
    """
    _read_lines(con, source, table, feeds)
    unreadable = unreadable_feed(source, feeds, list(queried))
    landed: dict[str, Mapping[str, int]] = {}
    for feed in feeds:
        made = con.sql(statement(feed, with_unreadable=feed.name == unreadable)).pl()
        landed[feed.name] = _write_feed(con, source, feed.name, made, [*files, *restated], zone)
    for name, rows in queried.items():
        own = f"select * from {rows} where origin.source_file in (select source_file from lines_read)"
        made = con.sql(with_unreadable(own, name == unreadable)).pl()
        landed[name] = _write_feed(con, source, name, made, [*files, *restated], zone)
    taken = " or ".join(condition_of_all(feed.where) for feed in feeds) or "false"
    read = " union all ".join(f"select source_file, record from {identifier(f'lines of {name}')}" for name in queried)
    not_read = f"and (source_file, record) not in ({read})" if read else ""
    unused = f"problem is null and not ({taken}) {not_read}"
    kinds = _kinds_unused(con, unused, [*(each["column"] for feed in feeds for each in feed.where), *told_apart])
    counted = con.execute(
        f"""
        select source_file, case when min(arrived_on) = $1 then {why_no_day(source.arrival_day)} else '' end,
            count(*), count(problem), count(*) filter ({unused}),
            coalesce(list(problem order by record) filter (problem is not null), [])[:{EXAMPLES}],
            {unread_values(feeds)}
        from lines_read group by all""",
        [UNKNOWN_DAY],
    ).fetchall()
    counts: Mapping[str, Sequence[Any]] = {name: rest for name, *rest in counted}
    for file in restated:
        yield FileReport(file, {feed: landed[feed].get(file.name, 0) for feed in landed}, is_restated=True)
    going_on = _going_on(con, feeds, files)
    for file in files:
        of_file = {feed: landed[feed].get(file.name, 0) for feed in landed}
        without_day, lines, broken, unused_lines, problems, unread = counts.get(file.name, ("", 0, 0, 0, [], []))
        told = (without_day, lines, broken, unused_lines, problems, unread)
        yield FileReport(file, of_file, *told, going_on.get(file.name, {}), kinds.get(file.name, {}))


def _read_lines(con: duckdb.DuckDBPyConnection, source: Source, table: str, feeds: Sequence[Feed]) -> None:
    """Makes `lines_read`, a table of a source's lines as feeds in words read them."""
    replaced = ""
    if source.number_format != PLAIN and (columns := number_columns(feeds)):
        texts = (f"{number_text(column, source.number_format)} as {identifier(column)}" for column in columns)
        replaced = f"replace ({', '.join(texts)})"
    place = "record"
    if any(feed.adds for feed in feeds):
        con.execute(
            f"""create or replace temp table first_days as
            select source_file, min(arrived_on) as first_day from {identifier(table)} group by all"""
        )
        place = "row_number() over (order by first_day, source_file, record)"
        joined = f"{identifier(table)} join first_days using (source_file)"
    else:
        joined = identifier(table)
    con.execute(f"create or replace temp table lines_read as select * {replaced}, {place} as {PLACE} from {joined}")


def _going_on(
    con: duckdb.DuckDBPyConnection, feeds: Sequence[Feed], files: Sequence[SourceFile]
) -> dict[str, dict[str, str]]:
    """Returns per new file the columns whose groups go on in it from another file, each with an example."""
    found: dict[str, dict[str, str]] = {}
    new = literals(file.name for file in files)
    for feed in feeds:
        for keys in group_keys([feed]):
            query = f"""
                select source_file, min(group_name) from (
                    select distinct source_file, concat_ws(', ', {listed(keys)}) as group_name, first_day,
                        min((first_day, source_file)) over (partition by {listed(keys)}) as begins
                    from lines_read where problem is null and {condition_of_all(feed.where)}
                ) where (first_day, source_file) > begins and source_file in ({new}) group by all"""
            for name, example in con.execute(query).fetchall():
                found.setdefault(name, {})[", ".join(keys)] = example
    return found


def _kinds_unused(con: duckdb.DuckDBPyConnection, unused: str, by: Sequence[str]) -> dict[str, dict[str, int]]:
    """Returns per file the kinds of lines that no feed reads, by the columns that tell lines apart, with their number.

    A column with very many values there tells no kinds.
    """
    columns = list(dict.fromkeys(by))
    if not columns:
        return {}
    counts = ", ".join(f"approx_count_distinct({identifier(column)})" for column in columns)
    [numbers] = con.execute(f"select {counts} from lines_read where {unused}").fetchall()
    kinds = [column for column, number in zip(columns, numbers, strict=True) if 0 < number <= _NO_KINDS]
    if not kinds:
        return {}
    shown = " || ', ' || ".join(
        f"{literal(f'{column} ')} || coalesce({identifier(column)}, 'null')" for column in kinds
    )
    found: dict[str, dict[str, int]] = {}
    for name, kind, number in con.execute(
        f"select source_file, {shown}, count(*) from lines_read where {unused} group by all order by all"
    ).fetchall():
        found.setdefault(name, {})[kind] = number
    return found


def _land_queries(
    feed_map: FeedMap,
    files: Mapping[str, Sequence[SourceFile]],
    words: Mapping[str, Sequence[Feed]],
    zone: Zone,
    memories: Mapping[str, Memory],
    before: Zone,
    done: Sequence[FileReport],
    tell: Callable[[str], object],
) -> Iterator[FileReport]:
    """Lands the feeds in SQL, and those in words that read the same sources. `files` are those of each source.

    `before` is the zone of what landed before, `done` what this landing has put into `zone` already. `tell` gets the
    name of each step.
    """
    toml = feed_map.text
    with TemporaryDirectory(prefix="feed-map-") as scratch, connect(Path(scratch) / "lines.duckdb") as con:
        con.execute("set TimeZone = 'UTC'")
        used = {column for query in feed_map.queries for column in query.columns}
        columns: dict[str, list[str]] = {}
        absent: dict[str, list[str]] = {source.name: [] for source in feed_map.joined()}
        restated: dict[str, list[SourceFile]] = {}
        wanted_of: dict[str, set[str]] = {}
        takes_all = any(query.has_star for query in feed_map.queries)
        for source in feed_map.joined():
            tell(f"reading {source.name}")
            named = columns_named(source, words.get(source.name, ()))
            wanted = wanted_of[source.name] = {*used, *map(str.lower, named)}
            columns[source.name], lacking = create_whole(con, source, files[source.name], wanted, f"sent {source.name}")
            for complaint in lacking:
                with toml.gathered():
                    toml.fail(source.place, complaint)
            for column in named:
                if column not in columns[source.name]:
                    if may_lack(files[source.name], column, columns[source.name]):
                        con.execute(
                            f"alter table {identifier(f'sent {source.name}')} add column {identifier(column)} varchar"
                        )
                        columns[source.name].append(column)
                        absent[source.name].append(column)
                        continue
                    with toml.gathered():
                        told = suggestion(column, columns[source.name])
                        toml.fail_at(column, f"no file of {source.name} has a column {column!r}{told}")
            restated[source.name] = []
            if source.name in memories:
                recall = memories[source.name].recall
                restated[source.name] = recall(con, f"sent {source.name}", files[source.name], None, Path(scratch))
        landed = dict(read_landed(con, feed_map, files, restated, along=words, zones=(before, zone), done=done))
        con.execute(f"create schema {LANDED}")
        con.execute("set python_enable_replacements = false; set enable_external_access = false")
        con.execute("set lock_configuration = true")
        misses: list[tuple[str, Misses]] = []
        unread: list[tuple[str, str]] = []
        for query in feed_map.in_order():
            tell(f"making {query.feed}")
            if query.landed:
                toml.raise_gathered()
            for name in query.landed:
                if name in landed:
                    rows, names = landed.pop(name)
                    rows.create(con, _made(con, feed_map, name, words), names)
            source = feed_map.sources[query.driving[0]]
            create_macros(con, source.number_format, source.time_zone, source.store)
            mistakes = list(bind(con, feed_map, query, files, columns, absent))
            if mistakes:
                mistakes += wrong_columns(con, feed_map, query)
            else:
                try:
                    run_statement(con, feed_map, query, source.time_zone)
                    misses += misses_of(con, query)
                    unread += unread_of(con, query)
                except QueryError as error:
                    mistakes = [error]
            for mistake in mistakes:
                with toml.gathered():
                    toml.fail_in(["feed", query.feed, "sql"], mistake.line, str(mistake))
        toml.raise_gathered()
        for source in feed_map.joined():
            tell(f"writing {source.name}")
            pieces = unread_pieces_of(con, feed_map, source, files[source.name], wanted_of[source.name], columns)
            feeds = words.get(source.name, ())
            queried = {feed: identifier(f"rows of {feed}") for feed in feed_map.driven(source)}
            table = f"sent {source.name}"
            if queried or feeds:
                by = [
                    *(name for query in feed_map.queries if source.name in query.driving for name in query.told_apart)
                ]
                apart = [name for name in columns[source.name] if name.lower() in by]
                others = [name for name in columns[source.name] if name.lower() not in wanted_of[source.name]]
                reading = (files[source.name], restated[source.name], feeds, queried, apart, zone)
                for report in _land_source(con, source, table, *reading):
                    missed = [each for name, each in misses if name == report.file.name and not report.is_restated]
                    odd = [*report.unread, *(each for name, each in unread if name == report.file.name)]
                    lacking = [one for one in absent[source.name] if one not in source.optional and files[source.name]]
                    whole = replace(report, unused_columns=[] if takes_all else others, misses=missed, unread=odd)
                    whole = replace(whole, absent_columns=lacking)
                    yield whole if report.is_restated else replace(whole, pieces=pieces.get(report.file.name, {}))
            elif broken := con.execute(
                f"select source_file, problem from {identifier(table)} where problem is not null"
            ).fetchone():
                toml.fail(source.place, f"{source.name} is only joined, and cannot be read: {': '.join(broken)}")


def _made(
    con: duckdb.DuckDBPyConnection, feed_map: FeedMap, feed: str, words: Mapping[str, Sequence[Feed]]
) -> str | None:
    """Returns SQL for the rows that this landing has made of a feed from sources of statements; None if it has not."""
    if feed in {query.feed for query in feed_map.queries}:
        return f"select * exclude (origin), unnest(origin) from {identifier(f'rows of {feed}')}"
    for source in feed_map.joined():
        for own in words.get(source.name, ()):
            if own.name == feed:
                _read_lines(con, source, f"sent {source.name}", words[source.name])
                made = statement(own, with_unreadable=False)
                con.execute(
                    f"create temp table made_in_words as select *, row_number() over () as record from ({made})"
                )
                return "select * from made_in_words"
    return None


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
    names = {file.name: file.landed for file in files}
    counts: dict[str, int] = {}
    for (day, source_file), part in parts.items():
        if day == UNKNOWN_DAY or source_file not in names:
            continue
        _write(zone, feed, day, names[source_file], _of_source(part, source, feed))
        counts[source_file] = counts.get(source_file, 0) + part[PROBLEM].null_count()
    return counts


def _of_source(rows: pl.DataFrame, source: Source, feed: str) -> pl.DataFrame:
    """Returns rows of a feed with the currency and the store of their source where they name none."""
    promised = feed_contracts()[feed]
    if source.currency and promised.converted:
        rows = _filled(rows, CURRENCY, source.currency)
    return _filled(rows, STORE, source.store) if source.store and STORE in promised.columns else rows


def _filled(rows: pl.DataFrame, column: str, text: str) -> pl.DataFrame:
    """Returns rows with a text in a column where they have none."""
    if column not in rows.columns:
        return rows.with_columns(pl.lit(text).alias(column))
    is_missing = pl.col(column).str.strip_chars().str.to_lowercase().is_in(["", *WORDS_FOR_NOTHING])
    return rows.with_columns(pl.when(~is_missing).then(column).otherwise(pl.lit(text)).alias(column))
