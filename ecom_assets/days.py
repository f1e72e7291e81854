"""Days: windows, the reach of a table into its inputs, and the states of a table-day."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, order=True)
class Window:
    """Days from a first to a last one, both included: all of them, or some with holes between."""

    first: dt.date
    last: dt.date
    holes: tuple[dt.date, ...] = ()

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"not a valid window: {self.first}..{self.last} ends before it starts.")

    def __iter__(self) -> Iterator[dt.date]:
        holes = set(self.holes)
        return (day for n in range(self.span) if (day := self.first + dt.timedelta(days=n)) not in holes)

    def __len__(self) -> int:
        return self.span - len(self.holes)

    def __contains__(self, day: dt.date) -> bool:
        return self.first <= day <= self.last and day not in self.holes

    def __str__(self) -> str:
        if self.holes:
            return ", ".join(map(str, contiguous(self)))
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"

    @property
    def span(self) -> int:
        """Number of days from the first to the last one, with those of the holes."""
        return (self.last - self.first).days + 1

    @property
    def closed(self) -> "Window":
        """The same from first to last, without holes."""
        return Window(self.first, self.last)

    @classmethod
    def of(cls, days: Iterable[dt.date]) -> "Window":
        """Returns the window of these days, with holes for those between. Raises ValueError if there are none."""
        wanted = set(days)
        around = cls(min(wanted), max(wanted))
        return cls(around.first, around.last, tuple(day for day in around if day not in wanted))

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Returns the window of "2024-01-01" or "2024-01-01..2024-01-31". Raises ValueError."""
        first, _, last = text.partition("..")
        try:
            return cls(dt.date.fromisoformat(first), dt.date.fromisoformat(last or first))
        except ValueError as error:
            raise ValueError(f"“{text}” is not a valid window. Write 2024-01-01 or 2024-01-01..2024-01-31.") from error


def contiguous(days: Iterable[dt.date]) -> list[Window]:
    """Returns the contiguous ranges of days: as few windows as possible, in order."""
    found: list[Window] = []
    for day in sorted(set(days)):
        if found and day - found[-1].last == ONE_DAY:
            found[-1] = Window(found[-1].first, day)
        else:
            found.append(Window(day, day))
    return found


@dataclass(frozen=True)
class Reach:
    """The days of an input that the day d of a table reads: d - before to d + after.

    None means unlimited. `by_event` reads the rows of a feed by event day instead of the day under which they are
    stored. `by_arrival` reads all valid versions of them, typed, by the day under which they are stored. Days that are
    not `awaited` may be missing or not final: the day is final without them, and stale once they say something else. A
    day that is not `needed` blocks nothing: the table is made without it.
    Of days that are read by key, later ones are never awaited.
    With a `key`, a column of the input, only rows whose key occurs on the day d itself are read: see `by`.
    """

    name: str
    before: int | None = 0
    after: int | None = 0
    by_event: bool = False
    by_arrival: bool = False
    awaited: bool = True
    needed: bool = True
    key: str | None = field(default=None, repr=False)
    keys_of: str | None = field(default=None, repr=False)
    days_alone: bool = field(default=False, repr=False)

    def by(self, key: str, of: str | None = None) -> "Reach":
        """Returns the same days, of which only the rows are read whose key occurs on the day itself.

        A row that changes makes only the days stale on which its key occurs. The keys of a day are those in the inputs
        of the table that are read on the same day and have a column of that name; if none has, those of the input on
        that day; or those of one input, if `of` names it. Rows without a key are not read. Raises ValueError for a
        reach that is the day, or ends with another than it: `ever` has no end.
        """
        if self.before == 0 or self.after not in (0, None) or self.by_event or self.by_arrival:
            raise ValueError(f"{self.name} cannot be read by {key}: only days up to the day, or all days, can.")
        name = f"{self.name} by {key}" + (f" of {of}" if of else "")
        return replace(self, name=name, key=key, keys_of=of)

    def days_of(self, key: str) -> "Reach":
        """Returns the same as `by`, of which only key and day are read, each pair once: on which days the key occurs.

        A row that changes otherwise makes no day stale but its own. Raises ValueError as `by` does.
        """
        keyed = self.by(key)
        return replace(keyed, name=f"{self.name} of days of {key}", days_alone=True)

    @property
    def is_same_day(self) -> bool:
        """Whether a day depends only on the same day of the input, and cannot be made without it."""
        return self.before == 0 and self.after == 0 and self.needed

    @property
    def length(self) -> int | None:
        """Number of days that it covers; None if unlimited."""
        return None if self.before is None or self.after is None else self.before + 1 + self.after

    def window(self, of: Window, calendar: Window) -> Window:
        """Returns the days to read for all days of a window, within the calendar."""
        first = calendar.first if self.before is None else of.first - dt.timedelta(days=self.before)
        last = calendar.last if self.after is None else of.last + dt.timedelta(days=self.after)
        return Window(min(max(first, calendar.first), of.first), max(min(last, calendar.last), of.last))


same_day = Reach("same_day")
if_known = Reach("if_known", needed=False)
by_event_day = Reach("by_event_day", by_event=True)
by_arrival_day = Reach("by_arrival_day", by_arrival=True)
history = Reach("history", before=None)
since = Reach("since", after=None)
ever = Reach("ever", before=None, after=None)
"""All days. By key, what is made of a day may use a row of a later day only while there is none up to the day."""


def trailing(days: int) -> Reach:
    """Returns the reach of day d and those before it, `days` in total."""
    return Reach(f"trailing({days})", before=days - 1)


def around(before: int, after: int) -> Reach:
    """Returns the reach from `before` days before d to `after` days after it."""
    return Reach(f"around({before}, {after})", before=before, after=after)


def revised(before: int | None, after: int) -> Reach:
    """Returns the reach of `around`, or of all days before, none of which is awaited.

    What the table makes of a day must use nothing of a later day but to revise what became known on that later day.
    """
    return Reach(f"revised({'history' if before is None else before}, {after})", before, after, awaited=False)


class State(StrEnum):
    """The state of a table-day."""

    STORED = "stored"
    """Good and final."""
    PROVISIONAL = "provisional"
    """Good, but not final.

    Days in its reach are missing or not final, a file that it was read from is cut off or damaged, or its rows wait for
    rows of a failed or blocked day.
    """
    FAILED = "failed"
    """Broke its contract or could not be computed: no rows."""
    BLOCKED = "blocked"
    """A same-day input is failed, blocked or has not run: no rows."""

    @property
    def is_good(self) -> bool:
        return self in (State.STORED, State.PROVISIONAL)


GOOD = "('stored', 'provisional')"
"""SQL: the states of table-days with good rows."""
