"""Folding: the small files of a stream and a day that is over become one, with the same rows."""

import datetime as dt
import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ecom_assets.landing.files import move_durably
from ecom_assets.landing.streamed import ASIDE, FOLDED, OFFSET, REPLAYED, Range, Stream, range_of
from ecom_assets.landing.zone import Zone


class _File(NamedTuple):
    offsets: Range
    path: Path


def fold(zone: Zone, feed: str, before: dt.date, older: float) -> int:
    """Folds the files of days before one, and returns how many became part of another.

    A file that is folded goes once the folded one is older than a moment, in seconds since 1970: until then a run may
    be reading it. Readers leave out what is in a folded file, so this may end anywhere. Raises OSError.
    """
    count = 0
    for day in zone.days(feed):
        if day < before:
            folder = zone.root / feed / str(day)
            for files in _by_source(folder):
                count += _fold_one(zone, folder, files, older)
    return count


def _by_source(folder: Path) -> Iterable[list[_File]]:
    """Returns the files of each stream, in the order of offsets. Replayed ones stay as they are: they lie within."""
    found: dict[str, list[_File]] = {}
    for path in folder.iterdir():
        if (offsets := range_of(path.name)) and offsets.kind != REPLAYED:
            found.setdefault(offsets.source, []).append(_File(offsets, path))
    return [sorted(files) for files in found.values()]


def _fold_one(zone: Zone, folder: Path, files: Sequence[_File], older: float) -> int:
    folded = [file for file in files if file.offsets.kind == FOLDED]
    covered = [file for file in files if any(one.offsets.covers(file.offsets) for one in folded)]
    left = [file for file in files if file not in covered]
    if covered and all(one.path.stat().st_mtime < older for one in folded):
        for file in covered:
            file.path.unlink()
    if len(left) < 2:
        return 0
    first, last = min(file.offsets.first for file in left), max(file.offsets.last for file in left)
    name = Stream.of(left[0].offsets.source).file_name(first, last, FOLDED)
    part = zone.root / ASIDE / f"{name}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as whole:
            for together in _overlapping(left):
                whole.writelines(_merged(together))
        move_durably(part, folder / name)
    finally:
        part.unlink(missing_ok=True)
    return len(left)


def _overlapping(files: Iterable[_File]) -> Iterator[list[_File]]:
    """Yields files in groups that have no offsets in common, in the order of offsets."""
    group: list[_File] = []
    reached = -1
    for file in files:
        if group and file.offsets.first > reached:
            yield group
            group = []
        group.append(file)
        reached = max(reached, file.offsets.last)
    yield group


def _merged(files: Sequence[_File]) -> Iterator[bytes]:
    """Yields the lines of files in the order of offsets, each offset once."""
    if len(files) == 1:
        with files[0].path.open("rb") as file:
            yield from map(_ended, file)
        return
    before: tuple[int, int] | None = None
    for place, line in heapq.merge(*(_lines(file.path) for file in files)):
        if place != before:
            yield line
        before = place


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"


def _lines(path: Path) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yields the lines of a file with their places: the offset and 0, or of a damaged one a number after the last."""
    offset, damaged = -1, 0
    with path.open("rb") as file:
        for line in map(_ended, file):
            try:
                offset, damaged = int(json.loads(line)[OFFSET]), 0
            except (ValueError, KeyError, TypeError):
                damaged += 1
            yield (offset, damaged), line
