"""The files of an export: their arrival days, and the names under which they are read and landed."""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecom_assets.errors import UserError
from ecom_assets.landing.zone import LandedFile, text_of
from ecom_assets.sources.feed_map.model import Source

_BATCH_BYTES = 64 << 20
UNKNOWN_DAY = dt.date.min
"""The arrival day before it is known from the lines."""


class NothingToLand(UserError, FileNotFoundError):
    """The folder has no file that the map reads."""


@dataclass(frozen=True, kw_only=True)
class SourceFile(LandedFile):
    """A file of the export, with a name under which it can be read.

    `source` is its path below the folder, `landed` the name under which its rows land.
    """

    source: str
    landed: str


def export_files(source: Source, folder: Path, map_name: str) -> tuple[list[SourceFile], list[str]]:
    """Returns the files of a source, and the paths of those without the arrival day in their names.

    Raises NothingToLand if the folder has none.
    """
    files, skipped = [], []
    for path in _paths(folder, source.files or "*"):
        if day := _arrival_day(source, path.relative_to(folder).as_posix()):
            files.append(_source_file(source, path, day, folder, map_name))
        else:
            skipped.append(path.relative_to(folder).as_posix())
    return files, skipped


def _paths(folder: Path, pattern: str) -> list[Path]:
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not paths:
        raise NothingToLand(f"No file in {folder} matches {pattern}.")
    for path in map(str, paths):
        if text_of(path) != path:
            raise UserError(f"The name of the file {text_of(path)} is not UTF-8; rename it.")
    return paths


def _source_file(source: Source, path: Path, day: dt.date, folder: Path, map_name: str) -> SourceFile:
    below = path.relative_to(folder).as_posix()
    name = _readable_name(source, _one_name(below))
    landed = f"{map_name}@{name_before_maps(below)}"
    return SourceFile("", day, name, str(path), path.stat().st_size, "", source=below, landed=landed)


def name_before_maps(source: str) -> str:
    """Returns the name under which a source file's rows landed before names had the map's."""
    return f"{_one_name(source)}.parquet"


def _one_name(source: str) -> str:
    """Returns a path as one name. Separators and invalid first characters are written as %XX, as in a URL."""
    return re.sub(r"^[._]|[%/]", lambda found: f"%{ord(found[0]):02X}", source)


def _readable_name(source: Source, name: str) -> str:
    """Returns a unique name of the file with the suffix of its format, under which it is read."""
    if is_json(source, name):
        return f"{name}.jsonl"
    if source.format is None:
        return name
    if source.layout:
        return f"{name}.parquet"
    packed = ".gz" if name.endswith(".gz") else ""
    stem = name.removesuffix(packed)
    suffix = f".{source.format}"
    return name if stem.endswith(suffix) else f"{stem}/{suffix}{packed}"


def is_json(source: Source, name: str) -> bool:
    """Returns whether a file is one JSON text, such as an array of records, rather than JSON Lines."""
    return source.format == "json" or (source.format is None and name.removesuffix(".gz").endswith(".json"))


def _arrival_day(source: Source, below: str) -> dt.date | None:
    """Returns the arrival day of a file: UNKNOWN_DAY if its lines have it, None if its path lacks it."""
    fixed: dt.date | None = source.arrival_day.get("fixed")
    if fixed:
        return fixed
    way = next((way for way in ("file_name", "path") if way in source.arrival_day), None)
    if way is None:
        return UNKNOWN_DAY
    before, _, after = source.arrival_day[way].partition("{day}")
    day = r"(\d{4})[-_./]?(\d{2})[-_./]?(\d{2})"
    found = re.fullmatch(_as_regex(before) + day + _as_regex(after), below if way == "path" else Path(below).name)
    try:
        return dt.date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _as_regex(pattern: str) -> str:
    return ".*".join(map(re.escape, pattern.split("*")))


def batches(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    """Yields the files in batches that fit in memory."""
    batch: list[SourceFile] = []
    for file in files:
        if batch and sum(one.size for one in batch) + file.size > _BATCH_BYTES:
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch
