"""Files that are one JSON text: records in an array, under an object's only key, or one after the other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ecom_assets.landing.reading.lines import read_lines

_SPACE = re.compile(r"[\s,]*")
_STRICT = json.JSONDecoder()


def write_lines(source: Path, target: Path, encoding: str) -> None:
    """Writes the records of a plain or gzipped file as JSON Lines, for `reading.read`.

    An object whose only key has records, such as {"orders": [...]}, or one, such as {"order": {...}}, stands for these.
    Where the text breaks off or is not JSON, the rest becomes one line, which is then found unreadable.
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
    elif (inner := _under_only_key(text, place)) is not None:
        yield from _elements(*inner)
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


def _under_only_key(text: str, place: int) -> tuple[str, int] | None:
    """Returns the text and the place at which the records begin that an object, the whole text, has under its only key.

    Of a list they end with it, of one record the text does.
    """
    found = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:\s*([\[{])').match(text, place)
    if not found:
        return None
    is_list = found[1] == "["
    try:
        whole, end = _STRICT.raw_decode(text, place)
    except (ValueError, RecursionError):
        return (text, found.end()) if is_list else None
    if len(whole) > 1 or end < len(text.rstrip()):
        return None
    return (text, found.end()) if is_list else (text[: end - 1].rstrip(), found.start(1))


def _next(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place
