"""How much the repairs of a history run, and how much of it had changed."""

import datetime as dt
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecom_assets.days import Window
from ecom_assets.declaration import Declaration
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.histories.replaying import Replay
from ecom_assets_tests.histories.steps import Again, History, Land

TableDay = tuple[str, dt.date]


@dataclass
class Tally:
    """Table-days that repairs ran again: how many, how many of them changed, and which ran though nothing had changed.

    Counted by the furthest reach of their tables; a day's first run does not count.
    """

    ran: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    needless: list[TableDay] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{reach:14} {self.ran[reach]:6} run again {self.changed[reach]:6} changed "
            f"{self.ran[reach] / max(self.changed[reach], 1):6.2f} run per change"
            for reach in sorted(self.ran)
        ]
        return "\n".join(lines)


def tally_repairs(history: History, folder: Path, tally: Tally) -> None:
    """Everything of a history lands, one file after the other, and is repaired each time."""
    with closing(Replay(history, folder)) as replayed:
        for step in history.steps:
            if isinstance(step, (Land, Again)):
                replayed.take(step)
                _tally_repair(replayed.session, tally)


def _tally_repair(session: Session, tally: Tally) -> None:
    changed: set[TableDay] = set()
    while stale := session.stale():
        first = min((found.table for found in stale), key=session.catalog.names.index)
        for found in stale:
            if found.table != first:
                continue
            before = _standing(session)
            session.run(first, Window(found.day, found.day))
            after = _standing(session)
            changed |= {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}
            if (first, found.day) in before:
                declaration = session.catalog[first]
                reach = _furthest(declaration)
                tally.ran[reach] += 1
                tally.changed[reach] += before[first, found.day] != after[first, found.day]
                inputs = {(read.table, found.day) for read in declaration.reads}
                asked = found.cause.is_invalidation
                if reach in ("by_event_day", "same_day") and not asked and not inputs & changed:
                    tally.needless.append((first, found.day))


def _furthest(declaration: Declaration) -> str:
    reaches = [read.reach for read in declaration.reads]
    far = [reach.name for reach in reaches if not reach.is_same_day]
    return far[0] if far else reaches[0].name if reaches else "files"


def _standing(session: Session) -> dict[TableDay, tuple[Any, ...]]:
    """State and content of each table-day, bronze by the day on which it is read."""
    rows = session.con.execute("""
        select table_name, day, max(state), sum(content) from (
            select table_name, day, state, 0::hugeint as content from ledger.days
            union all
            select table_name, read_day, null, hash(day, row_count, content)::hugeint from ledger.slices)
        group by all""").fetchall()
    return {(table, day): tuple(rest) for table, day, *rest in rows}
