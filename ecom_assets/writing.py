"""The one way in which table-days are written: gate, rows, contract, ledger, commit.

A write is one transaction: each of its days has its old state or its new one, never neither. Each
day is judged and stored on its own, so that one bad day of ninety leaves eighty-nine published.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import duckdb

from ecom_assets import ledger
from ecom_assets.contract import Column, Rule
from ecom_assets.days import ONE_DAY, Window, stretches
from ecom_assets.declaration import DAYS_PARAMETER, Catalog, Declaration, Read
from ecom_assets.engine import duckdb as engine
from ecom_assets.engine.compiling import compiled, judged, keep_compiled, over, take_compiled, transformed
from ecom_assets.engine.duckdb import Query, among, between, literal, quoted
from ecom_assets.landing import reading
from ecom_assets.landing.zone import LandedFile, Zone
from ecom_assets.ledger import DayResult, Entry, Expectation, Slice, State

SAMPLE_ROWS = 5
PART_ROWS = 1_000_000
HELD_LAYERS = ("gold", "kpi", "features")
UNIQUE = "The primary key is unique."
ERRORS_OF_VALUES = (duckdb.DataError, duckdb.InvalidInputException)
"""What DuckDB raises for a value: a text that is no number or date, a sum out of range, broken JSON."""
SUPERSEDED_COLUMNS = {
    **engine.PROVENANCE,
    "read_on": "DATE",
    "kind": "VARCHAR",
    "by_arrived_on": "DATE",
    "by_source_file": "VARCHAR",
    "by_record": "BIGINT",
}


class RowsLost(Exception):
    """Rows in and rows out do not add up: a bug of the platform or of a transform."""


def conserved_sentence(declaration: Declaration, column: str) -> str:
    """What is true of a day whose amounts in a column are conserved."""
    return f"{column} of a day is that of {declaration.conserved_from}."


def missing_reference(column: Column) -> str:
    """The reason under which a row waits for what its column refers to."""
    day = " on the same day" if column.on_same_day else ""
    return f"{column.name} stands in no row of {column.references}{day}"


@dataclass
class Session:
    """A connection to the warehouse and all that reading and writing table-days needs."""

    con: duckdb.DuckDBPyConnection
    catalog: Catalog
    zone: Zone
    calendar: Window
    time_zone: str = "UTC"
    strict: bool = False
    run_id: str = ""
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC).replace(tzinfo=None)
    on_step: Callable[[str], None] = lambda step: None
    """Called with the name of each step of a write; tests make it fail there."""

    def __post_init__(self) -> None:
        self._standing: dict[str, dict[str, str]] | None = None
        ledger.prepare(self.con)
        self._kept = take_compiled(self.con, self.catalog)

    def record(self, declaration: Declaration, entries: Sequence[Entry]) -> None:
        """Write a table's days into the ledger, as of this run and code."""
        name = declaration.name
        now = self.now()
        ledger.record(self.con, name, self.codes[name], self.run_id, entries, now)
        if declaration.contract.amount:
            good = [entry.result.day for entry in entries if entry.result.state.is_good]
            ledger.tell(self.con, declaration, good, self.run_id, now)

    def stored_types(self, table: str) -> dict[str, str]:
        """Column to SQL type of a table that stands in the warehouse; empty where there is none."""
        if self._standing is None:
            self._standing = engine.stored_types(self.con)
        return self._standing.get(table, {})

    def ensure(self, table: str, columns: Mapping[str, str]) -> None:
        """Make a table, or add the columns it lacks. Raises ShapeError where a type has changed."""
        standing = self.stored_types(table)
        if standing != columns:
            engine.ensure_table(self.con, table, columns, standing)
            self._standing = None

    def undo(self) -> None:
        """Roll back, tables made meanwhile included."""
        self._standing = None
        self.con.execute("rollback")

    @cached_property
    def codes(self) -> "_Codes":
        """Table to the hash of its code, worked out when asked for."""
        return _Codes(self._code)

    def _code(self, name: str) -> int:
        declaration = self.catalog[name]
        settings = f"{self.time_zone} {self.calendar.first} {self.strict}"
        if declaration.is_bronze:
            settings += self.bronze_query(declaration)
        elif declaration.from_feed:
            first = Window(self.calendar.first, self.calendar.first)
            settings += self.parse_query(declaration, first)
        if not declaration.is_bronze and name not in self._kept:
            keep_compiled(self.con, declaration, self.catalog)
            self._kept.add(name)
        return ledger.code_hash(declaration, self.catalog, settings)

    def _feed_zone(self, declaration: Declaration) -> str:
        """The time zone of moments that a feed sends without offset."""
        return self.zone.settings(_feed(declaration)).time_zone

    def bronze_query(self, declaration: Declaration, landed: str = "landed") -> str:
        """SQL: the rows of bronze from landed records."""
        assert declaration.feed is not None
        return engine.bronze_query(
            landed, declaration.feed, self._feed_zone(declaration), self.time_zone, self.calendar
        )

    def parse_query(self, declaration: Declaration, window: Window) -> str:
        """SQL: the rows of bronze that a window of a table from a feed is made of, typed."""
        return engine.parse_query(declaration, window, self._feed_zone(declaration), self.time_zone, self.calendar)

    def stale(self, only: Collection[str] | None = None) -> list[ledger.StaleDay]:
        """The table-days that have to run again; only the first level of what follows from a change."""
        above = ledger.stale(self.con, self.catalog, self.codes, self.calendar, only)
        return sorted([*_stale_bronze(self, only), *above])

    def inputs(self, declaration: Declaration, window: Window) -> dict[str, Any]:
        """The frames that a table's transform takes, by parameter."""
        frames = {read.parameter: self.frame(declaration, read, window) for read in declaration.reads if read.parameter}
        if declaration.wants_days:
            frames[DAYS_PARAMETER] = self.days(window)
        return frames

    def days(self, window: Window) -> Query:
        """The days of a window, for transforms that ask for them."""
        return Query(self.con, engine.days_query(window))

    def frame(self, declaration: Declaration, read: Read, window: Window) -> Any:
        """One input of a table as its window reaches it: a query, or the frame that the transform's annotation names.

        Bronze comes typed.
        """
        return engine.as_wanted(
            Query(self.con, self._read_query(declaration, read, window)), declaration.wanted_frame(read)
        )

    def unconserved(self, declaration: Declaration, rows: str, window: Window) -> str | None:
        """SQL: day, column, sum and due sum where rows do not sum to what they have to; None where none have to."""
        sql = compiled(declaration, self.catalog).conserved
        reads = {str(r.parameter): self._read_query(declaration, r, window) for r in declaration.conserved_reads}
        return over({"rows_to_judge": rows, **reads}, sql) if sql else None

    def _read_query(self, declaration: Declaration, read: Read, window: Window) -> str:
        source = self.catalog[read.table]
        self.ensure(read.table, engine.columns_of(source))
        if source.is_bronze:
            return self.parse_query(declaration, window)
        return engine.read_query(source, read, window, self.calendar)

    def write(self, declaration: Declaration, frame: Any, window: Window) -> list[DayResult]:
        """Store a window of days and what is known of them. Raises ShapeError, RowsLost.

        A window of many rows is written in parts, a transaction each, so that memory does not grow with it. A window
        that a value makes impossible to compute, a text that is no number or date or a sum out of range, is halved
        until only the days that need the value fail. An error of a transform itself, as one that computes in memory
        raises it, ends the step.
        """
        if declaration.is_bronze:
            return _write_bronze(self, declaration, window)
        parts = self._parts(declaration, window) if isinstance(frame, Query) else [window]
        if len(parts) == 1:
            try:
                return _write(self, declaration, frame, window)
            except ERRORS_OF_VALUES as error:
                if len(window) == 1:
                    return [_fail(self, declaration, window.first, str(error).partition("\n")[0])]
            middle = window.first + len(window) // 2 * ONE_DAY
            parts = [Window(window.first, middle - ONE_DAY), Window(middle, window.last)]
        return [result for part in parts for result in self.run(declaration.name, part)]

    def _parts(self, declaration: Declaration, window: Window) -> list[Window]:
        """The window cut where it comes to more than PART_ROWS rows of an input.

        No part is shorter than the table's reach, for then it would read more days around it than its own. Inputs
        that are read without end do not count.
        """
        if len(window) == 1:
            return [window]
        bounded = [read for read in declaration.reads if read.parameter and read.reach.length is not None]
        counts = ledger.most_rows(self.con, [read.table for read in bounded], window)
        shortest = max((read.reach.length or 1 for read in bounded), default=1)
        parts, first, rows = [], window.first, 0
        for day in window:
            if rows + counts.get(day, 0) > PART_ROWS and (day - first).days >= shortest:
                parts.append(Window(first, day - ONE_DAY))
                first, rows = day, 0
            rows += counts.get(day, 0)
        return [*parts, Window(first, window.last)]

    def run(self, name: str, window: Window) -> list[DayResult]:
        """Read, transform and write one table over a window, without Dagster."""
        declaration = self.catalog[name]
        if declaration.is_bronze:
            return self.write(declaration, None, window)
        return self.write(declaration, transformed(declaration, self.inputs(declaration, window), self.catalog), window)

    def repair(self, name: str, window: Window) -> list[DayResult]:
        """Run the days of a window that are stale; of the others, what is recorded, if anything is."""
        stale = [found.day for found in self.stale(only=[name])]
        found = ledger.findings(self.con, name, window)
        recorded = {
            day: DayResult(day, State(state), rows, bad, note, found.get((day, True), {}), found.get((day, False), {}))
            for day, state, rows, bad, note in self.con.execute(
                "select day, state, row_count, bad_count, note from ledger.days where table_name = ? "
                "and day between ? and ?",
                [name, window.first, window.last],
            ).fetchall()
        }
        for stretch in stretches(day for day in stale if day in window):
            recorded |= {result.day: result for result in self.run(name, stretch)}
        return [recorded[day] for day in window if day in recorded]

    @contextmanager
    def transaction(self) -> Iterator["_Attempt"]:
        """Everything inside, or nothing of it: nothing too where another attempt is asked for."""
        attempt = _Attempt()
        self.con.execute("begin")
        try:
            yield attempt
            self.on_step("before commit")
            if attempt.again:
                self.undo()
                return
            self.con.execute("commit")
        except BaseException:
            self.undo()
            raise
        self.on_step("after commit")


