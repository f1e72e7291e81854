"""A TOML text whose mistakes are told with their line."""

import datetime as dt
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ecom_assets.errors import UserError, suggestion


class FeedMapError(UserError):
    """A mistake in a feed map, with its file, line and, where there is one, a suggestion."""


class TomlText:
    """The text of a TOML file, and checks of what it says; every complaint is a FeedMapError that names the line.

    Places are keys from the outermost table inwards. Raises FeedMapError for what is no UTF-8 or holds NUL, OSError
    where the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._text = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            self._fail_on(line, "this is no UTF-8 text; save the map as UTF-8.")
        if nul := re.search(r"\\(u0{4}|U0{8})", self._text):
            self._fail_on(self._text.count("\n", 0, nul.start()) + 1, "a text cannot hold the character NUL.")

    def fail(self, place: Sequence[str], message: str) -> NoReturn:
        """Complain of what stands at a place."""
        self._fail_on(_line_of(self._text, place), message)

    def fail_at(self, value: str, message: str) -> NoReturn:
        """Complain of a value, where it first stands."""
        self._fail_on(_line_with(self._text, value), message)

    def _fail_on(self, line: int, message: str) -> NoReturn:
        raise FeedMapError(f"{self._path}, line {line}: {message}")

    def parsed(self) -> dict[str, Any]:
        """What the text says. Raises FeedMapError for what is no TOML."""
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"line (\d+)", str(error))
            self._fail_on(int(at[1]) if at else self._text.count("\n") + 1, f"this is no TOML: {error}")

    def known(self, given: Mapping[str, Any], names: Collection[str], place: list[str], kind: str = "key") -> None:
        """Refuse keys of another name."""
        for name in given:
            if name not in names:
                self.fail([*place, name], f"{name!r} is no {kind}{suggestion(name, names)}")

    def one_of(self, value: Any, allowed: Collection[str], place: list[str]) -> None:
        """Refuse a value that is not allowed."""
        if value not in allowed:
            self.fail(place, f"{value!r} is none of {', '.join(allowed)}{suggestion(str(value), allowed)}")

    def table(self, given: Mapping[str, Any], key: str, place: list[str]) -> dict[str, Any]:
        """The table under a key."""
        if key not in given:
            self.fail(place, f"{'.'.join([*place, key])} is missing.")
        if not isinstance(given[key], dict):
            self.fail([*place, key], f"{key} has to be a table.")
        return dict(given[key])

    def text_at(self, given: Mapping[str, Any], key: str, place: list[str]) -> str | None:
        """The text under a key; None where it is not given."""
        if key in given and not isinstance(given[key], str):
            self.fail([*place, key], f"{key} has to be a text in quotes.")
        return given.get(key)

    def required_text(self, given: Mapping[str, Any], key: str, place: list[str]) -> str:
        """The text under a key, which may not be empty."""
        return self.text_at(given, key, place) or self.fail(place, f"{key} is missing.")

    def names_at(
        self, given: Mapping[str, Any], key: str, place: list[str], what: str = "source columns"
    ) -> tuple[str, ...]:
        """The texts listed under a key; none where it is not given."""
        names = given.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.fail([*place, key], f"{key} has to be a list of {what}.")
        return tuple(names)

    def one_value(self, given: Mapping[str, Any], key: str, place: list[str]) -> None:
        """Refuse a list or a table."""
        if isinstance(given.get(key), dict | list):
            self.fail(place, f"{key} has to be one value, such as a text in quotes.")

    def date_at(self, given: Mapping[str, Any], key: str, place: list[str]) -> dt.date | None:
        """The day under a key; None where it is not given."""
        value = given.get(key)
        if value is not None and type(value) is not dt.date:
            self.fail([*place, key], f"{key} has to be a day such as 2010-12-01, without quotes.")
        return value


_HEADER = re.compile(r"\s*\[+([^\[\]]+)\]+")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def _line_of(text: str, place: Sequence[str]) -> int:
    """The line, from 1, that comes nearest to a place in a TOML text."""
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
        if common == len(here) and common > best:
            best, found = common, number
    return found


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _line_with(text: str, value: str) -> int:
    """The first line that holds the value in quotes, alone or behind a lookup's name, from 1."""
    quoted = re.compile(f"[\"'.]{re.escape(value)}[\"']")
    return next((number for number, line in enumerate(text.splitlines(), 1) if quoted.search(line)), 1)
