"""What a consumer tells: events in the store of alerts, and messages, sent at once by a thread of their own."""

import datetime as dt
import logging
import sqlite3
import threading
from types import TracebackType

from ecom_assets.alerting.configuration import Delivery
from ecom_assets.alerting.delivery import tick
from ecom_assets.alerting.events import STREAM, Event, Key, Kind, Severity
from ecom_assets.alerting.store import open_store

_log = logging.getLogger(__name__)


class Telling:
    """Stores events and sends what is due, while it is entered. What is told once is told again once it was over."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._firing: set[Key] = set()
        self._due = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, name="telling", daemon=True)

    def __enter__(self) -> "Telling":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._due.set()
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
        self._due.set()

    def _send(self) -> None:
        while not self._ended.is_set():
            self._due.wait()
            self._due.clear()
            try:
                for problem in tick(self._delivery).problems:
                    _log.warning("Alerts: %s", problem)
            except (sqlite3.Error, OSError) as error:
                _log.warning("The store of alerts cannot be used: %s", error)
