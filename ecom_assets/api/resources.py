"""What clients write: the kinds of things, what a row of each may hold, and what is wrong with one."""

import datetime as dt
import re
import string
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import narwhals as nw
import polars as pl

from ecom_assets.api.published import Served, schema
from ecom_assets.contract import AMOUNT_DIGITS, STORE, WORDS_FOR_NOTHING, Column, FeedContract, Kind, Rule, RuleKind
from ecom_assets.declaration import Catalog
from ecom_assets.errors import suggestion
from ecom_assets.landing.zone import Zone

DELETED = "is_deleted"
MAX_ROWS = 500
MAX_INTEGER = 999_999_999
"""The largest integer that the columns of feeds can hold, see `engine.duckdb.parsing`."""
_AMOUNT = rf"\d{{1,{AMOUNT_DIGITS}}}(\.\d{{1,4}})?"
_RATE = r"\d{1,8}(\.\d{1,10})?"
_NOT_ZERO = r"(?!0+(\.0+)?$)"
_SPACES = r" \t\n\r\u000b\u000c"
"""The white space that the platform strips from texts, as regular expressions of Python and JSON Schema write it."""
_TEXT = r"[^\u0000]*"
_SOME_TEXT = rf"[^\u0000]*[^\u0000{_SPACES}][^\u0000]*"
_NUMBER = rf"[^\u0000{_SPACES}]([^\u0000]*[^\u0000{_SPACES}])?"
"""The patterns of texts: without NUL, not blank, and without white space around them."""
_YEAR = r"[1-9]\d{3}"
_MOMENT = re.compile(_YEAR + r"-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_FIRST_MOMENT, _LAST_MOMENT = dt.datetime(1000, 1, 2, tzinfo=dt.UTC), dt.datetime(9999, 12, 30, tzinfo=dt.UTC)
"""Moments whose business day has four digits in every time zone."""
_DAY = re.compile(_YEAR + r"-\d\d-\d\d", re.ASCII)

_LEAST = {"minimum", "exclusiveMinimum"}
"""Limits of a column from below, in the words of JSON Schema."""
_FRAME: Mapping[Kind, Any] = {
    "text": pl.String,
    "integer": pl.Int64,
    "decimal": pl.Decimal(38, 10),
    "rate": pl.Decimal(38, 10),
    "date": pl.Date,
    "timestamp": pl.Datetime("us"),
    "float": pl.Float64,
    "boolean": pl.Boolean,
}


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a row of a request: its place, counted from 0, the column if it is one, and a sentence."""

    row: int
    column: str | None
    detail: str


@dataclass(frozen=True)
class Resource:
    """A kind of thing with rows of a feed: its name in addresses, its feed, and the published tables about it."""

    name: str
    feed_name: str
    feed: FeedContract
    shown: tuple[Served, ...]
    needed: tuple[str, ...] = ()
    """Columns that the feed may lack, but not a row that a client writes."""
    own: tuple[Column, ...] = ()
    """The columns that the shop sends beside the feed's own."""

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns that tell things apart."""
        return self.feed.id_columns

    @property
    def columns(self) -> list[Column]:
        """The columns that a client may send."""
        return [column for column in (*self.feed.columns.values(), *self.own) if column.name != DELETED]

    @property
    def required(self) -> list[str]:
        """The columns that a new row must have. The moment of its version is now if it is not given."""
        return [column.name for column in self.columns if not self._may_be_null(column)]

    def _is_moment(self, column: Column) -> bool:
        return column.name == self.feed.moment_column

    def _may_be_null(self, column: Column) -> bool:
        return (column.nullable and column.name not in self.needed) or self._is_moment(column)

    def _limits(self, column: Column) -> list[Rule]:
        """Returns the rules of a column that bound its numbers from below."""
        return [rule for rule in self.feed.hard_rules if rule.column == column.name and rule.limits.keys() & _LEAST]

    def _pattern(self, column: Column) -> str | None:
        """Returns the regular expression that the text of a column has to match as a whole."""
        rules = {rule.id.removeprefix(f"{column.name}_"): rule for rule in self.feed.hard_rules}
        match column.kind:
            case "text" if column.name in self.id_columns:
                return _NUMBER
            case "text" if matches := rules.get("str_matches"):
                return str(matches.limits["pattern"]).strip("^$")
            case "text":
                return _TEXT if self._may_be_null(column) else _SOME_TEXT
            case "decimal":
                sign = "-?" if not rules.keys() & {"greater_than", "greater_than_or_equal_to"} else ""
                return f"{_NOT_ZERO if 'greater_than' in rules else sign}{_AMOUNT}"
            case "rate":
                return f"{_NOT_ZERO}{_RATE}"
            case _:
                return None

    def id_of(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Returns the number of a row as it is published: of a store, with the store before it."""
        store = row.get(STORE)
        first, *others = (
            f"{store}:{row[name]}" if store and self.feed.columns[name].of_store else str(row[name])
            for name in self.id_columns
        )
        return (first, *others)

    def address(self, id: Sequence[str]) -> str:
        """Returns the path of a thing."""
        return "/".join(["", self.name, *(quote(part, safe="") for part in id)])

    def row_schema(self, update: bool = False) -> dict[str, Any]:
        """Returns the JSON schema of a row: a new one, or one that is sent to its own address."""
        properties = {column.name: self._sent_schema(column) for column in self.columns}
        required = [name for name in self.required if not (update and name in self.id_columns)]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def _sent_schema(self, column: Column) -> dict[str, Any]:
        found = {**schema(replace(column, nullable=self._may_be_null(column), unknown_without=None))}
        limits = {
            name: value
            for rule in self.feed.hard_rules
            if rule.column == column.name
            for name, value in rule.limits.items()
        }
        if "enum" in limits:
            return {"enum": [*limits["enum"], *([None] if column.nullable else [])], **_described(found)}
        if pattern := self._pattern(column):
            found |= {"pattern": f"^{pattern}$"}
            found.pop("format", None)
        if column.kind == "timestamp":
            found |= {"pattern": f"^{_YEAR}-"}
        if column.kind == "integer":
            found |= {"minimum": -MAX_INTEGER, "maximum": MAX_INTEGER, **limits}
        return found

    def wrong(self, rows: Sequence[Any]) -> list[Wrong]:
        """Returns what is wrong with rows as they were sent, by the types and the rules of the feed; empty if nothing.

        What depends on other rows, such as references, is judged when the file is read.
        """
        found: list[Wrong] = []
        typed: list[dict[str, Any]] = []
        known = {column.name: column for column in self.columns}
        patterns = {column.name: self._pattern(column) for column in self.columns}
        for n, row in enumerate(rows):
            if not isinstance(row, dict):
                return [Wrong(n, None, "A row is an object of columns and values.")]
            for name in row.keys() - known.keys():
                text = "DELETE says that" if name == DELETED else f"{self.feed_name} has no column {name!r}"
                found.append(Wrong(n, name, f"{text}{suggestion(name, known) if name != DELETED else ''}"))
            values = {}
            for column in known.values():
                try:
                    values[column.name] = _typed(column, row.get(column.name), patterns[column.name])
                except ValueError as error:
                    limits = [f", {rule.words}" for rule in self._limits(column)]
                    found.append(Wrong(n, column.name, f"{column.name} is {error}{''.join(limits)}."))
                    values[column.name] = None
            typed.append(values)
        if not found:
            found = self._broken(typed)
        return found

    def _broken(self, rows: Sequence[Mapping[str, Any]]) -> list[Wrong]:
        """Returns which rules of the feed typed rows break."""
        of_frame = {column.name: _FRAME[column.kind] for column in self.columns} | {DELETED: pl.Boolean}
        frame = nw.from_native(pl.DataFrame([{**row, DELETED: False} for row in rows], schema=of_frame))
        rules = [
            rule
            for rule in self.feed.hard_rules
            if not (rule.kind is RuleKind.PRESENT and rule.column == self.feed.moment_column)
        ]
        held = frame.select(**{str(n): rule.holds.fill_null(value=False) for n, rule in enumerate(rules)})
        return [
            Wrong(n, rules[int(name)].column, f"Broken: {rules[int(name)].sentence}")
            for name in held.columns
            for n, holds in enumerate(held[name].to_list())
            if not holds
        ]

    def as_landed(self, row: Mapping[str, Any], moment: dt.datetime) -> dict[str, Any]:
        """Returns a row that nothing is wrong with as its file has it: `moment` is that of its version by default."""
        landed: dict[str, Any] = {self.feed.moment_column: _in_utc(moment)} if self.feed.moment_column else {}
        kinds = {column.name: column.kind for column in self.columns}
        for name, value in row.items():
            if value is not None:
                kind = kinds[name]
                landed[name] = (
                    _in_utc(_moment(value)) if kind == "timestamp" else int(value) if kind == "integer" else value
                )
        return landed

    def numbers(self, id: Sequence[str], store: Any = None) -> dict[str, Any]:
        """Returns the columns of a thing's number; a store that the row names is not repeated in them."""
        return {
            name: int(part)
            if self.feed.columns[name].kind == "integer"
            else part.removeprefix(f"{store}:")
            if store and self.feed.columns[name].of_store
            else part
            for name, part in zip(self.id_columns, id, strict=True)
        }

    def retraction(self, id: Sequence[str], moment: dt.datetime) -> dict[str, Any]:
        """Returns the row that says that there is none with this number any more."""
        return {
            **self.numbers(id),
            **({self.feed.moment_column: _in_utc(moment)} if self.feed.moment_column else {}),
            DELETED: True,
        }


_RESOURCES: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "customers": ("customers", ("gold.dim_customer_versions",), ()),
    "products": ("products", ("gold.dim_product_versions",), ("price",)),
    "orders": (
        "orders",
        ("gold.fact_sales", "kpi.incomplete_orders", "gold.fact_voided_orders", "gold.fact_unpaid_cancellations"),
        (),
    ),
    "items": ("order_items", ("gold.fact_sales",), ()),
    "payments": ("payments", ("gold.fact_payments",), ()),
}
"""The feed of each resource, the published tables with rows about one of it, and columns that a new one must have."""


