"""Reading a feed map: its TOML, checked; every error names the line."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from graphlib import CycleError
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from ecom_assets.contract import FeedContract
from ecom_assets.engine.duckdb.parsing import complaints_of
from ecom_assets.errors import suggestion
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.feed_settings import EXTRA_KINDS, WEEKDAYS, FeedSettings
from ecom_assets.landing.provenance import LANDED, sql_types
from ecom_assets.landing.reading import Dialect
from ecom_assets.sources.feed_map.model import (
    ARRIVES_ON,
    DATABASE,
    LIMITS,
    PLAIN,
    STORE_NAME,
    Feed,
    FeedMap,
    NumberFormat,
    OwnColumns,
    Source,
    Table,
    by_source,
    columns_named,
    order_of,
    with_known_kinds,
    with_own_columns,
)
from ecom_assets.sources.feed_map.query import Query, QueryError, parse
from ecom_assets.sources.feed_map.sql import EPOCHS, OPERATORS, refusal
from ecom_assets.sources.feed_map.toml_text import TomlText
from ecom_assets.sources.fixed_width import Layout

_FORMATS = ("csv", "jsonl", "json", "parquet", "fixed")
_SOURCE_TEXTS = (
    "files",
    "format",
    "delimiter",
    "encoding",
    "decimal",
    "thousands",
    "time_zone",
    "currency",
    "store",
    "unreadable",
    "group",
)
_SOURCE_KEYS = (*_SOURCE_TEXTS, "arrival_day", "places", "heading_lines", "optional")
_TABLE_TEXTS = ("postgres", "updated_at", "overlap", "deletes", "database")
_TABLE_KEYS = (*_TABLE_TEXTS, "key", "time_zone", "currency", "unreadable", "group", "optional", "store")
_ONE_HOUR = "1 hour"
_ARRIVAL_KEYS = ("file_name", "path", "fixed", "first", "column")
_CALENDAR_KEYS = ("start", "end", "due")
_FEED_KEYS = ("source", "files", "group", "where", "group_by", "columns", "extra")
_STARTS = ("from", "constant", "multiply", "concat", "ordinal")
_CHANGES = ("strip_suffix", "time_format", "values", "negate", "abs", "when", "take", "over")
_CHANGED_TEXTS = frozenset({"strip_suffix", "time_format", "negate", "abs"})
"""Keys that change a text which the map itself contains."""
_TAKES = ("first", "min", "max", "sum", "count")
_THOUSANDS = ".,'_ \u00a0\u202f\u2019"
_MAX_FACTORS = 6
"""Six factors with six decimals each reach the 36 decimals that DuckDB supports."""

ONE_SOURCE = "lines"
"""The name of the table of [source] in SQL."""
_NO_SOURCE = Source(ONE_SOURCE, ("source",), "", {}, None, Dialect(), None, PLAIN, "UTC", (), None, None, None, None)
"""What feeds are checked with where the map's sources have a mistake."""


def load_map(path: Path, *, keeps_mistakes: bool = False) -> FeedMap:
    """Returns the map in a TOML file. Raises FeedMapError with all its mistakes, OSError if it cannot be read.

    With `keeps_mistakes`, those in feeds are kept for `land`, which adds those that only the files show, and then
    raises. Mistakes in sources are raised at once, since with them a file is not read as it is meant.
    """
    toml = TomlText(Path(path))
    given = toml.parsed()
    sources: dict[str, Source] = {}
    calendar: tuple[dt.date | None, dt.date | None, frozenset[int] | None] = (None, None, None)
    with toml.gathered():
        if "lookup" in given:
            toml.fail(["lookup"], "a lookup is a join: name its files in [sources.NAME] and write the feed in sql.")
        toml.known(given, ("name", "source", "sources", "calendar", "feed"), [])
    with toml.gathered():
        sources = _sources(toml, given)
    are_read_as_meant = bool(sources) and not toml.has_mistakes
    with toml.gathered():
        calendar = _calendar(toml, toml.table(given, "calendar", []) if "calendar" in given else {})
    feeds, queries, added = _feeds(toml, toml.table(given, "feed", []), sources)
    for source in sources.values():
        with toml.gathered():
            if source.unreadable:
                toml.one_of(source.unreadable, list(given["feed"]), [*source.place, "unreadable"])
    feeds = [with_known_kinds(feed, feeds) for feed in feeds]
    for feed_source, named in by_source(feeds):
        with toml.gathered():
            _refuse_odd_names(toml, feed_source, columns_named(feed_source, named))
    currencies = {source.currency for source in sources.values() if source.currency}
    with toml.gathered():
        if len(currencies) > 1:
            told = " and ".join(sorted(currencies))
            toml.fail(["sources"], f"amounts in {told} cannot be added; use a map for each.")
    if not (keeps_mistakes and are_read_as_meant):
        toml.raise_gathered()
    start, end, due = calendar
    zones = [source.time_zone for source in sources.values()]
    time_zone = toml.table(given, "source", []).get("time_zone", zones[0]) if "source" in given else zones[0]
    name = toml.text_at(given, "name", []) or Path(path).stem
    name = re.sub(r"[^\w.-]", "_", name).lstrip("._") or "map"
    return FeedMap(
        name,
        toml,
        sources,
        tuple(given["feed"]),
        tuple(feeds),
        tuple(queries),
        {feed: own for feed, own in added.items() if own},
        time_zone,
        next(iter(currencies), None),
        start,
        end,
        due,
    )


