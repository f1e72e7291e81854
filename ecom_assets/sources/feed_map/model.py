"""A feed map, read and checked."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ecom_assets.landing.reading import Dialect
from ecom_assets.sources.feed_map.toml_text import TomlText
from ecom_assets.sources.fixed_width import Layout

_COMPUTED = ("multiply", "price_of", "rounding_of")
_NAMING = ("from", *_COMPUTED, "concat", "ordinal", "over")
_CHANGED_NUMBERS = frozenset({"negate", "abs"})
LIMITS = frozenset({"greater", "greater_or_equal", "less", "less_or_equal"})
"""Conditions that compare numbers."""


@dataclass(frozen=True)
class Feed:
    """One feed of a map: its files and lines, the values of its columns, and which are timestamps and numbers."""

    name: str
    files: str
    where: tuple[Mapping[str, Any], ...]
    group_by: tuple[str, ...]
    columns: Mapping[str, Mapping[str, Any]]
    moments: tuple[str, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class Lookup:
    """Files that are joined to the lines by equal values; `on` maps the line's columns to the lookup's."""

    name: str
    files: str
    on: Mapping[str, str]

    def columns_of(self, names: Collection[str]) -> list[str]:
        """Returns the lookup's columns among names like `lookup.column`."""
        return [name.removeprefix(f"{self.name}.") for name in names if name.startswith(f"{self.name}.")]


@dataclass(frozen=True)
class NumberFormat:
    """The number format of an export: its decimal and thousands separators."""

    decimal: str = "."
    thousands: str | None = None


PLAIN = NumberFormat()


@dataclass(frozen=True)
class FeedMap:
    """A map, read and checked.

    `time_zone` (IANA name) is that of timestamps without offset. `start` and `end` are the first and last business day,
    `due` the weekdays, Monday 0 to Sunday 6, on which the feeds are due; None if not given.
    """

    text: TomlText
    arrival_day: Mapping[str, Any]
    format: str | None
    dialect: Dialect
    layout: Layout | None
    number_format: NumberFormat
    time_zone: str
    start: dt.date | None
    end: dt.date | None
    due: frozenset[int] | None
    unreadable: str | None
    lookups: tuple[Lookup, ...]
    feeds: tuple[Feed, ...]

    def by_files(self) -> Iterator[tuple[str, "FeedMap"]]:
        """Yields each pattern of files with the map of the feeds that read them."""
        for files in dict.fromkeys(feed.files for feed in self.feeds):
            feeds = tuple(feed for feed in self.feeds if feed.files == files)
            named = [feed.name for feed in feeds if feed.name == self.unreadable]
            of_lines = [feed.name for feed in feeds if not feed.group_by]
            yield files, replace(self, feeds=feeds, unreadable=[*named, *of_lines, feeds[0].name][0])

    def source_columns(self) -> list[str]:
        """Returns every column of the files themselves that the map names."""
        names = self._columns_named()
        looked_up = [lookup for lookup in self.lookups if lookup.columns_of(names)]
        others = {f"{lookup.name}.{column}" for lookup in looked_up for column in lookup.columns_of(names)}
        keys = [column for lookup in looked_up for column in lookup.on]
        return [name for name in dict.fromkeys([*names, *keys]) if name not in others]

    def number_columns(self) -> list[str]:
        """Returns the source columns that are read as numbers."""
        names: dict[str, None] = {}
        for feed in self.feeds:
            conditions = [*feed.where, *(each for value in feed.columns.values() for each in value.get("when", ()))]
            names |= {each["column"]: None for each in conditions if not LIMITS.isdisjoint(each)}
            for name, value in feed.columns.items():
                names |= dict.fromkeys(_named_under(value, _COMPUTED))
                if name in feed.numbers or not _CHANGED_NUMBERS.isdisjoint(value):
                    names |= dict.fromkeys(_named_under(value, ("from",)))
        return list(names)

    def lookups_used(self) -> Iterator[tuple[Lookup, list[str]]]:
        """Returns the lookups that the feeds name, with the columns that they need from each."""
        names = self._columns_named()
        for lookup in self.lookups:
            if columns := lookup.columns_of(names):
                yield lookup, list(dict.fromkeys([*lookup.on.values(), *columns]))

    def _columns_named(self) -> list[str]:
        names = dict.fromkeys(_named_under(self.arrival_day, ("first", "column")))
        for feed in self.feeds:
            names |= dict.fromkeys([*feed.group_by, *(condition["column"] for condition in feed.where)])
            for value in feed.columns.values():
                names |= dict.fromkeys(_named_under(value, _NAMING))
                names |= dict.fromkeys(condition["column"] for condition in value.get("when", ()))
        return list(names)


def _named_under(value: Mapping[str, Any], keys: Sequence[str]) -> Iterator[str]:
    """Yields the source columns under some keys of a value."""
    for key in keys:
        named = value.get(key, ())
        for part in [named] if isinstance(named, str) else named:
            if isinstance(part, str):
                yield part
            else:
                yield from part.get("ordinal", ())
