"""Reading a feed map: its TOML, checked; every error names the line."""

import datetime as dt
import difflib
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from ecom_assets.contract import FeedContract
from ecom_assets.engine.duckdb.parsing import complaints_of
from ecom_assets.errors import suggestion
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.feed_settings import WEEKDAYS, FeedSettings
from ecom_assets.landing.provenance import LANDED, sql_types
from ecom_assets.landing.reading import Dialect
from ecom_assets.sources.feed_map.model import LIMITS, Feed, FeedMap, Lookup, NumberFormat
from ecom_assets.sources.feed_map.sql import OPERATORS, refusal
from ecom_assets.sources.feed_map.toml_text import TomlText
from ecom_assets.sources.fixed_width import Layout

_FORMATS = ("csv", "jsonl", "parquet", "fixed")
_SOURCE_TEXTS = (
    "files",
    "format",
    "delimiter",
    "encoding",
    "decimal",
    "thousands",
    "time_zone",
    "currency",
    "unreadable",
)
_SOURCE_KEYS = (*_SOURCE_TEXTS, "arrival_day", "places", "heading_lines")
_ARRIVAL_KEYS = ("file_name", "fixed", "first", "column")
_CALENDAR_KEYS = ("start", "end", "due")
_LOOKUP_KEYS = ("files", "on")
_FEED_KEYS = ("files", "where", "group_by", "columns")
_STARTS = ("from", "constant", "multiply", "concat", "ordinal", "price_of", "rounding_of")
_CHANGES = ("strip_suffix", "time_format", "values", "negate", "abs", "when", "take", "over")
_CHANGED_TEXTS = frozenset({"strip_suffix", "time_format", "negate", "abs"})
"""Keys that change a text which the map itself contains."""
_TAKES = ("first", "min", "max", "sum", "count")
_THOUSANDS = ".,'_ \u00a0\u202f\u2019"
_MAX_FACTORS = 6
"""Six factors with six decimals each reach the 36 decimals that DuckDB supports."""


def load_map(path: Path) -> FeedMap:
    """Returns the map in a TOML file. Raises FeedMapError for any mistake, OSError if the file cannot be read."""
    toml = TomlText(Path(path))
    given = toml.parsed()
    toml.known(given, ("source", "calendar", "lookup", "feed"), [])
    source = toml.table(given, "source", [])
    toml.known(source, _SOURCE_KEYS, ["source"])
    texts = {key: toml.text_at(source, key, ["source"]) for key in _SOURCE_TEXTS}
    if texts["format"]:
        toml.one_of(texts["format"], _FORMATS, ["source", "format"])
    if "files" in source:
        _pattern(toml, source, ["source"])
    time_zone = texts["time_zone"] or "UTC"
    try:
        FeedSettings(time_zone)
    except ValueError as error:
        toml.fail(["source", "time_zone"], str(error))
    start, end, due = _calendar(toml, toml.table(given, "calendar", []) if "calendar" in given else {})
    feeds = _feeds(toml, toml.table(given, "feed", []), texts["files"], time_zone)
    if texts["unreadable"]:
        toml.one_of(texts["unreadable"], [feed.name for feed in feeds], ["source", "unreadable"])
    made = FeedMap(
        text=toml,
        arrival_day=_arrival_day(toml, source),
        format=texts["format"],
        dialect=_dialect(toml, texts["delimiter"] or ",", texts["encoding"] or "utf-8"),
        layout=_layout(toml, source),
        number_format=_number_format(toml, texts["decimal"] or ".", texts["thousands"]),
        time_zone=time_zone,
        start=start,
        end=end,
        due=due,
        unreadable=texts["unreadable"],
        lookups=_lookups(toml, toml.table(given, "lookup", []) if "lookup" in given else {}),
        feeds=feeds,
    )
    _refuse_odd_names(toml, made)
    return made


def _refuse_odd_names(toml: TomlText, made: FeedMap) -> None:
    """Fails on source columns that cannot exist."""
    looked_up = [columns for _, columns in made.lookups_used()]
    lookups = [lookup.name for lookup in made.lookups]
    for names in (made.source_columns(), *looked_up):
        _refuse_alike(toml, names)
        for name in names:
            if not name:
                toml.fail_at(name, f"{name!r} is not a valid name of a source column.")
            if name.lower() in sql_types(LANDED):
                toml.fail_at(name, f"{name!r} is reserved; rename it in the export.")
            if made.layout and name not in made.layout.places:
                toml.fail_at(name, f"{name!r} is not in places{suggestion(name, made.layout.places)}")
            before, dot, _ = name.partition(".")
            if dot and (close := difflib.get_close_matches(before, lookups, 1)):
                toml.fail_at(name, f"unknown lookup in {name!r}; did you mean {close[0]!r}?")


def _refuse_alike(toml: TomlText, names: Sequence[str]) -> None:
    """Fails on names that DuckDB does not distinguish."""
    spelled: dict[str, str] = {}
    for name in names:
        if (other := spelled.setdefault(name.lower(), name)) != name:
            toml.fail_at(name, f"{name!r} and {other!r} differ only in case; rename one.")


def _dialect(toml: TomlText, delimiter: str, encoding: str) -> Dialect:
    if len(delimiter) != 1 or delimiter in '"\r\n':
        toml.fail(["source", "delimiter"], "delimiter must be one character, not a quote or a line break.")
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        toml.fail(["source", "encoding"], f"unknown encoding {encoding!r}; write it like latin-1 or cp1252.")
    return Dialect(delimiter, encoding)