@dataclass
class _Attempt:
    """A transaction under way; `again` undoes it without fuss."""

    again: bool = False


class _Codes(dict[str, int]):
    """Hashes of code by table, each worked out when first asked for."""

    def __init__(self, work_out: Callable[[str], int]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, name: str) -> int:
        self[name] = self._work_out(name)
        return self[name]


def _feed(declaration: Declaration) -> str:
    return declaration.name.partition(".")[2]


def _count(session: Session, query: str) -> int:
    return int(session.con.execute(query).fetchall()[0][0])


# -- the gate ---------------------------------------------------------------------------------------


def _gate(session: Session, declaration: Declaration, window: Window) -> dict[dt.date, str]:
    """The days that must not be written because a same-day input has no good rows, and why."""
    inputs = [read.table for read in declaration.reads if read.reach.is_same_day]
    standing = ledger.states(session.con, inputs, window)
    closed: dict[dt.date, str] = {}
    for table in inputs:
        for day in window:
            state = standing.get((table, day))
            if state is None:
                closed.setdefault(day, f"{table} has not run for {day}: run it first")
            elif not state.is_good:
                closed.setdefault(day, f"{table} is {state} on {day}: mend that day first")
    return closed


def _entry(result: DayResult, expected: Expectation, slices: tuple[Slice, ...]) -> Entry:
    return Entry(result, expected.inputs, slices if result.state.is_good else ())


