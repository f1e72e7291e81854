"""Repair: plans the runs for stale table-days, as windows of tables.

Here belongs what sensors and the command line share. What makes a table-day stale does not: that is the ledger's.
"""

import datetime as dt
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import TypeVar

from ecom_assets.days import Window, contiguous
from ecom_assets.declaration import Catalog
from ecom_assets.errors import UserError
from ecom_assets.warehouse.ledger.records import TableDay

Found = TypeVar("Found", bound=TableDay)


class RepairStuck(UserError):
    """A repair left the same table-days stale."""


@dataclass(frozen=True)
class Repair:
    """One run: tables and a window."""

    tables: frozenset[str]
    window: Window


def runnable(stale: Iterable[Found], days: Window | None) -> list[Found]:
    """Returns the stale table-days of `days`, the days that are over; `days` is None if no day is over yet."""
    return [found for found in stale if days and found.day in days]


def plan(
    stale: Iterable[TableDay], catalog: Catalog, good: Container[tuple[str, dt.date]] = frozenset()
) -> list[Repair]:
    """Returns the runs of the next round, oldest days first: one per contiguous range of days.

    A table with a stale input waits for a later round, because only then is it known which days of the input
    changed: it comes along if all that it reads is in the same run or, for every day of the window, is in
    `good` as (table, day); otherwise in a later round.
    """
    days: dict[str, set[dt.date]] = {}
    for found in stale:
        days.setdefault(found.table, set()).add(found.day)
    ready = {table: on for table, on in days.items() if not catalog.upstream(table) & days.keys()}
    repairs = []
    for window in contiguous(day for on in ready.values() for day in on):
        tables = {table for table, on in ready.items() if not on.isdisjoint(window)}
        for declaration in catalog:
            inputs = {read.table for read in declaration.reads} - {declaration.name}
            others = inputs - tables
            if others != inputs and all((table, day) in good for table in others for day in window):
                tables.add(declaration.name)
        repairs.append(Repair(frozenset(tables), window))
    return repairs
