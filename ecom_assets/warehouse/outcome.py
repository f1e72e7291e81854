"""What becomes of a day: whether it may run, how it ends, and which rows it loses if it ends without good ones."""

import datetime as dt
from collections.abc import Iterable, Sequence

from ecom_assets.contract import Rule
from ecom_assets.days import State, Window, contiguous
from ecom_assets.declaration import Declaration
from ecom_assets.engine.duckdb.tables import quarantine, stored, superseded
from ecom_assets.sql import among, named_between, quoted
from ecom_assets.warehouse.conversion import watched_currencies, watched_rates
from ecom_assets.warehouse.keys import watched_rows
from ecom_assets.warehouse.ledger.records import DayResult, Entry, Expectation, Slice, states
from ecom_assets.warehouse.ledger.staleness import expectations
from ecom_assets.warehouse.references import invalidate_by_turned_days, watched
from ecom_assets.warehouse.store import Store

SAMPLE_ROWS = 5


def gate(store: Store, declaration: Declaration, window: Window) -> dict[dt.date, str]:
    """Returns the days that must not be written because a same-day input has no good rows, and why.

    If there are several such inputs, a failed one is named: the others may follow from it.
    """
    inputs = [read.table for read in declaration.reads if read.reach.is_same_day]
    recorded = states(store.con, inputs, window)
    closed: dict[dt.date, str] = {}
    for worst in (State.FAILED, State.BLOCKED, None):
        for table in inputs:
            for day in window:
                if recorded.get((table, day)) is worst:
                    why = f"{table} is {worst} on {day}" if worst else f"{table} has not run for {day}: run it first"
                    closed.setdefault(day, why)
    return closed


def good_state(expected: Expectation) -> State:
    """Returns the state of a day with good rows: stored only if nothing in its reach is missing or provisional."""
    return State.PROVISIONAL if expected.missing or expected.unsettled else State.STORED


def entry_of(result: DayResult, expected: Expectation, slices: tuple[Slice, ...]) -> Entry:
    """Returns the ledger's entry of a day: slices only if its rows are good."""
    return Entry(result, expected.inputs, slices if result.state.is_good else ())


def conclude(store: Store, declaration: Declaration, entries: Sequence[Entry]) -> None:
    """Records days of a table, and blocks the same-day downstream tables of those without good rows.

    Downstream days that have not run, or are blocked, have no rows: they are blocked when they run.
    """
    store.on_step("before ledger")
    _record(store, declaration, entries)
    store.on_step("ledger written")
    bad = {entry.result.day for entry in entries if not entry.result.state.is_good}
    if not bad:
        return
    affected = store.catalog.same_day_downstream([declaration.name]) - {declaration.name}
    recorded = states(store.con, affected, Window(min(bad), max(bad)))
    to_block: dict[str, list[dt.date]] = {}
    for (table, day), state in recorded.items():
        if day in bad and state is not State.BLOCKED:
            to_block.setdefault(table, []).append(day)
    for other in store.catalog:
        for window in contiguous(to_block.get(other.name, ())):
            _block(store, other, window)


def fail(store: Store, declaration: Declaration, day: dt.date, why: str) -> DayResult:
    """Records a day that cannot be computed as failed, or as blocked if the gate is closed."""
    window = Window(day, day)
    result = DayResult(day, State.FAILED, note=why, broken={why: 1})
    if closed := gate(store, declaration, window):
        result = DayResult(day, State.BLOCKED, note=closed[day])
    with store.transaction():
        conclude(store, declaration, remove_rows(store, declaration, [result], window))
    return result


def _block(store: Store, declaration: Declaration, window: Window) -> None:
    """Remove the rows of days of which a same-day input is not good, as running them would."""
    closed = gate(store, declaration, window)
    blocked = [DayResult(day, State.BLOCKED, note=why) for day, why in closed.items()]
    _record(store, declaration, remove_rows(store, declaration, blocked, window))


def _record(store: Store, declaration: Declaration, entries: Sequence[Entry]) -> None:
    """Records days of a table, and invalidates the days that depend on whether these have good rows."""
    if declaration.from_feed:
        invalidate_by_turned_days(store, declaration, [entry.result for entry in entries])
    store.record_days(declaration, entries)


def remove_rows(store: Store, declaration: Declaration, results: Sequence[DayResult], window: Window) -> list[Entry]:
    """Remove the rows of days of a window that must have none. Returns what is recorded of these days."""
    days = [result.day for result in results]
    store.ensure(declaration.name, stored(declaration).columns)
    keep_last_good(store, declaration, days, window)
    parts = {declaration.name: stored(declaration)}
    if declaration.from_feed:
        parts |= {declaration.quarantine: quarantine(declaration), declaration.superseded: superseded(declaration)}
    with (
        watched(store, declaration, window),
        watched_rows(store, declaration, window),
        watched_rates(store, declaration, window),
        watched_currencies(store, declaration, window),
    ):
        for name, table in parts.items():
            if store.stored_types(name):
                store.con.execute(f"delete from {table.name} where {among(table.day, days)}")
    expected = expectations(store.con, store.catalog, declaration, window, store.calendar)
    return [entry_of(result, expected[result.day], ()) for result in results]


def keep_last_good(store: Store, declaration: Declaration, days: Iterable[dt.date], window: Window) -> None:
    """Keep the last good rows of days without good rows; forget those of the others."""
    if not declaration.contract.layer.holds_last_good:
        return
    con, table, last_good = store.con, stored(declaration), quoted(declaration.held)
    lost = among(table.day, days)
    good = f"from {table.name} where {lost}"
    if not store.stored_types(declaration.held) and not store.count(f"select count(*) {good}"):
        return
    store.ensure(declaration.held, table.columns)
    newer = f"not {lost} or {table.day} in (select {table.day} {good})"
    con.execute(f"delete from {last_good} where {named_between(table.day, window)} and ({newer})")
    con.execute(f"insert into {last_good} by name select {table.listed} {good}")


def held_days(store: Store, declaration: Declaration) -> set[dt.date]:
    """Returns the days without good rows of a table whose last good rows are kept for readers."""
    if not declaration.contract.layer.holds_last_good or not store.stored_types(declaration.held):
        return set()
    day = stored(declaration).day
    return {day for (day,) in store.con.execute(f"select distinct {day} from {quoted(declaration.held)}").fetchall()}


def counted(rules: Sequence[Rule], prefix: str) -> str:
    """Returns SQL for the number of rows for which each rule's flag is true, one column each."""
    return "".join(f", sum({quoted(f'{prefix} {n}')}::int)::bigint" for n in range(len(rules)))
