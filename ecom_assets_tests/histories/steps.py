"""What can happen in a history, and the tables that a history is about."""

import dataclasses
from dataclasses import dataclass
from functools import cache

from ecom_assets import catalog
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets_tests.histories.rows import ARRIVALS, Row

TOLERATED = 0.5
"""Silver days fail when more of their rows are bad: with a handful of rows, some days do and some do not."""


@dataclass(frozen=True)
class Land:
    """A file arrives. One that arrived before under its name on that day is replaced."""

    feed: str
    arrived: int
    file: str
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Again:
    """The same file arrives once more on another day; nothing where there is none."""

    feed: str
    arrived: int
    file: str
    on: int


@dataclass(frozen=True)
class Feed:
    """What is known of a feed changes. A day without a file is a good one until files are due, and if it is closed.

    With `is_complete`, an arrival holds all rows that share the first column of the key, if there are more columns.
    """

    feed: str
    time_zone: str = "UTC"
    is_due: bool = False
    is_complete: bool = False
    closed: tuple[int, ...] = ()
    is_ruled: bool = False
    """Whether a rule of the shop names the channel and campaign of some events."""
    is_partial: bool = False
    """Whether a feed of members never holds all of them: those that it lacks are inferred."""


@dataclass(frozen=True)
class Run:
    """Tables over a window of days, all where none are named. With `crash`, it fails at that step of its writing."""

    tables: tuple[str, ...] = ()
    first: int = 0
    last: int = ARRIVALS - 1
    crash: int | None = None


@dataclass(frozen=True)
class Repair:
    """All that is stale is run, as far as it goes before the crash."""

    crash: int | None = None


@dataclass(frozen=True)
class Reopen:
    """The warehouse is closed and opened again."""


Step = Land | Again | Feed | Run | Repair | Reopen


@dataclass(frozen=True)
class History:
    """What happens to a part of the catalog: the tables that `goal` names, and all that they are made of."""

    goal: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        steps = "".join(f"    {step},\n" for step in self.steps)
        return f"History({self.goal!r}, (\n{steps}))"


EVERYTHING = "everything"


@cache
def _lenient() -> tuple[Declaration, ...]:
    return tuple(
        dataclasses.replace(d, contract=dataclasses.replace(d.contract, max_bad_share=TOLERATED, min_bad_rows=1))
        if d.from_feed
        else d
        for d in catalog.tables()
    )


@cache
def tables_of(goal: str) -> Catalog:
    """The tables that a history is about."""
    tables = catalog.tables()
    goals = tables.names if goal == EVERYTHING else goal.split()
    wanted = set(goals).union(*map(tables.upstream, goals))
    return Catalog(declaration for declaration in _lenient() if declaration.name in wanted)
