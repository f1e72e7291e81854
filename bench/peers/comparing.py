"""Compares the tables of two stacks row by row."""

from pathlib import Path

import duckdb

from bench.peers.projects import COMPARED

PROVENANCE = {"arrived_on", "source_file", "record"}
"""How a record arrived: of a row that was sent twice, each stack keeps another copy."""


class NotComparable(Exception):
    """A table lacks columns that it is compared by."""


def differing(one: Path, other: Path) -> dict[str, int]:
    """Returns the tables whose rows differ between two databases, with the number of rows that only one has.

    Compared are the columns that both have, doubles to nine decimals; of quarantined rows, which records they are.
    Raises NotComparable if each of two tables has columns that the other lacks.
    """
    with duckdb.connect(one, read_only=True) as con, duckdb.connect(other, read_only=True) as other_con:
        found = {table: _differing(con, other_con, table) for table in COMPARED}
    return {table: rows for table, rows in found.items() if rows}


def _differing(one: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection, table: str) -> int:
    types, other_types = _types(one, table), _types(other, table)
    columns = sorted(min(types, other_types, key=len).keys() - PROVENANCE)
    if table.startswith("quarantine."):
        columns = sorted(COMPARED[table].key)
    if lacking := [column for column in columns if column not in types or column not in other_types]:
        raise NotComparable(f"Only one of the two tables {table} has {', '.join(lacking)}.")
    listed = ", ".join(_alike(column, {types[column], other_types[column]}) for column in columns)
    with duckdb.connect() as con:
        for name, side in (("a", one), ("b", other)):
            con.register(f"rows_of_{name}", side.execute(f"select {listed} from {table}").to_arrow_table())
            con.execute(f"create table {name} as from rows_of_{name}")
        counted = "select count(*) from (from {} except all from {})"
        return sum(int(con.execute(counted.format(*pair)).fetchall()[0][0]) for pair in ("ab", "ba"))


def _types(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {name: type_ for name, type_, *_ in con.execute(f"describe {table}").fetchall()}


def _alike(column: str, types: set[str]) -> str:
    if "DOUBLE" in types:
        return f"round({column}::double, 9) as {column}"
    if any(type_.startswith("DECIMAL") for type_ in types):
        return f"{column}::decimal(18, 4) as {column}"
    return f"{column}::bigint as {column}" if any("INT" in type_ for type_ in types) else column
