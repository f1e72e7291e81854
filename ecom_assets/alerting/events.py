"""Events: a check of a table-day, or of the platform itself, fails, passes again, or fails otherwise."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

RUN, STORAGE, DAEMON, DISK, REPAIR, STREAM = "run", "storage", "daemon", "disk", "repair", "stream"
"""The checks of the platform itself."""


class Severity(StrEnum):
    """How bad a fault is, the worst first.

    Critical: the pipeline stopped, something cannot be reached, a due file is missing, a blocking check failed.
    Error: days are blocked, or a check failed that blocks nothing. Warning: rows are not as expected.
    """

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"

    @property
    def rank(self) -> int:
        """Returns 0 for the worst."""
        return list(Severity).index(self)


class Kind(StrEnum):
    """What an event is about."""

    FAILED = "failed"
    """A table-day is not stored, or another blocking check failed."""
    BLOCKED = "blocked"
    """A table-day has no rows because an input has none."""
    MISSED = "missed"
    """Rows miss an expectation and are kept, or are quarantined."""
    PLATFORM = "platform"
    """A run, a daemon, the storage."""


@dataclass(frozen=True)
class Key:
    """What is judged: a check on a day of a table; for the platform a job, a daemon or a folder, and no day."""

    check: str
    table: str
    day: dt.date | None = None


@dataclass(frozen=True)
class Event:
    """A change of a verdict. `severity` is None if the check passes.

    `rules` are the broken rules with the number of rows, `samples` up to five rows or their places, `upstream` the
    tables that the table reads or refers to, `blocked_by` the one that blocks it. It `waits` if nothing is amiss but
    rows that wait for rows to which they refer. `at` is in UTC.
    """

    id: str
    at: dt.datetime
    key: Key
    severity: Severity | None
    kind: Kind = Kind.FAILED
    note: str = ""
    rules: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    blocked_by: str = ""
    run_id: str = ""
    waits: bool = False

    @property
    def passes(self) -> bool:
        return self.severity is None

    @property
    def cause(self) -> str:
        """What is wrong, without the numbers of the day: equal causes belong together."""
        return self.blocked_by or "; ".join(self.rules) or self.note

    def to_json(self) -> str:
        """Returns the event as text."""
        return json.dumps({**asdict(self), "at": self.at.isoformat(), "key": {**asdict(self.key), "day": self._day()}})

    def _day(self) -> str | None:
        return str(self.key.day) if self.key.day else None

    @classmethod
    def from_json(cls, text: str) -> "Event":
        """Returns the event of `to_json`."""
        known = json.loads(text)
        day = known["key"]["day"]
        key = Key(known["key"]["check"], known["key"]["table"], dt.date.fromisoformat(day) if day else None)
        severity = known["severity"] and Severity(known["severity"])
        lists = {name: tuple(known[name]) for name in ("samples", "upstream")}
        at = dt.datetime.fromisoformat(known["at"])
        return cls(**{**known, **lists, "key": key, "severity": severity, "kind": Kind(known["kind"]), "at": at})
