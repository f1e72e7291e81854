"""Files of streams: their names say which records of a partition they have, and each line begins with its offset.

kafka-shop.events.0-3-0000000000000000017-0000000000000000042.jsonl has the records 17 to 42 of partition 3 of the topic
shop.events, or those of them that could be landed. Such a file is never changed, so its name stands for its bytes.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

PREFIX = "kafka-"
OFFSET = "_offset"
"""The key under which each line has its offset, before all others."""
FOLDED, REPLAYED = "folded", "replayed"
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


class Range(NamedTuple):
    """The offsets of a file, both ends included, of the stream that `source` names."""

    source: str
    first: int
    last: int
    kind: str = ""

    def covers(self, other: "Range") -> bool:
        """Returns whether it has all records of another file: it was folded after that one had landed."""
        return (
            self.kind == FOLDED
            and other is not self
            and self.source == other.source
            and self.first <= other.first
            and self.last >= other.last
        )


@lru_cache(maxsize=100_000)
def range_of(name: str) -> Range | None:
    """Returns the offsets of a file by its name; None for a file of no stream."""
    if not name.startswith(PREFIX) or not (found := _NAME.fullmatch(name)):
        return None
    source, first, last, kind = found.groups()
    return Range(source, int(first), int(last), kind or "")


def uncovered(ranges: Iterable[Range]) -> list[Range]:
    """Returns the files whose records are not in a folded one too."""
    found = list(ranges)
    folded = [each for each in found if each.kind == FOLDED]
    return [each for each in found if not any(one.covers(each) for one in folded)] if folded else found


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