def _record(session: Session, declaration: Declaration, entries: Sequence[Entry]) -> None:
    """Write the ledger, and take from readers what is made of days without good rows."""
    session.on_step("before ledger")
    session.record(declaration, entries)
    session.on_step("ledger written")
    bad = [entry.result.day for entry in entries if not entry.result.state.is_good]
    affected = session.catalog.same_day_downstream([declaration.name]) - {declaration.name}
    for other in session.catalog if bad else ():
        if other.name in affected:
            for window in stretches(bad):
                _block(session, other, window)


def _block(session: Session, declaration: Declaration, window: Window) -> None:
    """Take the rows of days that a same-day input no longer supports, as running them would."""
    closed = _gate(session, declaration, window)
    blocked = [DayResult(day, State.BLOCKED, note=why) for day, why in closed.items()]
    session.record(declaration, _take_rows(session, declaration, blocked, window))


def _fail(session: Session, declaration: Declaration, day: dt.date, why: str) -> DayResult:
    """Leave a day that cannot be computed without rows. A day that is blocked is so whatever its values."""
    window = Window(day, day)
    result = DayResult(day, State.FAILED, note=why, broken={why: 1})
    if closed := _gate(session, declaration, window):
        result = DayResult(day, State.BLOCKED, note=closed[day])
    with session.transaction():
        _record(session, declaration, _take_rows(session, declaration, [result], window))
    return result


def _take_rows(session: Session, declaration: Declaration, results: Sequence[DayResult], window: Window) -> list[Entry]:
    """Take the rows of days of a window that are to have none; gives what the ledger is to say of these days."""
    days = [result.day for result in results]
    session.ensure(declaration.name, engine.columns_of(declaration))
    _hold_old_rows(session, declaration, days, window)
    parts = [(declaration.name, str(declaration.contract.partition_column))]
    if declaration.from_feed:
        parts += [(declaration.quarantine, "read_on"), (declaration.superseded, "read_on")]
    with _watched_keys(session, declaration, window):
        for table, column in parts:
            if session.stored_types(table):
                session.con.execute(f"delete from {quoted(table)} where {among(quoted(column), days)}")
    expected = ledger.expectations(session.con, declaration, window, session.calendar)
    return [_entry(result, expected[result.day], ()) for result in results]


def _good(expected: Expectation) -> State:
    return State.PROVISIONAL if expected.missing or expected.unsettled else State.STORED


def _write(session: Session, declaration: Declaration, frame: Any, window: Window) -> list[DayResult]:
    """Store a window in one transaction. Raises ERRORS_OF_VALUES where a value makes it impossible to compute."""
    rows = engine.as_query(session.con, frame)
    if rows is not frame:
        engine.check_shape(declaration.name, rows.relation(), engine.columns_of(declaration))
    if declaration.from_feed:
        return _write_from_feed(session, declaration, rows.sql, window)
    return _write_table(session, declaration, rows.sql, window)


# -- tables made of tables --------------------------------------------------------------------------


def _hold_old_rows(session: Session, declaration: Declaration, days: Iterable[dt.date], window: Window) -> None:
    """Set the last good rows of days without good rows apart; forget those of the others."""
    if declaration.contract.layer not in HELD_LAYERS:
        return
    con, table, held = session.con, quoted(declaration.name), quoted(declaration.held)
    column = str(declaration.contract.partition_column)
    day = quoted(column)
    lost = among(day, days)
    good = f"from {table} where {lost}"
    if not session.stored_types(declaration.held) and not _count(session, f"select count(*) {good}"):
        return
    session.ensure(declaration.held, engine.columns_of(declaration))
    newer = f"not {lost} or {day} in (select {day} {good})"
    con.execute(f"delete from {held} where {between(column, window)} and ({newer})")
    listed = ", ".join(quoted(name) for name in engine.columns_of(declaration))
    con.execute(f"insert into {held} by name select {listed} {good}")


def _write_table(session: Session, declaration: Declaration, rows: str, window: Window) -> list[DayResult]:
    """Rows are inserted and judged in place; when a day turns out bad, again without it."""
    closed = _gate(session, declaration, window)
    failed: dict[dt.date, DayResult] = {}
    while True:
        with session.transaction() as attempt:
            verdicts = _replace_rows(session, declaration, rows, window, {*closed, *failed})
            bad = {day: result for day, (result, _) in verdicts.items() if result.broken}
            if bad:
                failed |= bad
                attempt.again = True
                continue
            expected = ledger.expectations(session.con, declaration, window, session.calendar)
            results, entries = [], []
            for day in window:
                slices: tuple[Slice, ...] = (Slice(day, 0, 0),)
                if day in closed:
                    result = DayResult(day, State.BLOCKED, note=closed[day])
                elif day in failed:
                    result = failed[day]
                else:
                    result, part = verdicts.get(day, (DayResult(day, State.STORED), slices[0]))
                    result = replace(result, state=_good(expected[day]))
                    slices = (part,)
                results.append(result)
                entries.append(_entry(result, expected[day], slices))
            _record(session, declaration, entries)
        return results


def _replace_rows(
    session: Session,
    declaration: Declaration,
    rows: str,
    window: Window,
    without: set[dt.date],
) -> dict[dt.date, tuple[DayResult, Slice]]:
    con, name = session.con, declaration.name
    columns = engine.columns_of(declaration)
    day = str(declaration.contract.partition_column)
    session.ensure(name, columns)
    session.on_step("before delete")
    _hold_old_rows(session, declaration, without, window)
    con.execute(f"delete from {quoted(name)} where {between(day, window)}")
    session.on_step("rows deleted")
    # Not `between`: DuckDB would compare it with the least and greatest day that an input has held, and not compute
    # what it finds to be empty. Whether a value fails a day must not depend on what stood there before.
    days_in = f"{quoted(day)} - date '{window.first}' between 0 and {len(window) - 1}"
    wanted = f"{days_in} and not {among(quoted(day), without)}"
    listed = ", ".join(quoted(column) for column in columns)
    con.execute(f"insert into {quoted(name)} ({listed}) select {listed} from ({rows}) where {wanted}")
    session.on_step("rows inserted")
    verdicts = _verdicts(session, declaration, window)
    _judge_sums(session, declaration, window, without, verdicts)
    return verdicts


def _sums(rules: Sequence[Rule], prefix: str) -> str:
    return "".join(f", sum({quoted(f'{prefix} {n}')}::int)::bigint" for n in range(len(rules)))


def _verdicts(session: Session, declaration: Declaration, window: Window) -> dict[dt.date, tuple[DayResult, Slice]]:
    """Contract, counts and content of what now stands there: one aggregate over the window."""
    con, promise = session.con, declaration.contract
    day = quoted(str(promise.partition_column))
    stored = (
        f"select *, {engine.content_hash(declaration)} as {quoted('row hash')} "
        f"from {quoted(declaration.name)} where {between(str(promise.partition_column), window)}"
    )
    hard, soft = promise.hard_rules, promise.soft_rules
    tested = judged(declaration, stored, session.catalog)
    keys = ", ".join(quoted(column) for column in promise.primary_key)
    repeated = f"count(*) - count(distinct hash({keys}))" if keys else "0"
    content = f"count(*), sum({quoted('row hash')})::hugeint"
    sums = f"{_sums(hard, 'broken')}{_sums(soft, 'warned')}"
    rows = con.execute(f"select {day}, {content}, {repeated}{sums} from ({tested}) group by {day}").fetchall()
    found = {}
    for on, count, content, repeats, *counts in rows:
        broken = {rule.sentence: n for rule, n in zip(hard, counts, strict=False) if n}
        if repeats:
            broken[UNIQUE] = repeats
        warned = {rule.sentence: n for rule, n in zip(soft, counts[len(hard) :], strict=True) if n}
        samples = _samples(con.sql(tested), promise.primary_key, day, on, hard) if broken else ()
        state = State.FAILED if broken else State.STORED
        note = "; ".join(f"{n} rows break: {sentence}" for sentence, n in broken.items())
        bad = max(broken.values(), default=0)
        result = DayResult(on, state, count, bad, note, broken, warned, samples, checked_count=count)
        found[on] = (result, Slice(on, count, content))
    return found


def _judge_sums(
    session: Session,
    declaration: Declaration,
    window: Window,
    without: set[dt.date],
    verdicts: dict[dt.date, tuple[DayResult, Slice]],
) -> None:
    """Adds to the verdicts the days, those without rows included, whose rows do not sum to what they have to."""
    day = str(declaration.contract.partition_column)
    unequal = session.unconserved(declaration, f"from {quoted(declaration.name)} where {between(day, window)}", window)
    if unequal is None:
        return
    rows = session.con.execute(f"from ({unequal}) where not {among('day', without)} order by all").fetchall()
    for on, column, stored, due in rows:
        result, part = verdicts.get(on, (DayResult(on, State.FAILED), Slice(on, 0, 0)))
        sentence = conserved_sentence(declaration, column)
        note = f"{column} is {stored}, not {due}, and breaks: {sentence}"
        broken = {**result.broken, sentence: 1}
        notes = "; ".join(filter(None, [result.note, note]))
        bad = max(result.bad_count, 1)
        verdicts[on] = (replace(result, state=State.FAILED, bad_count=bad, note=notes, broken=broken), part)


def _samples(
    tested: duckdb.DuckDBPyRelation, keys: Sequence[str], day: str, on: dt.date, hard: Sequence[Rule]
) -> list[dict[str, str | None]]:
    any_broken = " or ".join(quoted(f"broken {n}") for n in range(len(hard))) or "false"
    shown = [c for c in tested.columns if not c.startswith(("broken ", "warned ", "row hash"))]
    key = ", ".join(quoted(column) for column in keys) or "1"
    rows = (
        tested.filter(f"{day} = date '{on}'")
        .select(f"*, count(*) over (partition by {key}) > 1 as {quoted('row repeated')}")
        .filter(f"{any_broken} or {quoted('row repeated')}")
        .limit(SAMPLE_ROWS)
        .select(", ".join(f"{quoted(column)}::varchar" for column in shown))
        .fetchall()
    )
    return [dict(zip(shown, row, strict=True)) for row in rows]


