"""The lines of sources as tables of text in DuckDB."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from ecom_assets.errors import misspelt, suggestion
from ecom_assets.landing.provenance import LANDED, sql_types
from ecom_assets.landing.reading import PROBLEM, RAW, header, read
from ecom_assets.landing.zone import kind_of
from ecom_assets.sources import fixed_width, json_records
from ecom_assets.sources.feed_map.model import Source
from ecom_assets.sources.feed_map.sources import SourceFile, is_json
from ecom_assets.sources.feed_map.sql import day_of_line
from ecom_assets.sources.feed_map.toml_text import TomlText
from ecom_assets.sql import identifier, json_pointer

_RESERVED = {*sql_types(LANDED), PROBLEM, RAW, "origin", "origins"}


def create_named(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    files: Sequence[SourceFile],
    columns: Sequence[str],
    toml: TomlText,
    table: str,
) -> tuple[list[str], list[str]]:
    """Makes a table of the files' lines with the named columns.

    Returns the others that the files have, and those that no record of JSON has. Columns that a file lacks are mistakes
    for `toml` to raise.
    """
    with TemporaryDirectory(prefix="feed-map-") as scratch:
        readable = _readable(source, files, Path(scratch))
        read(con, readable, columns, source.dialect).create("as read")
        absent = _refuse_missing(con, source, readable, columns, toml)
        headers = [header(file, source.dialect) or () for file in readable]
    con.execute(f'create table {identifier(table)} as {_with_day(source)}; drop table "as read"')
    return [name for name in dict.fromkeys(name for each in headers for name in each) if name not in columns], absent


def create_whole(
    con: duckdb.DuckDBPyConnection, source: Source, files: Sequence[SourceFile], used: Iterable[str], table: str
) -> tuple[list[str], list[str]]:
    """Makes a table of the files' lines with all their columns.

    Returns the columns, and complaints about files that lack one of those that are `used`, in lower case, and that
    others have. A name that differs from another only in case gets a number; of JSON, each key of each record is a
    column.
    """
    with TemporaryDirectory(prefix="feed-map-") as scratch:
        readable = _readable(source, files, Path(scratch))
        headers = {file.source: header(file, source.dialect) or () for file in readable}
        names = list(dict.fromkeys(name for each in headers.values() for name in each))
        plain = [name for name in _told_apart(names) if name in names and name.lower() not in _RESERVED]
        read(con, readable, plain or ["?"], source.dialect).create("as read")
    keys = con.execute(
        'select distinct unnest(json_keys(unknown_columns)) from "as read" where unknown_columns is not null'
    )
    others = sorted(name for [name] in keys.fetchall() if name not in plain)
    spelled = _told_apart([*plain, *others])[len(plain) :]
    columns = [*plain, *spelled, *(name for name in source.optional if name not in {*plain, *spelled})]
    found = ", ".join(
        f"unknown_columns->>{json_pointer(key)} as {identifier(name)}"
        for key, name in zip(others, spelled, strict=True)
    )
    absent = ", ".join(f"null::varchar as {identifier(name)}" for name in columns[len(plain) + len(spelled) :])
    added = "".join(f", {more}" for more in (found, absent) if more)
    con.execute(f'create table {identifier(table)} as select *{added} from ({_with_day(source)}); drop table "as read"')
    return columns, _lacking(source, readable, headers, plain, set(used))


def _with_day(source: Source) -> str:
    return f'select * replace ({day_of_line(source.arrival_day)} as arrived_on) from "as read"'


def _readable(source: Source, files: Sequence[SourceFile], scratch: Path) -> list[SourceFile]:
    """Returns files that `reading.read` can read: those of other formats are written anew."""
    readable = []
    for number, file in enumerate(files):
        written = replace(file, location=f"{scratch}/{number}")
        if source.layout:
            fixed_width.write_parquet(file.path, written.path, source.layout, source.dialect.encoding)
        elif is_json(source, file.source):
            json_records.write_lines(file.path, written.path, source.dialect.encoding)
        else:
            written = file
        readable.append(written)
    return readable


def _told_apart(names: Sequence[str]) -> list[str]:
    """Returns the names; one that DuckDB would not tell from another, or from ours, with a number: "record (2)"."""
    seen = _RESERVED - {PROBLEM, RAW}
    spelled = []
    for name in names:
        numbered = (f"{name} ({number})" for number in count(2))
        own = next(each for each in chain([name], numbered) if each.lower() not in seen)
        seen.add(own.lower())
        spelled.append(own)
    return spelled


def _lacking(
    source: Source,
    files: Sequence[SourceFile],
    headers: Mapping[str, Sequence[str]],
    columns: Sequence[str],
    used: set[str],
) -> list[str]:
    complaints = []
    for file in files:
        kind, named = kind_of(file.name), headers[file.source]
        if not named or not kind or kind.format == "jsonl":
            continue
        for column in columns:
            if column.lower() in used and column not in named and column not in source.optional:
                others = suggestion(column, [name for name in named if name not in columns] or named)
                advice = "a column that files may lack is listed in optional"
                complaints.append(f"{file.source} has no column {column!r} ({advice}){others}")
    return complaints


def _refuse_missing(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    files: Sequence[SourceFile],
    columns: Sequence[str],
    toml: TomlText,
) -> list[str]:
    """Gathers mistakes for columns that a file does not have. Returns the keys that no record of JSON has.

    A JSON record need not have each key: a key is missing only if no record has it and another may be meant.
    """
    counts = ", ".join(f"count({identifier(column)})" for column in columns)
    [found] = con.execute(f'select {counts} from "as read"').fetchall()
    empty = {column for column, count in zip(columns, found, strict=True) if not count}
    absent: dict[str, None] = {}
    for file in files:
        named = header(file, source.dialect) or columns
        others = [name for name in named if name not in columns]
        kind = kind_of(file.name)
        for column in columns:
            is_meant = column in empty and misspelt(column, others)
            if column in named or column in source.optional:
                continue
            if kind and kind.format == "jsonl" and not is_meant:
                absent |= dict.fromkeys([column] if column in empty else [])
                continue
            with toml.gathered():
                toml.fail_at(column, f"{file.source} has no column {column!r}{suggestion(column, others)}")
    return list(absent)
