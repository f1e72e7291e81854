"""Which days of tables that read others by key have to run again: those with a key of which a row changes."""

from collections.abc import Iterator
from contextlib import contextmanager

from ecom_assets.days import Window
from ecom_assets.declaration import Declaration, Read
from ecom_assets.engine.duckdb.hashing import content_hash
from ecom_assets.engine.duckdb.tables import stored
from ecom_assets.sql import quoted
from ecom_assets.warehouse.ledger.invalidation import invalidate_days, recorded_since
from ecom_assets.warehouse.store import Store


@contextmanager
def watched_rows(store: Store, declaration: Declaration, window: Window) -> Iterator[None]:
    """Invalidates the days on which a key occurs in tables that read, by key, rows which change in a window.

    A day that is written later, or has no rows because it is blocked, reads the rows as they are then.
    """
    readers = _recorded_since(store, declaration, window)
    if not readers:
        yield
        return
    con, table = store.con, stored(declaration)
    store.ensure(declaration.name, table.columns)
    keys = ", ".join(sorted({quoted(str(read.reach.key)) for _, read in readers}))
    rows = f"select {keys}, {table.day} as changed_on, {content_hash(declaration)} as content {table.rows_in(window)}"
    con.execute(f"create or replace temp table old_rows as {rows}")
    yield
    con.execute(f"create or replace temp table new_rows as {rows}")
    con.execute(f"""
        create or replace temp table changed_rows as
        select distinct {keys}, changed_on
        from ((from new_rows except from old_rows) union all (from old_rows except from new_rows))""")
    if store.count("select count(*) from changed_rows"):
        for reader, read in readers:
            _invalidate_days_of_keys(store, declaration, reader, read)
    con.execute("drop table old_rows; drop table new_rows; drop table changed_rows")


def _recorded_since(store: Store, declaration: Declaration, window: Window) -> list[tuple[Declaration, Read]]:
    """Returns the tables that read a table by key and have a day that a change in a window can reach."""
    readers = store.catalog.reading_by_key.get(declaration.name, [])
    if not readers:
        return []
    recorded = recorded_since(store.con, [reader.name for reader, _ in readers], window.first)
    return [(reader, read) for reader, read in readers if reader.name in recorded]


def _invalidate_days_of_keys(store: Store, declaration: Declaration, reader: Declaration, read: Read) -> None:
    """Invalidates the days of a table that reach a changed row whose key occurs on them."""
    key, before = quoted(str(read.reach.key)), read.reach.before
    changed = f"select distinct {key}, changed_on from changed_rows"
    if read.reach.days_alone:
        days = f"select {key}, changed_on"
        new, old = f"{days} from new_rows", f"{days} from old_rows"
        changed = f"({new} except {old}) union all ({old} except {new})"
    until = f"and k.day <= c.changed_on + {before}"
    if before is None:
        changed, until = f"select {key}, min(changed_on) as changed_on from ({changed}) group by all", ""
    for source in store.catalog.keys_of(reader, read):
        keys = stored(source)
        store.ensure(source.name, keys.columns)
        of_keys = f"""
            select k.day from (
                select {keys.day} as day, {key} from {keys.name}
                where {keys.day} >= (select min(changed_on) from changed_rows)) k
            join ({changed}) c on k.{key} = c.{key} and k.day >= c.changed_on {until}"""
        invalidate_days(store.con, [reader.name], f"day in ({of_keys})", declaration)
