"""SQL as text, and connections to DuckDB: what every part that asks DuckDB needs, and nothing heavier."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from ecom_assets.days import Window


def connect(path: str | Path = ":memory:", *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection to a database. Raises duckdb.Error.

    In DuckDB 2.0, sorting may cut the upper bytes off a sum whose bounds it takes for known (duckdb issue 25886 is
    of the same part): there, what reckons with bounds is left out.
    """
    con = duckdb.connect(path, read_only=read_only)
    if duckdb.__version__.startswith("2.0."):
        con.execute("set disabled_optimizers = 'compressed_materialization,statistics_propagation'")
    return con


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Everything inside, or nothing of it."""
    con.execute("begin")
    try:
        yield
        con.execute("commit")
    except BaseException:
        with suppress(duckdb.TransactionException):  # DuckDB has rolled back by itself, as where the disk is full
            con.execute("rollback")
        raise


def is_locked_out(error: duckdb.IOException) -> bool:
    """Whether a database could not be opened because another program has it open."""
    return "lock" in str(error).lower()


def identifier(name: str) -> str:
    """A name for SQL, whatever it contains."""
    return '"' + name.replace('"', '""') + '"'


def quoted(name: str) -> str:
    """A name for SQL, whatever it contains; a dotted table name part by part."""
    return ".".join(map(identifier, name.split(".")))


def literal(text: str) -> str:
    """A text for SQL, whatever it contains."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    """Texts for SQL, for the brackets of `in`; null if there are none."""
    return ", ".join(map(literal, texts)) or "null"


def day_literal(day: dt.date) -> str:
    """A day for SQL."""
    return f"date '{day}'"


def moment_literal(moment: dt.datetime) -> str:
    """A moment without time zone for SQL, to the microsecond."""
    return f"timestamp '{moment:%Y-%m-%d %H:%M:%S.%f}'"


def row_values(rows: Iterable[Sequence[str]]) -> str:
    """Rows of SQL expressions, for `values`; empty if there are none."""
    return ", ".join("(" + ", ".join(row) + ")" for row in rows)


def among(column: str, days: Iterable[dt.date]) -> str:
    """The predicate that a date column holds one of these days; false if there are none."""
    listed = ", ".join(f"date '{day}'" for day in days)
    return f"{column} in ({listed})" if listed else "false"


def between(column: str, window: Window) -> str:
    """The predicate on a bare date column that prunes row groups."""
    return f"{quoted(column)} between date '{window.first}' and date '{window.last}'"


def named_between(column: str, window: Window) -> str:
    return f"{column} between date '{window.first}' and date '{window.last}'"
