"""What a consumer tells: events in the store of alerts, and messages, sent at once by a thread of their own."""

import datetime as dt
import logging
import queue
import sqlite3
import threading
from contextlib import suppress
from types import TracebackType

from ecom_assets.alerting.configuration import Delivery
from ecom_assets.alerting.delivery import FIRST_RETRY, tell, tick
from ecom_assets.alerting.events import STREAM, Event, Key, Kind, Severity
from ecom_assets.alerting.incidents import Told
from ecom_assets.alerting.messages import Message
from ecom_assets.alerting.store import open_store
from ecom_assets.streaming.rules import Finding

_TO_DO = {
    "fraud": "Hold the order, and look at it; predictions.orders_to_review has its chance once its day has run.",
    "stock": "Take the product off sale, or count it.",
    "payments": "Ask the provider of payments, and look at the shop's checkout.",
    "checkout": "Place an order in the shop yourself.",
}

_log = logging.getLogger(__name__)


class Telling:
    """Stores events and sends what is due, while it is entered. What is told once is told again once it was over."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._firing: set[Key] = set()
        self._due: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, name="telling", daemon=True)

    def __enter__(self) -> "Telling":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._due.put(None)
        self._thread.join(timeout=10)

    def told(self, topic: str, about: str, note: str | None) -> None:
        """Tells what is amiss with a topic, or that it is over. Never raises."""
        key = Key(STREAM, f"{topic} {about}")
        if (note is None) == (key not in self._firing):
            return
        (self._firing.discard if note is None else self._firing.add)(key)
        now = dt.datetime.now(dt.UTC)
        severity = None if note is None else Severity.CRITICAL
        id = f"{STREAM}:{key.table}:{now.isoformat()}"
        self.add([Event(id, now, key, severity, Kind.PLATFORM, note or "")])

    def add(self, events: list[Event]) -> None:
        """Stores events, and has them sent. Never raises."""
        try:
            with open_store(self._delivery.store) as store:
                store.add(events, dt.datetime.now(dt.UTC))
        except (sqlite3.Error, OSError) as error:
            _log.warning("The store of alerts cannot be used: %s", error)
            return
        self._due.put(None)

    def warn(self, found: Finding, stream: str) -> None:
        """Sends an early warning, once for each thing that it is about. Returns at once."""
        known, now = self._delivery.settings, dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        id = f"{STREAM}:{found.rule}:{found.about}"
        head = (id, id, Told.FIRING, found.severity, now, f"{found.note} ({stream})")
        to_do = _TO_DO.get(found.rule, "")
        self._due.put(Message(*head, (), (), {}, (), 0, known.owner, known.ui, "", to_do))

    def _send(self) -> None:
        """Sends what is due, until the end.

        The store stays open meanwhile: its last connection to be closed would write all of the log into it each time.
        """
        with suppress(sqlite3.Error, OSError), open_store(self._delivery.store):
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        retry: float | None = None
        while not (self._ended.is_set() and self._due.empty()):
            due = self._taken(retry)
            messages = [message for message in due if message]
            try:
                done = [tell(self._delivery, messages)] if messages else []
                done += [tick(self._delivery)] if None in due else []
            except (sqlite3.Error, OSError) as error:
                _log.warning("The store of alerts cannot be used: %s", error)
                continue
            problems = [problem for delivered in done for problem in delivered.problems]
            for problem in problems:
                _log.warning("Alerts: %s", problem)
            if problems:
                retry = FIRST_RETRY.total_seconds()
            elif any(delivered.sent for delivered in done):
                retry = None

    def _taken(self, seconds: float | None) -> list[Message | None]:
        """Returns what is due, once there is something; after some seconds, that what failed is due again."""
        due: list[Message | None] = []
        with suppress(queue.Empty):
            due.append(self._due.get(timeout=seconds))
            while True:
                due.append(self._due.get_nowait())
        return due or [None]
