"""Rows as JSON, CSV, Arrow and Parquet, piece by piece, so that memory does not grow with them."""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ecom_assets.api.published import plain
from ecom_assets.sql import quoted

BATCH_ROWS = 10_000


def records(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Returns rows as JSON has them."""
    return [{name: plain(value) for name, value in zip(names, row, strict=False)} for row in rows]


Queries = Sequence[tuple[str, Sequence[Any]]]
"""Queries with their parameters, whose rows follow each other."""


def csv(con: duckdb.DuckDBPyConnection, queries: Queries, names: Sequence[str]) -> Iterator[bytes]:
    """Yields rows as CSV as DuckDB's COPY writes it: decimals exact, nothing for null, "" for an empty text."""
    yield f"{','.join(map(_quoted, names))}\n".encode()
    fields = ", ".join(_field(field) for field in _schema(con, queries))
    for query, given in queries:
        lines = con.execute(f"select concat_ws(',', {fields}) || chr(10) from ({query})", given)
        while rows := lines.fetchmany(BATCH_ROWS):
            yield "".join(line for (line,) in rows).encode()


def _field(field: pa.Field) -> str:
    """Returns SQL for the text of a column in a line of CSV."""
    name = quoted(field.name)
    if not (pa.types.is_string(field.type) or pa.types.is_nested(field.type)):
        return f"coalesce({name}::varchar, '')"
    text = f"{name}::varchar"
    needs_quotes = f"({text} = '' or regexp_matches({text}, '[,\"\\n\\r]'))"
    in_quotes = f"'\"' || replace({text}, '\"', '\"\"') || '\"'"
    return f"case when {name} is null then '' when {needs_quotes} then {in_quotes} else {text} end"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(character in name for character in ',"\n\r') else name


def arrow(con: duckdb.DuckDBPyConnection, queries: Queries, names: Sequence[str]) -> Iterator[bytes]:
    """Yields rows as a stream of Arrow's IPC format."""
    return _written(con, queries, pa.ipc.new_stream)


def parquet(con: duckdb.DuckDBPyConnection, queries: Queries, names: Sequence[str]) -> Iterator[bytes]:
    """Yields rows as a Parquet file."""
    return _written(con, queries, pq.ParquetWriter)


def _written(con: duckdb.DuckDBPyConnection, queries: Queries, writer: Callable[..., Any]) -> Iterator[bytes]:
    sink = _Pieces()
    with writer(pa.PythonFile(sink, mode="w"), _schema(con, queries)) as out:
        for query, given in queries:
            for batch in con.execute(query, given).to_arrow_reader(BATCH_ROWS):
                out.write_batch(batch)
                yield sink.taken()
    yield sink.taken()


def _schema(con: duckdb.DuckDBPyConnection, queries: Queries) -> pa.Schema:
    """Returns names and types of the rows of queries."""
    (query, given), *_ = queries
    return con.execute(f"from ({query}) limit 0", given).to_arrow_reader(BATCH_ROWS).schema


class _Pieces(io.RawIOBase):
    """A file of which what has been written can be taken away."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self._size += len(self._pieces[-1])
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """Returns what was written since the last time."""
        found = b"".join(self._pieces)
        self._pieces.clear()
        return found


WRITERS: dict[str, Callable[..., Iterator[bytes]]] = {"csv": csv, "arrow": arrow, "parquet": parquet}
