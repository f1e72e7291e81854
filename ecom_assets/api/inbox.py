"""Writes of clients: a file in the landing zone each, which is there for good before the client is told.

The landing zone is the truth: what was written before is read from the names and rows of its files.
"""

import datetime as dt
import hashlib
import json
import logging
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from filelock import FileLock, Timeout

from ecom_assets.api.resources import DELETED, Resource
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.landing.zone import WRITTEN_PREFIX, Zone
from ecom_assets.serving.written import Place

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_NAME = re.compile(rf"{WRITTEN_PREFIX}({_ULID})(?:-([0-9a-f]{{32}})-([0-9a-f]{{16}}))?\.jsonl")
File = tuple[str, dt.date, str]
"""A file of the landing zone: its feed, arrival day and name."""
TOKEN = re.compile(_ULID)
_log = logging.getLogger(__name__)


class KeyUsed(Exception):
    """An idempotency key came again with another request."""


class Exists(Exception):
    """There is such a thing already. `ids` are those of which there are."""

    def __init__(self, ids: Sequence[tuple[str, ...]]) -> None:
        super().__init__(ids)
        self.ids = ids


class NotWritable(Exception):
    """Another process writes for clients."""


@dataclass(frozen=True)
class Write:
    """What a request wrote: its token, the kind of thing, arrival day, file, and the numbers of its rows in order."""

    token: str
    resource: str
    feed: str
    arrived_on: dt.date
    file: str
    ids: tuple[tuple[str, ...], ...]
    is_deletion: bool = False


