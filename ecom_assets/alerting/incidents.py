"""Incidents: a state machine without clock, storage and channels.

An alert is a check of a table-day that fails. Alerts of one cause are one incident, of which one message tells; what an
alert blocks is counted in it. An incident is firing until a channel has been told, then notified, and resolved once all
its alerts are. What is resolved before it was told is never told; each channel that was told gets one recovery notice.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ecom_assets.alerting.events import STORAGE, Event, Key, Kind, Severity
from ecom_assets.alerting.grouping import CONTRACT, groups, root
from ecom_assets.alerting.silences import Silence, is_silent

MAX_MESSAGES = 5
"""The most messages of a step; new incidents beyond the first few are told in one."""
MAX_NEW = MAX_MESSAGES - 1
REPEAT_AFTER = dt.timedelta(hours=4)
UPDATE_AFTER = dt.timedelta(minutes=5)
"""Time after a message in which more alerts of the same cause are not told yet, unless they are worse."""
DIGEST_AFTER = dt.timedelta(hours=24)
"""Time between two messages about expectations that rows miss: quarantined rows are routine."""
WAITING_FOR = dt.timedelta(days=8)
"""Time in which rows may wait for rows to which they refer, before they are told: most late rows are a week late."""
"""The check that fails while the data cannot be reached; nothing else is told meanwhile."""


class Told(StrEnum):
    """What a message says of an incident."""

    FIRING = "firing"
    UPDATE = "update"
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass
class Alert:
    """A check that fails, or one that passes again and belongs to an incident that is open."""

    event: Event
    since: dt.datetime
    incident: str | None = None
    resolved_at: dt.datetime | None = None


@dataclass
class Incident:
    """Alerts of one cause. `told` are the channels that may have been told of it; `messages` counts what was to be.

    `news` means that alerts have joined that are not told yet, `is_worse` that one is worse than all before.
    """

    id: str
    severity: Severity
    opened_at: dt.datetime
    is_digest: bool = False
    told_at: dt.datetime | None = None
    messages: int = 0
    news: bool = False
    is_worse: bool = False
    told: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """A message to compose: of one incident, or as a reminder of several. `channels` limits who gets it."""

    id: str
    kind: Told
    incidents: tuple[Incident, ...]
    alerts: tuple[Alert, ...]
    channels: frozenset[str] | None = None


@dataclass
class State:
    """All alerts and incidents that are open, and when the last digest was told."""

    alerts: dict[Key, Alert] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    digest_at: dt.datetime | None = None


def step(state: State, events: Iterable[Event], now: dt.datetime, silences: Sequence[Silence] = ()) -> list[Plan]:
    """Takes events, in order, and returns the messages to send; both are reflected in the state."""
    for event in events:
        _take(state, event, now)
    members: dict[str, list[Alert]] = {id: [] for id in state.incidents}
    for alert in state.alerts.values():
        if alert.incident:
            members[alert.incident].append(alert)
    over = [state.incidents[id] for id, alerts in members.items() if all(alert.resolved_at for alert in alerts)]
    for incident in over:
        if not incident.told:
            _close(state, incident, members[incident.id])
    new = _open(state, members, now, silences)
    plans = [_plan(incident, Told.FIRING, members, now) for incident in new]
    for incident in over:
        if incident.told and len(plans) < MAX_MESSAGES:
            plans.append(_plan(incident, Told.RESOLVED, members, now, incident.told))
            _close(state, incident, members[incident.id])
    for incident in list(state.incidents.values()):
        if _has_news(incident, now) and _speaks(incident, members, silences, now) and len(plans) < MAX_MESSAGES:
            plans.append(_plan(incident, Told.UPDATE if incident.told else Told.FIRING, members, now))
    due = [
        incident
        for incident in state.incidents.values()
        if incident.severity is not Severity.WARNING and _speaks(incident, members, silences, now)
    ]
    is_time = any(incident.told_at and incident.told_at <= now - REPEAT_AFTER for incident in due)
    if is_time and len(plans) < MAX_MESSAGES:
        plans.append(_reminder(due, members, now))
    return plans


def next_due(state: State, now: dt.datetime, silences: Sequence[Silence] = ()) -> dt.datetime | None:
    """Returns when a step without events may have something to tell; None if never."""
    moments = [silence.until for silence in silences if silence.until > now]
    for incident in state.incidents.values():
        if incident.news:
            moments.append(now if incident.is_worse or not incident.told_at else incident.told_at + UPDATE_AFTER)
        if incident.told_at and incident.severity is not Severity.WARNING:
            moments.append(incident.told_at + REPEAT_AFTER)
    open_incidents = {alert.incident for alert in state.alerts.values() if not alert.resolved_at}
    if state.incidents.keys() - open_incidents:
        moments.append(now)
    next_digest = [state.digest_at + DIGEST_AFTER] if state.digest_at else []
    for alert in state.alerts.values():
        if alert.incident is None and not alert.resolved_at:
            told = [*next_digest, *([alert.since + WAITING_FOR] if alert.event.waits else [])]
            moments += [max(told)] if told else []
    return min(moments, default=None)


def _take(state: State, event: Event, now: dt.datetime) -> None:
    alert = state.alerts.get(event.key)
    if event.passes:
        if alert and alert.incident is None:
            del state.alerts[event.key]
        elif alert and not alert.resolved_at:
            alert.resolved_at = now
        return
    if alert is None:
        state.alerts[event.key] = Alert(event, event.at)
        return
    before, was_resolved = alert.event, alert.resolved_at is not None
    alert.event, alert.resolved_at = event, None
    is_other = was_resolved or (before.kind, before.cause) != (event.kind, event.cause)
    if alert.incident and is_other and event.kind is not Kind.BLOCKED:
        _add_news(state.incidents[alert.incident], event)


def _add_news(incident: Incident, event: Event) -> None:
    """Notes that there is more to tell; of a digest not before the next one."""
    incident.news = not incident.is_digest
    if event.severity and event.severity.rank < incident.severity.rank:
        incident.severity, incident.is_worse = event.severity, True


def _open(
    state: State, members: dict[str, list[Alert]], now: dt.datetime, silences: Sequence[Silence]
) -> list[Incident]:
    """Gives alerts without an incident one, if they are to be told now. Returns the new incidents."""
    failing = {key: alert.event for key, alert in state.alerts.items() if not alert.resolved_at}
    pending = [key for key in failing if state.alerts[key].incident is None]
    if not pending:
        return []
    told = {key: event for key, event in failing.items() if not is_silent(silences, root(failing, key), now)}
    told = {key: event for key, event in told.items() if not is_silent(silences, key, now)}
    if any(key.check == STORAGE for key in failing):
        told = {key: event for key, event in told.items() if event.kind is Kind.PLATFORM}
    routine = {key for key, event in told.items() if _is_routine(event)}
    gathered: list[list[Key]] = []
    for group in groups(told, [key for key in told if key not in routine]):
        joining = [key for key in group if state.alerts[key].incident is None]
        there = {id for key in group if (id := state.alerts[key].incident)}
        if joining and there:
            oldest = min((state.incidents[id] for id in there), key=lambda incident: (incident.opened_at, incident.id))
            _join(state, members, oldest, joining)
        elif joining:
            gathered.append(joining)
    gathered.sort(key=lambda group: (min(_rank(told[key]) for key in group), -len(group), told[group[0]].id))
    if len(gathered) > MAX_NEW:
        gathered = [*gathered[: MAX_NEW - 1], [key for group in gathered[MAX_NEW - 1 :] for key in group]]
    new = [_new(state, members, group, now) for group in gathered]
    waiting = [
        key
        for key in pending
        if key in routine and Key(CONTRACT, key.table, key.day) not in failing and _is_old(state.alerts[key], now)
    ]
    if waiting and (state.digest_at is None or now - state.digest_at >= DIGEST_AFTER):
        new.append(_new(state, members, waiting, now, is_digest=True))
        state.digest_at = now
    return new


def _is_routine(event: Event) -> bool:
    """Returns whether rows of a table miss expectations, which is a matter of the digest; a damaged file is not."""
    return event.kind is Kind.MISSED and not event.key.table.startswith("bronze.")


def _is_old(alert: Alert, now: dt.datetime) -> bool:
    """Returns whether an alert is to be told: rows that wait may still be accepted."""
    return not alert.event.waits or now - alert.since >= WAITING_FOR


def _rank(event: Event) -> int:
    return event.severity.rank if event.severity else len(Severity)


def _new(
    state: State, members: dict[str, list[Alert]], keys: list[Key], now: dt.datetime, is_digest: bool = False
) -> Incident:
    alerts = [state.alerts[key] for key in keys]
    first = min(alerts, key=lambda alert: (_rank(alert.event), alert.event.at, alert.event.id)).event
    worst = min((alert.event.severity for alert in alerts if alert.event.severity), key=lambda found: found.rank)
    id = hashlib.blake2b(first.id.encode(), digest_size=6).hexdigest()
    incident = Incident(id, worst, now, is_digest)
    state.incidents[id], members[id] = incident, alerts
    for alert in alerts:
        alert.incident = id
    return incident


def _join(state: State, members: dict[str, list[Alert]], incident: Incident, keys: list[Key]) -> None:
    for key in keys:
        alert = state.alerts[key]
        alert.incident = incident.id
        members[incident.id].append(alert)
        if alert.event.kind not in (Kind.BLOCKED, Kind.MISSED):
            _add_news(incident, alert.event)


def _has_news(incident: Incident, now: dt.datetime) -> bool:
    is_time = incident.is_worse or incident.told_at is None or now - incident.told_at >= UPDATE_AFTER
    return incident.news and is_time


def _speaks(incident: Incident, members: dict[str, list[Alert]], silences: Sequence[Silence], now: dt.datetime) -> bool:
    """Returns whether an alert of an incident fails that is not silent."""
    return any(
        not alert.resolved_at and not is_silent(silences, alert.event.key, now) for alert in members[incident.id]
    )


def _plan(
    incident: Incident,
    kind: Told,
    members: dict[str, list[Alert]],
    now: dt.datetime,
    channels: frozenset[str] | None = None,
) -> Plan:
    incident.messages += 1
    incident.told_at, incident.news, incident.is_worse = now, False, False
    return Plan(f"{incident.id}:{incident.messages}", kind, (incident,), tuple(members[incident.id]), channels)


def _reminder(due: list[Incident], members: dict[str, list[Alert]], now: dt.datetime) -> Plan:
    due[0].messages += 1
    for incident in due:
        incident.told_at = now
    alerts = tuple(alert for incident in due for alert in members[incident.id] if not alert.resolved_at)
    return Plan(f"{due[0].id}:{due[0].messages}", Told.REMINDER, tuple(due), alerts)


def _close(state: State, incident: Incident, members: list[Alert]) -> None:
    del state.incidents[incident.id]
    for alert in members:
        del state.alerts[alert.event.key]
