"""A TOML text whose errors name the line."""

import datetime as dt
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from operator import itemgetter
from pathlib import Path
from typing import Any, NoReturn

from ecom_assets.errors import UserError, suggestion


class FeedMapError(UserError):
    """A mistake in a feed map, with file, line and, if there is one, a suggestion."""


class _Mistake(FeedMapError):
    """A mistake at a line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class TomlText:
    """The text of a TOML file, with checks of its content; every error is a FeedMapError that names the line.

    Places are keys from the outermost table inwards. Raises FeedMapError if the text is not UTF-8 or contains NUL,
    OSError if the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mistakes: list[tuple[int, FeedMapError]] = []
        try:
            self._text = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            self._fail_on(line, "not UTF-8; save the map as UTF-8.")
        if nul := re.search(r"\\(u0{4}|U0{8})", self._text):
            self._fail_on(self._text.count("\n", 0, nul.start()) + 1, "a text must not contain the character NUL.")

    def fail(self, place: Sequence[str], message: str) -> NoReturn:
        """Raises FeedMapError for the line at a place."""
        self._fail_on(_line_of(self._text, place), message)

    def fail_at(self, value: str, message: str) -> NoReturn:
        """Raises FeedMapError for the first line with a value."""
        self._fail_on(_line_with(self._text, value), message)

    def fail_in(self, place: Sequence[str], line: int, message: str) -> NoReturn:
        """Raises FeedMapError for a line, from 1, of the text of several lines at a place."""
        first = _line_of(self._text, place)
        starts_below = re.search(r"""=\s*("{3}|'{3})\s*$""", self._text.splitlines()[first - 1]) is not None
        self._fail_on(first + line - (not starts_below), message)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keeps a mistake of the block for `raise_gathered`, so that others are found too."""
        try:
            yield
        except _Mistake as mistake:
            self._mistakes.append((mistake.line, mistake))

    @property
    def has_mistakes(self) -> bool:
        """Whether mistakes are gathered."""
        return bool(self._mistakes)

    def raise_gathered(self) -> None:
        """Raises FeedMapError with all mistakes gathered, in the order of their lines, if there are any."""
        found = dict.fromkeys(str(mistake) for _, mistake in sorted(self._mistakes, key=itemgetter(0)))
        self._mistakes.clear()
        if found:
            raise FeedMapError("\n".join(found))

    def _fail_on(self, line: int, message: str) -> NoReturn:
        raise _Mistake(f"{self._path}, line {line}: {message}", line)

    def parsed(self) -> dict[str, Any]:
        """Returns the parsed text. Raises FeedMapError if it is not valid TOML."""
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"line (\d+)", str(error))
            self._fail_on(int(at[1]) if at else self._text.count("\n") + 1, f"invalid TOML: {error}")

    def known(self, given: Mapping[str, Any], names: Collection[str], place: list[str], kind: str = "key") -> None:
        """Fails on unknown keys."""
        unknown = [name for name in given if name not in names]
        for name in unknown:
            with self.gathered() if name != unknown[-1] else nullcontext():
                self.fail([*place, name], f"unknown {kind} {name!r}{suggestion(name, names)}")

    def one_of(self, value: Any, allowed: Collection[str], place: list[str]) -> None:
        """Fails on a value that is not allowed."""
        if value not in allowed:
            self.fail(place, f"{value!r} is not one of {', '.join(allowed)}{suggestion(str(value), allowed)}")

    def table(self, given: Mapping[str, Any], key: str, place: list[str]) -> dict[str, Any]:
        """Returns the table under a key."""
        if key not in given:
            self.fail(place, f"{'.'.join([*place, key])} is missing.")
        if not isinstance(given[key], dict):
            self.fail([*place, key], f"{key} must be a table.")
        return dict(given[key])

    def text_at(self, given: Mapping[str, Any], key: str, place: list[str]) -> str | None:
        """Returns the text under a key; None if not given."""
        if key in given and not isinstance(given[key], str):
            self.fail([*place, key], f"{key} must be a text in quotes.")
        return given.get(key)

    def required_text(self, given: Mapping[str, Any], key: str, place: list[str]) -> str:
        """Returns the text under a key, which must not be empty."""
        return self.text_at(given, key, place) or self.fail(place, f"{key} is missing.")

    def names_at(
        self, given: Mapping[str, Any], key: str, place: list[str], what: str = "source columns"
    ) -> tuple[str, ...]:
        """Returns the texts listed under a key; empty if not given."""
        names = given.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.fail([*place, key], f"{key} must be a list of {what}.")
        return tuple(names)

    def one_value(self, given: Mapping[str, Any], key: str, place: list[str]) -> None:
        """Fails on a list or a table."""
        if isinstance(given.get(key), dict | list):
            self.fail(place, f"{key} must be one value, such as a text in quotes.")

    def date_at(self, given: Mapping[str, Any], key: str, place: list[str]) -> dt.date | None:
        """Returns the day under a key; None if not given."""
        value = given.get(key)
        if value is not None and type(value) is not dt.date:
            self.fail([*place, key], f"{key} must be a day such as 2010-12-01, without quotes.")
        return value


_HEADER = re.compile(r"\s*\[+([^\[\]]+)\]+")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def _line_of(text: str, place: Sequence[str]) -> int:
    """Returns the line number, from 1, that is nearest to a place in a TOML text."""
    best, found, table = 0, 1, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            here = table = _parts(header[1])
        elif key := _KEY.match(line):
            here = [*table, *_parts(key[1])]
        else:
            continue
        common = 0
        while common < min(len(here), len(place)) and here[common] == place[common]:
            common += 1
        if common in (len(here), len(place)) and common > best:
            best, found = common, number
    return found


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _line_with(text: str, value: str) -> int:
    """Returns the first line number, from 1, with the value in quotes, alone or after a lookup's name."""
    quoted = re.compile(f"[\"'.]{re.escape(value)}[\"']")
    return next((number for number, line in enumerate(text.splitlines(), 1) if quoted.search(line)), 1)
