"""Rows as JSON, CSV, Arrow and Parquet, piece by piece, so that memory does not grow with them."""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ecom_assets.api.published import plain

BATCH_ROWS = 10_000


def records(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Returns rows as JSON has them."""
    return [{name: plain(value) for name, value in zip(names, row, strict=False)} for row in rows]


Queries = Sequence[tuple[str, Sequence[Any]]]
"""Queries with their parameters, whose rows follow each other."""


def csv(con: duckdb.DuckDBPyConnection, queries: Queries, names: Sequence[str]) -> Iterator[bytes]:
    """Yields rows as CSV as DuckDB's COPY writes it: decimals exact, nothing for null, "" for an empty text."""
    yield f"{','.join(map(_quoted, names))}\n".encode()
    for query, given in queries:
        texts = con.execute(f"select columns(*)::varchar from ({query})", given)
        while rows := texts.fetchmany(BATCH_ROWS):
            yield "".join(f"{','.join(map(_quoted, row))}\n" for row in rows).encode()


def _quoted(value: str | None) -> str:
    if value is None:
        return ""
    if value == "" or any(character in value for character in ',"\n\r'):
        return '"' + value.replace('"', '""') + '"'
    return value


def arrow(con: duckdb.DuckDBPyConnection, queries: Queries, names: Sequence[str]) -> Iterator[bytes]:
    """Yields rows as a stream of Arrow's IPC format."""
    return _written(con, queries, pa.ipc.new_stream)


def parquet(con: duckdb.DuckDBPyConnection, queries: Queries, names: Sequence[str]) -> Iterator[bytes]:
    """Yields rows as a Parquet file."""
    return _written(con, queries, pq.ParquetWriter)


def _written(con: duckdb.DuckDBPyConnection, queries: Queries, writer: Callable[..., Any]) -> Iterator[bytes]:
    sink = _Pieces()
    (query, given), *_ = queries
    schema = con.execute(f"from ({query}) limit 0", given).to_arrow_reader(BATCH_ROWS).schema
    with writer(pa.PythonFile(sink, mode="w"), schema) as out:
        for query, given in queries:
            for batch in con.execute(query, given).to_arrow_reader(BATCH_ROWS):
                out.write_batch(batch)
                yield sink.taken()
    yield sink.taken()


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
