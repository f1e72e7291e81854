"""Events and messages for tests of alerts."""

import datetime as dt

from ecom_assets.alerting.events import Event, Key, Kind, Severity

NOON = dt.datetime(2024, 4, 1, 12, tzinfo=dt.UTC)
RULE = "amount is at least 0"
_SEVERITIES = {
    Kind.FAILED: Severity.CRITICAL,
    Kind.BLOCKED: Severity.ERROR,
    Kind.MISSED: Severity.WARNING,
    Kind.PLATFORM: Severity.CRITICAL,
}


def on(day: int) -> dt.date:
    """A day of March 2024, or after it."""
    return dt.date(2024, 3, 1) + dt.timedelta(days=day - 1)


class Events:
    """Makes events with numbers as ids."""

    def __init__(self) -> None:
        self._number = 0

    def _id(self) -> str:
        self._number += 1
        return f"box-{self._number}"

    def fails(
        self, table: str, day: int = 2, rule: str = RULE, kind: Kind = Kind.FAILED, reads: tuple[str, ...] = ()
    ) -> Event:
        """A day of a table breaks a rule on two rows."""
        check = "expectations" if kind is Kind.MISSED else "contract"
        key, rows, run = Key(check, table, on(day)), {rule: 2}, "4bb4db42-6ac7"
        samples = (f"2024-03-0{day}/file.csv, record 3: {rule}",)
        return Event(self._id(), NOON, key, _SEVERITIES[kind], kind, "", rows, samples, reads, run_id=run)

    def misses(self, table: str, day: int = 2, rule: str = RULE) -> Event:
        """A day of a table misses an expectation."""
        return self.fails(table, day, rule, Kind.MISSED)

    def blocked(self, table: str, by: str, day: int = 2) -> Event:
        """A day of a table is blocked by an input."""
        key, note = Key("contract", table, on(day)), f"{by} is failed on {on(day)}"
        return Event(self._id(), NOON, key, Severity.ERROR, Kind.BLOCKED, note, upstream=(by,), blocked_by=by)

    def stops(self, what: str = "pipeline", check: str = "run", note: str = "the disk is full") -> Event:
        """A run stops."""
        return Event(self._id(), NOON, Key(check, what), Severity.CRITICAL, Kind.PLATFORM, note, run_id="4bb4db42-6ac7")

    def passes(self, failed: Event) -> Event:
        """What failed is good again."""
        return Event(self._id(), NOON, failed.key, None)
