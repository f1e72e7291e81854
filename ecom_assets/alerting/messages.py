"""What a message says: what, tables, days, rules, rows, owner, links, what to do. As fields, and as text."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from itertools import islice, zip_longest
from urllib.parse import quote

from ecom_assets.alerting.configuration import AlertSettings
from ecom_assets.alerting.events import DAEMON, DISK, REPAIR, RUN, STORAGE, STREAM, Event, Kind, Severity
from ecom_assets.alerting.grouping import CONTRACT
from ecom_assets.alerting.incidents import Alert, Plan, Told
from ecom_assets.days import contiguous

MAX_LISTED = 10
MAX_SAMPLES = 5
MAX_CHARACTERS = 500
REMINDERS = "reminders"
"""Takes the place of the incident in messages of several."""
_HEADS = {Told.FIRING: "", Told.UPDATE: "More: ", Told.REMINDER: "Still failing: ", Told.RESOLVED: "Resolved: "}


@dataclass(frozen=True)
class Message:
    """One message. `id` is its own and stays the same if it is sent again; `incident` is that of all its messages.

    `at` is ISO 8601 in UTC, `days` are windows as text, `rows` counts the offending rows by the rule that they broke,
    `blocks` the tables that are muted because of it.
    """

    id: str
    incident: str
    kind: Told
    severity: Severity
    at: str
    what: str
    tables: tuple[str, ...]
    days: tuple[str, ...]
    rows: Mapping[str, int]
    samples: tuple[str, ...]
    blocks: int
    owner: str
    run: str
    asset: str
    to_do: str

    @property
    def is_over(self) -> bool:
        return self.kind is Told.RESOLVED

    def to_json(self) -> str:
        """Returns the message as text."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Message":
        """Returns the message of `to_json`."""
        known = json.loads(text)
        lists = {name: tuple(known[name]) for name in ("tables", "days", "samples")}
        return cls(**{**known, **lists, "kind": Told(known["kind"]), "severity": Severity(known["severity"])})

    def headline(self) -> str:
        """Returns the first line, without the severity."""
        return f"{_HEADS[self.kind]}{self.what}"

    def lines(self) -> list[str]:
        """Returns what follows the first line: of a recovery, what it was about and where to look."""
        found = [f"{count:,} x {rule}" for rule, count in list(self.rows.items())[:MAX_LISTED]]
        found += [f"  {sample}" for sample in self.samples]
        if self.is_over:
            found = []
        elif self.blocks:
            found.append(f"It blocks {_counted(self.blocks, 'table')}.")
        about = {"More tables": ", ".join(self.tables[1:]), "Owner": self.owner, "Run": self.run, "Asset": self.asset}
        found += [f"{name}: {value}" for name, value in about.items() if value]
        return found if self.is_over or not self.to_do else [*found, f"What to do: {self.to_do}"]


def compose(plan: Plan, known: AlertSettings, at: dt.datetime) -> Message:
    """Returns the message of a plan."""
    causes = _causes(plan.alerts)
    events = [alert.event for alert in causes]
    tables = tuple(dict.fromkeys(event.key.table for event in events))
    first = events[0]
    windows = tuple(map(str, contiguous({event.key.day for event in events if event.key.day})))
    by_table: dict[str, Counter[str]] = {table: Counter() for table in tables}
    for event in events:
        by_table[event.key.table].update(event.rules)
    rules = dict.fromkeys(rule for counts in by_table.values() for rule, _ in counts.most_common())
    rows = {rule: sum(counts[rule] for counts in by_table.values()) for rule in islice(rules, MAX_LISTED)}
    blocked = {alert.event.key.table for alert in plan.alerts if alert.event.kind is Kind.BLOCKED} - set(tables)
    worst = min((incident.severity for incident in plan.incidents), key=lambda severity: severity.rank)
    return Message(
        plan.id,
        plan.incidents[0].id if plan.kind is not Told.REMINDER else REMINDERS,
        plan.kind,
        worst,
        at.isoformat(timespec="seconds"),
        _cut(_what(plan, events, tables, windows)),
        _listed(tables, MAX_LISTED),
        _listed(windows, MAX_LISTED),
        {_cut(rule): count for rule, count in rows.items()},
        _samples(events),
        len(blocked),
        ", ".join(dict.fromkeys(known.owner_of(table) for table in tables)),
        f"{known.ui}/runs/{first.run_id}" if first.run_id else "",
        f"{known.ui}/assets/{_path(first.key.table)}" if "." in first.key.table else "",
        _to_do(first),
    )


def shortened(message: Message, why: str) -> str:
    """Returns a text that takes the place of a message that a channel has refused."""
    return f"{_cut(message.headline())} (the full message was refused: {why}; it is in alerts.jsonl)"