# -- silver from bronze -----------------------------------------------------------------------------


def _write_from_feed(session: Session, declaration: Declaration, rows: str, window: Window) -> list[DayResult]:
    """Each bronze row of the window ends in exactly one of accepted, quarantined, superseded."""
    con = session.con
    closed = _gate(session, declaration, window)
    with session.transaction():
        session.ensure(declaration.name, engine.columns_of(declaration))
        session.ensure(declaration.quarantine, engine.quarantine_columns(session.catalog[declaration.bronze]))
        session.ensure(declaration.superseded, SUPERSEDED_COLUMNS)
        _stage(session, declaration, rows)
        session.on_step("rows staged")
        results = _judge_days(session, declaration, window, closed)
        accepted_days = [result.day for result in results if result.state.is_good]
        with _watched_keys(session, declaration, window):
            _place_rows(session, declaration, window, accepted_days, closed)
        session.on_step("rows inserted")
        _check_conservation(session, declaration, window, accepted_days)
        expected = ledger.expectations(con, declaration, window, session.calendar)
        contents = _accepted_contents(session, declaration, window)
        for n, result in enumerate(results):
            if result.state.is_good:
                count = contents[result.day].row_count if result.day in contents else 0
                results[n] = replace(result, state=_good(expected[result.day]), row_count=count)
        slices = {day: (contents.get(day, Slice(day, 0, 0)),) for day in window}
        _record(session, declaration, [_entry(r, expected[r.day], slices[r.day]) for r in results])
        con.execute("drop table staged; drop table losers")
    return results


def _stage(session: Session, declaration: Declaration, rows: str) -> None:
    """Temporary tables: `staged` with the reasons against each row, `losers` with who beat them."""
    con, promise = session.con, declaration.contract
    columns = engine.columns_of(declaration)
    day = quoted(str(promise.partition_column))
    broken = [(quoted(f"broken {n}"), literal(rule.complaint)) for n, rule in enumerate(promise.hard_rules)]
    some = " or ".join(flag for flag, _ in broken) or "false"
    listed = ", ".join(f"case when {flag} then {sentence} end" for flag, sentence in broken)
    typed = ", ".join(f"{quoted(name)}::{sql_type} as {quoted(name)}" for name, sql_type in columns.items())
    soft = "".join(f", {quoted(f'warned {n}')}" for n in range(len(promise.soft_rules)))
    keys = ", ".join(quoted(column) for column in promise.primary_key)
    con.execute(f"""
        create or replace temp table staged as
        select *, hash({keys}) as key, {engine.content_hash(declaration)} as content, null::varchar[] as waits_for,
               false as is_beaten
        from (select {typed}{soft},
                     case when problems is not null then problems
                          when {some} then list_filter([{listed}], lambda x: x is not null) end as reasons
              from ({judged(declaration, rows, session.catalog)}))""")
    for column in promise.references:
        target = session.catalog[str(column.references)]
        session.ensure(target.name, engine.columns_of(target))
        value, wanted = quoted(column.name), quoted(target.contract.primary_key[0])
        matched, theirs, near = value, wanted, ""
        if column.on_same_day:
            their_day = quoted(str(target.contract.partition_column))
            matched, theirs = f"({value}, {day})", f"({wanted}, {their_day})"
            near = f"and {their_day} in (select distinct {day} from staged)"
        con.execute(f"""
            update staged set waits_for = list_append(coalesce(waits_for, []), {literal(missing_reference(column))})
            where reasons is null and {value} is not null and {matched} not in (
                select {theirs} from {quoted(target.name)}
                where {wanted} in (select distinct {value} from staged) {near})""")
    con.execute("update staged set reasons = waits_for where reasons is null and waits_for is not null")
    version = f"{quoted(promise.version_column)} desc nulls last, " if promise.version_column else ""
    # The best row without a complaint wins. What waits for a reference loses only to a better one: it may win yet.
    con.execute(f"""
        create or replace temp table losers as
        with competing as (
            select rowid as staged_row, * from staged where reasons is null or waits_for is not null),
        ranked as (
            select staged_row, arrived_on, source_file, record, {day} as day, content, reasons, {keys},
                   row_number() over (
                       partition by {keys} order by {version}arrived_on desc, source_file desc, record desc) as place
            from competing where key in (select key from competing group by key having count(*) > 1))
        select * from (
            select *, min(place) filter (reasons is null) over one as winning_place,
                   arg_min({{'a': arrived_on, 'f': source_file, 'r': record, 'c': content}}, place)
                       filter (reasons is null) over one as winner
            from ranked window one as (partition by {keys}))
        where place > winning_place""")
    con.execute("update staged set is_beaten = true, reasons = null where rowid in (select staged_row from losers)")


