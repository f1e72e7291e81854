"""Changes of verdicts, written with the table-days that they are about: the outbox of alerts.

A verdict is of a check on a table-day. Only its changes are recorded, from good to bad, back, and to another fault, so
that a good day that was good costs nothing.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from ecom_assets.days import State
from ecom_assets.declaration import Declaration
from ecom_assets.landing.provenance import ORIGIN, REASONS
from ecom_assets.warehouse.ledger.records import DayResult, Entry

CHECKS = CONTRACT, EXPECTATIONS = "contract", "expectations"
SAMPLE_CHARACTERS = 200
Judged = tuple[str, dt.date, str]
"""Table, day and check."""


@dataclass(frozen=True)
class Fault:
    """How a check fails: the state of the table-day, and the rules that rows broke, with their number.

    `note` is compared for blocked days alone: it says what blocks them, otherwise it repeats the rules.
    """

    state: str
    rules: Mapping[str, int]
    note: str = ""

    def is_like(self, other: "Fault") -> bool:
        same = self.state == other.state and self.rules == other.rules
        return same and (self.state != State.BLOCKED or self.note == other.note)


@dataclass(frozen=True)
class Change:
    """A recorded change of a verdict. `number` counts the changes of a warehouse from 1.

    `fault` is None if the check passes. `samples` are up to five offending rows, or their files and records, as text.
    `upstream` are the tables that this one reads or refers to.
    """

    number: int
    table: str
    day: dt.date
    check: str
    fault: Fault | None
    samples: tuple[str, ...]
    upstream: tuple[str, ...]
    run_id: str
    changed_at: dt.datetime


def faults(con: duckdb.DuckDBPyConnection) -> dict[Judged, Fault]:
    """Returns how each check that last failed does."""
    rows = con.execute("""
        select table_name, day, check_name, passed, state, rules, note from ledger.verdict_changes
        qualify number = max(number) over (partition by table_name, day, check_name)""").fetchall()
    return {(table, day, check): Fault(*rest) for table, day, check, passed, *rest in rows if not passed}


def record_changes(
    con: duckdb.DuckDBPyConnection,
    declaration: Declaration,
    entries: Sequence[Entry],
    known: dict[Judged, Fault],
    run_id: str,
    now: dt.datetime,
) -> bool:
    """Records the changes of verdicts that entries of a table bring. Returns whether there are any.

    `known` are the faults before, which are updated.
    """
    rows = []
    for entry in entries:
        for check, fault in _found(entry.result):
            judged = declaration.name, entry.result.day, check
            before = known.get(judged)
            if (fault is None and before is None) or (fault and before and fault.is_like(before)):
                continue
            if fault:
                known[judged] = fault
            else:
                del known[judged]
            rows.append((entry.result, check, fault))
    if not rows:
        return False
    last, name = last_change(con), declaration.name
    upstream = list(dict.fromkeys([*(read.table for read in declaration.reads), *declaration.references]))
    values = [
        (
            number,
            name,
            result.day,
            check,
            fault is None,
            str(result.state),
            fault.note if fault else "",
            list(fault.rules) if fault else [],
            list(fault.rules.values()) if fault else [],
            [_sample(row, declaration.contract.personal) for row in result.samples] if fault else [],
            upstream,
            run_id,
            now,
        )
        for number, (result, check, fault) in enumerate(rows, last + 1)
    ]
    columns = list(map(list, zip(*values, strict=True)))
    con.execute(
        "insert into ledger.verdict_changes select c1, c2, c3, c4, c5, c6, c7, map(c8, c9), c10, c11, c12, c13 from ("
        "select unnest(?) as c1, unnest(?) as c2, unnest(?) as c3, unnest(?) as c4, unnest(?) as c5, unnest(?) as c6, "
        "unnest(?) as c7, unnest(?::varchar[][]) as c8, unnest(?::bigint[][]) as c9, unnest(?::varchar[][]) as c10, "
        "unnest(?::varchar[][]) as c11, unnest(?) as c12, unnest(?) as c13)",
        columns,
    )
    return True


def _found(result: DayResult) -> Iterator[tuple[str, Fault | None]]:
    """Yields each check with its fault; None if it passes."""
    state, note = str(result.state), result.note
    yield CONTRACT, None if result.state.is_good else Fault(state, dict(result.broken), note)
    missed = {**result.warned, **(result.broken if result.state.is_good else {})}
    yield EXPECTATIONS, Fault(state, missed, note) if missed else None


def _sample(row: Mapping[str, str | None], personal: Collection[str]) -> str:
    """Returns where a row from a feed is and what is wrong with it; any other row as its values but personal ones."""
    day, file, record = (row.get(column.name) for column in ORIGIN)
    if file is not None:
        reasons = (row.get(REASONS.name) or "").strip("[]").replace("', '", "; ").strip("'").replace("\\'", "'")
        text = f"{day}/{file}, record {record}: {reasons}"
    else:
        shown = {name: "(personal)" if name in personal and value else value for name, value in row.items()}
        text = ", ".join(f"{name} = {value}" for name, value in shown.items() if not name.startswith("warned "))
    return text if len(text) <= SAMPLE_CHARACTERS else f"{text[:SAMPLE_CHARACTERS]} …"


def last_change(con: duckdb.DuckDBPyConnection) -> int:
    """Returns the number of the last change; 0 before the first."""
    [(last,)] = con.execute("select coalesce(max(number), 0) from ledger.verdict_changes").fetchall()
    return int(last)


def outbox_id(con: duckdb.DuckDBPyConnection) -> str:
    """Returns the id of this warehouse's changes, which a warehouse that is made anew does not have."""
    [(found,)] = con.execute("select id from ledger.outbox").fetchall()
    return str(found)


def changes_after(con: duckdb.DuckDBPyConnection, number: int) -> list[Change]:
    """Returns the changes after a number, in order."""
    rows = con.execute(
        "select number, table_name, day, check_name, passed, state, rules, note, samples, upstream, run_id, changed_at "
        "from ledger.verdict_changes where number > ? order by number",
        [number],
    ).fetchall()
    return [
        Change(n, table, day, check, None if passed else Fault(*fault), tuple(samples), tuple(upstream), run_id, at)
        for n, table, day, check, passed, *fault, samples, upstream, run_id, at in rows
    ]