def _sources(toml: TomlText, given: Mapping[str, Any]) -> dict[str, Source]:
    """Returns the sources by name. The keys of [source] count for those of [sources] too."""
    named = toml.table(given, "sources", []) if "sources" in given else {}
    common = toml.table(given, "source", []) if "source" in given or not named else {}
    found = {}
    if "source" in given and ("files" in common or "postgres" in common or not named):
        found[ONE_SOURCE] = _source(toml, ONE_SOURCE, common, ("source",))
    for name in named:
        place = ("sources", name)
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name.lower() in (other.lower() for other in found):
            toml.fail(place, f"{name!r} cannot be the name of a source: use letters, digits and _, and each name once.")
        own = toml.table(named, name, ["sources"])
        found[name] = _source(toml, name, {**common, "files": None, "postgres": None, **own}, place)
        if not found[name].files:
            toml.fail(place, f'{".".join(place)} needs files, a pattern such as "*.csv".')
    if len({source.table.address if source.table else None for source in found.values()}) > 1:
        toml.fail(["sources"], "all sources of a map are files, or tables of one database: use a map for each.")
    return found


def _source(toml: TomlText, name: str, given: Mapping[str, Any], place: tuple[str, ...]) -> Source:
    given = {key: value for key, value in given.items() if value is not None}
    at = list(place)
    if "postgres" in given:
        return _table_source(toml, name, given, place)
    with toml.gathered() if "files" in given else nullcontext():
        toml.known(given, _SOURCE_KEYS, at)
    texts = {key: toml.text_at(given, key, at) for key in _SOURCE_TEXTS}
    if texts["format"]:
        toml.one_of(texts["format"], _FORMATS, [*at, "format"])
    time_zone = texts["time_zone"] or "UTC"
    try:
        FeedSettings(time_zone)
    except ValueError as error:
        toml.fail([*at, "time_zone"], str(error))
    return Source(
        name=name,
        place=place,
        files=_pattern(toml, given, at) if "files" in given else None,
        arrival_day=_arrival_day(toml, given, at) if "arrival_day" in given or place == ("source",) else {},
        format=texts["format"],
        dialect=_dialect(
            toml, texts["delimiter"] or ",", texts["encoding"] or "utf-8", _heading_lines(toml, given, at), at
        ),
        layout=_layout(toml, given, at),
        number_format=_number_format(toml, texts["decimal"] or ".", texts["thousands"], at),
        time_zone=time_zone,
        optional=toml.names_at(given, "optional", at),
        unreadable=texts["unreadable"],
        group=_group(toml, given, at),
        currency=_currency(toml, texts["currency"], at),
        store=_store(toml, texts["store"], at),
    )