def _judge_days(
    session: Session, declaration: Declaration, window: Window, closed: Mapping[dt.date, str]
) -> list[DayResult]:
    """Each day passes while the share of its bad rows is tolerable."""
    con, promise = session.con, declaration.contract
    day = quoted(str(promise.partition_column))
    counts = {
        on: rest
        for on, *rest in con.execute(
            f"select {day}, count(*), count(reasons), count(*) filter (is_beaten)"
            f"{_sums(promise.soft_rules, 'warned')} from staged group by all"
        ).fetchall()
    }
    reasons: dict[dt.date, dict[str, int]] = {}
    for on, reason, count in con.execute(
        f"select day, reason, count(*) as n from (select {day} as day, unnest(reasons) as reason from staged "
        "where reasons is not null) group by all order by n desc, reason"
    ).fetchall():
        reasons.setdefault(on, {})[reason] = count
    samples = _staged_samples(session, declaration)
    tolerated = 0.0 if session.strict else promise.max_bad_share
    results = []
    for on in window:
        rows, bad, beaten, *warned = counts.get(on, (0, 0, 0, *(0 for _ in promise.soft_rules)))
        if on in closed:
            results.append(DayResult(on, State.BLOCKED, note=closed[on]))
            continue
        failed = rows and bad / rows > tolerated
        note = f"{bad} of {rows} rows are quarantined, more than the {tolerated:.1%} tolerated" if failed else ""
        results.append(
            DayResult(
                on,
                State.FAILED if failed else State.STORED,
                bad_count=bad,
                note=note,
                broken=dict(list(reasons.get(on, {}).items())[:20]),
                warned={r.sentence: n for r, n in zip(promise.soft_rules, warned, strict=True) if n},
                samples=samples.get(on, ()),
                checked_count=rows - beaten,
            )
        )
    return results


def _staged_samples(session: Session, declaration: Declaration) -> dict[dt.date, list[dict[str, str | None]]]:
    """A few bad rows of each day that has some."""
    names = [*engine.columns_of(declaration), "reasons"]
    day, place = quoted(str(declaration.contract.partition_column)), "arrived_on, source_file, record"
    found = session.con.execute(
        f"select {day}, {', '.join(f'{quoted(name)}::varchar' for name in names)} from staged "
        f"where reasons is not null qualify row_number() over (partition by {day} order by {place}) <= {SAMPLE_ROWS} "
        f"order by {place}"
    )
    samples: dict[dt.date, list[dict[str, str | None]]] = {}
    for on, *row in found.fetchall():
        samples.setdefault(on, []).append(dict(zip(names, row, strict=True)))
    return samples


def _place_rows(
    session: Session, declaration: Declaration, window: Window, accepted: list[dt.date], closed: Mapping[dt.date, str]
) -> None:
    con = session.con
    day = str(declaration.contract.partition_column)
    con.execute(f"delete from {quoted(declaration.name)} where {between(day, window)}")
    con.execute(f"delete from {quoted(declaration.quarantine)} where {between('read_on', window)}")
    con.execute(f"delete from {quoted(declaration.superseded)} where {between('read_on', window)}")
    session.on_step("rows deleted")
    listed = ", ".join(quoted(column) for column in engine.columns_of(declaration))
    con.execute(
        f"insert into {quoted(declaration.name)} ({listed}) select {listed} from staged "
        f"where reasons is null and not is_beaten "
        f"and {between(day, window)} and {among(quoted(day), accepted)}"
    )
    session.on_step("accepted rows inserted")
    con.execute(f"""
        insert into {quoted(declaration.quarantine)} by name
        select b.*, s.reasons from {quoted(declaration.bronze)} b
        join staged s using (arrived_on, source_file, record)
        where s.reasons is not null and {between("read_on", window)} and not {among("b.read_on", closed)}""")
    con.execute(f"""
        insert into {quoted(declaration.superseded)}
        select arrived_on, source_file, record, day as read_on,
               case when content = winner.c then 'duplicate' else 'superseded' end as kind,
               winner.a, winner.f, winner.r
        from losers where {between("day", window)} and {among("day", accepted)}""")


def _check_conservation(session: Session, declaration: Declaration, window: Window, accepted: list[dt.date]) -> None:
    """Bronze rows = rows given by transform = accepted + quarantined + superseded, counted per day where they stand."""
    if not accepted:
        return
    day = quoted(str(declaration.contract.partition_column))
    fates = " union all ".join(
        f"select {column}, 1, 0 from {quoted(table)} where {among(column, accepted)}"
        for column, table in [
            (day, declaration.name),
            ("read_on", declaration.quarantine),
            ("read_on", declaration.superseded),
        ]
    )
    unequal = session.con.execute(f"""
        select day, coalesce(nullif(sum(placed), 0), sum(given)) as too_many from (
            select read_day as day, -row_count as placed, -row_count as given from ledger.slices
            where table_name = {literal(declaration.bronze)} and {among("read_day", accepted)}
            union all {fates}
            union all select {day}, 0, 1 from staged where {among(day, accepted)})
        group by day having sum(placed) <> 0 or sum(given) <> 0 order by day""").fetchall()
    if unequal:
        on, too_many = unequal[0]
        raise RowsLost(
            f"{declaration.name} on {on}: {abs(too_many)} bronze rows are {'doubled' if too_many > 0 else 'lost'}. "
            "Its transform must keep every row and the columns arrived_on, source_file and record."
        )


def _accepted_contents(session: Session, declaration: Declaration, window: Window) -> dict[dt.date, Slice]:
    day = str(declaration.contract.partition_column)
    rows = session.con.execute(
        f"select {quoted(day)}, count(*), sum({engine.content_hash(declaration)})::hugeint "
        f"from {quoted(declaration.name)} where {between(day, window)} group by all"
    ).fetchall()
    return {on: Slice(on, count, content) for on, count, content in rows}


