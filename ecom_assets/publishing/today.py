"""Publishing the running day: a file of its own beside the snapshot, replaced in one step.

Readers of the snapshot never take half a day for a whole one; who wants it opens this file.
"""

import datetime as dt
import os
from collections.abc import Collection
from pathlib import Path

from ecom_assets.engine.duckdb.tables import columns_of, ensure_table
from ecom_assets.publishing.snapshot import published_query, watermarks_query
from ecom_assets.serving import published_tables
from ecom_assets.sql import connect, quoted
from ecom_assets.warehouse.session import Session
from ecom_assets.warehouse.today import THROUGH_THE_DAY, SoFar, so_far


def publish_today(session: Session, path: Path, day: dt.date, wanted: Collection[str] = THROUGH_THE_DAY) -> SoFar:
    """Replace the file of the running day by one of what has landed, and return what it has.

    It has the tables `wanted` on that day alone, and of the ledger the day's states, watermarks and when it was made.
    Raises duckdb.Error or OSError; the file is then unchanged.
    """
    found = so_far(session, day, wanted)
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    with connect(aside) as con:
        for name, rows in found.tables.items():
            ensure_table(con, name, columns_of(session.catalog[name]))
            con.register("so_far", rows)
            con.execute(f"insert into {quoted(name)} by name from so_far")
        con.register("so_far", found.days)
        for table, query in (
            (published_tables.DAYS, "from so_far"),
            (published_tables.WATERMARKS, watermarks_query(session)),
            (published_tables.PUBLISHED, published_query(session)),
        ):
            ensure_table(con, table.name, table.sql_types)
            con.execute(f"insert into {table.name} by name select {', '.join(table.sql_types)} from ({query})")
    session.on_step("today written")
    os.replace(aside, path)
    return found
