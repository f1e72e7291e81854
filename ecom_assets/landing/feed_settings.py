"""The settings of feeds in the landing zone's feeds.toml."""

import datetime as dt
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ecom_assets.errors import UserError
from ecom_assets.landing.public_holidays import public_holidays

ExtraKind = Literal["text", "integer", "decimal", "date", "timestamp", "float", "boolean"]
EXTRA_KINDS = get_args(ExtraKind)
MAX_DECIMALS = 4
INFERRED = "inferred"
"""The setting `members` of a feed of which not all members arrive: those that rows name are known from that."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class FeedSettingsError(UserError, ValueError):
    """The file feeds.toml is invalid."""


@dataclass(frozen=True)
class ValueRule:
    """A rule of the shop: columns get the values in `then` where others are like the patterns in `when`."""

    when: Mapping[str, str]
    then: Mapping[str, str]

    def as_toml(self) -> dict[str, Any]:
        """Returns the rule's table in feeds.toml."""
        return {**self.when, "set": dict(self.then)}


@dataclass(frozen=True)
class FeedSettings:
    """Settings of a feed.

    `time_zone` (IANA name) is that of timestamps without offset. `due` are the weekdays, Monday 0 to
    Sunday 6, on which a file is expected, but for the days in `closed` and the public holidays of `holidays`, a country
    or subdivision such as DE-BY. `max_bad_share` (0 to 1) and `min_bad_rows` override the contract of the
    feed's silver table if they are set. `extra` are the columns that the shop sends beside the feed's own and wants to
    keep: name to kind, one of EXTRA_KINDS. `round_amounts` (0 to 4) is the number of decimals to which the feed's
    amounts are rounded, and its quantities to four; None sets those with more than four aside. `complete` are columns
    of the key that name a group of rows, such as the lines of an order, of which each arrival holds all or none. The
    first of the `rules` that is met gives a column its value. `members` is INFERRED for a feed of members, such as
    products, that never holds all. `files` is the number of files that are promised for each day on which one is due.
    `lateness` is the number of minutes by which events of a stream may be late.

    Raises ValueError if one is invalid.
    """

    time_zone: str = "UTC"
    due: frozenset[int] = field(default_factory=lambda: frozenset(range(7)))
    max_bad_share: float | None = None
    min_bad_rows: int | None = None
    extra: Mapping[str, ExtraKind] = field(default_factory=dict)
    round_amounts: int | None = None
    complete: tuple[str, ...] = ()
    rules: tuple[ValueRule, ...] = ()
    holidays: str | None = None
    closed: frozenset[dt.date] = frozenset()
    members: str | None = None
    files: int | None = None
    lateness: int = 0

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{self.time_zone!r} is not a time zone; write it like Europe/London.") from error
        if not self.due <= frozenset(range(7)):
            raise ValueError(f"Weekdays are 0 (Monday) to 6 (Sunday), not {sorted(self.due)}.")
        if self.max_bad_share is not None and not 0 <= self.max_bad_share <= 1:
            raise ValueError(f"max_bad_share is {self.max_bad_share}; write a number from 0 to 1, such as 0.1.")
        if self.min_bad_rows is not None and self.min_bad_rows < 1:
            raise ValueError(f"min_bad_rows is {self.min_bad_rows}; write a whole number from 1 on.")
        if self.round_amounts is not None and not 0 <= self.round_amounts <= MAX_DECIMALS:
            raise ValueError(f"round_amounts is {self.round_amounts}; write a number of decimals from 0 to 4.")
        if self.files is not None and self.files < 1:
            raise ValueError(f"files is {self.files}; write a whole number from 1 on.")
        if self.lateness < 0:
            raise ValueError(f"lateness is {self.lateness}; write a whole number of minutes from 0 on.")
        if self.members not in (None, INFERRED):
            raise ValueError(f"members is {self.members!r}; write {INFERRED!r}, or leave it out.")
        if self.holidays is not None:
            public_holidays(self.holidays)
        for name, kind in self.extra.items():
            if kind not in EXTRA_KINDS:
                raise ValueError(f"extra: {name} is of an unknown kind {kind!r}; use {', '.join(EXTRA_KINDS)}.")

    def is_due(self, day: dt.date) -> bool:
        """Returns whether a file is expected on a day."""
        if day.weekday() not in self.due or day in self.closed:
            return False
        return self.holidays is None or day not in public_holidays(self.holidays)

    @property
    def judging(self) -> dict[str, Any]:
        """The settings that decide which rows and days of silver are good, if they are set, by name."""
        given = {
            "max_bad_share": self.max_bad_share,
            "min_bad_rows": self.min_bad_rows,
            "extra": dict(self.extra) or None,
            "rules": [rule.as_toml() for rule in self.rules] or None,
            "round_amounts": self.round_amounts,
            "complete": list(self.complete) or None,
            "members": self.members,
        }
        return {name: value for name, value in given.items() if value is not None}

    def as_toml(self) -> dict[str, Any]:
        """Returns the feed's table in feeds.toml."""
        closed = {"holidays": self.holidays, "closed": sorted(self.closed), "files": self.files}
        closed |= {"lateness": self.lateness}
        given = {name: value for name, value in closed.items() if value}
        due = [WEEKDAYS[day] for day in sorted(self.due)]
        return {"time_zone": self.time_zone, "due": due, **given, **self.judging}


