"""A tick: what happened becomes messages, and messages reach their channels.

Each step is recorded before the next: a process that is killed anywhere leaves an event to be taken, a message to be
sent, or one that may have been sent and is sent once more under the same id.
"""

import datetime as dt
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ecom_assets.alerting.channels import Alertmanager, Channel, NotSent, Refused, channels_of
from ecom_assets.alerting.configuration import AlertSettings, Delivery
from ecom_assets.alerting.events import Severity
from ecom_assets.alerting.incidents import Plan, Told, next_due, step
from ecom_assets.alerting.messages import Message, compose, shortened
from ecom_assets.alerting.store import AlertStore, open_store

MAX_SECONDS = 25.0
"""After this time a tick leaves the rest to the next: Dagster ends ticks after a minute."""
SILENT_AFTER = dt.timedelta(minutes=10)
"""Alerting that has not ticked for so long is dead; a message that no channel has taken for so long is late."""
REFRESH_AFTER = dt.timedelta(minutes=1)
FIRST_RETRY, LAST_RETRY = dt.timedelta(seconds=10), dt.timedelta(minutes=10)
LAST_TICK = "last_tick"


@dataclass(frozen=True)
class Delivered:
    """What a tick did: the messages that were sent, counted per channel, and the problems, as sentences."""

    sent: int = 0
    problems: tuple[str, ...] = ()
    is_elsewhere: bool = False


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _text(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def tick(
    delivery: Delivery,
    *,
    channels: Sequence[Channel] | None = None,
    now: Callable[[], dt.datetime] = _now,
    on_step: Callable[[str], None] = lambda step: None,
    seconds: float = MAX_SECONDS,
) -> Delivered:
    """Makes messages of what has happened and sends those that are due; one process at a time, others leave it to it.

    `on_step` is called between the steps; tests raise errors there. Raises sqlite3.Error, OSError if the store cannot
    be used.
    """
    delivery.store.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(delivery.store.with_suffix(".lock"), thread_local=False).acquire(timeout=0)
    except Timeout:
        return Delivered(is_elsewhere=True)
    with lock, open_store(delivery.store) as store:
        found = list(channels_of(delivery) if channels is None else channels)
        plan(store, delivery.settings, found, now())
        on_step("planned")
        return _deliver(store, found, now, on_step, time.monotonic() + seconds)


def tell(
    delivery: Delivery,
    messages: Sequence[Message],
    *,
    now: Callable[[], dt.datetime] = _now,
    seconds: float = MAX_SECONDS,
) -> Delivered:
    """Sends messages that are of no incident, at once, and what else is due; what fails is sent by a later tick.

    A message that was told before, by its id, is not told again. Raises sqlite3.Error, OSError if the store cannot be
    used.
    """
    until = time.monotonic() + seconds
    found = channels_of(delivery)[::-1]  # the file last: to look for a message in it takes some time
    with open_store(delivery.store) as store:
        with store.transaction():
            for message in messages:
                if not store.is_known(message.id):
                    store.queue(message, [c.name for c in found if message.severity.rank <= c.least.rank])
        try:
            lock = FileLock(delivery.store.with_suffix(".lock"), thread_local=False).acquire(
                timeout=seconds, poll_interval=0.005
            )
        except Timeout:
            return Delivered(is_elsewhere=True)
        with lock:
            return _deliver(store, found, now, lambda step: None, until)


def plan(store: AlertStore, known: AlertSettings, channels: Sequence[Channel], now: dt.datetime) -> list[Message]:
    """Takes the events that wait no longer, and queues the messages that follow. Returns these messages."""
    due = store.fact("due")
    if due != "" and not (due and due <= _text(now)) and not store.has_events(now):
        store.set_fact(LAST_TICK, now.isoformat())
        return []
    with store.transaction():
        state, silences = store.load(), store.silences(now)
        before = deepcopy(state)
        plans = step(state, store.take(now), now, silences)
        messages = [compose(plan, known, now) for plan in plans]
        store.save(before, state, now)
        for planned, message in zip(plans, messages, strict=True):
            store.queue(message, [channel.name for channel in channels if _gets(channel, planned, message)])
        later = next_due(state, now, silences)
        store.set_fact("due", _text(later) if later else "never")
        store.set_fact(LAST_TICK, now.isoformat())
        store.prune(now)
    return messages


def _gets(channel: Channel, planned: Plan, message: Message) -> bool:
    if planned.channels is not None:
        return channel.name in planned.channels
    return message.severity.rank <= channel.least.rank


def _deliver(
    store: AlertStore,
    channels: Sequence[Channel],
    now: Callable[[], dt.datetime],
    on_step: Callable[[str], None],
    until: float,
) -> Delivered:
    """Sends what is due. A channel that fails gets nothing more in this tick, so that its messages stay in order."""
    known, failed, sent = {channel.name: channel for channel in channels}, dict[str, str](), 0
    for message, name, attempts in store.due(now(), LAST_RETRY):
        if name not in known:
            store.mark(message, name, "dropped")
            continue
        if name in failed or time.monotonic() > until:
            continue
        store.mark(message, name, "trying")
        on_step("trying")
        retry = now() + min(FIRST_RETRY * 2 ** min(attempts, 10), LAST_RETRY)
        try:
            _send(known[name], message)
        except Refused as error:
            store.mark(message, name, "refused", error=str(error))
            failed[name] = f"{name} refuses a message: {error}."
        except NotSent as error:
            store.mark(message, name, "pending", error=str(error), next_try=retry)
            failed[name] = f"{name} cannot be reached and will be tried again: {error}."
        except OSError as error:
            store.mark(message, name, "trying", error=_sentence(error), next_try=retry)
            failed[name] = f"{name} has not confirmed a message, which will be sent again: {_sentence(error)}."
        else:
            on_step("sent")
            store.mark(message, name, "sent")
            on_step("marked")
            sent += 1
    _refresh(store, [channel for channel in channels if channel.name not in failed], now())
    return Delivered(sent, tuple(failed.values()))


def _sentence(error: OSError) -> str:
    return error.strerror or str(error)


def _send(channel: Channel, message: Message) -> None:
    """Sends a message, or a short text that says that it was refused. Raises OSError as the channel does."""
    try:
        channel.send(message)
    except Refused as error:
        channel.send_short(message, shortened(message, str(error)))


def _refresh(store: AlertStore, channels: Sequence[Channel], now: dt.datetime) -> None:
    """Tells the receivers that forget what still holds, once a minute."""
    refreshed = store.fact("refreshed")
    if refreshed and dt.datetime.fromisoformat(refreshed) > now - REFRESH_AFTER:
        return
    for channel in channels:
        if isinstance(channel, Alertmanager):
            with suppress(OSError):
                channel.refresh(store.last_messages(channel.name, now - 5 * REFRESH_AFTER))
    store.set_fact("refreshed", now.isoformat())


def send_test(delivery: Delivery, now: dt.datetime) -> dict[str, str]:
    """Sends a test message to every channel. Returns what went wrong, by channel; empty where nothing did."""
    known, id = delivery.settings, f"test:{now:%Y%m%d%H%M%S}"
    at, what = now.isoformat(timespec="seconds"), "A test: alerts arrive here"
    head = (id, id.partition(":")[0], Told.FIRING, Severity.WARNING, at, what)
    message = Message(*head, (), (), {}, (), 0, known.owner, known.ui, "", "")
    found = {}
    for channel in channels_of(delivery):
        try:
            channel.send(message)
        except OSError as error:
            found[channel.name] = _sentence(error)
        else:
            found[channel.name] = ""
    return found


@dataclass(frozen=True)
class Health:
    """Whether alerting itself works: `problems` are critical, as sentences; `last_tick` is None before the first."""

    last_tick: dt.datetime | None
    problems: tuple[str, ...]


def health(path: Path, now: dt.datetime) -> Health:
    """Returns how alerting is. Never raises: a store that cannot be read is a problem."""
    if not path.exists():
        return Health(None, ("Alerting has never run: start Dagster with make ui.",))
    try:
        with open_store(path) as store:
            last, late = store.fact(LAST_TICK), store.undelivered()
    except (sqlite3.Error, OSError) as error:
        return Health(None, (f"The store of alerts, {path}, cannot be read: {error}.",))
    ticked = dt.datetime.fromisoformat(last) if last else None
    problems = []
    if ticked is None or abs(now - ticked) >= SILENT_AFTER:  # in the future, if the clock was set back since
        since = f"since {ticked:%Y-%m-%d %H:%M} UTC" if ticked else "yet"
        problems.append(f"Alerting has not run {since}: start Dagster with make ui, and its sensor report_failures.")
    for channel, at, why in late:
        if now - dt.datetime.fromisoformat(at) >= SILENT_AFTER:
            problems.append(f"The channel {channel} has taken no message since {at}: {why or 'it was interrupted'}.")
    return Health(ticked, tuple(problems))
