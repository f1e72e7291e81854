"""SQL text and connections to DuckDB: what every user of DuckDB needs, without heavy imports."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from ecom_assets.days import Window


def connect(path: str | Path = ":memory:", *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Returns a connection to a database. Raises duckdb.Error.

    In DuckDB 2.0, sorting may truncate the upper bytes of a sum whose bounds it assumes to know (see duckdb issue
    25886): there, the optimizer passes that rely on column bounds are disabled.
    """
    con = duckdb.connect(path, read_only=read_only)
    if duckdb.__version__.startswith("2.0."):
        con.execute("set disabled_optimizers = 'compressed_materialization,statistics_propagation'")
    return con


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Runs the block as one transaction."""
    con.execute("begin")
    try:
        yield
        con.execute("commit")
    except BaseException:
        with suppress(duckdb.TransactionException):  # DuckDB has already rolled back, e.g. because the disk is full
            con.execute("rollback")
        raise


def is_locked_out(error: duckdb.IOException) -> bool:
    """Returns whether a database could not be opened because another program has it open."""
    return "set lock on file" in str(error)


def identifier(name: str) -> str:
    """Returns a quoted name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def quoted(name: str) -> str:
    """Returns a quoted name for SQL; a dotted table name part by part."""
    return ".".join(map(identifier, name.split(".")))


def literal(text: str) -> str:
    """Returns a quoted text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def json_pointer(name: str) -> str:
    """Returns the path of a key of a JSON object, whatever its characters, as a quoted text for SQL (RFC 6901)."""
    return literal("/" + name.replace("~", "~0").replace("/", "~1"))


def quantity_text(quantity: str) -> str:
    """Returns SQL for a decimal as people write it: with thousands separators, and no zeros at the end."""
    return f"rtrim(rtrim(format('{{:,.4f}}', {quantity}::double), '0'), '.')"


def literals(texts: Iterable[str]) -> str:
    """Returns quoted texts for the brackets of `in`; null if there are none."""
    return ", ".join(map(literal, texts)) or "null"


def day_literal(day: dt.date) -> str:
    """Returns a date literal for SQL."""
    return f"date '{day}'"


def moment_literal(moment: dt.datetime) -> str:
    """Returns a timestamp literal without time zone for SQL, to the microsecond."""
    return f"timestamp '{moment:%Y-%m-%d %H:%M:%S.%f}'"


def row_values(rows: Iterable[Sequence[str]]) -> str:
    """Returns rows of SQL expressions, for `values`; empty if there are none."""
    return ", ".join("(" + ", ".join(row) + ")" for row in rows)


def among(column: str, days: Iterable[dt.date]) -> str:
    """Returns the predicate that a date column has one of these days; false if there are none."""
    listed = ", ".join(f"date '{day}'" for day in days)
    return f"{column} in ({listed})" if listed else "false"


def between(column: str, window: Window) -> str:
    """Returns a predicate on a plain date column, which lets DuckDB skip row groups."""
    return named_between(quoted(column), window)


def named_between(column: str, window: Window) -> str:
    """Returns the same for a column that is SQL already."""
    near = f"{column} between date '{window.first}' and date '{window.last}'"
    if not window.holes:
        return near
    if len(window.holes) < len(window):
        return f"({near} and not {among(column, window.holes)})"
    return f"({near} and {among(column, window)})"
