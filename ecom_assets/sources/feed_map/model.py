"""A feed map, read and checked."""

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Any

from ecom_assets.alerting.configuration import Secret
from ecom_assets.contract import Column, FeedContract
from ecom_assets.errors import UserError
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.feed_settings import ExtraKind
from ecom_assets.landing.reading import Dialect
from ecom_assets.sources.feed_map.query import Query
from ecom_assets.sources.feed_map.toml_text import TomlText
from ecom_assets.sources.fixed_width import Layout

_COMPUTED = ("multiply",)
_NAMING = ("from", *_COMPUTED, "concat", "ordinal", "over")
_CHANGED_NUMBERS = frozenset({"negate", "abs"})
OwnColumns = Mapping[str, ExtraKind]
"""A shop's own columns of a feed, with their kinds."""
STORE_NAME = re.compile(r"[\w.-]+")
"""What the name of a store that a map or a landing gives may be."""
LIMITS = frozenset({"greater", "greater_or_equal", "less", "less_or_equal"})
"""Conditions that compare numbers."""


@dataclass(frozen=True)
class NumberFormat:
    """The number format of an export: its decimal and thousands separators."""

    decimal: str = "."
    thousands: str | None = None


PLAIN = NumberFormat()


ARRIVES_ON, IS_GONE = "arrives_on", "is_gone"
"""Columns that an extract adds: the arrival day of a row, and "true" for one that the database has no longer."""
DATABASE = "ECOM_SHOP_DATABASE"
"""The environment variable with the address of the shop's own database, unless the map names another one."""


@dataclass(frozen=True)
class Table:
    """A table of a PostgreSQL database, of which extracts land what is new; see `extract`.

    `name` has its schema, if that is not on the search path. Without `updated_at` it is read whole each time.
    `overlap` is how far each extract goes back before the newest row of the one before, as an interval. `key` tells
    rows apart; with `sends_deletes`, keys that are gone are sent. `address` is the variable with the address.
    """

    name: str
    updated_at: str | None
    overlap: str
    key: tuple[str, ...]
    sends_deletes: bool
    address: str


@dataclass(frozen=True)
class Source:
    """Files of one kind, and how they are read; in SQL, a table with this name.

    `files` is a pattern below the folder; None if each feed names its own. `arrival_day` is empty if it is not given.
    `optional` are columns that files may lack. `time_zone` (IANA name) is that of timestamps without offset.
    `unreadable` is the feed that gets the lines that cannot be read. `group` says whether files hold groups "whole" or
    a file "adds" to those of others, `currency` is that of its amounts, `store` issued its numbers; None if it is not
    given. `place` is the table in the map.
    """

    name: str
    place: tuple[str, ...]
    files: str | None
    arrival_day: Mapping[str, Any]
    format: str | None
    dialect: Dialect
    layout: Layout | None
    number_format: NumberFormat
    time_zone: str
    optional: tuple[str, ...]
    unreadable: str | None
    group: str | None
    currency: str | None
    store: str | None
    table: Table | None = None
    """The table of which an extract writes the files."""


