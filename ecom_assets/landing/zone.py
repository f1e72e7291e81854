"""The landing zone: one folder per feed and arrival day; bronze reads nothing else.

Listing files, recognizing formats by name, finding duplicates and the settings of feeds belong here. The content of
files belongs in `reading`.
"""

import datetime as dt
import hashlib
import json
import os
import re
import sqlite3
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from errno import ELOOP, ENOENT
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

from filelock import FileLock

from ecom_assets.errors import suggestion
from ecom_assets.landing.control_totals import is_control
from ecom_assets.landing.feed_settings import FeedSettings, FeedSettingsError, read_feed_settings
from ecom_assets.landing.files import replace_file, replace_toml
from ecom_assets.landing.streamed import ASIDE, Range, is_streamed, range_of, reached, read_progress, uncovered

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_IGNORED = (".", "_")
_SETTLED_NS = 2_000_000_000
"""A file or folder touched less than two seconds before it was looked at may change again within one clock tick."""

WRITTEN_PREFIX = "api-"
"""How the names of files begin that the API writes."""
_CLOSED = "cannot be opened"
"""The digest of a file that may not be opened."""
_LISTED = -1
"""The time of change in the index of a folder that has to be listed each time."""
_FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}

_INDEX = """
create table if not exists files (
    feed text, day text, folder_mtime_ns integer, name text,
    size integer, mtime_ns integer, inode integer, digest text,
    primary key (feed, day, name)
) without rowid
"""


class Kind(NamedTuple):
    """How a file is read. Its format is csv, jsonl or parquet."""

    format: str
    is_packed: bool = False


PARQUET = Kind("parquet")


def kind_of(name: str) -> Kind | None:
    """Returns how to read a file, from its name; None for an unrecognized file, which cannot be read."""
    stem = name.removesuffix(".gz")
    format = next((format for suffix, format in _FORMATS.items() if stem.endswith(suffix)), None)
    kind = Kind(format, is_packed=stem != name) if format else None
    return None if kind == Kind("parquet", is_packed=True) else kind


@dataclass(frozen=True)
class LandedFile:
    """One file as it arrived.

    A `name` that is not UTF-8 is shown as the repr of its bytes, and has no known format. `digest` is the SHA-256 of
    the file's bytes in hex, if it can be opened. `duplicate_of` is "<arrival day>/<name>" of the feed's first file of
    the same format with the same bytes, by arrival day and name; None if this is the first or has no known format.
    """

    feed: str
    arrived_on: dt.date
    name: str
    location: str
    size: int
    digest: str
    duplicate_of: str | None = None

    @property
    def path(self) -> Path:
        """Path of the file."""
        return Path(self.location)

    @property
    def is_control(self) -> bool:
        """Whether it has the control totals of another file, and no rows."""
        return is_control(self.name)

    @property
    def is_written(self) -> bool:
        """Whether the API wrote it, so that it is none of the files that are due or promised."""
        return self.name.startswith(WRITTEN_PREFIX)

    @property
    def is_closed(self) -> bool:
        """Whether it could not be opened when it was listed."""
        return self.digest == _CLOSED

    @property
    def offsets(self) -> Range | None:
        """The offsets of its records, if it is of a stream."""
        return range_of(self.name)

    @property
    def stored_as(self) -> str:
        """The name under which its rows are stored: its own, or that of the stream whose records it has."""
        return self.offsets.source if self.offsets else self.name


class Watermark(NamedTuple):
    """Up to when events of a feed are complete: all its partitions have landed so far, less the stated lateness."""

    partitions: int
    complete_until: dt.datetime


class _Seen(NamedTuple):
    """A file as recorded in the index."""

    folder_mtime_ns: int
    name: str
    size: int
    mtime_ns: int
    inode: int
    digest: str


