"""Own data without code: a TOML file says how a foreign export becomes our feeds.

    [source]                                  # what the files are
    files = "*.csv.gz"                        # pattern below the folder
    arrival_day = { file_name = "{day}.csv.gz" }

    [feed.orders]                             # one table per feed
    where = [{ column = "InvoiceNo", not_starts_with = "C" }]
    group_by = ["InvoiceNo"]                  # one row per group and file; without it one per line

    [feed.orders.columns]                     # ours = theirs
    order_id = "InvoiceNo"
    ordered_at = { from = "InvoiceDate", take = "min" }
    status = { constant = "paid" }

A value starts as a source column (`from`), a `constant`, a product (`multiply`), joined text (`concat`; its parts are
column names, or { text = "-" }) or an ordinal (`ordinal`: the line's place among all readable lines of the file with
equal values in those columns, so that changing a condition renumbers nothing). Where an export tells what a line costs
but not a unit, `price_of = [amount, quantity]` is the least price with four decimals at which the units cost no less,
and `rounding_of` the same two what they cost more: the line's discount. Then, in this order, a value may be changed by
`strip_suffix`, `time_format`, `values`, `negate`, `abs`, and replaced by the first `when` that holds.
In a group, or `over` columns, `take` picks one of the values: first (the first that is not null), min, max, sum, count.
Numbers are exact decimals of up to six places, without exponent. What is no such number, or no time, where one is
wanted passes as it was sent; among several values, sum, min and max give it before any number, so that it is seen.

Moments land in UTC, with their offset. Those that are sent without one are of the time zone that [source] names, as
`time_zone = "Europe/Berlin"`, else of UTC: exports of several zones may go into one feed.

A source file, told by its path below the folder, replaces whatever it gave when it was landed before, on every day:
exports that hold the latest lines only need a name of their own each time.

A feed may take `files` of its own. Columns of other files come beside those of a line by a lookup, and are null where
it finds nothing:

    [lookup.categories]
    files = "categories.csv"
    on = { category = "id" }                  # the line's column = the lookup's, which no two of its lines share

    [feed.products.columns]
    category = "categories.name"

The calendar tells the first and last business day, where none stands yet, and the weekdays on which the feeds are due,
where feeds.toml in the landing zone says nothing of them; without `due` that is every day:

    [calendar]
    start = 2024-01-01
    end = 2024-12-31
    due = ["mon", "tue", "wed", "thu", "fri"]

A file of fixed width needs the places of its columns, the first and last character of each, counted from 1:

    [source]
    format = "fixed"
    heading_lines = 1
    places = { customer = [2, 6], day = [8, 15] }
"""

import datetime as dt
import difflib
import filecmp
import importlib
import os
import pkgutil
import re
import shutil
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import duckdb
import polars as pl

import ecom_assets.landing
from ecom_assets.contract import Contract, Table, contract
from ecom_assets.days import Window
from ecom_assets.engine.duckdb import moment_text, written_day
from ecom_assets.errors import UserError
from ecom_assets.landing import fixed_width
from ecom_assets.landing.fixed_width import Layout
from ecom_assets.landing.reading import PROBLEM, PROVENANCE, RAW, Dialect, header, read
from ecom_assets.landing.zone import WEEKDAYS, FeedSettings, LandedFile, Zone, kind_of, text_of

_FORMATS = ("csv", "jsonl", "parquet", "fixed")
_SOURCE_TEXTS = ("files", "format", "delimiter", "encoding", "time_zone", "currency", "unreadable")
_SOURCE_KEYS = (*_SOURCE_TEXTS, "arrival_day", "places", "heading_lines")
_ARRIVAL_KEYS = ("file_name", "fixed", "first", "column")
_CALENDAR_KEYS = ("start", "end", "due")
_LOOKUP_KEYS = ("files", "on")
_FEED_KEYS = ("files", "where", "group_by", "columns")
_STARTS = ("from", "constant", "multiply", "concat", "ordinal", "price_of", "rounding_of")
_NAMING = ("from", "multiply", "concat", "ordinal", "price_of", "rounding_of", "over")
_CHANGES = ("strip_suffix", "time_format", "values", "negate", "abs", "when", "take", "over")
_TAKES = ("first", "min", "max", "sum", "count")
_BATCH_BYTES = 64 << 20
_MOST_FACTORS = 6
"""Their decimals together are the 36 that DuckDB's decimals hold."""


class FeedMapError(UserError):
    """A mistake in a feed map, with its file, line and, where there is one, a suggestion."""


class NothingToLand(UserError, FileNotFoundError):
    """A folder without a file that the map takes."""


@dataclass(frozen=True)
class Feed:
    """One feed of a map: which lines of which files it takes and how its columns come about; which are moments."""

    name: str
    files: str
    where: tuple[Mapping[str, Any], ...]
    group_by: tuple[str, ...]
    columns: Mapping[str, Mapping[str, Any]]
    moments: tuple[str, ...]


@dataclass(frozen=True)
class Lookup:
    """Files whose columns stand beside those of a line, found by equal values: the line's columns to the lookup's."""

    name: str
    files: str
    on: Mapping[str, str]

    def columns_of(self, names: Collection[str]) -> list[str]:
        """Its own columns among those that are named with the lookup before them."""
        return [name.removeprefix(f"{self.name}.") for name in names if name.startswith(f"{self.name}.")]


@dataclass(frozen=True)
class FeedMap:
    """A map that has been read and checked.

    `time_zone` (IANA name) is that of moments without offset. `start` and `end` are the first and last business day,
    `due` the weekdays, Monday 0 to Sunday 6, on which the feeds are due, each where given.
    """

    path: Path
    arrival_day: Mapping[str, Any]
    format: str | None
    dialect: Dialect
    layout: Layout | None
    time_zone: str
    currency: str | None
    start: dt.date | None
    end: dt.date | None
    due: frozenset[int] | None
    unreadable: str | None
    lookups: tuple[Lookup, ...]
    feeds: tuple[Feed, ...]

    def by_files(self) -> Iterator[tuple[str, "FeedMap"]]:
        """Each pattern of files, with the map of the feeds that take them."""
        for files in dict.fromkeys(feed.files for feed in self.feeds):
            feeds = tuple(feed for feed in self.feeds if feed.files == files)
            named = [feed.name for feed in feeds if feed.name == self.unreadable]
            of_lines = [feed.name for feed in feeds if not feed.group_by]
            yield files, replace(self, feeds=feeds, unreadable=[*named, *of_lines, feeds[0].name][0])

    def source_columns(self) -> list[str]:
        """Every column that the map names of the files themselves."""
        names = self._columns_named()
        looked_up = [lookup for lookup in self.lookups if lookup.columns_of(names)]
        others = {f"{lookup.name}.{column}" for lookup in looked_up for column in lookup.columns_of(names)}
        keys = [column for lookup in looked_up for column in lookup.on]
        return [name for name in dict.fromkeys([*names, *keys]) if name not in others]

    def lookups_used(self) -> Iterator[tuple[Lookup, list[str]]]:
        """The lookups that the feeds name, with the columns that they need of each."""
        names = self._columns_named()
        for lookup in self.lookups:
            if columns := lookup.columns_of(names):
                yield lookup, list(dict.fromkeys([*lookup.on.values(), *columns]))

    def _columns_named(self) -> list[str]:
        names = dict.fromkeys(_columns_named(self.arrival_day, ("first", "column")))
        for feed in self.feeds:
            names |= dict.fromkeys([*feed.group_by, *(condition["column"] for condition in feed.where)])
            for value in feed.columns.values():
                names |= dict.fromkeys(_columns_named(value, _NAMING))
                names |= dict.fromkeys(condition["column"] for condition in value.get("when", ()))
        return list(names)


@dataclass(frozen=True)
class FileReport:
    """What became of one source file. `lines` counts the unreadable ones too; without an arrival day nothing lands."""

    name: str
    has_arrival_day: bool
    lines: int
    unreadable: int
    unused: int
    rows: Mapping[str, int]


@dataclass(frozen=True)
class LandReport:
    """What became of each source file.

    `days` are the first and last arrival day, where there is one; `emptied` counts the files of earlier landings whose
    source has no such lines any more; `skipped` are the files whose arrival day could not be told; `due_otherwise` the
    feeds that stay due on other days than the map says.
    """

    feeds: tuple[str, ...]
    files: tuple[FileReport, ...]
    days: Window | None
    emptied: int = 0
    skipped: tuple[str, ...] = ()
    due_otherwise: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        return sum(file.lines for file in self.files)

    @property
    def unreadable(self) -> int:
        return sum(file.unreadable for file in self.files)

    @property
    def unused(self) -> int:
        """Readable lines that no feed takes."""
        return sum(file.unused for file in self.files)

    @property
    def rows(self) -> Mapping[str, int]:
        """Rows landed per feed, without the unreadable ones."""
        return {feed: sum(file.rows.get(feed, 0) for file in self.files) for feed in self.feeds}

    def __str__(self) -> str:
        said = [f"{self.lines:,} lines in {len(self.files):,} files"]
        said += [f"  {rows:>12,} rows of {feed}" for feed, rows in self.rows.items()]
        said += [f"  {self.unreadable:>12,} lines that cannot be read", f"  {self.unused:>12,} lines no feed takes"]
        if self.emptied:
            said.append(f"  {self.emptied:>12,} files landed before are now empty: their source has no such lines")
        said += [f"  skipped, for it tells no arrival day: {name}" for name in self.skipped]
        said += [f"  {feed} stays due on the days that feeds.toml says, not the map" for feed in self.due_otherwise]
        return "\n".join(said)


def load_map(path: Path) -> FeedMap:
    """The map in a TOML file. Raises FeedMapError for any mistake, OSError where the file cannot be read."""
    return _Reader(Path(path)).feed_map()


def land(
    feed_map: FeedMap, folder: Path, zone: Zone, check: Callable[[Window], object] = lambda days: None
) -> LandReport:
    """Turn the export in `folder` into files of the landing zone, one Parquet file per feed, source file and day.

    Landing the same files again changes nothing. A line that cannot be read goes, with its reason, to the feed
    named by `unreadable`. Nothing is written before all has been read and `check`, which gets the first and last
    arrival day, has not raised. Raises FeedMapError where the export lacks a column the map names, NothingToLand where
    the folder holds no such file.
    """
    folder = Path(folder)
    reports: list[FileReport] = []
    skipped: list[str] = []
    with TemporaryDirectory(prefix="feed-map-") as scratch:
        staged = Zone(Path(scratch))
        for pattern, part in feed_map.by_files():
            files = []
            for path in _paths(folder, pattern):
                day = _arrival_day(feed_map, path.name)
                if day is None:
                    skipped.append(path.relative_to(folder).as_posix())
                else:
                    files.append(_source_file(feed_map, path, day, folder))
            if not files:
                raise NothingToLand(f"None of the {len(skipped)} files in {folder} tells its arrival day by its name.")
            for batch in _bounded(files):
                reports += _land_batch(part, batch, folder, staged)
        skipped += [report.name for report in reports if not report.has_arrival_day]
        reports = [report for report in reports if report.has_arrival_day]
        arrived_on = sorted(day for feed in staged.feeds() for day in staged.days(feed))
        days = Window(arrived_on[0], arrived_on[-1]) if arrived_on else None
        if days:
            check(days)
        due_otherwise = tuple(_due_otherwise(feed_map, zone))
        emptied = sum(_stage_emptied(feed, reports, staged, zone) for feed in feed_map.feeds)
        _publish(staged, zone)
    feeds = tuple(feed.name for feed in feed_map.feeds)
    return LandReport(feeds, tuple(reports), days, emptied, tuple(skipped), due_otherwise)