def read_feed_settings(path: Path) -> dict[str, FeedSettings]:
    """Returns the settings in a feeds.toml, by feed. Raises FeedSettingsError."""
    try:
        return {feed: _settings(feed, given) for feed, given in tomllib.loads(path.read_text("utf-8")).items()}
    except ValueError as error:
        raise FeedSettingsError(f"{path}: {error}") from error


def _settings(feed: str, given: Any) -> FeedSettings:
    if not isinstance(given, dict):
        raise ValueError(f"{feed} must be a table: write [{feed}].")
    for key in given:
        if key not in _READERS:
            known = ", ".join(_READERS)
            raise ValueError(f"[{feed}] unknown setting {key}; known settings: {known}.")
    try:
        return FeedSettings(**{key: _READERS[key](value) for key, value in given.items()})
    except ValueError as error:
        raise ValueError(f"[{feed}] {error}") from error


def _time_zone(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError('time_zone must be a text such as "Europe/Berlin".')
    return given


def _due(given: Any) -> frozenset[int]:
    if not isinstance(given, list):
        raise ValueError('due must be a list of weekdays such as ["mon", "tue"].')
    for day in given:
        if day not in WEEKDAYS:
            raise ValueError(f"due: unknown weekday {day!r}; use {', '.join(WEEKDAYS)}.")
    return frozenset(map(WEEKDAYS.index, given))


def _holidays(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError('holidays must be a country such as "DE", or with its subdivision "DE-BY".')
    return given


def _closed(given: Any) -> frozenset[dt.date]:
    days = given if isinstance(given, list) else [given]
    try:
        return frozenset(day if type(day) is dt.date else dt.date.fromisoformat(day) for day in days)
    except (TypeError, ValueError) as error:
        raise ValueError('closed must be a list of days such as ["2024-12-24"].') from error


def _max_bad_share(given: Any) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise ValueError("max_bad_share must be a number from 0 to 1, such as 0.1.")
    return given


def _min_bad_rows(given: Any) -> int:
    if type(given) is not int:
        raise ValueError("min_bad_rows must be a whole number, such as 10.")
    return given


def _files(given: Any) -> int:
    if type(given) is not int:
        raise ValueError("files must be a whole number, such as 24.")
    return given


def _lateness(given: Any) -> int:
    if type(given) is not int:
        raise ValueError("lateness must be a whole number of minutes, such as 120.")
    return given


def _round_amounts(given: Any) -> int:
    if type(given) is not int:
        raise ValueError("round_amounts must be a number of decimals, such as 2.")
    return given


def _extra(given: Any) -> Mapping[str, ExtraKind]:
    if not isinstance(given, dict):
        raise ValueError('extra must be a table of columns and their kinds, such as { tier = "text" }.')
    return given


def _complete(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise ValueError('complete must be a list of columns of the key, such as ["order_id"].')
    return tuple(given)


def _members(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError(f'members must be the text "{INFERRED}".')
    return given


def _rules(given: Any) -> tuple[ValueRule, ...]:
    if not isinstance(given, list) or not all(map(_is_rule, given)):
        raise ValueError(
            'rules must be tables of patterns and of the values to set, such as { utm_source = "tiktok*", '
            'set = { channel = "paid social" } }.'
        )
    return tuple(ValueRule({name: rule[name] for name in rule if name != "set"}, rule["set"]) for rule in given)


def _is_rule(given: Any) -> bool:
    if not isinstance(given, dict) or not isinstance(given.get("set"), dict):
        return False
    texts = [*given["set"].values(), *(value for name, value in given.items() if name != "set")]
    return len(given) > 1 and bool(given["set"]) and all(isinstance(text, str) for text in texts)


_READERS: dict[str, Callable[[Any], Any]] = {
    "time_zone": _time_zone,
    "due": _due,
    "holidays": _holidays,
    "closed": _closed,
    "max_bad_share": _max_bad_share,
    "min_bad_rows": _min_bad_rows,
    "extra": _extra,
    "rules": _rules,
    "round_amounts": _round_amounts,
    "complete": _complete,
    "members": _members,
    "files": _files,
    "lateness": _lateness,
}
"""What reads each setting of a feed; raises ValueError."""