class Zone:
    """The landing zone below `root`. Safe for several processes; writes are atomic."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._settings: tuple[tuple[int, int, int], dict[str, FeedSettings]] | None = None

    def feeds(self) -> list[str]:
        """Returns the names of the feeds that have a folder, sorted."""
        if not self.root.is_dir():
            return []
        return sorted(e.name for e in os.scandir(self.root) if e.is_dir() and not e.name.startswith(_IGNORED))

    def watermarks(self) -> dict[str, Watermark]:
        """Returns up to when the records of each feed have landed that come by streams. Raises FeedSettingsError."""
        found: dict[str, list[int]] = {}
        with suppress(OSError, ValueError, TypeError):
            for feed, complete_at in read_progress(self.root / ASIDE).values():
                found.setdefault(feed, []).append(complete_at)
        return {
            feed: Watermark(
                len(moments),
                dt.datetime.fromtimestamp(min(moments) / 1_000, dt.UTC)
                - dt.timedelta(minutes=self.settings(feed).lateness),
            )
            for feed, moments in found.items()
        }

    def days(self, feed: str) -> list[dt.date]:
        """Returns the arrival days of the feed that have a folder, sorted."""
        return [dt.date.fromisoformat(day) for day in self._day_folders(feed)]

    def unrecognized_files(self, feeds: Collection[str]) -> list[Path]:
        """Returns files and folders that nothing reads: those of no feed, or in a feed's folder but of no day."""
        found = []
        for place in sorted(self.root.iterdir()) if self.root.exists() else []:
            if place.name in feeds and place.is_dir():
                found += [inner for inner in sorted(place.iterdir()) if not _is_day(inner.name) or not inner.is_dir()]
            elif place.suffix != ".toml":
                found.append(place)
        return [place for place in found if not place.name.startswith(".")]

    def arrivals(
        self, feed: str, first: dt.date, last: dt.date, since: dt.date = dt.date.min
    ) -> dict[dt.date, list[LandedFile]]:
        """Returns the files of each arrival day from `first` to `last`; days without files have an empty list.

        Files of control totals are among them.
        `since` is the first day of the calendar. Files that arrived earlier are never read, so they are not listed, and
        no file is a duplicate of them. Nor are those listed of a stream that are folded into another one.
        """
        arrivals = {}
        for day, (files, streamed) in self._arrived(feed, first, last, since).items():
            folder = f"{self.root}/{feed}/{day}"
            of_streams = [LandedFile(feed, day, name, f"{folder}/{name}", 0, name) for name in uncovered(streamed)]
            arrivals[day] = sorted([*files, *of_streams], key=_name) if of_streams else files
        return arrivals

    def _arrived(
        self, feed: str, first: dt.date, last: dt.date, since: dt.date
    ) -> dict[dt.date, tuple[list[LandedFile], list[str]]]:
        """Returns the files of each arrival day, and the names of those of streams."""
        arrived: dict[dt.date, tuple[list[LandedFile], list[str]]] = {day: ([], []) for day in _days(first, last)}
        with_digest: dict[str, list[str]] = {}
        for day_text, (seen, streamed) in self._listing(feed, since, last).items():
            day = dt.date.fromisoformat(day_text)
            if day >= first:
                arrived[day][1].extend(streamed)
            for file in seen:
                name = text_of(file.name)
                place = original = f"{day_text}/{name}"
                same = with_digest.setdefault(file.digest, [])
                if same and file.digest != _CLOSED and (kind := kind_of(name)):
                    original = next((other for other in same if kind_of(other) == kind), place)
                if original == place:
                    same.append(place)
                if day >= first:
                    location = f"{self.root}/{feed}/{day_text}/{file.name}"
                    duplicate_of = None if original == place else original
                    found = LandedFile(feed, day, name, location, file.size, file.digest, duplicate_of)
                    arrived[day][0].append(found)
        return arrived

    def fingerprint(self, feed: str, first: dt.date, last: dt.date, since: dt.date = dt.date.min) -> dict[dt.date, int]:
        """Returns the `fingerprints` of the `arrivals` of each day."""
        return self._fingerprints(feed, self._arrived(feed, first, last, since), since)

    def fingerprints(
        self, feed: str, arrivals: Mapping[dt.date, Sequence[LandedFile]], since: dt.date = dt.date.min
    ) -> dict[dt.date, int]:
        """Returns an unsigned 64-bit hash per arrival day of its files, what was due, and the time zone."""
        parted = {
            day: ([f for f in files if not f.offsets], [f.name for f in files if f.offsets])
            for day, files in arrivals.items()
        }
        return self._fingerprints(feed, parted, since)

    def _fingerprints(
        self, feed: str, arrivals: Mapping[dt.date, tuple[Sequence[LandedFile], Sequence[str]]], since: dt.date
    ) -> dict[dt.date, int]:
        settings, days = self.settings(feed), self._day_folders(feed, since)
        prints = {}
        for day, (files, streamed) in arrivals.items():
            listed: list[Any] = [(file.name, file.digest, file.duplicate_of) for file in files]
            listed += reached(streamed)
            is_due = _is_due(settings, days, day)
            promised = [settings.files] if settings.files and is_due else []
            content = json.dumps([listed, is_due, settings.time_zone, *promised])
            prints[day] = int.from_bytes(hashlib.blake2b(content.encode(), digest_size=8).digest(), "big")
        return prints

    def is_due(self, feed: str, day: dt.date, since: dt.date = dt.date.min) -> bool:
        """Returns whether a file is expected on a day: by the feed's settings, from its first arrival on."""
        return _is_due(self.settings(feed), self._day_folders(feed, since), day)

    def settings(self, feed: str) -> FeedSettings:
        """Returns the feed's settings, or the defaults if none are saved. Raises FeedSettingsError."""
        return self._all_settings().get(feed, FeedSettings())

    def has_settings(self, feed: str) -> bool:
        """Returns whether settings are saved for the feed. Raises FeedSettingsError."""
        return feed in self._all_settings()

    def saved_settings(self) -> bytes:
        """Returns feeds.toml as it is saved; empty if there is none."""
        path = self.root / "feeds.toml"
        return path.read_bytes() if path.exists() else b""

    def judging(self) -> dict[str, dict[str, Any]]:
        """Returns the settings that decide which rows and days are good, by feed. Raises FeedSettingsError."""
        return {feed: kept.judging for feed, kept in sorted(self._all_settings().items()) if kept.judging}

    def check_settings(
        self,
        columns: Mapping[str, Collection[str]],
        keys: Mapping[str, Collection[str]] | None = None,
        by_rule: Mapping[str, Mapping[str, Collection[str]]] | None = None,
        of_members: Collection[str] | None = None,
    ) -> None:
        """Raises FeedSettingsError if feeds.toml names a feed, a column or a value that cannot be.

        `columns` are those of each feed, `keys` those of its key, `by_rule` those that its rules may set, with their
        values; none for any. `of_members` are the feeds that can set `members`. An extra column is none of the feed's;
        groups are complete by columns of the key, but not by all of them.
        """
        path = self.root / "feeds.toml"
        for feed, settings in self._all_settings().items():
            if feed not in columns:
                raise FeedSettingsError(f"{path}: unknown feed {feed!r}{suggestion(feed, columns)}")
            for name in settings.extra:
                if name in columns[feed]:
                    raise FeedSettingsError(f"{path}: [{feed}] extra: {name} is a column of the feed; leave it out.")
            if settings.members and of_members is not None and feed not in of_members:
                raise FeedSettingsError(f"{path}: [{feed}] members is a setting of {', '.join(of_members)} alone.")
            if settings.complete and keys and not set(settings.complete) < set(keys[feed]):
                raise FeedSettingsError(
                    f"{path}: [{feed}] complete: name some columns of the key, {', '.join(keys[feed])}, but not all."
                )
            for rule in settings.rules:
                allowed = (by_rule or {}).get(feed, {})
                for name in rule.when:
                    if name not in columns[feed]:
                        raise FeedSettingsError(
                            f"{path}: [{feed}] rules: unknown column {name!r}{suggestion(name, columns[feed])}"
                        )
                for name, value in rule.then.items():
                    if name not in allowed:
                        found = suggestion(name, allowed) if allowed else f"; {feed} has no column that rules may set."
                        raise FeedSettingsError(f"{path}: [{feed}] rules: cannot set {name!r}{found}")
                    if allowed[name] and value not in allowed[name]:
                        raise FeedSettingsError(
                            f"{path}: [{feed}] rules: {name} cannot be {value!r}{suggestion(value, allowed[name])}"
                        )

    def save_settings(self, feed: str, settings: FeedSettings) -> None:
        """Saves the settings of one feed in feeds.toml and keeps those of the others."""
        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self.root / ".feeds.lock"):
            feeds = {**self._all_settings(), feed: settings}
            replace_toml(self.root / "feeds.toml", {name: kept.as_toml() for name, kept in sorted(feeds.items())})

    def write(
        self, feed: str, day: dt.date, name: str, data: bytes | Callable[[Path], object], durable: bool = False
    ) -> Path:
        """Lands one file: the bytes, or what `data` writes to the path that it gets. Returns the file's path.

        Readers see the whole file or none. If `durable`, it is still there after a loss of power. Raises ValueError for
        a name that the zone does not list.
        """
        if not name or name.startswith(_IGNORED) or Path(name).name != name:
            raise ValueError(f"{name!r} is not a valid name for a landed file.")
        return replace_file(self.root / feed / day.isoformat() / name, data, durable)

    def _day_folders(self, feed: str, since: dt.date = dt.date.min) -> list[str]:
        first = since.isoformat()
        with suppress(FileNotFoundError, NotADirectoryError):
            return sorted(name for name in os.listdir(self.root / feed) if name >= first and _is_day(name))
        return []

    def _listing(self, feed: str, since: dt.date, last: dt.date) -> dict[str, tuple[list[_Seen], list[str]]]:
        """Returns every arrival day of the feed from `since` to `last`, with its files and those of streams."""
        days = self._day_folders(feed, since)
        days = days[: bisect_right(days, last.isoformat())]
        with closing(self._index()) as index:
            index.text_factory = os.fsdecode
            known: dict[str, dict[str, _Seen]] = {}
            query = "select day, folder_mtime_ns, name, size, mtime_ns, inode, digest from files where feed = ?"
            for day, *seen in index.execute(query, [feed]):
                known.setdefault(day, {})[seen[1]] = _Seen(*seen)
            listing, changed = {}, {}
            for day in days:
                before = known.get(day, {})
                seen_now, streamed = _look(f"{self.root}/{feed}/{day}", before)
                listing[day] = seen_now, streamed
                if len(seen_now) != len(before) or any(before.get(file.name) != file for file in seen_now):
                    changed[day] = seen_now
            if changed:
                with suppress(sqlite3.OperationalError), index:
                    self._remember(index, feed, changed)
        return listing

    def _remember(self, index: sqlite3.Connection, feed: str, changed: dict[str, list[_Seen]]) -> None:
        settled = time.time_ns() - _SETTLED_NS
        index.executemany("delete from files where feed = ? and day = ?", [(feed, day) for day in changed])
        rows = []
        for day, seen in changed.items():
            complete = all(file.folder_mtime_ns < settled and file.mtime_ns < settled for file in seen)
            rows += [
                (feed, day, file.folder_mtime_ns if complete else _LISTED, os.fsencode(file.name), *file[2:])
                for file in seen
                if file.mtime_ns < settled
            ]
        index.executemany("insert or replace into files values (?, ?, ?, cast(? as text), ?, ?, ?, ?)", rows)

    def _index(self) -> sqlite3.Connection:
        """Returns the index of digests, in memory if it cannot be stored."""
        path = self.root / ".index.sqlite"
        for _ in range(2):
            try:
                index = sqlite3.connect(path, timeout=30)
                index.execute(_INDEX)
                return index
            except sqlite3.OperationalError:
                break
            except sqlite3.DatabaseError:
                path.unlink(missing_ok=True)
        index = sqlite3.connect(":memory:")
        index.execute(_INDEX)
        return index

    def _all_settings(self) -> dict[str, FeedSettings]:
        path = self.root / "feeds.toml"
        try:
            stat = path.stat()
        except FileNotFoundError:
            return {}
        version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if self._settings is None or self._settings[0] != version:
            self._settings = (version, read_feed_settings(path))
        return self._settings[1]


