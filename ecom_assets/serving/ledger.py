"""What the snapshot's ledger says of the tables."""

import datetime as dt

import duckdb

from ecom_assets.serving.interface import DAYS


def last_write(con: duckdb.DuckDBPyConnection) -> dt.datetime | None:
    """Returns when a table-day of the snapshot was last written, UTC; None before the first."""
    written_at: dt.datetime | None
    [(written_at,)] = con.execute(f"select max(written_at) from {DAYS.name}").fetchall()
    return written_at
