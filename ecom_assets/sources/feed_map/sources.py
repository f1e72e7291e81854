"""The files of an export: which they are, when they arrived, and under which names they are read and land."""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecom_assets.errors import UserError
from ecom_assets.landing.zone import LandedFile, text_of
from ecom_assets.sources.feed_map.model import FeedMap, Lookup

_BATCH_BYTES = 64 << 20
UNTOLD = dt.date.min
"""Stands for the arrival day until the lines tell it."""


class NothingToLand(UserError, FileNotFoundError):
    """A folder without a file that the map takes."""


@dataclass(frozen=True, kw_only=True)
class SourceFile(LandedFile):
    """A file of the export, under a name by which it can be read. `source` is its path below the folder."""

    source: str


def export_files(feed_map: FeedMap, folder: Path, pattern: str) -> tuple[list[SourceFile], list[str]]:
    """The files like a pattern, and the paths of those whose names should tell their arrival day and do not.

    Raises NothingToLand where the folder holds none.
    """
    files, skipped = [], []
    for path in _paths(folder, pattern):
        if day := _arrival_day(feed_map, path.name):
            files.append(_source_file(feed_map, path, day, folder))
        else:
            skipped.append(path.relative_to(folder).as_posix())
    return files, skipped


def lookup_files(feed_map: FeedMap, folder: Path, lookup: Lookup) -> list[SourceFile]:
    """The files of a lookup, which have no arrival day. Raises NothingToLand."""
    return [_source_file(feed_map, path, UNTOLD, folder) for path in _paths(folder, lookup.files)]


def _paths(folder: Path, pattern: str) -> list[Path]:
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not paths:
        raise NothingToLand(f"{folder} holds no file like {pattern}.")
    for path in map(str, paths):
        if text_of(path) != path:
            raise UserError(f"The name of the file {text_of(path)} is not UTF-8; rename it.")
    return paths


def _source_file(feed_map: FeedMap, path: Path, day: dt.date, folder: Path) -> SourceFile:
    source = path.relative_to(folder).as_posix()
    name = _readable_name(feed_map, _one_name(source))
    return SourceFile("", day, name, str(path), path.stat().st_size, "", source=source)


def landed_name(source: str) -> str:
    """The name under which a source file's rows land; that of no other."""
    return f"{_one_name(source)}.parquet"


def _one_name(source: str) -> str:
    """A path as one name. Separators, and what such a name may not begin with, stand as %XX, as in an URL."""
    return re.sub(r"^[._]|[%/]", lambda found: f"%{ord(found[0]):02X}", source)


def _readable_name(feed_map: FeedMap, name: str) -> str:
    """The file's name with the suffix of its format, by which it is read; that of no other."""
    if feed_map.format is None:
        return name
    if feed_map.layout:
        return f"{name}.parquet"
    packed = ".gz" if name.endswith(".gz") else ""
    stem = name.removesuffix(packed)
    suffix = f".{feed_map.format}"
    return name if stem.endswith(suffix) else f"{stem}/{suffix}{packed}"


def _arrival_day(feed_map: FeedMap, name: str) -> dt.date | None:
    """The arrival day of a file, UNTOLD where its lines tell it, or None where its name should and does not."""
    fixed: dt.date | None = feed_map.arrival_day.get("fixed")
    if fixed:
        return fixed
    if "file_name" not in feed_map.arrival_day:
        return UNTOLD
    before, _, after = feed_map.arrival_day["file_name"].partition("{day}")
    day = r"(\d{4})[-_.]?(\d{2})[-_.]?(\d{2})"
    found = re.fullmatch(_as_regex(before) + day + _as_regex(after), name)
    try:
        return dt.date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _as_regex(pattern: str) -> str:
    return ".*".join(map(re.escape, pattern.split("*")))


def batches(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    """The files in batches that fit in memory together."""
    batch: list[SourceFile] = []
    for file in files:
        if batch and sum(one.size for one in batch) + file.size > _BATCH_BYTES:
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch
