"""Rows elsewhere that have to run again because a key came, went or moved to another day."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ecom_assets.days import Window
from ecom_assets.declaration import Declaration
from ecom_assets.engine.duckdb.hashing import content_hash
from ecom_assets.engine.duckdb.parsing import stripped
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.sql import between, literal, quoted
from ecom_assets.warehouse.store import Store


@contextmanager
def watched_keys(store: Store, declaration: Declaration, window: Window) -> Iterator[None]:
    """Rows elsewhere that wait for a key that comes, or lean on one that goes, have to run again.

    Where a key has to stand on the row's own day, the ledger sees to that day; but the row may also win or lose
    against one of another day.
    """
    referring = store.catalog.referring.get(declaration.name, [])
    if not referring:
        yield
        return
    con, table = store.con, quoted(declaration.name)
    wanted = quoted(declaration.contract.primary_key[0])
    day = str(declaration.contract.partition_column)
    keys = f"select distinct {wanted} as k, {quoted(day)} as on_day from {table} where {between(day, window)}"
    con.execute(f"create or replace temp table old_keys as {keys}")
    yield
    con.execute(f"create or replace temp table new_keys as {keys}")
    moved = "(from new_keys except from old_keys) union all (from old_keys except from new_keys)"
    come = "select k from new_keys except select k from old_keys"
    still = (
        f"select {wanted} from {table} where {wanted} in (select k from old_keys) and {between(day, store.calendar)}"
    )
    gone = f"select k from old_keys where k not in ({still})"
    some_gone = store.count(f"select count(*) from ({gone})")
    for other, column in referring:
        value, name = stripped(quoted(column.name)), literal(column.name)
        # What a row refers to is not known where it was noted before the column referred to anything.
        referred, is_unknown = f"leans_on[{name}]", f"map_contains(leans_on, {name}) is distinct from true"
        movable = f"ledger.moves where table_name = {literal(other.bronze)}"
        if column.on_same_day:
            concerned = f"({is_unknown} or ({referred}, read_on) in ({moved}))"
            touched = f"{movable} and {between('read_on', window)} and {concerned}"
            _poke(store, other, f"a row of {declaration.name} came or went", [touched])
            continue
        # A row that was not let in before may win over one of another day, even where its own day has no rows.
        let_in = [f"{movable} and ({is_unknown} or {referred} in ({come}))"]
        if store.stored_types(other.quarantine):
            waits = f"list_contains(reasons, {literal(column.missing_reference)})"
            let_in.append(f"{quoted(other.quarantine)} where {waits} and {value} in ({come})")
        _poke(store, other, f"a missing row of {declaration.name} came", let_in)
        if some_gone:
            # Bronze, for a row that loses to another or whose day failed may lean on the key too.
            store.ensure(other.bronze, columns_of(store.catalog[other.bronze]))
            leaning = f"{quoted(other.bronze)} where {value} in ({gone})"
            _poke(store, other, f"a row of {declaration.name} went", [leaning])
    con.execute("drop table old_keys; drop table new_keys")


def _poke(store: Store, declaration: Declaration, why: str, sources: Sequence[str]) -> None:
    """Have the days of these bronze rows run again, and all days on which their keys stand."""
    rows = " union all ".join(f"select read_on, key_hash from {source}" for source in sources)
    store.con.execute(f"""
        insert into ledger.pokes
        with touched as ({rows})
        select {literal(declaration.name)}, read_on, {literal(why)} from (
            select read_on from touched
            union select m.read_on from ledger.moves m semi join touched using (key_hash)
            where m.table_name = {literal(declaration.bronze)})""")


@contextmanager
def watched_moves(store: Store, declaration: Declaration, window: Window) -> Iterator[None]:
    """Keep the list of rows whose key stands on several days; days whose list changes run again."""
    silver = store.catalog.silver_of(declaration.name)
    if silver is None or not declaration.keys_can_move:
        yield
        return
    con, name, table = store.con, literal(declaration.name), quoted(declaration.name)
    referring = [column.name for column in silver.contract.references]
    names, values = map(literal, referring), (stripped(quoted(column)) for column in referring)
    leans_on = f"map([{', '.join(names)}]::varchar[], [{', '.join(values)}]::varchar[])"
    arrived = between("arrived_on", window)
    moves = f"select * from ledger.moves where table_name = {name}"
    con.execute(f"create or replace temp table old_moves as {moves} and {arrived}")
    con.execute(f"delete from ledger.moves where table_name = {name} and {arrived}")
    yield
    # First at two columns, and each time only at the row groups that may hold the keys looked for.
    con.execute(f"""
        insert into ledger.moves
        with moved as materialized (
            select key_hash from {table} where key_hash in (select key_hash from {table} where {arrived})
            group by key_hash having min(read_on) <> max(read_on))
        select {name}, key_hash, read_on, arrived_on, source_file, record,
               {content_hash(declaration)}, {leans_on}
        from {table}
        where key_hash in (from moved) and (arrived_on, source_file, record) not in (
            select (arrived_on, source_file, record) from ledger.moves where table_name = {name})""")
    ours = f"{moves} and {arrived}"
    changed = f"(({ours}) except from old_moves) union all ((from old_moves) except ({ours}))"
    con.execute(f"""
        insert into ledger.pokes
        select distinct {literal(silver.name)}, read_on, 'a key stands on several days'
        from (({moves}) union all from old_moves) where key_hash in (select key_hash from ({changed}))""")
    con.execute("drop table old_moves")
