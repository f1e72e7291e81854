"""Which days of other tables have to run again: a referenced key appears, disappears or moves, or is merged."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ecom_assets.contract import Column
from ecom_assets.days import State, Window
from ecom_assets.declaration import Declaration
from ecom_assets.engine.duckdb.parsing import text_of
from ecom_assets.engine.duckdb.tables import quarantine, stored, superseded
from ecom_assets.landing.feed_settings import INFERRED
from ecom_assets.landing.provenance import ORIGIN, column_list
from ecom_assets.sql import among, between, literal, quoted
from ecom_assets.warehouse.ledger.invalidation import invalidate, moved_rows
from ecom_assets.warehouse.ledger.records import Cause, DayResult, bad_days, states
from ecom_assets.warehouse.store import Store


def has_arrived(store: Store, declaration: Declaration) -> bool:
    """Returns whether any row of the feed of members, such as customers, has arrived; true for other tables."""
    if not declaration.is_of_members:
        return True
    bronze = stored(store.catalog[declaration.bronze])
    store.ensure(declaration.bronze, bronze.columns)
    return bool(store.count(f"select count(*) from (select 1 {bronze.rows_in(store.calendar)} limit 1)"))


def is_inferred(store: Store, declaration: Declaration) -> bool:
    """Returns whether members of whom nothing has arrived are known from being named, by the feed's settings."""
    return declaration.is_of_members and store.zone.settings(declaration.feed_name).members == INFERRED


def rows_sent(store: Store, declaration: Declaration, which: str) -> str:
    """Returns SQL for the rows of bronze of a table from a feed that meet a condition: "… where …"."""
    bronze = stored(store.catalog[declaration.bronze])
    store.ensure(declaration.bronze, bronze.columns)
    return f"{bronze.name} where {which}"


@contextmanager
def watched_arrival(store: Store, declaration: Declaration) -> Iterator[None]:
    """Invalidates the days of rows that refer to the feed of a bronze table if its first row arrives, or its last goes.

    While nothing has arrived, references to it are met: what they name is inferred from being mentioned.
    """
    silver = store.catalog.silver_of(declaration.name)
    referring = store.catalog.referring.get(silver.name, []) if silver else []
    if silver is None or not referring:
        yield
        return
    before = has_arrived(store, silver)
    yield
    if has_arrived(store, silver) == before:
        return
    for other, column in referring:
        if not column.on_same_day:
            rows = rows_sent(store, other, f"{text_of(column)} is not null")
            invalidate(store.con, other, Cause.REFERENCE_CHANGED, silver, [rows])


def survivors(store: Store, merging: Declaration) -> str | None:
    """Returns SQL for each merged number and its survivor, by the rows of a table that merges; None without rows."""
    table = stored(merging)
    store.ensure(merging.name, table.columns)
    if not store.count(f"select count(*) from (select 1 {table.rows_in(store.calendar)} limit 1)"):
        return None
    return merging.survivors_in(f"(select * {table.rows_in(store.calendar)})")


def with_survivors(store: Store, declaration: Declaration, rows: str) -> str:
    """Returns SQL for rows of a table from a feed with the survivors of merged numbers in place of these."""
    for column in declaration.contract.merged:
        name = quoted(column.name)
        if found := survivors(store, store.catalog[str(column.merged_by)]):
            rows = f"""
                select sent.* replace (coalesce(merged.survivor, sent.{name}) as {name})
                from ({rows}) sent left join ({found}) merged on merged.number = sent.{name}"""
    return rows


def _named_by(store: Store, column: Column, keys: str) -> str:
    """Returns SQL for the texts by which rows can name keys, SQL for which is given, in a column: theirs or merged."""
    found = survivors(store, store.catalog[column.merged_by]) if column.merged_by else None
    return f"{keys} union all select number from ({found}) where survivor in ({keys})" if found else keys


def older_keys(store: Store, declaration: Declaration) -> str:
    """Returns SQL for the keys (k), and their days, of rows set aside because they are from before the calendar."""
    feed, table = declaration.feed_contract, quarantine(declaration)
    store.ensure(declaration.quarantine, table.columns)
    key = text_of(feed.columns[feed.primary_key[0]])
    set_aside = f"{table.rows_in(store.calendar)} and list_contains(reason_codes, {literal(feed.too_early)})"
    return f"select {key} as k, {table.day} as on_day {set_aside} and {key} is not null"


