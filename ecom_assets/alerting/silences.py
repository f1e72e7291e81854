"""Silences: tables and days that are not told of for a while, and why."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ecom_assets.alerting.events import Key
from ecom_assets.days import Window


@dataclass(frozen=True)
class Silence:
    """What matches is not told until a moment, UTC. `tables` is a pattern such as `silver.*`; no `days` means all."""

    id: int
    tables: str
    days: Window | None
    until: dt.datetime
    reason: str

    def covers(self, key: Key, now: dt.datetime) -> bool:
        """Returns whether what a key names is silent now."""
        on_day = self.days is None or (key.day is not None and key.day in self.days)
        return now < self.until and on_day and fnmatchcase(key.table, self.tables)


def is_silent(silences: Iterable[Silence], key: Key, now: dt.datetime) -> bool:
    """Returns whether any silence covers what a key names."""
    return any(silence.covers(key, now) for silence in silences)
