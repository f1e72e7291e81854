"""The SQL with which DuckDB reads many files of one shape at once."""

import glob
import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from ecom_assets.landing.reading.lines import csv_fields
from ecom_assets.landing.reading.records import PROBLEM, RAW, RECORD_LIMIT, Unreadable, column_labels
from ecom_assets.sql import connect, identifier, json_pointer, literal


class Csv(NamedTuple):
    """CSV files with the same header."""

    header: tuple[str, ...]
    delimiter: str
    alone: Path | None
    """The file, if it needs its own statement: among several files, DuckDB 1.5 silently ends a file at an unclosed
    quote, and a large file is not searched for one."""
    skipped: int = 0
    """The number of lines before the header."""


class JsonLines(NamedTuple):
    """JSON Lines files whose first records have the same keys."""

    usual_keys: tuple[str, ...]
    is_streamed: bool = False
    """Whether each record has its offset."""


class Parquet(NamedTuple):
    """Parquet files with the same schema: columns, types, and SQL for the text of each."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    texts: tuple[str, ...]


Shape = Csv | JsonLines
"""Files of equal shape can be read by one statement."""


def statement(shape: Shape | Parquet, columns: Sequence[str], paths: Iterable[Path]) -> str:
    """Returns the statement that reads files of one shape: file_index, columns, unknown_columns, problem, raw_record.

    It has no parameters: with parameters, DuckDB's relation would fetch all rows before it returns the first.
    """
    files = f"[{', '.join(literal(exact_path(path)) for path in paths)}]"
    if isinstance(shape, JsonLines):
        return _json_query(shape.usual_keys, columns, files)
    names = shape.header if isinstance(shape, Csv) else shape.names
    if isinstance(shape, Csv):
        texts = tuple(f"c{place}" for place in range(len(names)))
        typed = ", ".join(f"{text}: 'VARCHAR'" for text in texts)
        place_in_file = ""
        source = f"""read_csv({files}, columns = {{{typed}}}, auto_detect = false, header = true,
            skip = {shape.skipped}, delim = {literal(shape.delimiter)}, quote = '"', escape = '"', nullstr = '',
            strict_mode = true, null_padding = false, max_line_size = {RECORD_LIMIT}, hive_partitioning = false)"""
    else:
        texts, place_in_file = shape.texts, "file_row_number, "
        places = ", ".join(f"c{place}" for place in range(len(names)))
        source = f"read_parquet({files}, hive_partitioning = false) as t({places})"
    text_of = dict(zip(names, texts, strict=True))
    known = [f"{text_of.get(name, 'NULL::VARCHAR')} as {identifier(name)}" for name in columns]
    noted = (PROBLEM, RAW) if isinstance(shape, Parquet) else ()
    problem, raw = (text_of.get(name, "NULL::VARCHAR") for name in noted) if noted else ("NULL::VARCHAR",) * 2
    others = ", ".join(f"{literal(name)}, {text}" for name, text in text_of.items() if name not in {*columns, *noted})
    unknown = f"nullif(json_merge_patch('{{}}', json_object({others}))::VARCHAR, '{{}}')" if others else "NULL::VARCHAR"
    return f"""
        select file_index, {place_in_file}{", ".join(known)},
            {unknown} as unknown_columns, {problem} as problem, {raw} as raw_record
        from {source}"""


_RISKY_NUMBER = r"[:\[,]\s*-?(?:[0-9.]{16,}|0\.0000|[0-9]+\.[0-9]+0\s*[,\]}]|[0-9.]+[eE])|-0\s*[,\]}]"
"""Numbers that DuckDB might write differently from the text that was sent."""

_NOT_STRICT = r",\s*[\]}]|[:\[,]\s*-?(?:NaN|nan|NAN|Inf|inf|INF)|\\u00[01]"
"""JSON that DuckDB accepts and we do not, or that it writes differently."""

_QUOTABLE = r'"((?:[^"\\]|\\.)*)"|(-?[0-9][-+.0-9eE]*)'
"""A JSON string or number; both become strings, so that a number keeps its text."""

_ODD_VALUE = r'":\s*(?:[\[{NIi]|n[^u]|-[^1-9]|-?[0-9]*(?:[0-9.]{16}|\.[0-9]*(?:[0-9]0\s*[,}]|[eE]|0000)|[eE]))'
"""A value that is nested, or that DuckDB might write differently. RE2 skips fast to a fixed prefix."""

_ODD_END = r",\s*\}"


def _json_query(usual_keys: Sequence[str], columns: Sequence[str], files: str) -> str:
    """Returns the query. Plain lines (the first line's keys, values that DuckDB keeps as sent) take a fast path."""
    paths = ", ".join(map(json_pointer, columns))
    known = f"[{', '.join(map(literal, columns))}]"
    usual = f"[{', '.join(map(literal, usual_keys))}]::VARCHAR[]"
    only_known = "true" if set(usual_keys) <= set(columns) else "false"
    without = literal(json.dumps(dict.fromkeys(columns)))
    odd_text = " or ".join(f"contains(line, {literal(text)})" for text in (" :", "\t:", "\r", "\\u00"))
    texts = literal(json.dumps(dict.fromkeys(columns, "VARCHAR")))
    special = literal(f"{_RISKY_NUMBER}|{_NOT_STRICT}")
    refuse = "error('Not for this way of reading.')"
    listed = ", ".join(
        f"coalesce(plain_values[{literal(name)}], v[{place}]) as {identifier(name)}"
        for place, name in enumerate(columns, 1)
    )
    return f"""
        with lines as (
            select file_index, json::VARCHAR as line,
                json_keys(line) = {usual} and starts_with(line, '{{') and strlen(line) <= {RECORD_LIMIT}
                and not regexp_matches(line, {literal(_ODD_VALUE)}) and not regexp_matches(line, {literal(_ODD_END)})
                and not ({odd_text}) as plain
            from read_ndjson_objects({files}, maximum_object_size = {16 * RECORD_LIMIT}, hive_partitioning = false)
        ), known as (
            select *, case when plain then {only_known} else list_has_all({known}, json_keys(line)) end as all_known,
                case when not plain then regexp_matches(line, {special}) end as special
            from lines
        ), read as (
            select file_index, all_known,
                case when plain then line
                    when strlen(line) > {RECORD_LIMIT} or not starts_with(ltrim(line), '{{') or contains(line, '\r')
                        then {refuse}
                    when not special then line
                    when not all_known or regexp_matches(line, {literal(_NOT_STRICT)})
                        or regexp_matches(line, '[{{\\[].*[{{\\[]') then {refuse}
                    else regexp_replace(line, {literal(_QUOTABLE)}, '"\\1\\2"', 'g')
                end as line,
                plain
            from known
        ), picked as (
            select file_index, line, all_known, case when plain then from_json(line, {texts}) end as plain_values,
                case when not plain then json_extract_string(line, [{paths}]) end as v
            from read
        )
        select file_index, {listed},
            case when not all_known then json_merge_patch(line, {without})::VARCHAR end as unknown_columns,
            NULL::VARCHAR as problem, NULL::VARCHAR as raw_record
        from picked"""


def exact_path(path: Path) -> str:
    """Returns an escaped path: DuckDB reads * ? and [ as a pattern. It finds no path that has a backslash too."""
    return glob.escape(str(path))


def open_parser() -> duckdb.DuckDBPyConnection:
    """Returns a connection on which reading may fail without affecting the caller's transaction."""
    return connect()


def json_shape(first_line: bytes, is_streamed: bool = False) -> JsonLines | None:
    """Returns the shape of a file with this first line; None if it is not a JSON object."""
    try:
        first = json.loads(first_line)
    except ValueError:
        return None
    return JsonLines(tuple(first), is_streamed) if isinstance(first, dict) else None


def csv_shape(
    first_line: bytes, columns: Sequence[str], delimiter: str, alone: Path | None, skipped: int = 0
) -> Csv | None:
    """Returns the shape of a file with this first line; None if it is not a plain header with a known column."""
    try:
        fields = csv_fields(first_line.removeprefix(BOM_UTF8).decode().rstrip("\r\n"), delimiter)
    except (UnicodeDecodeError, Unreadable):
        return None
    if fields is None or len(fields) < 2 or "\r" in first_line.decode().rstrip("\r\n"):
        return None
    header = column_labels(fields)
    return Csv(header, delimiter, alone, skipped) if set(header) & set(columns) else None
