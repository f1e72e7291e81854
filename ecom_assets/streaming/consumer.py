"""The consumer: reads topics from where the landing zone ends, and lands what it reads.

The landed file is the truth: what is not in one is read again. So the consumer may be killed at any moment, and its
files may be rotated by time, size and number of records alike.
"""

import datetime as dt
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from filelock import FileLock, Timeout

from ecom_assets.days import Window
from ecom_assets.errors import UserError
from ecom_assets.landing.files import replace_file
from ecom_assets.landing.streamed import ASIDE, OFFSET, Progress, Stream, read_progress, write_progress
from ecom_assets.landing.zone import Zone
from ecom_assets.streaming.dead_letters import DeadLetter
from ecom_assets.streaming.folding import fold
from ecom_assets.streaming.kafka import BrokerUnreachable, Client, is_out_of_range, record_of
from ecom_assets.streaming.landing import EACH_MINUTE, Lander, Place, Rotation, clear_unfinished, places
from ecom_assets.streaming.records import FeedFacts, Record, Unreadable, read_record
from ecom_assets.streaming.rules import Seen

MOST_TAKEN, TAKE_SECONDS = 5_000, 0.005
STATUS_SECONDS = 5.0
LOOK_SECONDS = 60.0
"""How often the topics are looked at: whether they are still the same, and have more partitions."""
END_SECONDS = 5.0
FOLD_SECONDS = 3_600.0
"""How often files are folded, and how long a run may still read those that a folded one has."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
_QUARTER = 900_000
"""Milliseconds within which no time zone changes its day in the middle."""
_log = logging.getLogger(__name__)


class AlreadyConsumed(UserError):
    """Another process consumes into the same landing zone."""


@dataclass(frozen=True)
class Job:
    """What a consumer does: which topics it lands in which feeds, where, and how."""

    topics: Mapping[str, FeedFacts]
    zone: Zone
    dead_letters: Path
    status: Path
    calendar: Window
    time_zone: str
    rotation: Rotation = EACH_MINUTE
    until_end: bool = False
    """Whether to end once all is read that the topics have."""


@dataclass
class _Partition:
    """A partition that is read, and how far."""

    feed: FeedFacts
    lander: Lander
    next: int
    """The offset from which on records have not been taken yet."""
    last_line: bytes | None = None
    """The line of the record before, if it is to be seen again before anything else."""
    at: int = 0
    """The timestamp of the last record, in milliseconds."""
    event_at: str = ""
    """The latest moment of an event."""
    lost: int = 0
    """Records that the broker has deleted before they could land."""
    complete_at: int = 0
    """The moment up to which all of its records have landed, in milliseconds."""


Told = Callable[[str, str, str | None], None]
"""What is told of a topic: its name, a word for what it is about, and the note, or None once that is over."""


@dataclass
class Consumer:
    """Lands the records of topics until it is stopped."""

    job: Job
    client: Client
    told: Told = lambda topic, about, note: None
    watch: Callable[[str, Seen], None] | None = None
    """What each record that can be read is shown to at once, with the name of its topic."""
    clock: Callable[[], float] = time.monotonic
    stopping: threading.Event = field(default_factory=threading.Event)
    partitions: dict[tuple[str, int], _Partition] = field(default_factory=dict)
    problem: str = ""
    _ids: dict[str, str] = field(default_factory=dict)
    _days: dict[int, dt.date] = field(default_factory=dict)
    _status_at: float = float("-inf")
    _looked_at: float = float("-inf")
    _took_at: float = float("inf")
    taken: int = 0
    letters: int = 0

    def run(self) -> None:
        """Consumes until `stopping` is set, and lands what it has. Raises UserError if it cannot go on."""
        lock = self._lock()
        try:
            clear_unfinished(self.job.zone)
            self._look()
            self._begin_folding()
            while not self.stopping.is_set():
                self._take()
                self._retried(self._rotate)
                self._report("running")
                if self.clock() - self._looked_at >= LOOK_SECONDS:
                    with suppress(BrokerUnreachable):
                        self._look()
                if self.job.until_end and self._is_at_end():
                    break
            self._finish()
        except BaseException:
            for partition in self.partitions.values():
                partition.lander.discard()
            raise
        finally:
            self.stopping.set()
            self._report("ended", at_once=True)
            self.client.close()
            lock.release()

    def _lock(self) -> FileLock:
        folder = self.job.zone.root / ASIDE
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise AlreadyConsumed(
                f"Another ecom stream consumes into {self.job.zone.root}. End it first, or let it go on."
            ) from None
        return lock

    # -- where to go on

    def _look(self) -> None:
        """Looks at the topics, and begins with new partitions, and with those of topics that were made anew."""
        self._looked_at = self.clock()
        for name, feed in self.job.topics.items():
            try:
                topic = self.client.topic(name)
            except BrokerUnreachable:
                if not self._ids:
                    raise
                continue
            if self._ids.get(name, topic.id) != topic.id:
                for place in [place for place in self.partitions if place[0] == name]:
                    self._retried(self.partitions.pop(place).lander.finish)
                self.told(name, "recreated", f"{name} was deleted and made anew: it is read from its beginning.")
            self._ids[name] = topic.id
            new = [number for number in topic.partitions if (name, number) not in self.partitions]
            if new:
                ends = places(self.job.zone, feed.name)
                for number in new:
                    self._begin(Stream(name, topic.id, number), feed, ends)
                self._assign()

    def _begin(self, stream: Stream, feed: FeedFacts, ends: Mapping[Stream, Place]) -> None:
        """Begins to read a partition where its newest generation ends in the landing zone."""
        known = [found for found in ends if replace(found, generation=0) == stream]
        stream = max(known, default=stream)
        end = ends.get(stream)
        first, following = self.client.offsets(stream.topic, stream.partition)
        start = end.last + 1 if end else first
        if start > following:
            self._begin_again(stream, feed, end.day if end else None, f"ends before offset {start}, which has landed")
            return
        last_line = None
        if end and first <= end.last:
            last_line = end.last_line()
        lander = self._lander(stream, feed, end)
        partition = _Partition(feed, lander, start, last_line)
        if before := read_progress(self.job.zone.root / ASIDE).get(stream.source):
            partition.complete_at = before.complete_at
        if start < first:
            partition.lost = first - start
            partition.next = first
            self._tell_lost(stream, partition.lost)
        self.partitions[stream.topic, stream.partition] = partition

    def _begin_again(self, stream: Stream, feed: FeedFacts, day: dt.date | None, why: str) -> None:
        """Begins a new generation: the broker gives offsets again that have landed, to other records.

        All that the partition has is landed once more; rows that landed before are superseded by themselves.
        """
        first, _ = self.client.offsets(stream.topic, stream.partition)
        again = replace(stream, generation=stream.generation + 1)
        lander = self._lander(again, feed, None)
        lander.day = day or lander.day
        self.partitions[stream.topic, stream.partition] = _Partition(feed, lander, first)
        self.told(
            stream.topic,
            f"truncated {stream.partition}",
            f"The broker has lost records of {stream.topic}: partition {stream.partition} {why}. All that it has lands "
            "again; what had landed counts once.",
        )

    def _lander(self, stream: Stream, feed: FeedFacts, end: Place | None) -> Lander:
        last, day = (end.last, end.day) if end else (-1, dt.date.min)
        return Lander(self.job.zone, feed.name, stream, self.job.dead_letters, last, day, self.clock)

    def _tell_lost(self, stream: Stream, count: int) -> None:
        self.told(
            stream.topic,
            f"lost {stream.partition}",
            f"{count:,} records of {stream.topic}, partition {stream.partition}, were deleted by the broker before "
            "they landed: its retention is shorter than the consumer was away. Rows may be missing.",
        )

    def _assign(self) -> None:
        starts = {}
        for place, partition in self.partitions.items():
            starts[place] = partition.next - 1 if partition.last_line else partition.next
        self.client.assign(starts)

    # -- records

    def _take(self) -> None:
        """Takes the records that have arrived."""
        is_lost = set[tuple[str, int]]()
        before = self.taken
        for message in self.client.take(MOST_TAKEN, TAKE_SECONDS):
            if (error := message.error()) is not None:
                if is_out_of_range(error):
                    is_lost.add((message.topic(), message.partition()))
                else:
                    _log.warning("Kafka: %s", error.str())
                continue
            place = message.topic(), message.partition()
            partition = self.partitions.get(place)
            if partition and place not in is_lost and not self._take_one(partition, record_of(message)):
                is_lost.add(place)
        if self.taken > before or is_lost:
            self._took_at = self.clock()
        for place in is_lost & self.partitions.keys():
            self._begin_lost(place)

    def _take_one(self, partition: _Partition, record: Record) -> bool:
        """Takes a record; returns False if another one has landed with its offset."""
        offset = record.offset
        if offset < partition.next:
            if partition.last_line is not None and not _is_same(partition.last_line, record, partition.feed):
                return False
            partition.last_line = None
            return True
        partition.last_line = None
        try:
            line, values = read_record(record, partition.feed)
        except Unreadable as reason:
            partition.lander.add_letter(DeadLetter(partition.lander.stream, partition.feed.name, record, str(reason)))
            self.letters += 1
        else:
            partition.lander.add(offset, self._day_of(record.timestamp), line)
            moment = values.get(partition.feed.event_column or "")
            if isinstance(moment, str) and moment > partition.event_at:
                partition.event_at = moment
            if self.watch:
                self.watch(partition.lander.stream.topic, Seen(partition.feed.name, record.timestamp, values))
        partition.next, partition.at = offset + 1, record.timestamp
        self.taken += 1
        return True

    def _begin_lost(self, place: tuple[str, int]) -> None:
        """Goes on with a partition whose offsets are not what they were."""
        partition = self.partitions.pop(place)
        stream, lander = partition.lander.stream, partition.lander
        self._retried(lander.finish)
        topic = self.client.topic(stream.topic)
        if topic.id != stream.id:
            self._look()
            return
        first, following = self.client.offsets(*place)
        if partition.next < first:
            partition.lost += first - partition.next
            self._tell_lost(stream, first - partition.next)
            partition.next, partition.last_line = first, None
            self.partitions[place] = partition
        else:
            why = f"ends at offset {following}" if partition.next > following else "has other records than had landed"
            self._begin_again(stream, partition.feed, lander.day, why)
        self._assign()

    def _day_of(self, timestamp: int) -> dt.date:
        """Returns the arrival day of a record: that of its timestamp, within the calendar and not after today."""
        quarter = timestamp // _QUARTER
        if (day := self._days.get(quarter)) is None:
            zone = ZoneInfo(self.job.time_zone)
            at = dt.datetime.fromtimestamp(max(quarter, 0) * _QUARTER / 1_000, zone).date()
            today = dt.datetime.now(zone).date()
            day = min(max(at, self.job.calendar.first), self.job.calendar.last, max(today, self.job.calendar.first))
            if at <= today:
                self._days[quarter] = day
            if len(self._days) > 10_000:
                self._days.clear()
        return day

    # -- files

    def _rotate(self) -> None:
        """Writes what was taken, and lands the files that are due. Raises OSError."""
        landed = {}
        for place, partition in self.partitions.items():
            partition.lander.write()
            if partition.lander.is_due(self.job.rotation) and partition.lander.land():
                landed[place] = partition.lander.landed + 1
                self._note_progress(place, partition)
        if landed:
            self.client.commit(landed)

    def _finish(self) -> None:
        """Lands all that was taken, if the folder can be written; else it is read again."""
        try:
            for partition in self.partitions.values():
                partition.lander.finish()
            self.client.commit({place: each.lander.landed + 1 for place, each in self.partitions.items()})
        except OSError as error:
            self.problem = f"What was read last has not landed, and will be read again: {error}."
            _log.warning(self.problem)
            for partition in self.partitions.values():
                partition.lander.discard()

    def _retried(self, step: Callable[[], object]) -> None:
        """Does something with files, again and again while it fails. Meanwhile nothing is consumed."""
        pause = FIRST_PAUSE
        while True:
            try:
                step()
            except OSError as error:
                self.problem = f"Nothing can land: {error}."
                _log.warning("%s Consumption pauses.", self.problem)
                self.told("landing", "paused", self.problem)
                self._report("paused", at_once=True)
                if self.stopping.wait(pause):
                    return
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if self.problem:
                    self.problem = ""
                    self.told("landing", "paused", None)
                    self._report("running", at_once=True)
                return

    def _note_progress(self, place: tuple[str, int], partition: _Partition) -> None:
        """Notes up to when all is there: up to the last record, or up to now if the broker has no other."""
        if partition.lander.is_empty:
            end = self.client.end(*place)
            is_all = end is not None and end <= partition.next
            now = int(time.time() * 1_000) if is_all else partition.at
            partition.complete_at = max(partition.complete_at, now)

    def _begin_folding(self) -> None:
        """Folds, beside, the files of days that all partitions of a feed have left behind, now and then."""

        def fold_again() -> None:
            while not self.stopping.is_set():
                for feed, day in self._oldest_days().items():
                    try:
                        fold(self.job.zone, feed, day, time.time() - FOLD_SECONDS)
                    except OSError as error:
                        _log.warning("Files of %s cannot be folded: %s", feed, error)
                self.stopping.wait(FOLD_SECONDS)

        threading.Thread(target=fold_again, name="folding", daemon=True).start()

    def _oldest_days(self) -> dict[str, dt.date]:
        """Returns, by feed, the earliest arrival day in which a partition may still land."""
        found: dict[str, dt.date] = {}
        for partition in list(self.partitions.values()):
            feed, day = partition.feed.name, partition.lander.day
            found[feed] = min(found.get(feed, day), day)
        return found

    # -- how it is

    def _is_at_end(self) -> bool:
        """Returns whether all is read, or nothing came for a while: a transaction's marker has an offset too."""
        if self._took_at == float("inf"):
            self._took_at = self.clock()
        idle = self.clock() - self._took_at
        if not 0.1 < idle < END_SECONDS:
            return idle >= END_SECONDS
        try:
            return all(each.next >= self.client.offsets(*place)[1] for place, each in self.partitions.items())
        except BrokerUnreachable:
            return False

    def _report(self, state: str, at_once: bool = False) -> None:
        """Writes how the consumer is, for the monitoring report; a disk that is full only delays it."""
        if not at_once and self.clock() - self._status_at < STATUS_SECONDS:
            return
        self._status_at = self.clock()
        for place, partition in self.partitions.items():
            self._note_progress(place, partition)
        rows = [self._row(topic, number, each) for (topic, number), each in sorted(self.partitions.items())]
        at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        status = {
            "written_at": at,
            "state": state,
            "problem": self.problem,
            "process": os.getpid(),
            "taken": self.taken,
            "dead_letters": self.letters,
            "partitions": rows,
        }
        progress = {
            each.lander.stream.source: Progress(each.feed.name, each.complete_at) for each in self.partitions.values()
        }
        try:
            replace_file(self.job.status, f"{json.dumps(status, indent=1)}\n".encode())
            write_progress(self.job.zone.root / ASIDE, progress)
        except OSError as error:
            _log.debug("%s cannot be written: %s", self.job.status, error)

    def _row(self, topic: str, number: int, partition: _Partition) -> dict[str, Any]:
        end = self.client.end(topic, number)
        landed = partition.lander.landed + 1
        return {
            "topic": topic,
            "partition": number,
            "feed": partition.feed.name,
            "next": partition.next,
            "landed": landed,
            "end": end,
            "lag": max(end - partition.next, 0) if end is not None else None,
            "age": round(partition.lander.age, 1),
            "at": partition.at,
            "event_at": partition.event_at,
            "lost": partition.lost,
        }


def _is_same(line: bytes, record: Record, feed: FeedFacts) -> bool:
    """Returns whether a record is the one that has landed as a line, as far as that can be told."""
    landed = json.loads(line)
    if landed[OFFSET] != record.offset:
        return True
    try:
        again, _ = read_record(record, feed)
    except Unreadable:
        return True
    return bool(json.loads(again) == landed)


def stream_topics(names: Sequence[str], feeds: Mapping[str, FeedFacts]) -> dict[str, FeedFacts]:
    """Returns the feed of each topic: `topic=feed`, or the feed that the last part of the topic's name is.

    Raises UserError for a feed that there is not.
    """
    found = {}
    for given in names:
        name, _, feed = given.partition("=")
        feed = feed or name.rpartition(".")[2]
        if feed not in feeds:
            raise UserError(
                f"There is no feed {feed!r} for the topic {name}: write topic=feed, with a feed of "
                f"{', '.join(sorted(feeds))}."
            )
        found[name] = feeds[feed]
    return found