def _number_format(toml: TomlText, decimal: str, thousands: str | None) -> NumberFormat:
    if decimal not in (".", ","):
        toml.fail(["source", "decimal"], f"decimal must be . or , not {decimal!r}.")
    if thousands is not None and thousands not in list(_THOUSANDS.replace(decimal, "")):
        toml.fail(["source", "thousands"], "thousands must be . , ' _ or a space, and differ from decimal.")
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


def _layout(toml: TomlText, source: Mapping[str, Any]) -> Layout | None:
    place = ["source", "places"]
    if source.get("format") != "fixed":
        for key in ("places", "heading_lines"):
            if key in source:
                toml.fail(["source", key], f'{key} is only for format = "fixed".')
        return None
    places: dict[str, tuple[int, int]] = {}
    if not source.get("places", True):
        toml.fail(place, "places needs at least one column, such as { id = [1, 8] }.")
    for name, span in toml.table(source, "places", ["source"]).items():
        match span:
            case [int(first), int(last)] if 1 <= first <= last:
                places[name] = first, last
            case _:
                toml.fail([*place, name], "a place is the first and last character, from 1, such as [1, 8].")
    in_order = sorted(places, key=places.__getitem__)
    for before, name in pairwise(in_order):
        if places[name][0] <= places[before][1]:
            toml.fail([*place, name], f"{name} begins at {places[name][0]}, before the end of {before}.")
    heading_lines = source.get("heading_lines", 0)
    if type(heading_lines) is not int or heading_lines < 0:
        toml.fail(["source", "heading_lines"], "heading_lines must be the number of lines before the first record.")
    return Layout(places, heading_lines)


def _lookups(toml: TomlText, given: Mapping[str, Any]) -> tuple[Lookup, ...]:
    found: list[Lookup] = []
    for name in given:
        place = ["lookup", name]
        if name.lower() in [other.name.lower() for other in found]:
            toml.fail(place, f"{name!r} differs from another lookup only in case; rename one.")
        lookup = toml.table(given, name, ["lookup"])
        toml.known(lookup, _LOOKUP_KEYS, place)
        on = toml.table(lookup, "on", place)
        for column in on:
            toml.required_text(on, column, [*place, "on"])
        if not on:
            toml.fail(
                [*place, "on"], 'on needs a column of the line and its lookup column, such as { category = "id" }.'
            )
        found.append(Lookup(name, _pattern(toml, lookup, place), on))
    return tuple(found)


def _arrival_day(toml: TomlText, source: Mapping[str, Any]) -> Mapping[str, Any]:
    place = ["source", "arrival_day"]
    given = toml.table(source, "arrival_day", ["source"])
    toml.known(given, (*_ARRIVAL_KEYS, "time_format"), place)
    ways = [key for key in _ARRIVAL_KEYS if key in given]
    if len(ways) != 1:
        toml.fail(place, f"arrival_day needs exactly one of {', '.join(_ARRIVAL_KEYS)}.")
    if "file_name" in given and toml.required_text(given, "file_name", place).count("{day}") != 1:
        toml.fail(place, "file_name must contain {day} once, at the place of the day.")
    for key in ("first", "column"):
        if key in given:
            toml.required_text(given, key, place)
    _expression(toml, given, "time_format", place)
    toml.date_at(given, "fixed", place)
    return given


def _feeds(toml: TomlText, given: Mapping[str, Any], files: str | None, time_zone: str) -> tuple[Feed, ...]:
    contracts = feed_contracts()
    toml.known(given, list(contracts), ["feed"], "feed")
    if not given:
        toml.fail(["feed"], "the map has no feed; add a table such as [feed.orders].")
    feeds = tuple(_feed(toml, name, toml.table(given, name, ["feed"]), files, contracts[name]) for name in given)
    for feed in feeds:
        for column, value in feed.columns.items():
            place = ["feed", feed.name, "columns", column]
            _refuse_unfit(toml, value, contracts[feed.name], column, place, time_zone)
    return feeds


def _feed(toml: TomlText, name: str, given: Mapping[str, Any], files: str | None, promised: FeedContract) -> Feed:
    place = ["feed", name]
    toml.known(given, _FEED_KEYS, place)
    columns = toml.table(given, "columns", place)
    toml.known(columns, list(promised.columns), [*place, "columns"], f"column of {name}")
    for column in promised.columns.values():
        if column.name not in columns and not column.nullable:
            toml.fail(place, f"{name} needs {column.name} ({column.description}); map a column or a constant.")
    group_by = toml.names_at(given, "group_by", place)
    values = {}
    for column_name, value in columns.items():
        values[column_name] = _value(toml, value, [*place, "columns", column_name], grouped=bool(group_by))
    taken = _pattern(toml, given, place) if "files" in given else files
    if not taken:
        toml.fail(["source"], '[source] needs files, a pattern such as "*.csv".')
    where = _conditions(toml, given.get("where", []), [*place, "where"])
    moments = tuple(column for column in values if promised.columns[column].kind == "timestamp")
    numbers = tuple(column for column in values if promised.columns[column].kind in ("integer", "decimal", "float"))
    return Feed(name, taken, where, group_by, values, moments, numbers)


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
    _expression(toml, given, "time_format", place)
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
    for key in ("price_of", "rounding_of"):
        if key in given and len(toml.names_at(given, key, place)) != 2:
            toml.fail(place, f"{key} takes two source columns: the amount and the quantity.")
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


def _expression(toml: TomlText, given: Mapping[str, Any], key: str, place: list[str]) -> None:
    """Fails on a time format or a regular expression that DuckDB rejects."""
    text = toml.text_at(given, key, place)
    if text and (reason := refusal(key, text)):
        toml.fail([*place, key], f"invalid {key} {text!r}: {reason}")
