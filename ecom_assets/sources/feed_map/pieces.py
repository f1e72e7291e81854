"""The pieces of nested JSON, such as the refunds in an order's record, that no feed reads."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from ecom_assets.sources.feed_map.query import Query
from ecom_assets.sql import identifier, json_pointer

_DEPTH = 4
"""Maximum number of arrays within arrays that are looked at."""


def unread_pieces(
    con: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str], queries: Sequence[Query]
) -> Mapping[str, Mapping[str, tuple[int, int]]]:
    """Returns, per file and kind of piece, how many no feed reads, and how many there are.

    A kind is an array of objects in the source's records, such as `orders.refunds[].transactions`. It is read as a
    whole if a statement names its key anywhere but to take it apart by `unnest` in FROM; otherwise a piece is read if a
    row is made of it. `columns` are those that statements use. Nothing is said of a source that statements also join.
    """
    reading = [query for query in queries if source in query.sources]
    if any(query.driving != (source,) for query in reading):
        return {}
    words, read = set[str](), list[str]()
    for query in reading:
        taken, named = query.pieces()
        words |= named
        read += taken
    con.execute("create or replace temp table pieces_read (source_file varchar, record bigint, piece varchar)")
    for taken_apart in read:
        con.execute(f"insert into pieces_read select origin.source_file, origin.record, piece from ({taken_apart})")
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for column in columns:
        text = identifier(column)
        is_nested = f"json_type(try_cast({text} as json)) in ('ARRAY', 'OBJECT')"
        [(told,)] = con.execute(
            f"select json_group_structure(try_cast({text} as json)) from {identifier(source)} where {is_nested}"
        ).fetchall()
        for path in _arrays(json.loads(told or "null"), (column,)):
            if _key(path).lower() in words:
                continue
            rows = con.execute(f"""
                select source_file, count(*) - count(pieces_read.piece), count(*)
                from ({_pieces(source, path)}) p
                left join (select distinct * from pieces_read) pieces_read using (source_file, record, piece)
                group by all""").fetchall()
            for name, unread, number in rows:
                if unread:
                    found.setdefault(name, {})[_written(source, path)] = unread, number
    return found


def _arrays(structure: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yields the paths of arrays of objects: of a column, keys of objects, and [] for the elements of an array."""
    if isinstance(structure, list) and structure and isinstance(structure[0], dict):
        yield path
        if path.count("[]") < _DEPTH:
            yield from _arrays(structure[0], (*path, "[]"))
    elif isinstance(structure, dict):
        for key, inner in structure.items():
            yield from _arrays(inner, (*path, key))


def _key(path: Sequence[str]) -> str:
    return next(step for step in reversed(path) if step != "[]")


def _written(source: str, path: Sequence[str]) -> str:
    return source + "".join(step if step == "[]" else f".{step}" for step in path)


def _pieces(source: str, path: Sequence[str]) -> str:
    """Returns SQL for the place and the text of each element of the arrays at a path."""
    tables, value = [identifier(source)], identifier(path[0])
    for number, step in enumerate([*path[1:], "[]"]):
        if step == "[]":
            array = f"case when json_type(try_cast({value} as json)) = 'ARRAY' then items({value}) end"
            tables.append(f"unnest({array}) as t{number}(e{number})")
            value = f"e{number}"
        else:
            value = f"({value} -> {json_pointer(step)})"
    return f"select origin.source_file, origin.record, {value}::varchar as piece from {', '.join(tables)}"
