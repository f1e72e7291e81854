"""Files of streams: their names say which records of a partition they have, and each line begins with its offset.

kafka-shop.events.0-3-0000000000000000017-0000000000000000042.jsonl has the records 17 to 42 of partition 3 of the topic
shop.events, or those of them that could be landed. Such a file is never changed, so its name stands for its bytes.
"""

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ecom_assets.landing.files import replace_file

PREFIX = "kafka-"
OFFSET = "_offset"
"""The key under which each line has its offset, before all others."""
FOLDED, REPLAYED = "folded", "replayed"
ASIDE = ".streaming"
"""The folder in the landing zone where files are written before they land. No reader looks into it."""
_PROGRESS = "progress.json"
_DIGITS = 19
_NAME = re.compile(rf"({PREFIX}.+)-(\d{{{_DIGITS}}})-(\d{{{_DIGITS}}})(?:\.({FOLDED}|{REPLAYED}))?\.jsonl")
_SOURCE = re.compile(rf"{PREFIX}(?P<topic>.+)\.(?P<id>[\w-]{{22}}|0)-(?P<partition>\d+)(?:\.(?P<generation>\d+))?")


@dataclass(frozen=True, order=True)
class Stream:
    """The records of a partition that have one order of offsets.

    A topic that was made anew has another `id`, as Kafka issues it; "0" if the broker issues none. The `generation`
    counts from 0; it is another one after the broker has lost records that had landed, and gives their offsets again.
    """

    topic: str
    id: str
    partition: int
    generation: int = 0

    @property
    def source(self) -> str:
        """The name under which its rows are stored, whatever files they landed in."""
        more = f".{self.generation}" if self.generation else ""
        return f"{PREFIX}{self.topic}.{self.id}-{self.partition}{more}"

    def file_name(self, first: int, last: int, kind: str = "") -> str:
        """Returns the name of a file with the offsets from first to last."""
        return f"{self.source}-{first:0{_DIGITS}}-{last:0{_DIGITS}}{f'.{kind}' if kind else ''}.jsonl"

    @classmethod
    def of(cls, source: str) -> "Stream":
        """Returns the stream of a source. Raises ValueError."""
        if not (found := _SOURCE.fullmatch(source)):
            raise ValueError(f"{source!r} is not the name of a stream.")
        return cls(found["topic"], found["id"], int(found["partition"]), int(found["generation"] or 0))


class Progress(NamedTuple):
    """How far a partition has landed in a feed: all records up to a moment, in milliseconds since 1970."""

    feed: str
    complete_at: int


def write_progress(aside: Path, progress: Mapping[str, Progress]) -> None:
    """Writes how far each source is to a file in the folder of the consumer. Raises OSError."""
    replace_file(aside / _PROGRESS, json.dumps(progress).encode())


def read_progress(aside: Path) -> dict[str, Progress]:
    """Returns how far each source is; empty if nothing was written. Raises OSError, ValueError."""
    try:
        text = (aside / _PROGRESS).read_bytes()
    except FileNotFoundError:
        return {}
    return {source: Progress(*found) for source, found in json.loads(text).items()}


class Range(NamedTuple):
    """The offsets of a file, both ends included, of the stream that `source` names."""

    source: str
    first: int
    last: int
    kind: str = ""

    def covers(self, other: "Range") -> bool:
        """Returns whether it has all records of another file: it was made of that one. Replayed ones stay."""
        return (
            self.kind == FOLDED
            and other.kind != REPLAYED
            and self != other
            and self.source == other.source
            and self.first <= other.first
            and self.last >= other.last
        )


def is_streamed(name: str) -> bool:
    """Returns whether a file of this name is of a stream."""
    return name.startswith(PREFIX) and _NAME.fullmatch(name) is not None


@lru_cache(maxsize=10_000)
def range_of(name: str) -> Range | None:
    """Returns the offsets of a file by its name; None for a file of no stream."""
    if not name.startswith(PREFIX) or not (found := _NAME.fullmatch(name)):
        return None
    source, first, last, kind = found.groups()
    return Range(source, int(first), int(last), kind or "")


def uncovered(names: Iterable[str]) -> list[str]:
    """Returns the files of streams whose records are not in a folded one too."""
    found = {name: offsets for name in names if (offsets := range_of(name))}
    folded = [each for each in found.values() if each.kind == FOLDED]
    return [name for name, each in found.items() if not any(one.covers(each) for one in folded)]


def reached(names: Iterable[str]) -> list[Any]:
    """Returns what differs once streams go on: for each, its first and last offset, and what was replayed.

    It is the same before and after files are folded. Records arrive in the order of offsets, so no other file comes
    between, but of records that have landed already.
    """
    ends: dict[str, tuple[str, str]] = {}
    replayed = []
    for name in names:
        if found := _NAME.fullmatch(name):
            source, first, last, kind = found.groups()
            if kind == REPLAYED:
                replayed.append(name)
            else:
                begin, end = ends.get(source, (first, last))
                ends[source] = min(begin, first), max(end, last)
    return [*sorted(ends.items()), *sorted(replayed)]


class Overlap(NamedTuple):
    """Offsets of a source that are in two files of a day, both ends included."""

    arrived_on: dt.date
    source: str
    first: int
    last: int


def overlaps(files: Iterable[tuple[dt.date, Range]]) -> Iterator[Overlap]:
    """Yields offsets that may be in two files of a day. A file of replayed records lies within others."""
    reached: dict[tuple[dt.date, str], int] = {}
    for day, (source, first, last, _) in sorted(files):
        before = reached.get((day, source), -1)
        if first <= before:
            yield Overlap(day, source, first, min(last, before))
        reached[day, source] = max(before, last)
