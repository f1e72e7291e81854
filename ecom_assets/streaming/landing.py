"""What a partition has brought and has not landed yet, and the file that it becomes."""

import datetime as dt
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ecom_assets.errors import UserError
from ecom_assets.landing.files import move_durably, sync
from ecom_assets.landing.streamed import ASIDE, PREFIX, REPLAYED, Range, Stream, range_of
from ecom_assets.landing.zone import Zone
from ecom_assets.streaming import dead_letters
from ecom_assets.streaming.dead_letters import DeadLetter


class TwoConsumers(UserError):
    """Another consumer lands the same records."""


@dataclass(frozen=True)
class Rotation:
    """When a file lands: at the first of an age in seconds, a size in bytes, and a number of records."""

    seconds: float = 60.0
    bytes: int = 64 << 20
    records: int = 500_000


EACH_MINUTE = Rotation()


@dataclass
class Segment:
    """Consecutive lines of one arrival day."""

    day: dt.date
    first: int
    last: int
    lines: list[bytes]


@dataclass
class _Unfinished:
    """A file that is being written: its lines so far, all on the disk or none of a segment."""

    path: Path
    day: dt.date
    first: int
    last: int
    opened: float
    size: int = 0
    records: int = 0
    handle: int = -1

    def append(self, segment: Segment) -> None:
        """Writes the lines of a segment. Raises OSError; then none of them is there."""
        data = memoryview(b"".join(segment.lines))
        if self.handle < 0:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.handle = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        try:
            os.lseek(self.handle, self.size, os.SEEK_SET)
            written = 0
            while written < len(data):
                written += os.write(self.handle, data[written:])
        except OSError:
            os.ftruncate(self.handle, self.size)
            raise
        self.size += len(data)
        self.records += len(segment.lines)
        self.last = segment.last

    def discard(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1
        self.path.unlink(missing_ok=True)


@dataclass
class Lander:
    """Lands the records of one stream in files of a feed, in the order of offsets.

    `write` and `land` may raise OSError, and go on where they were when they are called again.
    """

    zone: Zone
    feed: str
    stream: Stream
    dead: Path
    landed: int
    """The last offset that is in a file that has landed; -1 for none."""
    day: dt.date
    """The arrival day of the last record. It never goes back, so that files are in the order of offsets."""
    clock: Callable[[], float] = time.monotonic
    segments: list[Segment] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    _letters_since: float | None = None
    _file: _Unfinished | None = None

    def add(self, offset: int, day: dt.date, line: bytes) -> None:
        """Takes a record. One whose day is before that of the last one lands with that one."""
        if day > self.day or not self.segments:
            self.day = max(day, self.day)
            self.segments.append(Segment(self.day, offset, offset, [line]))
        else:
            last = self.segments[-1]
            last.lines.append(line)
            last.last = offset

    def add_letter(self, letter: DeadLetter) -> None:
        """Takes a record that cannot land."""
        if self._letters_since is None:
            self._letters_since = self.clock()
        self.letters.append(letter)

    @property
    def is_empty(self) -> bool:
        """Whether all that was taken has landed."""
        return not (self.segments or self.letters or self._file)

    @property
    def age(self) -> float:
        """The seconds since the first record came that has not landed; 0 if all have."""
        since = [self._file.opened] if self._file else []
        since += [self._letters_since] if self._letters_since is not None else []
        return self.clock() - min(since) if since else 0.0

    def is_due(self, rotation: Rotation) -> bool:
        """Returns whether its file is to land."""
        file = self._file
        is_large = file is not None and (file.size >= rotation.bytes or file.records >= rotation.records)
        return is_large or self.age >= rotation.seconds

    def write(self) -> None:
        """Writes what was taken to the unfinished file; a file of an earlier day lands. Raises OSError."""
        while self.segments:
            segment = self.segments[0]
            if self._file and self._file.day != segment.day:
                self.land()
            if not self._file:
                name = f"{self.stream.source}-{secrets.token_hex(4)}.part"
                path = self.zone.root / ASIDE / name
                self._file = _Unfinished(path, segment.day, segment.first, segment.first - 1, self.clock())
            self._file.append(segment)
            self.segments.pop(0)

    def finish(self) -> None:
        """Lands all that was taken. Raises OSError and TwoConsumers."""
        self.write()
        self.land()

    def land(self) -> bool:
        """Lands the unfinished file and the dead letters; returns whether there were any.

        Raises OSError, and TwoConsumers if records of it have landed already.
        """
        if self.letters:
            dead_letters.keep(self.dead, self.letters)
            self.letters, self._letters_since = [], None
        file = self._file
        if not file:
            return False
        path = self.zone.root / self.feed / str(file.day) / self.stream.file_name(file.first, file.last)
        if not file.path.exists():  # it has moved before, and its folder could not be synced
            sync(path.parent)
        elif other := next((name for name in _others(path.parent, self.stream.source, file.first)), None):
            self.discard()
            raise TwoConsumers(
                f"Two consumers land {self.stream.topic}: {path.parent.name}/{other} has records from offset "
                f"{file.first} of partition {self.stream.partition} on. This one has ended; what it read has not "
                "landed twice. Start one consumer only."
            )
        else:
            move_durably(file.path, path)
        if file.handle >= 0:
            os.close(file.handle)
        self.landed, self._file = file.last, None
        return True

    def discard(self) -> None:
        """Removes the unfinished file. Its records are read again by whoever comes next."""
        if self._file:
            self._file.discard()
            self._file = None


def _others(folder: Path, source: str, first: int) -> list[str]:
    """Returns the files of a source in a folder that have records from an offset on."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return [
        name
        for name in names
        if (found := range_of(name)) and found.source == source and found.kind != REPLAYED and found.last >= first
    ]


@dataclass(frozen=True)
class Place:
    """Where a stream ends in the landing zone: its last offset, and the file that has it."""

    last: int
    day: dt.date
    path: Path

    def last_line(self) -> bytes:
        """Returns the last line of the file, with its end."""
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            taken, back = b"", 1 << 16
            while taken.count(b"\n") < 2 and len(taken) < size:
                file.seek(max(size - back, 0))
                taken, back = file.read(), back * 4
        return taken.splitlines(keepends=True)[-1]


def places(zone: Zone, feed: str) -> dict[Stream, Place]:
    """Returns where each stream of a feed ends, as the names of its files say."""
    found: dict[Stream, Place] = {}
    for day in zone.days(feed):
        folder = zone.root / feed / str(day)
        for name in os.listdir(folder):
            offsets: Range | None = range_of(name)
            if offsets is None or offsets.kind == REPLAYED:
                continue
            stream = Stream.of(offsets.source)
            if stream not in found or found[stream].last < offsets.last:
                found[stream] = Place(offsets.last, day, folder / name)
    return found


def clear_unfinished(zone: Zone) -> None:
    """Removes the unfinished files of consumers that were killed. To be called by the only consumer."""
    for path in (zone.root / ASIDE).glob(f"{PREFIX}*.part"):
        path.unlink(missing_ok=True)
