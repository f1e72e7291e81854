"""Repair: the run that makes up for all that is stale, and for what follows from it.

Here belongs what sensors and the command line share. What makes a table-day stale does not: that is the ledger's.
"""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from ecom_assets.days import Window, contiguous
from ecom_assets.declaration import Catalog
from ecom_assets.errors import UserError
from ecom_assets.warehouse.ledger.records import StaleDay, TableDay

Found = TypeVar("Found", bound=TableDay)


class RepairStuck(UserError):
    """A repair left the same table-days stale."""

    def __init__(self, found: StaleDay) -> None:
        super().__init__(f"{found.table} on {found.day} stays stale after a run: {found.why}.")


@dataclass(frozen=True)
class Repair:
    """One run: the tables that may be stale once those before them have run, and the days on which they may be."""

    tables: frozenset[str]
    window: Window
    reason: str
    """What was stale when it was planned, for users."""


def runnable(stale: Iterable[Found], days: Window | None) -> list[Found]:
    """Returns the stale table-days of `days`, the days that are over; `days` is None if no day is over yet."""
    return [found for found in stale if days and found.day in days]


def plan(stale: Collection[TableDay], catalog: Catalog, recorded: Iterable[dt.date] = ()) -> Repair:
    """Returns the run that repairs what is stale, of which there is something, and what becomes stale by that.

    Tables run in their order, each on the days on which it is stale by then. What a write makes stale is downstream of
    it, but can be on any of the days `recorded`. A table that reads nothing has the days of bronze.
    """
    tables, days = {found.table for found in stale}, {found.day for found in stale}
    if any(catalog[table].is_bronze for table in tables):
        tables |= {declaration.name for declaration in catalog if not declaration.reads}
    first, *others = contiguous(days)
    reason = f"{len(stale)} table-days of {first}" + (f" and {len(others)} more windows" if others else "")
    days |= set(recorded)
    return Repair(frozenset(catalog.downstream(tables)), Window(min(days), max(days)), reason)
