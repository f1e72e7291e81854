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


def csv(con: duckdb.DuckDBPyConnection, query: str, given: Sequence[Any], names: Sequence[str]) -> Iterator[bytes]:
    """Yields rows as CSV as DuckDB's COPY writes it: decimals exact, nothing for null, "" for an empty text."""
    yield f"{','.join(map(_quoted, names))}\n".encode()
    texts = con.execute(f"select columns(*)::varchar from ({query})", given)
    while rows := texts.fetchmany(BATCH_ROWS):
        yield "".join(f"{','.join(map(_quoted, row))}\n" for row in rows).encode()


def _quoted(value: str | None) -> str:
    if value is None:
        return ""
    if value == "" or any(character in value for character in ',"\n\r'):
        return '"' + value.replace('"', '""') + '"'
    return value


def arrow(con: duckdb.DuckDBPyConnection, query: str, given: Sequence[Any], names: Sequence[str]) -> Iterator[bytes]:
    """Yields rows as a stream of Arrow's IPC format."""
    return _written(con, query, given, pa.ipc.new_stream)


def parquet(con: duckdb.DuckDBPyConnection, query: str, given: Sequence[Any], names: Sequence[str]) -> Iterator[bytes]:
    """Yields rows as a Parquet file."""
    return _written(con, query, given, pq.ParquetWriter)


def _written(
    con: duckdb.DuckDBPyConnection, query: str, given: Sequence[Any], writer: Callable[..., Any]
) -> Iterator[bytes]:
    batches = con.execute(query, given).to_arrow_reader(BATCH_ROWS)
    sink = _Pieces()
    with writer(pa.PythonFile(sink, mode="w"), batches.schema) as out:
        for batch in batches:
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
