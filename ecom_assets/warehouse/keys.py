"""Which days of tables that read others by key have to run again: those with a key of which a row changes."""

from collections.abc import Iterator
from contextlib import contextmanager

from ecom_assets.days import Window
from ecom_assets.declaration import Declaration, Read
from ecom_assets.engine.duckdb.hashing import content_hash
from ecom_assets.engine.duckdb.tables import stored
from ecom_assets.sql import day_literal, quoted
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
    names = [reader.name for reader, _ in readers]
    recorded = recorded_since(store.con, names, window.first)
    ever = recorded_since(store.con, names, store.calendar.first) if any(map(_has_no_end, readers)) else recorded
    return [each for each in readers if each[0].name in (ever if _has_no_end(each) else recorded)]


def _has_no_end(reader: tuple[Declaration, Read]) -> bool:
    """Returns whether a table reads rows of all days after its own."""
    return reader[1].reach.after is None


def _invalidate_days_of_keys(store: Store, declaration: Declaration, reader: Declaration, read: Read) -> None:
    """Invalidates the days of a table that reach a changed row whose key occurs on them."""
    key, before = quoted(str(read.reach.key)), read.reach.before
    changed = f"select distinct {key}, changed_on from changed_rows"
    if read.reach.days_alone:
        days = f"select {key}, changed_on"
        new, old = f"{days} from new_rows", f"{days} from old_rows"
        changed = f"({new} except {old}) union all ({old} except {new})"
    since, reached = "(select min(changed_on) from changed_rows)", "and k.day >= c.changed_on"
    if before is None:
        changed = f"select {key}, min(changed_on) as changed_on from ({changed}) group by all"
    else:
        reached += f" and k.day <= c.changed_on + {before}"
    if _has_no_end((reader, read)):
        since, reached = day_literal(store.calendar.first), ""
    for source in store.catalog.keys_of(reader, read):
        keys = stored(source)
        store.ensure(source.name, keys.columns)
        of_keys = f"""
            select k.day from (
                select {keys.day} as day, {key} from {keys.name}
                where {keys.day} >= {since}) k
            join ({changed}) c on k.{key} = c.{key} {reached}"""
        invalidate_days(store.con, [reader.name], f"day in ({of_keys})", declaration)
