"""Tables made from tables: rows are inserted and judged in place."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb

from ecom_assets.contract import Rule
from ecom_assets.days import State, Window
from ecom_assets.declaration import Declaration
from ecom_assets.engine.compiling import judged
from ecom_assets.engine.duckdb.hashing import content_hash
from ecom_assets.engine.duckdb.tables import Stored, stored
from ecom_assets.sql import among, quoted
from ecom_assets.warehouse.keys import watched_rows
from ecom_assets.warehouse.ledger.records import DayResult, Slice, states
from ecom_assets.warehouse.ledger.staleness import expectations
from ecom_assets.warehouse.outcome import SAMPLE_ROWS, conclude, counted, entry_of, gate, good_state, keep_last_good
from ecom_assets.warehouse.restatements import explain, remember
from ecom_assets.warehouse.store import Store

UNIQUE = "The primary key is unique."


def conserved_sentence(declaration: Declaration, column: str) -> str:
    """Returns the sentence about a day whose column matches its control total."""
    return f"{column} of a day is that of {declaration.conserved_from}."


class DaysRefused(Exception):
    """Days whose rows break their contract, with their results; nothing was written."""

    def __init__(self, results: Mapping[dt.date, DayResult]) -> None:
        super().__init__(results)
        self.results = results


def write_table(store: Store, declaration: Declaration, rows: str, window: Window) -> list[DayResult]:
    """Inserts rows and judges them in place; if a day is bad, rolls back and writes the others without it."""
    closed = gate(store, declaration, window)
    rows = _without_unknown(store, declaration, rows, window)
    was_told = remember(store, declaration, window)
    failed: dict[dt.date, DayResult] = {}
    while True:
        try:
            results = _write_days(store, declaration, rows, window, closed, failed)
        except DaysRefused as refused:
            failed |= refused.results
        else:
            break
    if was_told:
        explain(store, declaration, window)
    return results


def _without_unknown(store: Store, declaration: Declaration, rows: str, window: Window) -> str:
    """Returns SQL for the rows, with null for what cannot be known on days on which an input has no good rows."""
    day, unknown = stored(declaration).day, []
    for table, columns in declaration.contract.unknown_without.items():
        recorded = states(store.con, [table], window)
        without = [on for on in window if (state := recorded.get((table, on))) is None or not state.is_good]
        if without:
            known = f"not {among(day, without)}"
            unknown += [
                f"case when {known} then {column} end as {column}" for column in (quoted(one.name) for one in columns)
            ]
    return f"select * replace ({', '.join(unknown)}) from ({rows})" if unknown else rows


def _write_days(
    store: Store,
    declaration: Declaration,
    rows: str,
    window: Window,
    closed: Mapping[dt.date, str],
    failed: Mapping[dt.date, DayResult],
) -> list[DayResult]:
    """Writes a window in one transaction, blocked and failed days without rows. Raises DaysRefused for other days."""
    with store.transaction():
        verdicts = _replace_rows(store, declaration, rows, window, {*closed, *failed})
        if bad := {day: result for day, (result, _) in verdicts.items() if result.broken}:
            raise DaysRefused(bad)
        expected = expectations(store.con, store.catalog, declaration, window, store.calendar)
        results, entries = [], []
        for day in window:
            slices: tuple[Slice, ...] = (Slice(day, 0, 0),)
            if day in closed:
                result = DayResult(day, State.BLOCKED, note=closed[day])
            elif day in failed:
                result = failed[day]
            else:
                result, part = verdicts.get(day, (DayResult(day, State.STORED), slices[0]))
                result = replace(result, state=good_state(expected[day]))
                slices = (part,)
            results.append(result)
            entries.append(entry_of(result, expected[day], slices))
        conclude(store, declaration, entries)
    return results


def _replace_rows(
    store: Store,
    declaration: Declaration,
    rows: str,
    window: Window,
    without: set[dt.date],
) -> dict[dt.date, tuple[DayResult, Slice]]:
    con, table, left_out = store.con, stored(declaration), {*without, *window.holes}
    store.ensure(declaration.name, table.columns)
    store.on_step("before delete")
    keep_last_good(store, declaration, without, window)
    with watched_rows(store, declaration, window):
        con.execute(f"delete {table.rows_in(window)}")
        store.on_step("rows deleted")
        # Not `between`: DuckDB would compare it with the least and greatest day that an input has had, and not compute
        # what it finds to be empty. Whether a value fails a day must not depend on what was stored there before.
        days_in = f"{table.day} - date '{window.first}' between 0 and {window.span - 1}"
        wanted = f"{days_in} and not {among(table.day, left_out)}"
        if len(without) < len(window):
            con.execute(f"insert into {table.name} ({table.listed}) select {table.listed} from ({rows}) where {wanted}")
    store.on_step("rows inserted")
    verdicts = _verdicts(store, declaration, window)
    _judge_sums(store, declaration, window, left_out, verdicts)
    return verdicts


def _verdicts(store: Store, declaration: Declaration, window: Window) -> dict[dt.date, tuple[DayResult, Slice]]:
    """Contract, counts and content of the rows that were inserted: one aggregate over the window."""
    con, promise, table = store.con, declaration.contract, stored(declaration)
    day = table.day
    written = f"select *, {content_hash(declaration)} as {quoted('row hash')} {table.rows_in(window)}"
    hard, soft = promise.hard_rules, promise.soft_rules
    tested = judged(declaration, written, store.catalog)
    repeated = f"count(*) - count(distinct hash({table.key}))" if table.keys else "0"
    content = f"count(*), sum({quoted('row hash')})::hugeint"
    sums = f"{counted(hard, 'broken')}{counted(soft, 'warned')}"
    rows = con.execute(f"select {day}, {content}, {repeated}{sums} from ({tested}) group by {day}").fetchall()
    found = {}
    for on, count, content, repeats, *counts in rows:
        broken = {rule.sentence: n for rule, n in zip(hard, counts, strict=False) if n}
        if repeats:
            broken[UNIQUE] = repeats
        warned = {rule.sentence: n for rule, n in zip(soft, counts[len(hard) :], strict=True) if n}
        samples = _samples(con.sql(tested), table, on, hard) if broken else ()
        state = State.FAILED if broken else State.STORED
        note = "; ".join(f"{n} rows break: {sentence}" for sentence, n in broken.items())
        bad = max(broken.values(), default=0)
        result = DayResult(on, state, count, bad, note, broken, warned, samples, checked_count=count)
        found[on] = (result, Slice(on, count, content))
    return found


def _judge_sums(
    store: Store,
    declaration: Declaration,
    window: Window,
    without: set[dt.date],
    verdicts: dict[dt.date, tuple[DayResult, Slice]],
) -> None:
    """Adds to the verdicts the days, including those without rows, that differ from their control totals."""
    unequal = store.unconserved(declaration, stored(declaration).rows_in(window), window)
    if unequal is None:
        return
    rows = store.con.execute(f"from ({unequal}) where not {among('day', without)} order by all").fetchall()
    for on, column, found, due in rows:
        result, part = verdicts.get(on, (DayResult(on, State.FAILED), Slice(on, 0, 0)))
        sentence = conserved_sentence(declaration, column)
        note = f"{column} is {found}, not {due}, and breaks: {sentence}"
        broken = {**result.broken, sentence: 1}
        notes = "; ".join(filter(None, [result.note, note]))
        bad = max(result.bad_count, 1)
        verdicts[on] = (replace(result, state=State.FAILED, bad_count=bad, note=notes, broken=broken), part)


def _samples(
    tested: duckdb.DuckDBPyRelation, table: Stored, on: dt.date, hard: Sequence[Rule]
) -> list[dict[str, str | None]]:
    any_broken = " or ".join(quoted(f"broken {n}") for n in range(len(hard))) or "false"
    shown = [c for c in tested.columns if not c.startswith(("broken ", "warned ", "row hash"))]
    rows = (
        tested.filter(f"{table.day} = date '{on}'")
        .select(f"*, count(*) over (partition by {table.key or '1'}) > 1 as {quoted('row repeated')}")
        .filter(f"{any_broken} or {quoted('row repeated')}")
        .limit(SAMPLE_ROWS)
        .select(", ".join(f"{quoted(column)}::varchar" for column in shown))
        .fetchall()
    )
    return [dict(zip(shown, row, strict=True)) for row in rows]