def _stage_emptied(feed: Feed, reports: Sequence[FileReport], staged: Zone, zone: Zone) -> int:
    """Stage a file without rows wherever a source file stands that now gives none there. Gives how many had rows."""
    empty = pl.DataFrame(schema=dict.fromkeys((*feed.columns, PROBLEM, RAW), pl.String))
    names = {_landed_name(report.name) for report in reports if feed.name in report.rows}
    emptied = 0
    for day in zone.days(feed.name):
        place = Path(feed.name, day.isoformat())
        for name in names.intersection(os.listdir(zone.root / place)):
            if not (staged.root / place / name).exists():
                _write(staged, feed.name, day, name, empty)
                emptied += not filecmp.cmp(staged.root / place / name, zone.root / place / name, shallow=False)
    return emptied


def _publish(staged: Zone, zone: Zone) -> None:
    """Write the staged files to the landing zone, but for those that stand there already."""
    for path in sorted(staged.root.glob("*/*/*")):
        feed, day, name = path.relative_to(staged.root).parts
        standing = zone.root / feed / day / name
        if not (standing.exists() and filecmp.cmp(path, standing, shallow=False)):
            zone.write(feed, dt.date.fromisoformat(day), name, partial(shutil.copyfile, path))


def _due_otherwise(feed_map: FeedMap, zone: Zone) -> Iterator[str]:
    """Let the feeds without settings be due as the map says. Gives those whose settings say otherwise, and stay."""
    if feed_map.due is None:
        return
    for feed in feed_map.feeds:
        if not zone.has_settings(feed.name):
            zone.save_settings(feed.name, FeedSettings(due=feed_map.due))
        elif zone.settings(feed.name).due != feed_map.due:
            yield feed.name


def _paths(folder: Path, pattern: str) -> list[Path]:
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not paths:
        raise NothingToLand(f"{folder} holds no file like {pattern}.")
    for path in map(str, paths):
        if text_of(path) != path:
            raise UserError(f"The name of the file {text_of(path)} is not UTF-8; rename it.")
    return paths


@dataclass(frozen=True, kw_only=True)
class _SourceFile(LandedFile):
    """A file of the export, under a name by which it can be read. `source` is its path below the folder."""

    source: str


def _source_file(feed_map: FeedMap, path: Path, day: dt.date, folder: Path) -> _SourceFile:
    source = path.relative_to(folder).as_posix()
    name = _readable_name(feed_map, _one_name(source))
    return _SourceFile("", day, name, path, path.stat().st_size, "", source=source)


def _landed_name(source: str) -> str:
    """The name under which a source file's rows land; that of no other."""
    return f"{_one_name(source)}.parquet"


def _one_name(source: str) -> str:
    """A path as one name. Separators, and what such a name may not begin with, stand as %XX, as in an URL."""
    return re.sub(r"^[._]|[%/]", lambda found: f"%{ord(found[0]):02X}", source)


def _write(zone: Zone, feed: str, day: dt.date, name: str, rows: pl.DataFrame) -> None:
    zone.write(feed, day, name, partial(rows.write_parquet, compression="zstd", statistics=False))


def _land_batch(feed_map: FeedMap, files: Sequence[_SourceFile], folder: Path, zone: Zone) -> Iterator[FileReport]:
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        columns = feed_map.source_columns()
        _read(con, feed_map, files, columns, "sent")
        looked_up = [_join(con, feed_map, lookup, wanted, folder) for lookup, wanted in feed_map.lookups_used()]
        lines = " ".join(["sent", *looked_up])
        con.execute(f"create table lines as select * replace ({_day_of_line(feed_map)} as arrived_on) from {lines}")
        landed = {feed.name: _land_feed(con, feed_map, feed, files, zone) for feed in feed_map.feeds}
        taken = " or ".join(_condition_of_all(feed.where) for feed in feed_map.feeds)
        counted = con.execute(
            f"""
            select source_file, min(arrived_on) > $1, count(*), count(problem),
                count(*) filter (problem is null and not ({taken}))
            from lines group by all""",
            [_UNTOLD],
        ).fetchall()
    counts = {name: (told, lines, unreadable, unused) for name, told, lines, unreadable, unused in counted}
    for file in files:
        rows = {feed: landed[feed].get(file.name, 0) for feed in landed}
        yield FileReport(file.source, *counts.get(file.name, (True, 0, 0, 0)), rows)


def _read(
    con: duckdb.DuckDBPyConnection, feed_map: FeedMap, files: Sequence[_SourceFile], columns: Sequence[str], table: str
) -> None:
    """Make a table of the files' records. Raises FeedMapError for a column that one does not have."""
    with TemporaryDirectory(prefix="feed-map-") as scratch:
        if feed_map.layout:
            unpacked = [replace(file, path=Path(scratch) / str(number)) for number, file in enumerate(files)]
            for file, text in zip(unpacked, files, strict=True):
                fixed_width.write_parquet(text.path, file.path, feed_map.layout, feed_map.dialect.encoding)
            files = unpacked
        read(con, files, columns, feed_map.dialect).create(table)
        _refuse_missing_columns(con, feed_map, files, columns, table)


def _join(
    con: duckdb.DuckDBPyConnection, feed_map: FeedMap, lookup: Lookup, columns: Sequence[str], folder: Path
) -> str:
    """Make a table of a lookup's files, and give the SQL that joins it to the lines.

    Raises FeedMapError where two of its lines share a key, or one cannot be read.
    """
    line = _line_of(feed_map.path.read_text("utf-8"), ["lookup", lookup.name])
    place = f"{feed_map.path}, line {line}: {lookup.name}"
    table, keys = _identifier(f"lookup {lookup.name}"), _names(list(lookup.on.values()))
    paths = _paths(folder, lookup.files)
    files = [_source_file(feed_map, path, _UNTOLD, folder) for path in paths]
    _read(con, feed_map, files, columns, f"lookup {lookup.name}")
    for name, problem in con.execute(f"select source_file, problem from {table} where problem is not null").fetchall():
        raise FeedMapError(f"{place} cannot be read: {name}, {problem}")
    for *key, many in con.execute(f"select {keys}, count(*) from {table} group by all having count(*) > 1").fetchall():
        raise FeedMapError(f"{place} has {many} lines for {', '.join(lookup.on.values())} {', '.join(map(str, key))}.")
    named = ", ".join(f"{_identifier(column)} as {_identifier(f'{lookup.name}.{column}')}" for column in columns)
    equal = " and ".join(
        f"sent.{_identifier(ours)} = {_identifier(lookup.name)}.{_identifier(f'{lookup.name}.{theirs}')}"
        for ours, theirs in lookup.on.items()
    )
    return f"left join (select {named} from {table}) {_identifier(lookup.name)} on {equal}"