def text_of(name: str) -> str:
    """Returns the name of a file as text that can be stored: the repr of its bytes if they are not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return repr(os.fsencode(name))
    return name


@lru_cache(maxsize=10_000)
def _is_day(name: str) -> bool:
    with suppress(ValueError):
        return _DAY.fullmatch(name) is not None and bool(dt.date.fromisoformat(name))
    return False


def _is_due(settings: FeedSettings, days: list[str], day: dt.date) -> bool:
    return bool(days) and day.isoformat() >= days[0] and settings.is_due(day)


def _days(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    return (first + dt.timedelta(days=n) for n in range((last - first).days + 1))


def _name(file: LandedFile) -> str:
    return file.name


def _look(folder: str, before: dict[str, _Seen]) -> tuple[list[_Seen], list[str]]:
    """Returns the files of one folder by name, from the index if they cannot have changed, and those of streams.

    These are known by their names, neither opened nor in the index.
    """
    try:
        folder_mtime_ns = os.stat(folder).st_mtime_ns
        known = bool(before) and all(file.folder_mtime_ns == folder_mtime_ns for file in before.values())
        names = sorted(before if known else os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    streamed: list[str] = []
    others: list[str] = []
    for name in names:
        (streamed if is_streamed(name) else others).append(name)
    seen = []
    for name in others:
        if name.startswith(_IGNORED):
            continue
        path = f"{folder}/{name}"
        try:
            stat = os.stat(path)
            if not S_ISREG(stat.st_mode):
                continue
            file = before.get(name)
            same = file and (file.size, file.mtime_ns, file.inode) == (stat.st_size, stat.st_mtime_ns, stat.st_ino)
            digest = file.digest if file and same and file.digest != _CLOSED else _digest(path)
        except OSError as error:
            if error.errno in (ENOENT, ELOOP):
                continue
            raise
        seen.append(_Seen(folder_mtime_ns, name, stat.st_size, stat.st_mtime_ns, stat.st_ino, digest))
    if streamed:  # the index does not have their names: the folder is listed each time
        seen = [file._replace(folder_mtime_ns=_LISTED) for file in seen]
    return seen, streamed


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError:
        return _CLOSED