def retracted_keys(store: Store, declaration: Declaration, window: Window) -> str:
    """Returns SQL for the keys (k) that the latest version, read on a day of the window, retracts."""
    gone = superseded(declaration)
    store.ensure(declaration.superseded, gone.columns)
    key, origin = text_of(declaration.feed_contract.columns[declaration.contract.primary_key[0]]), column_list(ORIGIN)
    retractions = f"select ({origin}) {gone.rows_in(window)} and kind = 'retraction'"
    days = f"select arrived_on {gone.rows_in(window)} and kind = 'retraction'"
    retracting = f"arrived_on in ({days}) and ({origin}) in ({retractions})"
    return f"select {key} as k from {rows_sent(store, declaration, retracting)}"


@contextmanager
def watched_retractions(store: Store, declaration: Declaration, window: Window) -> Iterator[None]:
    """Invalidates days of other tables with rows that refer to a key that is retracted, or no longer.

    A row that waits for a retracted key fails no day.
    """
    referring = store.catalog.referring.get(declaration.name, []) if declaration.from_feed else []
    if not referring:
        yield
        return
    query = retracted_keys(store, declaration, window)
    store.con.execute(f"create or replace temp table old_retracted as {query}")
    yield
    store.con.execute(f"create or replace temp table new_retracted as {query}")
    changed = "(from new_retracted except from old_retracted) union all (from old_retracted except from new_retracted)"
    if store.count(f"select count(*) from ({changed})"):
        for other, column in referring:
            named = _named_by(store, column, f"select k from ({changed})")
            rows = rows_sent(store, other, f"{text_of(column)} in ({named})")
            invalidate(store.con, other, Cause.REFERENCE_CHANGED, declaration, [rows])
    store.con.execute("drop table old_retracted; drop table new_retracted")


@contextmanager
def watched_keys(store: Store, declaration: Declaration, window: Window) -> Iterator[None]:
    """Invalidates days of other tables with rows that wait for a key that appears, or refer to one that disappears.

    If a key must be on the row's own day, fingerprints show that day; but the row may also supersede a row of another
    day, or be superseded by one.
    """
    referring = store.catalog.referring.get(declaration.name, [])
    if not referring:
        yield
        return
    con, table = store.con, stored(declaration)
    wanted = table.keys[0]
    keys = f"select distinct {wanted} as k, {table.day} as on_day, false as is_older {table.rows_in(window)}"
    still = f"select {wanted}, false {table.rows_in(store.calendar)} and {wanted} in (select k from old_keys)"
    if declaration.from_feed:
        older = older_keys(store, declaration)
        keys += f" union select k, on_day, true from ({older}) where {between('on_day', window)}"
        still += f" union all select k, true from ({older})"
    con.execute(f"create or replace temp table old_keys as {keys}")
    yield
    con.execute(f"create or replace temp table new_keys as {keys}")
    known = "select k, on_day from {}_keys where not is_older"
    new, old = known.format("new"), known.format("old")
    moved = f"({new} except {old}) union all ({old} except {new})"
    come = "select k from (select k, is_older from new_keys except select k, is_older from old_keys)"
    gone = f"select k from old_keys where (k, is_older) not in ({still})"
    some_gone = store.count(f"select count(*) from ({gone})")
    for other, column in referring:
        value, name = text_of(column), literal(column.name)
        # What a row refers to is unknown if it was recorded before the column referred to anything.
        referred, is_unknown = f"refers_to[{name}]", f"map_contains(refers_to, {name}) is distinct from true"
        movable = moved_rows(other.bronze)
        if column.on_same_day:
            concerned = f"({is_unknown} or ({referred}, read_on) in ({moved}))"
            touched = f"{movable} and {between('read_on', window)} and {concerned}"
            invalidate(con, other, Cause.REFERENCE_CHANGED, declaration, [touched])
            continue
        # A waiting row may win over one of another day, even if its own day has no rows.
        named = _named_by(store, column, come)
        waiting = [f"{movable} and ({is_unknown} or {referred} in ({named}))"]
        if store.stored_types(other.quarantine):
            # Rows that were stored without codes may wait for anything.
            store.ensure(other.quarantine, quarantine(other).columns)
            waits = f"list_contains(reason_codes, {literal(column.missing_reference.code)}) is distinct from false"
            waiting.append(f"{quarantine(other).name} where {waits} and {value} in ({named})")
        if is_inferred(store, declaration):
            waiting.append(rows_sent(store, other, f"{value} in ({named})"))  # counted as named by no row until now
        invalidate(con, other, Cause.REFERENCE_ARRIVED, declaration, waiting)
        if some_gone:
            # Bronze, since a superseded row or a row of a failed day may refer to the key too.
            referring_rows = rows_sent(store, other, f"{value} in ({_named_by(store, column, gone)})")
            invalidate(con, other, Cause.REFERENCE_REMOVED, declaration, [referring_rows])
    con.execute("drop table old_keys; drop table new_keys")