def _table_source(toml: TomlText, name: str, given: Mapping[str, Any], place: tuple[str, ...]) -> Source:
    """Returns a source whose files an extract of a database writes."""
    at = list(place)
    toml.known(given, _TABLE_KEYS, at, "key of a table")
    texts = {key: toml.text_at(given, key, at) for key in (*_TABLE_TEXTS, "unreadable")}
    key = toml.names_at(given, "key", at)
    if texts["deletes"]:
        toml.one_of(texts["deletes"], ("missing",), [*at, "deletes"])
        if not key:
            toml.fail([*at, "deletes"], "deletes needs key, the columns that tell rows apart.")
    overlap = texts["overlap"] or _ONE_HOUR
    if not re.fullmatch(r"\d+ (second|minute|hour|day)s?", overlap):
        toml.fail([*at, "overlap"], f"overlap must be like 15 minutes or 2 days, not {overlap!r}.")
    files = {"files": f"{name}/*.parquet", "arrival_day": {"column": ARRIVES_ON}, "group": "whole"}
    shared = {key: value for key, value in given.items() if key in _SOURCE_KEYS}
    table = Table(
        toml.required_text(given, "postgres", at),
        texts["updated_at"],
        overlap,
        key,
        texts["deletes"] is not None,
        texts["database"] or DATABASE,
    )
    return replace(_source(toml, name, files | shared, place), table=table)


def _currency(toml: TomlText, given: str | None, place: list[str]) -> str | None:
    if given is not None and not re.fullmatch(r"[A-Z]{3}", given):
        toml.fail([*place, "currency"], f"currency must be a code of three letters such as EUR, not {given!r}.")
    return given


def _store(toml: TomlText, given: str | None, place: list[str]) -> str | None:
    if given is not None and not STORE_NAME.fullmatch(given):
        toml.fail([*place, "store"], f"store must be of letters, digits, . _ and -, not {given!r}.")
    return given


def _group(toml: TomlText, given: Mapping[str, Any], place: list[str]) -> str | None:
    """Returns whether files hold groups whole or add to them; None if it is not given."""
    group = toml.text_at(given, "group", place)
    if group is not None:
        toml.one_of(group, ("whole", "adds"), [*place, "group"])
    return group


def _refuse_odd_names(toml: TomlText, source: Source, names: Sequence[str]) -> None:
    """Fails on source columns that cannot exist."""
    _refuse_alike(toml, names)
    for name in names:
        with toml.gathered():
            if not name:
                toml.fail_at(name, f"{name!r} is not a valid name of a source column.")
            if name.lower() in sql_types(LANDED):
                toml.fail_at(name, f"{name!r} is reserved; rename it in the export.")
            if source.layout and name not in source.layout.places:
                toml.fail_at(name, f"{name!r} is not in places{suggestion(name, source.layout.places)}")


def _refuse_alike(toml: TomlText, names: Sequence[str]) -> None:
    """Fails on names that DuckDB does not distinguish."""
    spelled: dict[str, str] = {}
    for name in names:
        if (other := spelled.setdefault(name.lower(), name)) != name:
            toml.fail_at(name, f"{name!r} and {other!r} differ only in case; rename one.")


def _dialect(toml: TomlText, delimiter: str, encoding: str, heading_lines: int, place: list[str]) -> Dialect:
    if len(delimiter) != 1 or delimiter in '"\r\n':
        toml.fail([*place, "delimiter"], "delimiter must be one character, not a quote or a line break.")
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        toml.fail([*place, "encoding"], f"unknown encoding {encoding!r}; write it like latin-1 or cp1252.")
    return Dialect(delimiter, encoding, heading_lines)


def _number_format(toml: TomlText, decimal: str, thousands: str | None, place: list[str]) -> NumberFormat:
    if decimal not in (".", ","):
        toml.fail([*place, "decimal"], f"decimal must be . or , not {decimal!r}.")
    if thousands is not None and thousands not in list(_THOUSANDS.replace(decimal, "")):
        toml.fail([*place, "thousands"], "thousands must be . , ' _ or a space, and differ from decimal.")
    return NumberFormat(decimal, thousands)


def _calendar(toml: TomlText, given: Mapping[str, Any]) -> tuple[dt.date | None, dt.date | None, frozenset[int] | None]:
    """Returns the first and last business day and the weekdays on which files are due; None if not given."""
    place = ["calendar"]
    toml.known(given, _CALENDAR_KEYS, place)
    start, end = (toml.date_at(given, key, place) for key in ("start", "end"))
    if start and end and end < start:
        toml.fail([*place, "end"], f"end {end} is before start {start}.")
    weekdays = toml.names_at(given, "due", place, "weekdays")
    for weekday in weekdays:
        toml.one_of(weekday, WEEKDAYS, [*place, "due"])
    return start, end, frozenset(map(WEEKDAYS.index, weekdays)) if "due" in given else None


