"""Table-days to run again for a reason that no fingerprint shows: keys that moved, appeared or disappeared."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb

from ecom_assets.days import Window
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.engine.duckdb.hashing import content_hash
from ecom_assets.engine.duckdb.parsing import text_of
from ecom_assets.landing.provenance import ORIGIN, column_list
from ecom_assets.sql import between, literal, named_between, quoted
from ecom_assets.warehouse.ledger.records import Cause


def moved_rows(bronze: str) -> str:
    """Returns SQL for rows of a bronze table whose key is on several days, to which conditions can be added."""
    return f"ledger.moves where table_name = {literal(bronze)}"


def rivals_query(bronze: str, window: Window, calendar: Window) -> str:
    """Returns SQL for the positions of rows of other days whose key is on a day of the window too."""
    return f"""select distinct {column_list(ORIGIN, "m")} from ledger.moves m
              join ledger.moves mine using (table_name, key_hash)
              where m.table_name = {literal(bronze)} and {named_between("mine.read_on", window)}
                and {named_between("m.arrived_on", calendar)}
                and not ({named_between("m.read_on", window)})"""


def invalidate(
    con: duckdb.DuckDBPyConnection, declaration: Declaration, cause: Cause, by: Declaration, sources: Sequence[str]
) -> None:
    """Invalidates the days of bronze rows in a table from their feed, and all other days of their keys.

    `by` is the table whose rows came or went; `sources` are SQL for relations with read_on and key_hash.
    """
    rows = " union all ".join(f"select read_on, key_hash from {source}" for source in sources)
    con.execute(f"""
        insert into ledger.invalidations
        with touched as ({rows})
        select {literal(declaration.name)}, read_on, {literal(cause)}, {literal(by.name)} from (
            select read_on from touched
            union select m.read_on from ledger.moves m semi join touched using (key_hash)
            where m.table_name = {literal(declaration.bronze)})""")


@contextmanager
def watched_moves(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, declaration: Declaration, window: Window
) -> Iterator[None]:
    """Updates the list of rows whose key is on several days; invalidates days whose list changes."""
    silver = catalog.silver_of(declaration.name)
    if silver is None:
        yield
        return
    name, table = literal(declaration.name), quoted(declaration.name)
    referring = silver.contract.references
    names, values = (literal(column.name) for column in referring), map(text_of, referring)
    refers_to = f"map([{', '.join(names)}]::varchar[], [{', '.join(values)}]::varchar[])"
    arrived, origin = between("arrived_on", window), column_list(ORIGIN)
    moves = f"select * from ledger.moves where table_name = {name}"
    con.execute(f"create or replace temp table old_moves as {moves} and {arrived}")
    con.execute(f"delete from ledger.moves where table_name = {name} and {arrived}")
    yield
    # Two columns first, and each time only the row groups that may have the keys.
    con.execute(f"""
        insert into ledger.moves
        with moved as materialized (
            select key_hash from {table} where key_hash in (select key_hash from {table} where {arrived})
            group by key_hash having min(read_on) <> max(read_on))
        select {name}, key_hash, read_on, {origin},
               {content_hash(declaration)}, {refers_to}
        from {table}
        where key_hash in (from moved) and ({origin}) not in (
            select ({origin}) from ledger.moves where table_name = {name})""")
    ours = f"{moves} and {arrived}"
    changed = f"(({ours}) except from old_moves) union all ((from old_moves) except ({ours}))"
    con.execute(f"""
        insert into ledger.invalidations
        select distinct {literal(silver.name)}, read_on, {literal(Cause.KEY_MOVED)}, null
        from (({moves}) union all from old_moves) where key_hash in (select key_hash from ({changed}))""")
    con.execute("drop table old_moves")