def _land_feed(
    con: duckdb.DuckDBPyConnection, feed_map: FeedMap, feed: Feed, files: Sequence[_SourceFile], zone: Zone
) -> dict[str, int]:
    """Write one feed's files. Gives the number of readable rows per source file."""
    unreadable = feed.name == feed_map.unreadable
    frame = con.sql(_statement(feed, feed_map.time_zone, with_unreadable=unreadable)).pl()
    parts = frame.partition_by("arrived_on", "source_file", as_dict=True, include_key=False, maintain_order=True)
    if "column" not in feed_map.arrival_day:
        whole = dict(con.execute("select source_file, min(arrived_on) from lines group by all").fetchall())
        for file in files:
            parts.setdefault(
                (whole.get(file.name, file.arrived_on), file.name), frame.drop("arrived_on", "source_file").clear()
            )
    names = {file.name: _landed_name(file.source) for file in files}
    rows: dict[str, int] = {}
    for (day, source_file), part in parts.items():
        if day == _UNTOLD:
            continue
        _write(zone, feed.name, day, names[source_file], part)
        rows[source_file] = rows.get(source_file, 0) + part[PROBLEM].null_count()
    return rows


def _statement(feed: Feed, time_zone: str, *, with_unreadable: bool) -> str:
    """The SQL that makes a feed's rows from the lines."""
    ordinals = {
        tuple(part["ordinal"])
        for value in feed.columns.values()
        for part in (value, *value.get("concat", ()))
        if isinstance(part, dict) and "ordinal" in part
    }
    numbered = "".join(
        f", row_number() over (partition by source_file, {_names(keys)} order by record) as {_ordinal(keys)}"
        for keys in sorted(ordinals)
    )
    values = ", ".join(
        f"{_taken(value, bool(feed.group_by))} as {_identifier(name)}" for name, value in feed.columns.items()
    )
    group = f"group by arrived_on, source_file, {_names(feed.group_by)}" if feed.group_by else ""
    record = "min(record)" if feed.group_by else "record"
    moments = ", ".join(f"{moment_text(_identifier(name), time_zone)} as {_identifier(name)}" for name in feed.moments)
    unreadable = f"""
        union all by name
        select arrived_on, source_file, record, problem as {PROBLEM}, raw_record as {RAW}
        from lines where problem is not null"""
    return f"""
        with readable as (select *{numbered} from lines where problem is null),
        rows_made as (
            select arrived_on, source_file, {record} as record, {values},
                NULL::VARCHAR as {PROBLEM}, NULL::VARCHAR as {RAW}
            from readable where {_condition_of_all(feed.where)} {group}
            {unreadable if with_unreadable else ""}
        )
        select * exclude (record) {f"replace ({moments})" if moments else ""} from rows_made
        order by source_file, record"""


def _taken(value: Mapping[str, Any], grouped: bool) -> str:
    """The SQL of a value as it lands: of a line, of a group, or over other lines."""
    text = _text_of_line(value)
    if not grouped and "over" not in value:
        return text
    over = f" over (partition by source_file, {_names(value['over'])})" if "over" in value else ""
    is_no_number = f"{_decimal(text)} is null and trim({text}) <> ''"
    match value.get("take", "first"):
        case "min" | "max" as side:
            of_texts = f"{side}({text}) filter ({is_no_number}){over}"
            return f"coalesce({of_texts}, arg_{side}({text}, {_decimal(text)}){over})"
        case "sum":
            of_texts = f"min({text}) filter ({is_no_number}){over}"
            return f"coalesce({of_texts}, {_plain(f'sum({_decimal(text)}){over}')})"
        case "count":
            return f"(count({text}){over})::VARCHAR"
        case _:
            return f"arg_min({text}, record){over}"


def _text_of_line(value: Mapping[str, Any]) -> str:
    """The SQL of a value for one line, before anything is taken over several."""
    sql = "NULL::VARCHAR"
    if "from" in value:
        sql = _identifier(value["from"])
    elif "constant" in value:
        sql = f"{_literal(value['constant'])}::VARCHAR"
    elif "multiply" in value:
        sent = " || ' * ' || ".join(_identifier(name) for name in value["multiply"])
        product = " * ".join(_decimal(_identifier(name)) for name in value["multiply"])
        sql = f"coalesce({_plain(f'try({product})')}, {sent})"
    elif "concat" in value:
        sql = " || ".join(
            _literal(part["text"])
            if isinstance(part, dict) and "text" in part
            else f"{_ordinal(part['ordinal'])}::VARCHAR"
            if isinstance(part, dict)
            else _identifier(part)
            for part in value["concat"]
        )
    elif "ordinal" in value:
        sql = f"{_ordinal(value['ordinal'])}::VARCHAR"
    elif "price_of" in value:
        amount, quantity = map(_identifier, value["price_of"])
        sql = f"coalesce({_plain(f'try({_price(amount, quantity)})')}, {amount} || ' / ' || {quantity})"
    elif "rounding_of" in value:
        amount, quantity = map(_identifier, value["rounding_of"])
        rounding = f"{_price(amount, quantity)} * {_decimal(quantity)} - {_decimal(amount)}"
        sql = f"coalesce({_plain(f'try({rounding})')}, {amount} || ' / ' || {quantity})"
    if suffix := value.get("strip_suffix"):
        sql = f"case when ends_with({sql}, {_literal(suffix)}) then {sql}[:-{len(suffix) + 1}] else {sql} end"
    if time_format := value.get("time_format"):
        sql = f"coalesce(try_strptime({sql}, {_literal(time_format)})::VARCHAR, {sql})"
    if values := value.get("values"):
        cases = " ".join(f"when {_literal(sent)} then {_literal(ours)}" for sent, ours in values.items())
        sql = f"case {sql} {cases} else {sql} end"
    if value.get("negate"):
        sql = f"coalesce({_plain('-' + _decimal(sql))}, {sql})"
    if value.get("abs"):
        sql = f"coalesce({_plain(f'abs({_decimal(sql)})')}, {sql})"
    if conditions := value.get("when"):
        cases = " ".join(f"when {_condition(each)} then {_literal(each['then'])}" for each in conditions)
        sql = f"case {cases} else {sql} end"
    return sql