def _layout(toml: TomlText, source: Mapping[str, Any], at: list[str]) -> Layout | None:
    place = [*at, "places"]
    if source.get("format") != "fixed":
        if "places" in source:
            toml.fail([*at, "places"], 'places is only for format = "fixed".')
        return None
    places: dict[str, tuple[int, int]] = {}
    if not source.get("places", True):
        toml.fail(place, "places needs at least one column, such as { id = [1, 8] }.")
    for name, span in toml.table(source, "places", at).items():
        match span:
            case [int(first), int(last)] if 1 <= first <= last:
                places[name] = first, last
            case _:
                toml.fail([*place, name], "a place is the first and last character, from 1, such as [1, 8].")
    in_order = sorted(places, key=places.__getitem__)
    for before, name in pairwise(in_order):
        if places[name][0] <= places[before][1]:
            toml.fail([*place, name], f"{name} begins at {places[name][0]}, before the end of {before}.")
    return Layout(places, _heading_lines(toml, source, at))


def _heading_lines(toml: TomlText, source: Mapping[str, Any], at: list[str]) -> int:
    heading_lines = source.get("heading_lines", 0)
    if type(heading_lines) is not int or heading_lines < 0:
        toml.fail(
            [*at, "heading_lines"], "heading_lines must be the number of lines before the header or first record."
        )
    return heading_lines


def _arrival_day(toml: TomlText, source: Mapping[str, Any], at: list[str]) -> Mapping[str, Any]:
    place = [*at, "arrival_day"]
    given = toml.table(source, "arrival_day", at)
    toml.known(given, (*_ARRIVAL_KEYS, "time_format"), place)
    ways = [key for key in _ARRIVAL_KEYS if key in given]
    if len(ways) != 1:
        toml.fail(place, f"arrival_day needs exactly one of {', '.join(_ARRIVAL_KEYS)}.")
    for key in ("file_name", "path"):
        if key in given and toml.required_text(given, key, place).count("{day}") != 1:
            toml.fail(place, f"{key} must contain {{day}} once, at the place of the day.")
    for key in ("first", "column"):
        if key in given:
            toml.required_text(given, key, place)
    _time_formats(toml, given, place)
    toml.date_at(given, "fixed", place)
    return given


def _feeds(
    toml: TomlText, given: Mapping[str, Any], sources: Mapping[str, Source]
) -> tuple[list[Feed], list[Query], dict[str, OwnColumns]]:
    """Returns the feeds in words, those in SQL, and the columns that the map adds to each.

    Without sources, because of a mistake, SQL is not looked at.
    """
    contracts = feed_contracts()
    feeds, queries, added = list[Feed](), list[Query](), dict[str, OwnColumns]()
    with toml.gathered():
        toml.known(given, list(contracts), ["feed"], "feed")
    if not given:
        toml.fail(["feed"], "the map has no feed; add a table such as [feed.orders].")
    for name in [name for name in given if name in contracts]:
        with toml.gathered():
            feed = toml.table(given, name, ["feed"])
            added[name] = _own_columns(toml, feed, ["feed", name], contracts[name])
            if "sql" in feed:
                queries += [_query(toml, name, feed, sources)] if sources else []
            else:
                feeds.append(_feed(toml, name, feed, sources, with_own_columns(contracts[name], added[name])))
    with toml.gathered():
        try:
            order_of(queries)
        except CycleError as error:
            circle = " <- ".join(error.args[1])
            toml.fail(["feed", error.args[1][0], "sql"], f"rows cannot be made of what they become: {circle}.")
    return feeds, queries, added


def _own_columns(toml: TomlText, given: Mapping[str, Any], place: list[str], promised: FeedContract) -> OwnColumns:
    """Returns the columns that a map adds to a feed, with their kinds."""
    own = toml.table(given, "extra", place) if "extra" in given else {}
    for name, kind in own.items():
        at = [*place, "extra", name]
        if name in promised.columns or name != name.lower():
            toml.fail(at, f"{name!r} must be in lower case, and not a column of the feed.")
        toml.one_of(kind, EXTRA_KINDS, at)
    return own


