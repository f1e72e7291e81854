"""Files that are one JSON text: an array of records, an object with one, or several objects one after the other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ecom_assets.landing.reading.lines import read_lines

_SPACE = re.compile(r"[\s,]*")
_STRICT = json.JSONDecoder()


def write_lines(source: Path, target: Path, encoding: str) -> None:
    """Writes the records of a plain or gzipped file as JSON Lines, for `reading.read`.

    An object whose only list of objects is its records, such as {"orders": [...]}, stands for these. Where the text
    breaks off or is not JSON, the rest becomes one line, which is then found unreadable.
    """
    text = b"".join(line.content for line in read_lines(source, encoding)).decode(errors="surrogateescape")
    with target.open("w", encoding="utf-8", errors="surrogateescape") as stream:
        for record, is_whole in _records(text):
            stream.write(record.replace("\r", " ").replace("\n", " ") + ("\n" if is_whole else ""))


def _records(text: str) -> Iterator[tuple[str, bool]]:
    """Yields the text of each record, and whether it is JSON."""
    place = _next(text, 0)
    if text.startswith("[", place):
        yield from _elements(text, place + 1)
    elif (inner := _only_list(text, place)) is not None:
        yield from _elements(text, inner)
    else:
        yield from _elements(text, place)


def _elements(text: str, place: int) -> Iterator[tuple[str, bool]]:
    """Yields the values from a place on, up to the end of their list."""
    place = _next(text, place)
    while place < len(text) and not text.startswith("]", place):
        try:
            _, end = _STRICT.raw_decode(text, place)
        except (ValueError, RecursionError):
            yield text[place:], False
            return
        yield text[place:end], True
        place = _next(text, end)


def _only_list(text: str, place: int) -> int | None:
    """Returns where the elements begin of the list that an object, the whole text, has under its only key."""
    found = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\[').match(text, place)
    if not found:
        return None
    try:
        whole, end = _STRICT.raw_decode(text, place)
    except (ValueError, RecursionError):
        return found.end()
    return found.end() if len(whole) == 1 and end == len(text.rstrip()) else None


def _next(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place
