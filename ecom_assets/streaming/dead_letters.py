"""Dead letters: records that could not land, kept with the reason until they can be replayed."""

import base64
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ecom_assets.landing.files import replace_file
from ecom_assets.landing.streamed import OFFSET, PREFIX, REPLAYED, Stream, range_of
from ecom_assets.landing.zone import Zone
from ecom_assets.streaming.records import FeedFacts, Record, Unreadable, read_record


class DeadLetter(NamedTuple):
    """A record of a stream that could not land in a feed, and why."""

    stream: Stream
    feed: str
    record: Record
    reason: str

    def to_json(self) -> str:
        """Returns it as a line. Its bytes are in base64, since they may be anything."""
        offset, timestamp, key, value, headers = self.record
        topic, id, partition, generation = (getattr(self.stream, name) for name in Stream.__match_args__)
        return json.dumps(
            {
                "topic": topic,
                "topic_id": id,
                "partition": partition,
                "generation": generation,
                "offset": offset,
                "reason": self.reason,
                "feed": self.feed,
                "timestamp": timestamp,
                "key": _text(key),
                "value": _text(value),
                "headers": [[name, _text(value)] for name, value in headers or ()],
            }
        )

    @classmethod
    def from_json(cls, line: str) -> "DeadLetter":
        """Returns the dead letter of `to_json`. Raises ValueError or KeyError."""
        known = json.loads(line)
        stream = Stream(known["topic"], known["topic_id"], known["partition"], known["generation"])
        headers = [(name, _bytes(value) or b"") for name, value in known["headers"]]
        record = Record(known["offset"], known["timestamp"], _bytes(known["key"]), _bytes(known["value"]), headers)
        return cls(stream, known["feed"], record, known["reason"])


def keep(folder: Path, letters: Sequence[DeadLetter]) -> None:
    """Writes dead letters of one stream to a file, which is there for good when this returns. Raises OSError.

    The same records read again give the same file, or one with some of them, which counts no letter twice.
    """
    offsets = [letter.record.offset for letter in letters]
    name = letters[0].stream.file_name(min(offsets), max(offsets))
    replace_file(folder / name, "".join(f"{letter.to_json()}\n" for letter in letters).encode(), durable=True)


def kept(folder: Path) -> dict[tuple[Stream, int], DeadLetter]:
    """Returns the dead letters in a folder, by stream and offset, in this order."""
    return _letters(sorted(folder.glob(f"{PREFIX}*.jsonl")))


def _letters(paths: Iterable[Path]) -> dict[tuple[Stream, int], DeadLetter]:
    found = {}
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            with suppress(ValueError, KeyError):
                letter = DeadLetter.from_json(line)
                found[letter.stream, letter.record.offset] = letter
    return dict(sorted(found.items()))


class Replay(NamedTuple):
    """What a replay has done: records that landed now, that had landed before, and that still cannot."""

    landed: int
    landed_before: int
    left: Sequence[DeadLetter]


def replay(zone: Zone, folder: Path, feeds: dict[str, FeedFacts], arrives_on: str) -> Replay:
    """Lands the dead letters that can be read by now, each once, under an arrival day. Raises OSError.

    What has landed is read from the landing zone, so that a replay which is interrupted can be given again.
    """
    read = sorted(folder.glob(f"{PREFIX}*.jsonl"))
    letters = _letters(read)
    by_source: dict[tuple[Stream, str], list[DeadLetter]] = {}
    for letter in letters.values():
        by_source.setdefault((letter.stream, letter.feed), []).append(letter)
    left: list[DeadLetter] = []
    landed = before = 0
    for (stream, feed), some in by_source.items():
        there = landed_offsets(zone, feed, stream, {letter.record.offset for letter in some})
        before += len(there)
        lines: dict[int, bytes] = {}
        for letter in some:
            if letter.record.offset in there:
                continue
            try:
                lines[letter.record.offset], _ = read_record(letter.record, feeds[feed])
            except Unreadable as reason:
                left.append(letter._replace(reason=str(reason)))
            except KeyError:
                left.append(letter._replace(reason=f"there is no feed {feed}"))
        if lines:
            path = zone.root / feed / arrives_on / stream.file_name(min(lines), max(lines), REPLAYED)
            replace_file(path, b"".join(lines.values()), durable=True)
            landed += len(lines)
    _leave(folder, left, read)
    return Replay(landed, before, left)


def landed_offsets(zone: Zone, feed: str, stream: Stream, among: set[int]) -> set[int]:
    """Returns which offsets of a stream have landed, read from the files that may have them."""
    found: set[int] = set()
    for day in zone.days(feed):
        for path in (zone.root / feed / str(day)).glob(f"{stream.source}-*"):
            offsets = range_of(path.name)
            if not offsets or not any(offsets.first <= offset <= offsets.last for offset in among):
                continue
            found |= {
                offset for line in path.read_bytes().splitlines() if (offset := json.loads(line)[OFFSET]) in among
            }
    return found


def _leave(folder: Path, left: Iterable[DeadLetter], read: Iterable[Path]) -> None:
    """Keeps these dead letters alone of those in the files that were read. Others may have been written since."""
    names = set()
    by_stream: dict[Stream, list[DeadLetter]] = {}
    for letter in left:
        by_stream.setdefault(letter.stream, []).append(letter)
    for some in by_stream.values():
        keep(folder, some)
        offsets = [letter.record.offset for letter in some]
        names.add(some[0].stream.file_name(min(offsets), max(offsets)))
    for path in read:
        if path.name not in names:
            path.unlink()


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