def _query(toml: TomlText, name: str, given: Mapping[str, Any], sources: Mapping[str, Source]) -> Query:
    place = ["feed", name]
    toml.known(given, ("sql", "extra"), place, "key beside sql")
    try:
        query = parse(name, toml.required_text(given, "sql", place), [s for s in sources if sources[s].files])
    except QueryError as error:
        toml.fail_in([*place, "sql"], error.line, str(error))
    for source in query.driving:
        if not sources[source].arrival_day:
            toml.fail(sources[source].place, f"{name} takes its rows from {source}, which needs an arrival_day.")
    defaults = {(sources[source].time_zone, sources[source].number_format) for source in query.driving}
    if len(defaults) > 1:
        names = ", ".join(query.driving)
        toml.fail_in([*place, "sql"], 1, f"{names} differ in time zone or separators; take rows from one per feed.")
    return query


def _feed(
    toml: TomlText, name: str, given: Mapping[str, Any], sources: Mapping[str, Source], promised: FeedContract
) -> Feed:
    place = ["feed", name]
    toml.known(given, _FEED_KEYS, place)
    columns = toml.table(given, "columns", place)
    with toml.gathered():
        toml.known(columns, list(promised.columns), [*place, "columns"], f"column of {name}")
    for column in promised.columns.values():
        with toml.gathered():
            if column.name not in columns and not column.nullable:
                toml.fail(place, f"{name} needs {column.name} ({column.description}); map a column or a constant.")
    source = _source_of(toml, given, place, sources)
    group_by = toml.names_at(given, "group_by", place)
    values: dict[str, Mapping[str, Any]] = {}
    for column_name, value in columns.items():
        with toml.gathered():
            at = [*place, "columns", column_name]
            read = _value(toml, value, at, grouped=bool(group_by))
            if column_name in promised.columns:
                values[column_name] = read
                _refuse_unfit(toml, read, promised, column_name, at, source.time_zone)
    where = _conditions(toml, given.get("where", []), [*place, "where"])
    moments = tuple(column for column in values if promised.columns[column].kind == "timestamp")
    numbers = tuple(
        column for column in values if promised.columns[column].kind in ("integer", "decimal", "rate", "float")
    )
    is_of_versions = bool(group_by) and promised.event_column == "changed_at"
    group = _group(toml, given, place) or source.group or ("whole" if is_of_versions else "adds")
    return Feed(name, source, group == "adds", where, group_by, values, moments, numbers)


def _source_of(toml: TomlText, given: Mapping[str, Any], place: list[str], sources: Mapping[str, Source]) -> Source:
    """Returns the source of a feed in words: the one that it names, or the only one, with its own files if it has."""
    if not sources:
        return _NO_SOURCE
    named = toml.text_at(given, "source", place) or (next(iter(sources)) if len(sources) == 1 else ONE_SOURCE)
    if named not in sources:
        known = suggestion(named, sources)
        toml.fail([*place, "source"], f"{'.'.join(place)} needs the source that it reads{known}")
    files = _pattern(toml, given, place) if "files" in given else sources[named].files
    if not files:
        toml.fail(["source"], '[source] needs files, a pattern such as "*.csv".')
    if not sources[named].arrival_day:
        toml.fail(sources[named].place, f"{place[-1]} takes its rows from {named}, which needs an arrival_day.")
    return replace(sources[named], files=files)