def _samples(events: Sequence[Event]) -> tuple[str, ...]:
    """Returns a few samples: of the first table that failed, days in turn; of expectations, tables in turn."""
    first, of_tables = events[0], {event.key.table: event for event in reversed(events)}
    shown = [event for event in events if event.key.table == first.key.table]
    if first.kind is Kind.MISSED:
        shown = [of_tables[table] for table in dict.fromkeys(event.key.table for event in events)]
    rounds = zip_longest(*(event.samples for event in shown))
    return tuple(islice((sample for found in rounds for sample in found if sample), MAX_SAMPLES))


def _causes(alerts: Sequence[Alert]) -> list[Alert]:
    """Returns the alerts that are not blocked by others, the worst and those furthest upstream first."""
    causes = [alert for alert in alerts if alert.event.kind is not Kind.BLOCKED] or list(alerts)
    depths = _depths({alert.event.key.table: {*alert.event.upstream} - {alert.event.key.table} for alert in causes})
    return sorted(causes, key=lambda alert: _place(alert.event, depths))


def _depths(upstream: Mapping[str, Set[str]]) -> dict[str, int]:
    """Returns, per table, the length of the longest way to it from the others."""
    depths = dict.fromkeys(upstream, 0)
    for _ in upstream:
        found = {
            table: max((1 + depths[one] for one in depths.keys() & upstream[table]), default=0) for table in depths
        }
        if found == depths:
            break
        depths = found
    return depths


def _place(event: Event, depths: Mapping[str, int]) -> tuple[int, int, str, dt.date]:
    kinds = [Kind.PLATFORM, Kind.FAILED, Kind.BLOCKED, Kind.MISSED]
    return kinds.index(event.kind), depths[event.key.table], event.key.table, event.key.day or dt.date.min


def _what(plan: Plan, events: Sequence[Event], tables: Sequence[str], windows: Sequence[str]) -> str:
    first, days = events[0], f" on {', '.join(_listed(windows, 3))}" if windows else ""
    if plan.kind is Told.REMINDER:
        since = min(incident.opened_at for incident in plan.incidents)
        count = _counted(len(plan.incidents), "incident")
        oldest, alerts = plan.alerts[0].event.key.table, _counted(len(plan.alerts), "alert")
        return f"{count} with {alerts} since {since:%Y-%m-%d %H:%M} UTC, {oldest} first"
    if first.kind is Kind.PLATFORM:
        more = f" ({_counted(len(events), 'time')})" if len(events) > 1 else ""
        return f"{first.note}{more}"
    named = tables[0] if len(tables) == 1 else f"{tables[0]} and {_counted(len(tables) - 1, 'table')} more"
    if first.kind is Kind.MISSED:
        return f"Rows of {named} are not as expected{days}"
    if first.kind is Kind.BLOCKED:
        return f"{named} {'is' if len(tables) == 1 else 'are'} blocked{days}: {first.note}"
    if first.key.check != CONTRACT:
        return f"{named}: {first.key.check} failed{days}"
    return f"{named} failed{days}" + (f": {first.note}" if first.note and not first.rules else "")


def _to_do(event: Event) -> str:
    layer, _, name = event.key.table.partition(".")
    match event.kind, layer:
        case Kind.PLATFORM, _:
            return {
                RUN: "Read the run's log and mend the cause; ecom run --stale goes on from there.",
                STORAGE: "Check that the disk is mounted, has room, and that its files can be read and written.",
                DAEMON: "Start Dagster again: make ui.",
                DISK: "Free space, or move the data folder to a larger disk; ecom prune lists what nothing needs.",
                STREAM: "ecom monitor says how far the consumer is; docs/streaming.md has what to do.",
                REPAIR: "Look at the last failed runs and mend the cause; the days are then repaired by themselves.",
            }.get(event.key.check, "")
        case Kind.MISSED, "bronze":
            return "Land the file again, complete and under the same name."
        case Kind.MISSED, _:
            return f"Nothing is blocked. Look at the rows with ecom quarantine {name} and correct them at their source."
        case Kind.BLOCKED, _:
            return "Run the input first: ecom run --stale."
        case _, "bronze":
            return f"Land the file, or say in feeds.toml that none is due: {event.note}."
        case _, "silver":
            return (
                f"Look at the rows with ecom quarantine {name} --rows 5, correct the file at its source and land it "
                "again under the same name; the days run again by themselves."
            )
    return "Look at the check on the asset's page; correct its source or the table's file, then ecom run --stale."


def _path(table: str) -> str:
    return "/".join(quote(part, safe="") for part in table.split("."))


def _listed(texts: Iterable[str], most: int) -> tuple[str, ...]:
    texts = tuple(texts)
    return texts if len(texts) <= most else (*texts[:most], f"{len(texts) - most} more")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} …"