@contextmanager
def _watched_keys(session: Session, declaration: Declaration, window: Window) -> Iterator[None]:
    """Rows elsewhere that wait for a key that comes, or lean on one that goes, have to run again.

    Where a key has to stand on the row's own day, the ledger sees to that day; but the row may also win or lose
    against one of another day.
    """
    referring = session.catalog.referring.get(declaration.name, [])
    if not referring:
        yield
        return
    con, table = session.con, quoted(declaration.name)
    wanted = quoted(declaration.contract.primary_key[0])
    day = str(declaration.contract.partition_column)
    keys = f"select distinct {wanted} as k, {quoted(day)} as on_day from {table} where {between(day, window)}"
    con.execute(f"create or replace temp table old_keys as {keys}")
    yield
    con.execute(f"create or replace temp table new_keys as {keys}")
    moved = "(from new_keys except from old_keys) union all (from old_keys except from new_keys)"
    come = "select k from new_keys except select k from old_keys"
    still = f"select {wanted} from {table} where {wanted} in (select k from old_keys)"
    gone = f"select k from old_keys where k not in ({still})"
    some_gone = _count(session, f"select count(*) from ({gone})")
    for other, column in referring:
        value, name = f"trim({quoted(column.name)})", literal(column.name)
        # What a row refers to is not known where it was noted before the column referred to anything.
        referred, is_unknown = f"refers_to[{name}]", f"map_contains(refers_to, {name}) is distinct from true"
        movable = f"ledger.moves where table_name = {literal(other.bronze)}"
        if column.on_same_day:
            concerned = f"({is_unknown} or ({referred}, read_on) in ({moved}))"
            touched = f"{movable} and {between('read_on', window)} and {concerned}"
            _poke(session, other, f"a row of {declaration.name} came or went", [touched])
            continue
        # A row that was not let in before may win over one of another day, even where its own day has no rows.
        let_in = [f"{movable} and ({is_unknown} or {referred} in ({come}))"]
        if session.stored_types(other.quarantine):
            waits = f"list_contains(reasons, {literal(missing_reference(column))})"
            let_in.append(f"{quoted(other.quarantine)} where {waits} and {value} in ({come})")
        _poke(session, other, f"a missing row of {declaration.name} came", let_in)
        if some_gone:
            # Bronze, for a row that loses to another or whose day failed may lean on the key too.
            session.ensure(other.bronze, engine.columns_of(session.catalog[other.bronze]))
            leaning = f"{quoted(other.bronze)} where {value} in ({gone})"
            _poke(session, other, f"a row of {declaration.name} went", [leaning])
    con.execute("drop table old_keys; drop table new_keys")


def _poke(session: Session, declaration: Declaration, why: str, sources: Sequence[str]) -> None:
    """Have the days of these bronze rows run again, and all days on which their keys stand."""
    rows = " union all ".join(f"select read_on, key_hash from {source}" for source in sources)
    session.con.execute(f"""
        insert into ledger.pokes
        with touched as ({rows})
        select {literal(declaration.name)}, read_on, {literal(why)} from (
            select read_on from touched
            union select m.read_on from ledger.moves m semi join touched using (key_hash)
            where m.table_name = {literal(declaration.bronze)})""")


# -- bronze from files ------------------------------------------------------------------------------


def _stale_bronze(session: Session, only: Collection[str] | None) -> list[ledger.StaleDay]:
    """Arrival days whose files, or the code that reads them, are not those of the last attempt."""
    bronze = [declaration.name for declaration in session.catalog if declaration.is_bronze]
    tables = [name for name in bronze if only is None or name in only]
    if not tables:
        return []
    recorded = ledger.recorded_inputs(session.con, tables)
    happened = ledger.happened(session.con, bronze)
    found = ledger.unread(session.zone, bronze, recorded, session.calendar, tables, happened=happened)
    known = {(stale.table, stale.day) for stale in found}
    for table in tables:
        days = session.con.execute(
            "select day from ledger.days where table_name = ? and code <> ? and day between ? and ?",
            [table, session.codes[table], session.calendar.first, session.calendar.last],
        ).fetchall()
        found += [ledger.StaleDay(table, day, ledger.CODE_CHANGED) for (day,) in days if (table, day) not in known]
    return found


def _write_bronze(session: Session, declaration: Declaration, window: Window) -> list[DayResult]:
    """Read the files of the arrival days. Rows of files that vanished stay, and are derived anew."""
    con, zone, feed = session.con, session.zone, _feed(declaration)
    assert declaration.feed is not None
    columns = engine.columns_of(declaration)
    since = session.calendar.first
    prints = zone.fingerprint(feed, window.first, window.last, since)  # first: a file in between is seen as new
    arrivals = zone.arrivals(feed, window.first, window.last, since)
    files = [file for day in window for file in arrivals[day]]
    table = quoted(declaration.name)
    with session.transaction():
        session.ensure(declaration.name, columns)
        replaced = _note_files(session, feed, files)
        with _watched_moves(session, declaration, window):
            ours = between("arrived_on", window)
            present = ", ".join(f"(date '{file.arrived_on}', {literal(file.name)})" for file in files)
            if present:
                con.execute(f"delete from {table} where {ours} and (arrived_on, source_file) in ({present})")
            session.on_step("rows deleted")
            _derive_anew(session, declaration, ours)
            if fresh := [file for file in files if file.duplicate_of is None]:
                landed = reading.read(con, fresh, list(declaration.feed.columns))
                rows = session.bronze_query(declaration)
                listed = ", ".join(map(quoted, columns))
                landed.query("landed", f"insert into {table} ({listed}) select {listed} from ({rows})")
            session.on_step("rows inserted")
        slices, unread = _bronze_slices(session, declaration, window)
        results, entries = [], []
        for day in window:
            parts = tuple(slices.get(day, ()))
            silent = not arrivals[day] and not parts and zone.is_due(feed, day)
            notes = [f"{name} replaced the rows read from it before" for on, name in replaced if on == day]
            twins = [file for file in arrivals[day] if file.duplicate_of]
            notes += [f"{file.name} is the same as {file.duplicate_of} and counts once" for file in twins]
            row_count = sum(part.row_count for part in parts)
            result = DayResult(
                day,
                State.FAILED if silent else State.STORED,
                row_count,
                unread.get(day, 0),
                "no file arrived on a day on which one is due" if silent else "; ".join(notes),
                broken={"A file arrives on each due day.": 1} if silent else {},
                warned={"Every record can be read.": unread[day]} if unread.get(day) else {},
                checked_count=row_count,
            )
            results.append(result)
            entries.append(_entry(result, Expectation(prints[day], 0, 0), parts))
        _record(session, declaration, entries)
    return results