def _value(toml: TomlText, given: Any, place: list[str], *, grouped: bool) -> Mapping[str, Any]:
    if isinstance(given, str):
        return {"from": given}
    if not isinstance(given, dict):
        toml.fail(place, 'a value is the name of a source column, or a table such as { constant = "paid" }.')
    toml.known(given, (*_STARTS, *_CHANGES), place)
    starts = [key for key in _STARTS if key in given]
    if len(starts) > 1 or not (starts or "when" in given):
        toml.fail(place, f"a value needs exactly one of {', '.join(_STARTS)}.")
    for key in ("from", "strip_suffix", "take"):
        toml.text_at(given, key, place)
    _time_formats(toml, given, place)
    for key in ("multiply", "ordinal", "over", "concat"):
        if key in given and not given[key]:
            toml.fail([*place, key], f"{key} needs at least one source column.")
    for key in ("multiply", "ordinal", "over"):
        toml.names_at(given, key, place)
    if len(given.get("multiply", ())) > _MAX_FACTORS:
        toml.fail(place, f"multiply takes at most {_MAX_FACTORS} source columns.")
    for key in ("negate", "abs"):
        if not isinstance(given.get(key, True), bool):
            toml.fail(place, f"{key} must be true or false.")
    toml.one_value(given, "constant", place)
    parts = given.get("concat", [])
    if not isinstance(parts, list):
        toml.fail([*place, "concat"], "concat must be a list of parts.")
    for part in parts:
        if isinstance(part, dict):
            toml.known(part, ("text", "ordinal"), place)
        match part:
            case str() | {"text": str()}:
                pass
            case {"ordinal": [_, *_]}:
                toml.names_at(part, "ordinal", place)
            case _:
                toml.fail(place, "a part of concat is a source column, { text = … } or { ordinal = [columns] }.")
    for sent in toml.table(given, "values", place) if "values" in given else ():
        toml.one_value(given["values"], sent, [*place, "values"])
    if "take" in given:
        toml.one_of(given["take"], _TAKES, place)
        if not grouped and "over" not in given:
            toml.fail(place, "take needs group_by in the feed, or over = [columns] next to it.")
    if grouped and "over" in given:
        toml.fail(place, "over is only for feeds without group_by; in a group, take is enough.")
    _conditions(toml, given.get("when", []), place, then=True)
    return given


def _refuse_unfit(
    toml: TomlText, value: Mapping[str, Any], promised: FeedContract, column: str, place: list[str], time_zone: str
) -> None:
    """Fails on texts of the map itself with which every row would be quarantined."""
    texts = [each["then"] for each in value.get("when", ())]
    if _CHANGED_TEXTS.isdisjoint(value) and value.get("take") != "count":
        ours = [value["constant"]] if "constant" in value else value.get("values", {}).values()
        texts = [*map(str, ours), *texts]
    for text, complaint in complaints_of(texts, promised.columns[column], promised, time_zone).items():
        toml.fail(place, f"every row with {text!r} would be quarantined ({complaint}).")


def _conditions(toml: TomlText, given: Any, place: list[str], *, then: bool = False) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        toml.fail(place, 'conditions must be a list of tables such as [{ column = "Price", greater = 0 }].')
    operators = [*OPERATORS, "is_null"]
    for each in given:
        toml.known(each, ["column", *operators, *(["then"] if then else [])], place)
        toml.required_text(each, "column", place)
        _expression(toml, each, "matches", place)
        for operator in OPERATORS:
            if operator == "one_of":
                toml.names_at(each, operator, place, "texts")
            else:
                toml.one_value(each, operator, place)
        if sum(key in operators for key in each) != 1:
            toml.fail(place, f"a condition needs exactly one of {', '.join(operators)}.")
        if then:
            toml.required_text(each, "then", place)
        for operator in sorted(LIMITS.intersection(each)):
            if not re.fullmatch(r"-?\d+(\.\d+)?", str(each[operator])):
                toml.fail(place, f"{operator} compares with a number, not {each[operator]!r}.")
        if not isinstance(each.get("is_null", True), bool):
            toml.fail(place, "is_null must be true or false.")
    return tuple(given)


def _pattern(toml: TomlText, given: Mapping[str, Any], place: list[str]) -> str:
    """Returns the pattern under `files`, if it can only match files below the folder."""
    pattern = PurePosixPath(toml.required_text(given, "files", place))
    odd = [part for part in pattern.parts if part == ".." or ("**" in part and part != "**")]
    if pattern.is_absolute() or odd or not pattern.parts:
        toml.fail([*place, "files"], 'files must be a pattern below the folder, such as "*.csv" or "**/*.csv".')
    return str(pattern)


def _time_formats(toml: TomlText, given: Mapping[str, Any], place: list[str]) -> None:
    """Fails on a time format, or one of several, that DuckDB rejects."""
    named = given.get("time_format")
    formats = toml.names_at(given, "time_format", place, "formats") if isinstance(named, list) else [named]
    for each in formats:
        if each not in EPOCHS:
            _expression(toml, {} if each is None else {"time_format": each}, "time_format", place)


def _expression(toml: TomlText, given: Mapping[str, Any], key: str, place: list[str]) -> None:
    """Fails on a time format or a regular expression that DuckDB rejects."""
    text = toml.text_at(given, key, place)
    if text and (reason := refusal(key, text)):
        toml.fail([*place, key], f"invalid {key} {text!r}: {reason}")