def _condition_of_all(conditions: Sequence[Mapping[str, Any]]) -> str:
    return "(" + (" and ".join(_condition(each) for each in conditions) or "true") + ")"


_OPERATORS = {
    "equals": "{text} = {given}",
    "not_equals": "{text} <> {given}",
    "starts_with": "starts_with({text}, {given})",
    "not_starts_with": "not starts_with({text}, {given})",
    "ends_with": "ends_with({text}, {given})",
    "contains": "contains({text}, {given})",
    "matches": "regexp_full_match({text}, {given})",
    "greater": "coalesce({number} > {limit}, false)",
    "greater_or_equal": "coalesce({number} >= {limit}, false)",
    "less": "coalesce({number} < {limit}, false)",
    "less_or_equal": "coalesce({number} <= {limit}, false)",
}
"""What a condition may ask. An absent value is an empty text, and no number."""


_COMPARED = "DECIMAL(28, 9)"


def _condition(condition: Mapping[str, Any]) -> str:
    column = _identifier(condition["column"])
    operator = next(name for name in condition if name in _OPERATORS or name == "is_null")
    if operator == "is_null":
        return f"{column} is {'' if condition['is_null'] else 'not '}null"
    given = _literal(condition[operator])
    return _OPERATORS[operator].format(
        text=f"coalesce({column}, '')",
        given=given,
        number=f"try_cast({column} as {_COMPARED})",
        limit=f"{given}::{_COMPARED}",
    )


def _decimal(text: str) -> str:
    """The SQL of a text's number; null where it is none, or could not be held without rounding."""
    return f"case when not regexp_matches({text}, {_ROUNDED}) then try_cast({text} as DECIMAL(18, 6)) end"


_ROUNDED = r"'\.\d{6}\d*[1-9]|[eE]'"
"""The SQL of a pattern that finds numbers of more than six decimals, or with an exponent, which might have them."""


def _price(amount: str, quantity: str) -> str:
    """The SQL of the least price in ten-thousandths at which so many units cost no less than the amount."""
    units, parts = f"try_cast({quantity} as INTEGER)", f"(try_cast({amount} as DECIMAL(18, 4)) * 10000)::HUGEINT"
    price = f"case when {units} > 0 and {parts} >= 0 then ({parts} + {units} - 1) // {units} end"
    return f"({price})::DECIMAL(18, 0) * 0.0001"


def _plain(number: str) -> str:
    """The text of a decimal without idle zeros."""
    return f"regexp_replace(({number})::VARCHAR, '\\.?0*$', '')"


def _ordinal(keys: Sequence[str]) -> str:
    return _identifier("ordinal of " + ", ".join(keys))


def _names(columns: Sequence[str]) -> str:
    return ", ".join(map(_identifier, columns))