@dataclass(frozen=True)
class Feed:
    """One feed of a map in words: its source and lines, the values of its columns, and their kinds.

    `adds` says that a file may add lines to a group of another file, rather than that each has its groups whole.
    """

    name: str
    source: Source
    adds: bool
    where: tuple[Mapping[str, Any], ...]
    group_by: tuple[str, ...]
    columns: Mapping[str, Mapping[str, Any]]
    moments: tuple[str, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class FeedMap:
    """A map, read and checked.

    `feeds` are written in words, `queries` in SQL; `names` has all in the map's order. `added` are the shop's own
    columns of some of them. `start` and `end` are the first and last business day, `due` the weekdays, Monday 0 to
    Sunday 6, on which the feeds are due; None if not given.
    """

    name: str
    text: TomlText
    sources: Mapping[str, Source]
    names: tuple[str, ...]
    feeds: tuple[Feed, ...]
    queries: tuple[Query, ...]
    added: Mapping[str, OwnColumns]
    time_zone: str
    currency: str | None
    start: dt.date | None
    end: dt.date | None
    due: frozenset[int] | None

    def promised(self, feed: str) -> FeedContract:
        """Returns the contract of a feed, with the columns that the map adds."""
        return with_own_columns(feed_contracts()[feed], self.added.get(feed, {}))

    def in_currency(self, currency: str | None) -> "FeedMap":
        """Returns the map with amounts in a currency other than the shop's, or in none but the shop's."""
        return self._with_sources(lambda source: replace(source, currency=currency))

    def other_currency(self, own: str | None) -> str | None:
        """Returns the currency of the map if a shop with a currency of its own has another one; None otherwise."""
        return self.currency if own and self.currency != own else None

    def in_store(self, store: str) -> "FeedMap":
        """Returns the map of one of several shops: its files are others than those of the map without a store."""
        named = replace(self, name=f"{self.name}.{store}")
        return named._with_sources(lambda source: replace(source, store=store))

    def _with_sources(self, changed: Callable[[Source], Source]) -> "FeedMap":
        sources = {name: changed(source) for name, source in self.sources.items()}
        feeds = tuple(replace(feed, source=changed(feed.source)) for feed in self.feeds)
        return replace(self, sources=sources, feeds=feeds)

    @property
    def store(self) -> str | None:
        """The store of all sources; None if there is none, or not the same in all."""
        stores = {source.store for source in self.sources.values()}
        return next(iter(stores)) if len(stores) == 1 else None

    @property
    def is_of_database(self) -> bool:
        """Whether its sources are tables of a database, rather than files of a folder."""
        return any(source.table for source in self.sources.values())

    def database(self) -> str:
        """Returns the address of the map's database. Raises UserError if the environment does not have it."""
        name = next(source.table.address for source in self.sources.values() if source.table)
        if file := os.environ.get(f"{name}_FILE"):
            return Secret.parse({"file": file}).reveal()
        if address := os.environ.get(name):
            return address
        raise UserError(f"Set the address of the database in {name}, or the name of a file with it in {name}_FILE.")

    def joined(self) -> list[Source]:
        """Returns the sources that statements read."""
        return [source for source in self.sources.values() if any(source.name in each.sources for each in self.queries)]

    def remembers(self, source: Source) -> bool:
        """Returns whether statements on a source see the lines of files that landed before."""
        numbers = any(query.numbers_lines for query in self.queries if source.name in query.driving)
        return source.group == "adds" or (source.group is None and numbers)

    def in_order(self) -> list[Query]:
        """Returns the statements, each after those whose rows it joins as landed. Raises CycleError."""
        own = {query.feed: query for query in self.queries}
        return [own[feed] for feed in order_of(self.queries) if feed in own]

    def driven(self, source: Source) -> list[str]:
        """Returns the feeds whose statements take their rows from a source."""
        return [query.feed for query in self.queries if source.name in query.driving]


def order_of(queries: Sequence[Query]) -> list[str]:
    """Returns the feeds of statements, each after those that it joins as landed. Raises CycleError."""
    return list(TopologicalSorter({query.feed: query.landed for query in queries}).static_order())


def with_own_columns(promised: FeedContract, own: OwnColumns) -> FeedContract:
    """Returns the contract with a shop's own columns, by name with their kinds."""
    more = {name: Column(name, kind, nullable=True, description="own column") for name, kind in own.items()}
    return replace(promised, columns={**promised.columns, **more})


def by_source(feeds: Sequence[Feed]) -> Iterator[tuple[Source, list[Feed]]]:
    """Yields each source, or files of one, with the feeds in words that read it."""
    for place in dict.fromkeys((feed.source.name, feed.source.files) for feed in feeds):
        some = [feed for feed in feeds if (feed.source.name, feed.source.files) == place]
        yield some[0].source, some


def unreadable_feed(source: Source, feeds: Sequence[Feed], driven: Sequence[str]) -> str:
    """Returns the feed that gets a source's unreadable lines: the one that it names, or one with a row per line."""
    of_lines = [feed.name for feed in feeds if not feed.group_by]
    candidates = [*of_lines, *(feed.name for feed in feeds), *driven]
    return source.unreadable if source.unreadable in candidates else candidates[0]


def columns_named(source: Source, feeds: Sequence[Feed]) -> list[str]:
    """Returns every column of the files that the source and feeds in words name."""
    names = dict.fromkeys(_named_under(source.arrival_day, ("first", "column")))
    for feed in feeds:
        names |= dict.fromkeys([*feed.group_by, *(condition["column"] for condition in feed.where)])
        for value in feed.columns.values():
            names |= dict.fromkeys(_named_under(value, _NAMING))
            names |= dict.fromkeys(condition["column"] for condition in value.get("when", ()))
    return list(names)


def ordinals_of(feed: Feed) -> list[tuple[str, ...]]:
    """Returns the keys of a feed's ordinals."""
    parts = [part for value in feed.columns.values() for part in (value, *value.get("concat", ()))]
    return sorted({tuple(part["ordinal"]) for part in parts if isinstance(part, dict) and "ordinal" in part})


def with_known_kinds(feed: Feed, feeds: Sequence[Feed]) -> Feed:
    """Returns a feed that takes no line of a kind which the map does not name.

    A column is a kind if a feed takes lines by its value, and if no condition but equality is on it. A feed that tells
    kinds apart by `when` or `values`, but takes all lines, means those that the map names: a default is not for others.
    """
    of_source = [each for each in feeds if each.source.name == feed.source.name]
    conditions = [condition for each in of_source for condition in [*each.where, *_whens(each)]]
    where = list(feed.where)
    for kind in dict.fromkeys(name["column"] for each in of_source for name in each.where if "equals" in name):
        on_it = [condition for condition in conditions if condition["column"] == kind]
        tells_apart = any(condition["column"] == kind for condition in _whens(feed))
        is_plain = all("equals" in condition or "one_of" in condition for condition in on_it)
        if tells_apart and is_plain and not any(condition["column"] == kind for condition in feed.where):
            named = [str(text) for each in on_it for text in each.get("one_of", [each.get("equals")])]
            where.append({"column": kind, "one_of": list(dict.fromkeys(named))})
    return replace(feed, where=tuple(where))


def _whens(feed: Feed) -> list[Mapping[str, Any]]:
    return [condition for value in feed.columns.values() for condition in value.get("when", ())]


def group_keys(feeds: Sequence[Feed]) -> list[tuple[str, ...]]:
    """Returns the keys of the groups to which files may add lines."""
    keys: dict[tuple[str, ...], None] = {}
    for feed in feeds:
        if feed.adds:
            over = [tuple(value["over"]) for value in feed.columns.values() if "over" in value]
            keys |= dict.fromkeys([*([feed.group_by] if feed.group_by else []), *ordinals_of(feed), *over])
    return list(keys)


def number_columns(feeds: Sequence[Feed]) -> list[str]:
    """Returns the source columns that are read as numbers."""
    names: dict[str, None] = {}
    for feed in feeds:
        conditions = [*feed.where, *(each for value in feed.columns.values() for each in value.get("when", ()))]
        names |= {each["column"]: None for each in conditions if not LIMITS.isdisjoint(each)}
        for name, value in feed.columns.items():
            names |= dict.fromkeys(_named_under(value, _COMPUTED))
            if name in feed.numbers or not _CHANGED_NUMBERS.isdisjoint(value):
                names |= dict.fromkeys(_named_under(value, ("from",)))
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