def _derive_anew(session: Session, declaration: Declaration, which: str) -> None:
    """Work out again, by the settings of now, when rows happened whose file is gone."""
    table = quoted(declaration.name)
    if not _count(session, f"select count(*) from {table} where {which}"):
        return
    derived = ", ".join(f"{name} = anew.{name}" for name in engine.BRONZE_DERIVED)
    same = " and ".join(f"standing.{name} = anew.{name}" for name in ("arrived_on", "source_file", "record"))
    rows = session.bronze_query(declaration, f"(from {table} where {which})")
    session.con.execute(f"update {table} as standing set {derived} from ({rows}) as anew where {same}")


def _note_files(session: Session, feed: str, files: Sequence[LandedFile]) -> list[tuple[dt.date, str]]:
    """Record what was read; gives the files whose earlier version had been read."""
    if not files:
        return []
    now = f"timestamp '{session.now():%Y-%m-%d %H:%M:%S.%f}'"
    rows = ", ".join(
        f"({literal(feed)}, date '{f.arrived_on}', {literal(f.name)}, {literal(f.digest)}, "
        f"{'null' if f.duplicate_of is None else literal(f.duplicate_of)})"
        for f in files
    )
    con = session.con
    con.execute(
        "create or replace temp table seen as select * from "
        f"(values {rows}) t (feed, arrived_on, source_file, digest, duplicate_of)"
    )
    known = "known.feed = seen.feed and known.arrived_on = seen.arrived_on and known.source_file = seen.source_file"
    con.execute(
        "create or replace temp table noted as select seen.*, "
        f"case when known.digest <> seen.digest then {now} else known.replaced_at end as replaced_at, "
        f"known.digest <> seen.digest as replaced from seen left join ledger.files known on {known}"
    )
    con.execute(f"delete from ledger.files known using seen where {known}")
    con.execute("insert into ledger.files select * exclude (replaced) from noted")
    replaced = con.execute("select arrived_on, source_file from noted where replaced order by all").fetchall()
    con.execute("drop table seen; drop table noted")
    return [(on, name) for on, name in replaced]


def _bronze_slices(
    session: Session, declaration: Declaration, window: Window
) -> tuple[dict[dt.date, list[Slice]], dict[dt.date, int]]:
    rows = session.con.execute(
        f"select arrived_on, read_on, count(*), sum({engine.content_hash(declaration)})::hugeint, count(problem) "
        f"from {quoted(declaration.name)} where {between('arrived_on', window)} group by all order by all"
    ).fetchall()
    slices: dict[dt.date, list[Slice]] = {}
    unread: dict[dt.date, int] = {}
    for arrived_on, read_on, count, content, problems in rows:
        slices.setdefault(arrived_on, []).append(Slice(read_on, count, content))
        unread[arrived_on] = unread.get(arrived_on, 0) + problems
    return slices, unread


@contextmanager
def _watched_moves(session: Session, declaration: Declaration, window: Window) -> Iterator[None]:
    """Keep the list of rows whose key stands on several days; days whose list changes run again."""
    silver = session.catalog.silver_of(declaration.name)
    if silver is None or not declaration.keys_can_move:
        yield
        return
    con, name, table = session.con, literal(declaration.name), quoted(declaration.name)
    referring = [column.name for column in silver.contract.references]
    names, values = ", ".join(map(literal, referring)), ", ".join(f"trim({quoted(column)})" for column in referring)
    refers_to = f"map([{names}]::varchar[], [{values}]::varchar[])"
    arrived = between("arrived_on", window)
    moves = f"select * from ledger.moves where table_name = {name}"
    con.execute(f"create or replace temp table old_moves as {moves} and {arrived}")
    con.execute(f"delete from ledger.moves where table_name = {name} and {arrived}")
    yield
    # All rows of the table are looked at once, and only at two columns.
    con.execute(f"""
        insert into ledger.moves
        with alike as materialized (
            select rowid as place, key_hash, read_on from {table}
            where key_hash in (select key_hash from {table} where {arrived})),
        moved as (select key_hash from alike group by key_hash having min(read_on) <> max(read_on))
        select {name}, key_hash, read_on, arrived_on, source_file, record,
               {engine.content_hash(declaration)}, {refers_to}
        from {table}
        where rowid in (select place from alike where key_hash in (from moved))
        and (arrived_on, source_file, record) not in (
            select (arrived_on, source_file, record) from ledger.moves where table_name = {name})""")
    ours = f"{moves} and {arrived}"
    changed = f"(({ours}) except from old_moves) union all ((from old_moves) except ({ours}))"
    con.execute(f"""
        insert into ledger.pokes
        select distinct {literal(silver.name)}, read_on, 'a key stands on several days'
        from (({moves}) union all from old_moves) where key_hash in (select key_hash from ({changed}))""")
    con.execute("drop table old_moves")