@dataclass
class Inbox:
    """The writes of clients to a landing zone. Threads may write at once; of processes, the one that was first."""

    zone: Zone
    lock_file: Path
    known: Sequence[Resource]
    calendar: Window
    time_zone: str
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    _by_token: dict[str, Write] = field(default_factory=dict)
    _by_key: dict[str, tuple[str, str]] = field(default_factory=dict)
    _latest: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    _pending: dict[str, Write] = field(default_factory=dict)
    _seen: str = ""
    """The newest snapshot that was asked for what is pending."""
    _last_ulid: int = 0
    _last_moment: dt.datetime = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _held: FileLock | None = None

    def open(self) -> None:
        """Takes the right to write, if no other process has it, and reads what was written before."""
        self.lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.lock_file, thread_local=False)
        with suppress(Timeout):
            lock.acquire(timeout=0)
            self._held = lock
        with self._guard:
            for resource in self.known:
                for day in self.zone.days(resource.feed_name):
                    for path in sorted((self.zone.root / resource.feed_name / str(day)).glob(f"{WRITTEN_PREFIX}*")):
                        self._read(resource, day, path)
            written = _moment_of(self._last_ulid) + dt.timedelta(milliseconds=1)
            if written.astimezone(ZoneInfo(self.time_zone)).date() in self.calendar:
                self._last_moment = written

    def close(self) -> None:
        """Gives the right to write back."""
        if self._held:
            self._held.release()
            self._held = None

    def write(
        self, resource: Resource, rows: Sequence[dict[str, Any]], key: str | None, digest: str, only_new: bool = False
    ) -> tuple[Write, bool]:
        """Writes rows that nothing is wrong with as a file, and returns it, and whether it was written before.

        `key` is the client's idempotency key, and `digest` tells its requests apart. A deletion is one row with the
        number alone. Raises KeyUsed, NotWritable, and Exists if rows are `only_new` and one of them is not.
        """
        if not self._held:
            raise NotWritable
        hashed = _hashed(key) if key is not None else None
        with self._guard:
            if hashed and (before := self._by_key.get(hashed)):
                token, request = before
                if request != digest:
                    raise KeyUsed
                return self._by_token[token], True
            deletes = DELETED in rows[0]
            ids = tuple(resource.id_of(row) for row in rows)
            if only_new and (there := [id for id in ids if self._is_there(resource, id)]):
                raise Exists(there)
            ulid, moment = self._tick()
            name = f"{WRITTEN_PREFIX}{ulid}{f'-{hashed}-{digest}' if hashed else ''}.jsonl"
            landed = [
                resource.retraction(id, moment) if deletes else resource.as_landed(row, moment)
                for id, row in zip(ids, rows, strict=True)
            ]
            lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in landed)
            written = Write(ulid, resource.name, resource.feed_name, self._arrival_day(), name, ids, deletes)
            self.zone.write(written.feed, written.arrived_on, name, lines.encode(), durable=True)
            self._remember(written, hashed, digest)
            return written, False

    @property
    def waiting(self) -> int:
        """The number of files that were not in the snapshot when it was last looked at."""
        return len(self._pending)

    def has_key(self, key: str) -> bool:
        """Returns whether a request had an idempotency key."""
        return _hashed(key) in self._by_key

    def latest(self, resource: Resource, id: tuple[str, ...]) -> Write | None:
        """Returns the last write of a thing."""
        token = self._latest.get((resource.name, id))
        return self._by_token[token] if token else None

    def of_token(self, token: str) -> Write | None:
        """Returns the write that has a token."""
        return self._by_token.get(token)

    def row(self, resource: Resource, write: Write, id: tuple[str, ...]) -> tuple[Place, dict[str, Any]]:
        """Returns where a thing's row of a write stands, and the row. Raises OSError."""
        number = write.ids.index(id)
        row = list(_rows(self.zone.root / write.feed / str(write.arrived_on) / write.file))[number]
        event_on = self._event_day(resource, write, row)
        return Place(write.feed, write.arrived_on, write.file, number + 1, event_on), row

    def look(self, snapshot: str, unread: Callable[[list[File]], set[File]]) -> None:
        """Looks which files wait for a later snapshot than this; `unread` tells which ones it does not have."""
        if snapshot > self._seen and self._pending:
            files = {(w.feed, w.arrived_on, w.file): w.token for w in list(self._pending.values())}
            for file in files.keys() - unread(list(files)):
                self._pending.pop(files[file], None)
            self._seen = snapshot

    def _is_there(self, resource: Resource, id: tuple[str, ...]) -> bool:
        latest = self.latest(resource, id)
        return latest is not None and not latest.is_deletion

    def _event_day(self, resource: Resource, write: Write, row: dict[str, Any]) -> dt.date | None:
        """Returns the day of silver that reads a row, None for its arrival day."""
        if (text := row.get(resource.feed.event_column)) is None:
            return None
        day = dt.datetime.fromisoformat(text).astimezone(ZoneInfo(self.time_zone)).date()
        if resource.feed.is_versioned:
            day = max(day, self.calendar.first)
        return day if day in self.calendar and day <= write.arrived_on + ONE_DAY else None

    def _arrival_day(self) -> dt.date:
        today = self.now().astimezone(ZoneInfo(self.time_zone)).date()
        return max(min(today, self.calendar.last), self.calendar.first)

    def _tick(self) -> tuple[str, dt.datetime]:
        """Returns a ULID and a moment that are later than those before, also if the clock has been set back.

        After the calendar's end, the moment is one of the last second of its last day.
        """
        now = max(self.now(), _moment_of(self._last_ulid))
        made = (int(now.timestamp() * 1_000) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
        self._last_ulid = made if made > self._last_ulid else self._last_ulid + 1
        moment = now
        if self.calendar.last < now.astimezone(ZoneInfo(self.time_zone)).date():
            end = dt.datetime.combine(self.calendar.last + ONE_DAY, dt.time(), ZoneInfo(self.time_zone))
            moment = end.astimezone(dt.UTC) - dt.timedelta(microseconds=1_000_000 - min(len(self._by_token), 999_999))
        self._last_moment = max(moment, self._last_moment + dt.timedelta(microseconds=1))
        return _text_of(self._last_ulid), self._last_moment

    def _read(self, resource: Resource, day: dt.date, path: Path) -> None:
        """Remembers a file that was written before."""
        if not (found := _NAME.fullmatch(path.name)):
            return
        ulid, hashed, request = found.groups()
        try:
            rows = list(_rows(path))
            ids = tuple(resource.id_of(row) for row in rows)
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("%s is left out, it is not as the API wrote it: %s", path, error)
            return
        deletes = any(DELETED in row for row in rows)
        self._remember(Write(ulid, resource.name, resource.feed_name, day, path.name, ids, deletes), hashed, request)
        self._last_ulid = max(self._last_ulid, _number_of(ulid))

    def _remember(self, write: Write, hashed: str | None, request: str | None) -> None:
        self._by_token[write.token] = self._pending[write.token] = write
        if hashed and request:
            self._by_key[hashed] = write.token, request
        for id in write.ids:
            place = (write.resource, id)
            self._latest[place] = max(self._latest.get(place, ""), write.token)


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line:
            yield json.loads(line)


def _text_of(number: int) -> str:
    return "".join(_DIGITS[(number >> 5 * place) & 31] for place in reversed(range(26)))


def _moment_of(number: int) -> dt.datetime:
    return dt.datetime.fromtimestamp((number >> _RANDOM_BITS) / 1_000, dt.UTC)


def _number_of(ulid: str) -> int:
    number = 0
    for digit in ulid:
        number = number << 5 | _DIGITS.index(digit)
    return number