def _literal(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _bounded(files: Sequence[_SourceFile]) -> Iterator[list[_SourceFile]]:
    """The files in batches that fit in memory together."""
    batch: list[_SourceFile] = []
    for file in files:
        if batch and sum(one.size for one in batch) + file.size > _BATCH_BYTES:
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def _readable_name(feed_map: FeedMap, name: str) -> str:
    """The file's name with the suffix of its format, by which it is read; that of no other."""
    if feed_map.format is None:
        return name
    if feed_map.layout:
        return f"{name}.parquet"
    packed = ".gz" if name.endswith(".gz") else ""
    stem = name.removesuffix(packed)
    suffix = f".{feed_map.format}"
    return name if stem.endswith(suffix) else f"{stem}/{suffix}{packed}"


_UNTOLD = dt.date.min
"""Stands for the arrival day until the lines tell it."""


def _arrival_day(feed_map: FeedMap, name: str) -> dt.date | None:
    """The arrival day of a file, _UNTOLD where its lines tell it, or None where its name should and does not."""
    fixed: dt.date | None = feed_map.arrival_day.get("fixed")
    if fixed:
        return fixed
    if "file_name" not in feed_map.arrival_day:
        return _UNTOLD
    before, _, after = feed_map.arrival_day["file_name"].partition("{day}")
    day = r"(\d{4})[-_.]?(\d{2})[-_.]?(\d{2})"
    found = re.fullmatch(_as_regex(before) + day + _as_regex(after), name)
    try:
        return dt.date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _as_regex(pattern: str) -> str:
    return ".*".join(map(re.escape, pattern.split("*")))


def _day_of_line(feed_map: FeedMap) -> str:
    """The SQL of a line's arrival day. Lines without one of their own share their file's first."""
    column = feed_map.arrival_day.get("column") or feed_map.arrival_day.get("first")
    if column is None:
        return "arrived_on"
    told = f"({written_day(_identifier(column), 'TIMESTAMP')})::DATE"
    if time_format := feed_map.arrival_day.get("time_format"):
        told = f"try_strptime({_identifier(column)}, {_literal(time_format)})::DATE"
    told = f"case when {told} between date '0001-01-02' and date '9999-12-31' then {told} end"
    first = f"min({told}) over (partition by source_file)"
    return (
        f"coalesce({told}, {first}, arrived_on)"
        if "column" in feed_map.arrival_day
        else f"coalesce({first}, arrived_on)"
    )


def _refuse_missing_columns(
    con: duckdb.DuckDBPyConnection, feed_map: FeedMap, files: Sequence[_SourceFile], columns: Sequence[str], table: str
) -> None:
    """Raise FeedMapError for a column that a file does not have.

    A record of JSON need not have each key: there, one is missing where no record has it and another is much like it.
    """
    counts = ", ".join(f"count({_identifier(column)})" for column in columns)
    [found] = con.execute(f"select {counts} from {_identifier(table)}").fetchall()
    empty = {column for column, count in zip(columns, found, strict=True) if not count}
    for file in files:
        named = header(file, feed_map.dialect) or columns
        others = [name for name in named if name not in columns]
        kind = kind_of(file.name)
        for column in columns:
            is_meant = column in empty and difflib.get_close_matches(column, others, 1)
            if column in named or (kind and kind.format == "jsonl" and not is_meant):
                continue
            line = _line_with(feed_map.path.read_text("utf-8"), column)
            raise FeedMapError(
                f"{feed_map.path}, line {line}: {file.source} has no column {column!r}{_suggestion(column, others)}"
            )


def _line_with(text: str, value: str) -> int:
    """The first line that holds the value in quotes, alone or behind a lookup's name, from 1."""
    quoted = re.compile(f"[\"'.]{re.escape(value)}[\"']")
    return next((number for number, line in enumerate(text.splitlines(), 1) if quoted.search(line)), 1)


def _columns_named(value: Mapping[str, Any], keys: Sequence[str]) -> Iterator[str]:
    """The source columns under some keys of a value."""
    for key in keys:
        named = value.get(key, ())
        for part in [named] if isinstance(named, str) else named:
            if isinstance(part, str):
                yield part
            else:
                yield from part.get("ordinal", ())


def feed_contracts() -> dict[str, Contract]:
    """The contract of each feed that may arrive, by its name."""
    found = {}
    for module in pkgutil.iter_modules(ecom_assets.landing.__path__):
        members = vars(importlib.import_module(f"ecom_assets.landing.{module.name}")).values()
        for member in members:
            if isinstance(member, type) and issubclass(member, Table) and member.__module__.endswith(f".{module.name}"):
                found[module.name] = contract(member)
    return found


class _Reader:
    """Reads and checks one map; every complaint names the line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise FeedMapError(f"{path}, line {line}: this is no UTF-8 text; save the map as UTF-8.") from error
        if nul := re.search(r"\\(u0{4}|U0{8})", self.text):
            line = self.text.count("\n", 0, nul.start()) + 1
            raise FeedMapError(f"{path}, line {line}: a text cannot hold the character NUL.")

    def fail(self, place: Sequence[str], message: str) -> NoReturn:
        raise FeedMapError(f"{self.path}, line {_line_of(self.text, place)}: {message}")

    def feed_map(self) -> FeedMap:
        try:
            given = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"line (\d+)", str(error))
            line = at[1] if at else self.text.count("\n") + 1
            raise FeedMapError(f"{self.path}, line {line}: this is no TOML: {error}") from error
        self.known(given, ("source", "calendar", "lookup", "feed"), [])
        source = self.table(given, "source", [])
        calendar = self.table(given, "calendar", []) if "calendar" in given else {}
        self.known(source, _SOURCE_KEYS, ["source"])
        self.known(calendar, _CALENDAR_KEYS, ["calendar"])
        texts = {key: self.text_at(source, key, ["source"]) for key in _SOURCE_TEXTS}
        if texts["format"]:
            self.one_of(texts["format"], _FORMATS, ["source", "format"])
        delimiter, encoding = texts["delimiter"] or ",", texts["encoding"] or "utf-8"
        if len(delimiter) != 1 or delimiter in '"\r\n':
            self.fail(["source", "delimiter"], "a delimiter is one character, and neither a quote nor a line break.")
        try:
            "".encode(encoding)
        except (LookupError, ValueError):
            self.fail(["source", "encoding"], f"{encoding!r} is no encoding; write it like latin-1 or cp1252.")
        weekdays = self.names_at(calendar, "due", ["calendar"], "weekdays")
        for weekday in weekdays:
            self.one_of(weekday, WEEKDAYS, ["calendar", "due"])
        due = frozenset(WEEKDAYS.index(weekday) for weekday in weekdays) if "due" in calendar else None
        try:
            FeedSettings(texts["time_zone"] or "UTC")
        except ValueError as error:
            self.fail(["source", "time_zone"], str(error))
        if "files" in source:
            self.pattern(source, ["source"])
        feeds = self.feeds(self.table(given, "feed", []), texts["files"])
        if texts["unreadable"]:
            self.one_of(texts["unreadable"], [feed.name for feed in feeds], ["source", "unreadable"])
        start, end = (self.date_at(calendar, key, ["calendar"]) for key in ("start", "end"))
        if start and end and end < start:
            self.fail(["calendar", "end"], f"the last day {end} is before the first, {start}.")
        made = FeedMap(
            path=self.path,
            arrival_day=self.arrival_day(source),
            format=texts["format"],
            dialect=Dialect(delimiter, encoding),
            layout=self.layout(source),
            time_zone=texts["time_zone"] or "UTC",
            currency=texts["currency"],
            start=start,
            end=end,
            due=due,
            unreadable=texts["unreadable"],
            lookups=self.lookups(self.table(given, "lookup", []) if "lookup" in given else {}),
            feeds=feeds,
        )
        self.names(made)
        return made

    def names(self, made: FeedMap) -> None:
        """Refuse source columns that cannot be meant."""
        looked_up = [column for _, columns in made.lookups_used() for column in columns]
        lookups = [lookup.name for lookup in made.lookups]
        for names in (made.source_columns(), *(columns for _, columns in made.lookups_used())):
            self.differ_in_more_than_case(names)
        for name in [*made.source_columns(), *looked_up]:
            where = f"{self.path}, line {_line_with(self.text, name)}: {name!r}"
            if not name:
                raise FeedMapError(f"{where} is no name of a source column.")
            if name.lower() in PROVENANCE:
                raise FeedMapError(f"{where} is a name of ours; rename it in the export.")
            if made.layout and name not in made.layout.places:
                raise FeedMapError(f"{where} has no place{_suggestion(name, made.layout.places)}")
            before, dot, _ = name.partition(".")
            if dot and (close := difflib.get_close_matches(before, lookups, 1)):
                raise FeedMapError(f"{where} names no lookup; did you mean {close[0]!r}?")

    def differ_in_more_than_case(self, names: Sequence[str]) -> None:
        """Refuse names that DuckDB does not tell apart."""
        spelled: dict[str, str] = {}
        for name in names:
            if (other := spelled.setdefault(name.lower(), name)) != name:
                line = _line_with(self.text, name)
                raise FeedMapError(f"{self.path}, line {line}: {name!r} and {other!r} differ only in case; rename one.")

    def layout(self, source: Mapping[str, Any]) -> Layout | None:
        place = ["source", "places"]
        if source.get("format") != "fixed":
            for key in ("places", "heading_lines"):
                if key in source:
                    self.fail(["source", key], f'{key} is for format = "fixed".')
            return None
        places: dict[str, tuple[int, int]] = {}
        if not source.get("places", True):
            self.fail(place, "places needs a column at least, such as { id = [1, 8] }.")
        for name, span in self.table(source, "places", ["source"]).items():
            match span:
                case [int(first), int(last)] if 1 <= first <= last:
                    places[name] = first, last
                case _:
                    self.fail([*place, name], "a place is the first and last character, from 1, such as [1, 8].")
        in_order = sorted(places, key=places.__getitem__)
        for before, name in pairwise(in_order):
            if places[name][0] <= places[before][1]:
                self.fail([*place, name], f"{name} begins at {places[name][0]}, before the end of {before}.")
        heading_lines = source.get("heading_lines", 0)
        if type(heading_lines) is not int or heading_lines < 0:
            self.fail(["source", "heading_lines"], "heading_lines is the number of lines before the first record.")
        return Layout(places, heading_lines)

    def lookups(self, given: Mapping[str, Any]) -> tuple[Lookup, ...]:
        found: list[Lookup] = []
        for name in given:
            place = ["lookup", name]
            if name.lower() in [other.name.lower() for other in found]:
                self.fail(place, f"{name!r} differs from another lookup only in case; rename one.")
            lookup = self.table(given, name, ["lookup"])
            self.known(lookup, _LOOKUP_KEYS, place)
            on = self.table(lookup, "on", place)
            for column in on:
                self.required_text(on, column, [*place, "on"])
            if not on:
                self.fail([*place, "on"], 'on needs a column of the line and its like here, as { category = "id" }.')
            found.append(Lookup(name, self.pattern(lookup, place), on))
        return tuple(found)

    def arrival_day(self, source: Mapping[str, Any]) -> Mapping[str, Any]:
        place = ["source", "arrival_day"]
        given = self.table(source, "arrival_day", ["source"])
        self.known(given, (*_ARRIVAL_KEYS, "time_format"), place)
        ways = [key for key in _ARRIVAL_KEYS if key in given]
        if len(ways) != 1:
            self.fail(place, f"arrival_day needs exactly one of {', '.join(_ARRIVAL_KEYS)}.")
        if "file_name" in given and self.required_text(given, "file_name", place).count("{day}") != 1:
            self.fail(place, "file_name needs {day} once, where the day stands in the name.")
        for key in ("first", "column"):
            if key in given:
                self.required_text(given, key, place)
        self.expression(given, "time_format", place)
        self.date_at(given, "fixed", place)
        return given

    def feeds(self, given: Mapping[str, Any], files: str | None) -> tuple[Feed, ...]:
        contracts = feed_contracts()
        self.known(given, list(contracts), ["feed"], "feed")
        if not given:
            self.fail(["feed"], "the map has no feed; add a table such as [feed.orders].")
        return tuple(self.feed(name, self.table(given, name, ["feed"]), files, contracts[name]) for name in given)

    def feed(self, name: str, given: Mapping[str, Any], files: str | None, promised: Contract) -> Feed:
        place = ["feed", name]
        self.known(given, _FEED_KEYS, place)
        columns = self.table(given, "columns", place)
        self.known(columns, list(promised.columns), [*place, "columns"], f"column of {name}")
        for column in promised.columns.values():
            if column.name not in columns and not column.nullable:
                self.fail(place, f"{name} needs {column.name} ({column.description}); map a column or a constant.")
        group_by = self.names_at(given, "group_by", place)
        values = {}
        for column_name, value in columns.items():
            values[column_name] = self.value(value, [*place, "columns", column_name], grouped=bool(group_by))
        taken = self.pattern(given, place) if "files" in given else files
        if not taken:
            self.fail(["source"], '[source] needs files, a pattern such as "*.csv".')
        where = self.conditions(given.get("where", []), [*place, "where"])
        moments = tuple(column for column in values if promised.columns[column].kind == "timestamp")
        return Feed(name, taken, where, group_by, values, moments)

    def value(self, given: Any, place: list[str], *, grouped: bool) -> Mapping[str, Any]:
        if isinstance(given, str):
            return {"from": given}
        if not isinstance(given, dict):
            self.fail(place, 'a value is the name of a source column, or a table such as { constant = "paid" }.')
        self.known(given, (*_STARTS, *_CHANGES), place)
        starts = [key for key in _STARTS if key in given]
        if len(starts) > 1 or not (starts or "when" in given):
            self.fail(place, f"a value starts as exactly one of {', '.join(_STARTS)}.")
        for key in ("from", "strip_suffix", "take"):
            self.text_at(given, key, place)
        self.expression(given, "time_format", place)
        for key in ("multiply", "ordinal", "over", "concat"):
            if key in given and not given[key]:
                self.fail([*place, key], f"{key} needs a source column at least.")
        for key in ("multiply", "ordinal", "over"):
            self.names_at(given, key, place)
        if len(given.get("multiply", ())) > _MOST_FACTORS:
            self.fail(place, f"multiply takes {_MOST_FACTORS} source columns at most.")
        for key in ("negate", "abs"):
            if not isinstance(given.get(key, True), bool):
                self.fail(place, f"{key} is true or false.")
        self.one_value(given, "constant", place)
        for key in ("price_of", "rounding_of"):
            if key in given and len(self.names_at(given, key, place)) != 2:
                self.fail(place, f"{key} takes two source columns: the amount and the quantity.")
        parts = given.get("concat", [])
        if not isinstance(parts, list):
            self.fail([*place, "concat"], "concat has to be a list of parts.")
        for part in parts:
            if isinstance(part, dict):
                self.known(part, ("text", "ordinal"), place)
            match part:
                case str() | {"text": str()}:
                    pass
                case {"ordinal": [_, *_]}:
                    self.names_at(part, "ordinal", place)
                case _:
                    self.fail(place, "a part of concat is a source column, { text = … } or { ordinal = [columns] }.")
        for sent in self.table(given, "values", place) if "values" in given else ():
            self.one_value(given["values"], sent, [*place, "values"])
        if "take" in given:
            self.one_of(given["take"], _TAKES, place)
            if not grouped and "over" not in given:
                self.fail(place, "take needs group_by in the feed, or over = [columns] beside it.")
        if grouped and "over" in given:
            self.fail(place, "over is for feeds of one row per line; in a group, take is enough.")
        self.conditions(given.get("when", []), place, then=True)
        return given

    def conditions(self, given: Any, place: list[str], *, then: bool = False) -> tuple[Mapping[str, Any], ...]:
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            self.fail(place, 'conditions are a list of tables such as [{ column = "Price", greater = 0 }].')
        operators = [*_OPERATORS, "is_null"]
        for each in given:
            self.known(each, ["column", *operators, *(["then"] if then else [])], place)
            self.required_text(each, "column", place)
            self.expression(each, "matches", place)
            for operator in _OPERATORS:
                self.one_value(each, operator, place)
            if sum(key in operators for key in each) != 1:
                self.fail(place, f"a condition has exactly one of {', '.join(operators)}.")
            if then:
                self.required_text(each, "then", place)
            for operator in ("greater", "greater_or_equal", "less", "less_or_equal"):
                if operator in each and not re.fullmatch(r"-?\d+(\.\d+)?", str(each[operator])):
                    self.fail(place, f"{operator} compares with a number, not {each[operator]!r}.")
            if not isinstance(each.get("is_null", True), bool):
                self.fail(place, "is_null is true or false.")
        return tuple(given)

    def known(self, given: Mapping[str, Any], names: Collection[str], place: list[str], kind: str = "key") -> None:
        for name in given:
            if name not in names:
                self.fail([*place, name], f"{name!r} is no {kind}{_suggestion(name, names)}")

    def one_of(self, value: Any, allowed: Collection[str], place: list[str]) -> None:
        if value not in allowed:
            self.fail(place, f"{value!r} is none of {', '.join(allowed)}{_suggestion(str(value), allowed)}")

    def table(self, given: Mapping[str, Any], key: str, place: list[str]) -> dict[str, Any]:
        if key not in given:
            self.fail(place, f"{'.'.join([*place, key])} is missing.")
        if not isinstance(given[key], dict):
            self.fail([*place, key], f"{key} has to be a table.")
        return dict(given[key])

    def text_at(self, given: Mapping[str, Any], key: str, place: list[str]) -> str | None:
        if key in given and not isinstance(given[key], str):
            self.fail([*place, key], f"{key} has to be a text in quotes.")
        return given.get(key)

    def required_text(self, given: Mapping[str, Any], key: str, place: list[str]) -> str:
        return self.text_at(given, key, place) or self.fail(place, f"{key} is missing.")

    def names_at(
        self, given: Mapping[str, Any], key: str, place: list[str], what: str = "source columns"
    ) -> tuple[str, ...]:
        names = given.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.fail([*place, key], f"{key} has to be a list of {what}.")
        return tuple(names)

    def pattern(self, given: Mapping[str, Any], place: list[str]) -> str:
        """The pattern under `files`, if it can only name files below the folder."""
        pattern = PurePosixPath(self.required_text(given, "files", place))
        odd = [part for part in pattern.parts if part == ".." or ("**" in part and part != "**")]
        if pattern.is_absolute() or odd or not pattern.parts:
            self.fail([*place, "files"], 'files is a pattern below the folder, such as "*.csv" or "**/*.csv".')
        return str(pattern)

    def one_value(self, given: Mapping[str, Any], key: str, place: list[str]) -> None:
        if isinstance(given.get(key), dict | list):
            self.fail(place, f"{key} has to be one value, such as a text in quotes.")

    def expression(self, given: Mapping[str, Any], key: str, place: list[str]) -> None:
        """Refuse a time format or a regular expression that DuckDB does not know."""
        text = self.text_at(given, key, place)
        if text and (reason := _refused(_TRIED[key].format(_literal(text)))):
            self.fail([*place, key], f"{key} {text!r} cannot be used: {reason}")

    def date_at(self, given: Mapping[str, Any], key: str, place: list[str]) -> dt.date | None:
        value = given.get(key)
        if value is not None and type(value) is not dt.date:
            self.fail([*place, key], f"{key} has to be a day such as 2010-12-01, without quotes.")
        return value


_TRIED = {"time_format": "try_strptime('', {})", "matches": "regexp_full_match('', {})"}
"""The SQL that tries a key's text."""


@cache
def _refused(expression: str) -> str | None:
    """What DuckDB says against an SQL expression, if anything."""
    with duckdb.connect() as con:
        try:
            con.execute(f"select {expression}").fetchall()
        except duckdb.Error as error:
            return str(error)
    return None


def _suggestion(name: str, names: Collection[str]) -> str:
    close = difflib.get_close_matches(name, names, 1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(names)}."


_HEADER = re.compile(r"\s*\[+([^\[\]]+)\]+")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def _line_of(text: str, place: Sequence[str]) -> int:
    """The line, from 1, that comes nearest to a place in a TOML text."""
    best, found, table = 0, 1, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            here = table = _parts(header[1])
        elif key := _KEY.match(line):
            here = [*table, *_parts(key[1])]
        else:
            continue
        common = 0
        while common < min(len(here), len(place)) and here[common] == place[common]:
            common += 1
        if common == len(here) and common > best:
            best, found = common, number
    return found


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