@contextmanager
def watched_merges(store: Store, declaration: Declaration) -> Iterator[None]:
    """Invalidates days of other tables with rows that name a number whose survivor changes."""
    naming = store.catalog.merged.get(declaration.name, [])
    if not naming:
        yield
        return
    con = store.con
    nobody = "select null::varchar as number, null::varchar as survivor where false"
    con.execute(f"create or replace temp table old_survivors as {survivors(store, declaration) or nobody}")
    yield
    con.execute(f"create or replace temp table new_survivors as {survivors(store, declaration) or nobody}")
    new, old = "from new_survivors", "from old_survivors"
    changed = f"select number from (({new} except {old}) union all ({old} except {new}))"
    if store.count(f"select count(*) from ({changed})"):
        for other, column in naming:
            rows = rows_sent(store, other, f"{text_of(column)} in ({changed})")
            invalidate(con, other, Cause.NUMBER_MERGED, declaration, [rows])
    con.execute("drop table old_survivors; drop table new_survivors")


def keys_of_bad_days(store: Store, declaration: Declaration) -> str | None:
    """Returns SQL for the keys (k), and their days (on_day), sent for days without good rows; None if there are none.

    Days that have not run are not among them.
    """
    bad = bad_days(store.con, declaration.name, store.calendar)
    return _keys_sent(store, declaration, bad) if bad else None


def _keys_sent(store: Store, declaration: Declaration, days: Iterable[dt.date]) -> str:
    key = text_of(declaration.feed_contract.columns[declaration.contract.primary_key[0]])
    sent = rows_sent(store, declaration, among("read_on", days))
    return f"select {key} as k, read_on as on_day from {sent} and {key} is not null"


def invalidate_by_turned_days(store: Store, declaration: Declaration, results: Sequence[DayResult]) -> None:
    """Invalidates what depends on whether days of a table from a feed have good rows, where these results change it.

    To be called before they are recorded. A row counts while its correction is on a day without good rows, and a row
    that refers to one of such a day waits.
    """
    days = [result.day for result in results]
    before = states(store.con, [declaration.name], Window(min(days), max(days)))
    turned = [
        result.day
        for result in results
        if result.state.is_good != before.get((declaration.name, result.day), State.STORED).is_good
    ]
    if not turned:
        return
    if store.can_move(declaration):
        corrected = f"{moved_rows(declaration.bronze)} and {among('read_on', turned)}"
        invalidate(store.con, declaration, Cause.DAY_TURNED, declaration, [corrected])
    for other, column in store.catalog.referring.get(declaration.name, []):
        if not column.on_same_day:
            keys = f"select k from ({_keys_sent(store, declaration, turned)})"
            rows = rows_sent(store, other, f"{text_of(column)} in ({_named_by(store, column, keys)})")
            invalidate(store.con, other, Cause.DAY_TURNED, declaration, [rows])


@contextmanager
def watched(store: Store, declaration: Declaration, window: Window) -> Iterator[None]:
    """Invalidates days of other tables whose rows depend on those that a table has in a window."""
    with (
        watched_keys(store, declaration, window),
        watched_retractions(store, declaration, window),
        watched_merges(store, declaration),
    ):
        yield