def resources(tables: Catalog, served: Mapping[str, Served], zone: Zone) -> list[Resource]:
    """Returns what clients can write of a catalog, with the columns that the zone's settings add to feeds.

    Raises FeedSettingsError.
    """
    contracts = {table.feed_name: table.feed_contract for table in tables if table.is_bronze}
    return [
        Resource(
            name,
            feed,
            contracts[feed],
            tuple(served[table] for table in shown if table in served),
            needed,
            tuple(Column(own, kind, True, "Own column of the shop") for own, kind in zone.settings(feed).extra.items()),
        )
        for name, (feed, shown, needed) in _RESOURCES.items()
        if feed in contracts
    ]


def _typed(column: Column, value: Any, pattern: str | None) -> Any:
    """Returns the value of a column that JSON holds, None for nothing. Raises ValueError with what it is not."""
    if value is None:
        return None
    match column.kind:
        case "integer" if type(value) in (int, float) and abs(value) <= MAX_INTEGER and value == int(value):
            return int(value)
        case "boolean" if type(value) is bool:
            return value
        case "float" if type(value) in (int, float):
            return float(value)
        case "timestamp":
            return _moment(value)
        case "date" if isinstance(value, str) and _DAY.fullmatch(value):
            return dt.date.fromisoformat(value)
        case "decimal" | "rate" if isinstance(value, str) and re.fullmatch(str(pattern), value, re.ASCII):
            return Decimal(value)
        case "text" if isinstance(value, str) and re.fullmatch(str(pattern), value):
            value.encode()  # an escape of half a character is a ValueError
            says_nothing = column.words_for_nothing and value.strip(string.whitespace).lower() in WORDS_FOR_NOTHING
            return None if says_nothing or not value.strip(string.whitespace) else value
    raise ValueError(_WORDS[column.kind])


_WORDS: Mapping[Kind, str] = {
    "text": "not a text as it has to be",
    "integer": "not a whole number of at most 9 digits",
    "decimal": f'not an amount as text with at most {AMOUNT_DIGITS} digits and 4 decimals, such as "9.95"',
    "rate": 'not a rate as text with at most 8 digits and 10 decimals, such as "0.9252"',
    "date": "not a day like 2024-01-31",
    "timestamp": "not a moment with its offset, like 2024-01-31T10:00:00Z",
    "float": "not a number",
    "boolean": "not true or false",
}


def _moment(value: Any) -> dt.datetime:
    """Returns a naive moment in UTC. Raises ValueError."""
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        with suppress(ValueError, OverflowError):
            moment = dt.datetime.fromisoformat(value.upper()).astimezone(dt.UTC)
            if _FIRST_MOMENT <= moment <= _LAST_MOMENT:
                return moment.replace(tzinfo=None)
    raise ValueError(_WORDS["timestamp"])


def _in_utc(moment: dt.datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat()}Z"


def _described(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": found["description"]}
