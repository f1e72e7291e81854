"""Table-days to run again for a reason that no fingerprint shows: keys that moved, appeared, disappeared or changed."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import duckdb

from ecom_assets.days import Window
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.engine.duckdb.hashing import content_hash
from ecom_assets.engine.duckdb.parsing import text_of
from ecom_assets.landing.provenance import ORIGIN, column_list
from ecom_assets.sql import among, between, day_literal, literal, literals, named_between, quoted, row_values
from ecom_assets.warehouse.ledger.records import Cause, Entry


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


def recorded_since(con: duckdb.DuckDBPyConnection, tables: Iterable[str], day: dt.date) -> set[str]:
    """Returns those of the tables that have a recorded day from a day on."""
    query = f"select distinct table_name from ledger.days where table_name in ({literals(tables)}) and day >= ?"
    return {table for (table,) in con.execute(query, [day]).fetchall()}


def invalidate_days(con: duckdb.DuckDBPyConnection, tables: Iterable[str], which: str, by: Declaration) -> None:
    """Invalidates recorded days of tables because rows of `by` changed that they read by key.

    `which` is a condition on `day` and `code`. Blocked days are made of nothing, and run once they no longer are.
    """
    con.execute(f"""
        insert into ledger.invalidations
        select table_name, day, {literal(Cause.KEY_CHANGED)}, {literal(by.name)} from ledger.days
        where table_name in ({literals(tables)}) and state <> 'blocked' and {which}""")


class KeyedRead(NamedTuple):
    """A table whose days of a code rely on the writes of an input to invalidate the days of keys."""

    table: str
    input: str
    code: int


def keyed_reads(con: duckdb.DuckDBPyConnection) -> set[KeyedRead]:
    """Returns the recorded reads by key."""
    rows = con.execute("select table_name, input, code from ledger.keyed_reads").fetchall()
    return {KeyedRead(*row) for row in rows}


def keep_keyed_reads(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    declaration: Declaration,
    codes: Mapping[str, int],
    known: set[KeyedRead],
) -> None:
    """Records what a table reads by key; invalidates days of other code that read this table by key.

    A changed row invalidates the days of present code on which its key occurs. The code before may come back. `known`
    are the recorded reads, which are updated.
    """
    name, readers = declaration.name, {reader.name for reader in catalog.readers_by_key(declaration.name)}
    for read in [read for read in known if read.input == name]:
        if read.table not in readers or codes[read.table] != read.code:
            known.remove(read)
            of_code = f"table_name = {literal(read.table)} and code = {read.code}"
            con.execute(f"delete from ledger.keyed_reads where {of_code} and input = {literal(name)}")
            invalidate_days(con, [read.table], f"code = {read.code}", declaration)
    inputs = {read.table for read in declaration.keyed_reads}
    inputs |= {table.name for read in declaration.keyed_reads for table in catalog.keys_of(declaration, read)}
    new = {KeyedRead(name, table, codes[name]) for table in inputs} - known
    if new:
        rows = row_values((literal(read.table), literal(read.input), str(read.code)) for read in sorted(new))
        con.execute(f"insert into ledger.keyed_reads values {rows}")
        known |= new


def invalidate_days_with_other_keys(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, declaration: Declaration, entries: Sequence[Entry]
) -> None:
    """Invalidates days of the tables that read others by the keys of a table, where its rows of the day change.

    To be called before the entries are written. A row of a key that no longer occurs on the day may change unnoticed,
    and the rows of the day may become again what the other table was made with.
    """
    taking = catalog.taking_keys.get(declaration.name, [])
    if not taking:
        return
    days = {entry.result.day: {(part.row_count, part.content) for part in entry.slices} for entry in entries}
    within = f"day between {day_literal(min(days))} and {day_literal(max(days))}"
    old = con.execute(f"""
        select day, row_count, content from ledger.slices
        where table_name = {literal(declaration.name)} and {within} and row_count > 0""").fetchall()
    if changed := [day for day, *content in old if day in days and tuple(content) not in days[day]]:
        invalidate_days(con, [table.name for table in taking], among("day", changed), declaration)
