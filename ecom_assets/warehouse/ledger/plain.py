"""Tables of plain assets. The ledger only lists them, so that they are published."""

import datetime as dt

import duckdb


def record(con: duckdb.DuckDBPyConnection, table: str, now: dt.datetime) -> None:
    """Note that a plain table has been written."""
    con.execute("delete from ledger.plain_tables where table_name = ?", [table])
    con.execute("insert into ledger.plain_tables values (?, ?)", [table, now])


def written(con: duckdb.DuckDBPyConnection) -> dict[str, dt.datetime]:
    """Returns the plain tables, and when each was last written, UTC."""
    return dict(con.execute("select table_name, written_at from ledger.plain_tables order by table_name").fetchall())
