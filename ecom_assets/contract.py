"""What a table promises: its columns, keys and rules, declared once.

A contract is a pandera model whose header carries two or three facts. Everything else
about a table (DDL, asset, checks, dictionary, samples for tests) is derived from it.
This module knows neither Dagster nor DuckDB.
"""

import datetime as dt
import inspect
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeGuard

import narwhals as nw
import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

Date = dt.date
Timestamp = dt.datetime
Decimal = Annotated[pl.Decimal, 18, 4]
_RATE_DECIMALS = 10
Rate = Annotated[pl.Decimal, 18, _RATE_DECIMALS]
AMOUNT_DIGITS = 10
"""Digits before the decimal point of an amount in a row from a feed: sums can hold at least ten thousand of these."""

WORDS_FOR_NOTHING = (
    "(none)",
    "none",
    "(not set)",
    "(direct)",
    "null",
    "(null)",
    "<null>",
    "\\n",
    "nil",
    "undefined",
    "nan",
    "n/a",
    "#n/a",
    "<na>",
    "-",
)
"""What exports write in place of an empty value, in lower case. `\\N` is how databases dump a null."""

REFERS_WITHIN_CALENDAR = "No row refers to one from before the calendar's first day."
"""An expectation of tables whose rows refer to others."""
REFERS_TO_KNOWN = "No row refers to a feed of which nothing has arrived."
"""An expectation of tables whose rows refer to others; otherwise these are inferred from being mentioned."""
REFERS_TO_GOOD_DAYS = "What rows refer to is on days with good rows."
"""An expectation of tables whose rows refer to others of other days; a row waits for one of a failed or blocked day."""
CORRECTED_ON_GOOD_DAYS = "What corrects a row is on a day with good rows."
"""An expectation of tables from feeds; a row counts while its correction is on a failed or blocked day."""

Kind = Literal["text", "integer", "decimal", "rate", "date", "timestamp", "float", "boolean"]


class Layer(StrEnum):
    """The layers of tables, from upstream to downstream, with the facts of all their tables."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    KPI = "kpi"
    FEATURES = "features"
    PREDICTIONS = "predictions"

    @property
    def is_published(self) -> bool:
        """Whether its tables are in the snapshot."""
        return self not in (Layer.BRONZE, Layer.SILVER)

    @property
    def holds_last_good(self) -> bool:
        """Whether the last good rows of a failed or blocked day are kept for readers."""
        return self.is_published

    @property
    def has_plot(self) -> bool:
        """Whether Dagster's UI shows a plot of the last weeks of its main measure."""
        return self is Layer.KPI


_KINDS: Mapping[Any, Kind] = {
    pl.String: "text",
    pl.Int64: "integer",
    pl.Decimal: "decimal",
    pl.Date: "date",
    pl.Datetime: "timestamp",
    pl.Float64: "float",
    pl.Boolean: "boolean",
}


class Reason(NamedTuple):
    """Why a row could not be accepted: a code by which programs know it, and a sentence for people."""

    code: str
    sentence: str


class RuleKind(StrEnum):
    """The kind of a rule: presence of a value, values of a column, or a business rule."""

    PRESENT = "present"
    COLUMN = "column"
    BUSINESS = "business"


@dataclass(frozen=True)
class Column:
    """One column: its type, description and reference."""

    name: str
    kind: Kind
    nullable: bool
    description: str
    references: str | None = None
    on_same_day: bool = False
    day_of: str | None = None
    latest_of: str | None = None
    words_for_nothing: bool = False
    """Whether a text from a feed that is one of WORDS_FOR_NOTHING, in any case, counts as missing."""
    url_encoded: bool = False
    """Whether a text from a feed may be written as in the address of a page: spring%20sale."""
    by_rule: tuple[str, ...] | None = None
    """The values that the shop's rules may give a text, where they may; empty for any."""
    unknown_without: str | None = None
    """The table without whose rows of the day nothing can be said: the value is then null, on all rows of the day."""
    of_store: bool = False
    """Whether it is a number of the store that the row from a feed names, if it names one."""
    is_quantity: bool = False
    """Whether it is a decimal that counts units rather than money."""
    merged_by: str | None = None
    """The table whose rows say which numbers were merged into others; in silver these survive."""
    capital: bool = False
    """Whether a text from a feed counts in capital letters, however it is written."""
    converted_by: str | None = None
    """The table with the rates of the currency, which this column of a feed names, of the row's amounts."""
    gives_currency: bool = False
    """Whether amounts of the row are in the currency of the row to which it refers, unless the row names one itself."""
    original_of: str | None = None
    """The amount of the feed of which the column is the original, in its own currency."""
    personal: bool = False
    """Whether its values say who a person is, or were written by one: reports show none of them."""

    @property
    def is_amount(self) -> bool:
        """Whether it is an amount of money."""
        return self.kind == "decimal" and not self.is_quantity

    @property
    def may_be_null(self) -> bool:
        """Whether it is null on some rows, or on some days."""
        return self.nullable or self.unknown_without is not None

    @property
    def missing_reference(self) -> Reason:
        """The reason of a row that waits for the row to which the column refers."""
        day = " on the same day" if self.on_same_day else ""
        return Reason(f"{self.name}_missing_reference", f"{self.name} is in no row of {self.references}{day}")


@dataclass(frozen=True)
class Rule:
    """A true sentence about every good row, and the expression that decides it.

    `id` is unique among the rules of a contract and stays the same if the sentence is reworded: the name of the method
    of a business rule, and `<column>_<check>` of the others. `hard` rules quarantine rows or fail a day; the others
    only warn.
    """

    id: str
    sentence: str
    holds: nw.Expr
    hard: bool = True
    kind: RuleKind = RuleKind.BUSINESS
    column: str | None = None
    """The column of a rule that is not a business rule."""
    words: str = ""
    """The condition on that column: the sentence after "<column> is "."""
    is_limit: bool = False
    """Whether converted amounts have to keep it too, and not only those that were sent."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """The condition on that column in the words of JSON Schema, if it has some: minimum, exclusiveMinimum, enum, …"""

    @classmethod
    def of_column(
        cls,
        column: str,
        check: str,
        words: str,
        holds: nw.Expr,
        kind: RuleKind = RuleKind.COLUMN,
        limits: Mapping[str, Any] | None = None,
    ) -> "Rule":
        """Returns a rule about a single column."""
        sentence = f"{column} is {words}"
        return cls(f"{column}_{check}", sentence, holds, kind=kind, column=column, words=words, limits=limits or {})

    @property
    def complaint(self) -> Reason:
        """The reason of a row that breaks the rule."""
        return Reason(self.id, f"broken: {self.sentence}")


def column(
    description: str,
    *,
    references: str | None = None,
    on_same_day: bool = False,
    day_of: str | None = None,
    latest_of: str | None = None,
    nullable: bool = False,
    words_for_nothing: bool = False,
    url_encoded: bool = False,
    by_rule: Collection[str] | None = None,
    of_store: bool = False,
    is_quantity: bool = False,
    merged_by: str | None = None,
    unknown_without: str | None = None,
    capital: bool = False,
    converted_by: str | None = None,
    gives_currency: bool = False,
    original_of: str | None = None,
    personal: bool = False,
    **checks: Any,
) -> Any:
    """Declares a column. `checks` are pandera's (`ge=`, `isin=`, …).

    `references` names the table ("silver.orders") that must have the value as a key, on any day or,
    with `on_same_day`, on the day of the row. `day_of` (silver) names a timestamp of the feed: the
    column is computed from it, as its business day in the shop's time zone. `latest_of` (silver) names one too: the
    column is the last moment that it can mean, the end of its day if only the day was sent.
    With `words_for_nothing` (feeds) a text such as (none) or null counts as missing; in keys and references of a feed
    it always does. With `url_encoded` (feeds) a text with %20 and the like is decoded. `by_rule` has the values that
    the rules in feeds.toml may give the column, empty for any; a column of the feed gets one only if it has no value.
    `unknown_without` names a table: on days on which it has no good rows the table is made without it, and the column
    is null on all rows, rather than a number that lacks those rows; rules that need it then hold.
    `of_store` (feeds) marks the numbers that each store issues itself: the store is put before them, as in fr:1001.
    `is_quantity` marks decimals that are no amounts of money.
    `merged_by` (feeds) names the table that merges numbers: a number that was merged is replaced by its survivor.
    With `capital` (feeds) a text counts in capital letters. `converted_by` is for `currency()`. `gives_currency`
    (feeds) marks a reference to a row whose currency and rate the amounts have, unless the row names a currency.
    `original_of` (silver) names an amount of the feed: the column is that amount in its own currency, null if that is
    the shop's. `personal` marks values that say who a person is, or were written by one.
    """
    facts = {
        "references": references,
        "on_same_day": on_same_day,
        "day_of": day_of,
        "latest_of": latest_of,
        "words_for_nothing": words_for_nothing,
        "url_encoded": url_encoded,
        "by_rule": None if by_rule is None else tuple(by_rule),
        "of_store": of_store,
        "is_quantity": is_quantity,
        "merged_by": merged_by,
        "unknown_without": unknown_without,
        "capital": capital,
        "converted_by": converted_by,
        "gives_currency": gives_currency,
        "original_of": original_of,
        "personal": personal,
    }
    return pa.Field(description=description, metadata=facts, nullable=nullable, **checks)


def key(description: str, **facts: Any) -> Any:
    """Declares a column of the primary key: never null. `facts` are those of `column`."""
    return column(description, **facts)


def money(description: str, **checks: Any) -> Any:
    """Declares an amount in shop currency, DECIMAL(18,4)."""
    return column(description, **checks)


def in_units(description: str, **checks: Any) -> Any:
    """Declares a number of units, DECIMAL(18,4): pieces, or fractions of a unit of weight, length or volume."""
    return column(description, is_quantity=True, **checks)


STORE = "store"
"""The column of a feed that names the store to which the numbers in its columns `of_store` belong."""


def store() -> Any:
    """Declares the column `store` of a feed."""
    return column("Store that issued the numbers, if there are several", nullable=True, words_for_nothing=True)


CURRENCY, RATE = "currency", "rate"
"""The columns of a feed that name the currency of a row's amounts, and the row's own rate of it."""
CURRENCY_CODE = "^[A-Z]{3}$"
MISSING_RATE = f"{CURRENCY}_missing_rate"
RATE_IS_GOOD_FOR = 7
"""Days for which a rate is used after its own: markets are closed on week-ends and holidays."""
"""The code of the reason of a row that waits for a rate."""


def currency(default: str = "the shop's") -> Any:
    """Declares the column `currency` of a feed: its amounts are converted."""
    return column(
        f"Currency of the amounts, a code of three letters; {default} if not given",
        nullable=True,
        words_for_nothing=True,
        capital=True,
        converted_by="silver.exchange_rates",
        str_matches=CURRENCY_CODE,
    )


def rate_of_currency() -> Any:
    """Declares the column `rate` of a feed."""
    return column(
        "Units of the shop's currency per unit of that currency, if the shop gives one; otherwise it is that of the "
        "day, or the last of the 7 days before",
        nullable=True,
        gt=0,
    )


EXTRA = "extra"
"""The column of a table from a feed that holds the shop's own columns, declared in feeds.toml."""


def own_columns(whose: str = "row") -> Any:
    """Declares the column `extra`, or one that passes it on."""
    return column(
        f"The shop's own columns of the {whose}, declared in feeds.toml, as JSON", nullable=True, personal=True
    )


def _sentence(function: Callable[[Any], nw.Expr], about: str) -> str:
    if not (sentence := inspect.cleandoc(function.__doc__ or "")):
        raise TypeError(f"The rule {function.__qualname__} needs a docstring: a true sentence about {about}.")
    return sentence


def _row_check(function: Callable[[Any], nw.Expr], *, hard: bool) -> Any:
    sentence = _sentence(function, "a good row")

    def check(cls: type, data: PolarsData) -> pl.LazyFrame:
        frame = nw.from_native(data.lazyframe)
        return frame.select(function(cls).fill_null(value=False)).to_native()

    check.__name__, check.__doc__ = function.__name__, sentence
    marked: Any = pa.dataframe_check(check, name=function.__name__, error=sentence, raise_warning=not hard)
    marked.business_rule = (sentence, function, hard)
    return marked


def rule(function: Callable[[Any], nw.Expr]) -> Any:
    """Declares a hard business rule. The docstring is the sentence that users read; a null counts as broken."""
    return _row_check(function, hard=True)


def limit(function: Callable[[Any], nw.Expr]) -> Any:
    """Declares a hard business rule on how large amounts may be, which amounts that are converted have to keep too."""
    marked = _row_check(function, hard=True)
    marked.is_limit = True
    return marked


def expectation(function: Callable[[Any], nw.Expr]) -> Any:
    """Declares a soft rule: rows that break it are counted and warned about, and kept."""
    return _row_check(function, hard=False)


def retraction(function: Callable[[Any], nw.Expr]) -> Callable[[Any], nw.Expr]:
    """Declares which rows of a feed retract their key: the row says that there is none any more.

    The docstring is the sentence that users read. A row that meets any retraction of its feed retracts; null does not.
    """
    marked: Any = function
    marked.retracts = _sentence(function, "a row that retracts")
    return function


def _add_facts(model: "type[Model]", **given: Any) -> None:
    model.__facts__ = {**model.__facts__, **{fact: value for fact, value in given.items() if value is not None}}


class Model(pa.DataFrameModel):
    """Base of all contracts. The docstring of a subclass says what one row is."""

    __facts__: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(
        cls,
        *,
        primary_key: str | tuple[str, ...] | None = None,
        partition_column: str | None = None,
        amount: str | None = None,
        max_bad_share: float | None = None,
        min_bad_rows: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Header of a contract. What is left out is the parent's.

        `partition_column` holds the row's day. `amount` is the money column whose
        total per day is recorded, so that restatements show. `max_bad_share`
        (silver) is the share of bad rows above which a day fails: of the latest rows of each key, and without those
        that a later good one mends. With fewer bad rows than `min_bad_rows` a day fails only if no row is good.
        A feed's settings override both. `name` defaults to the path.
        """
        super().__init_subclass__(**kwargs)  # type: ignore[no-untyped-call]  # pandera's has no types
        package, _, module = cls.__module__.rpartition(".")
        _add_facts(
            cls,
            primary_key=(primary_key,) if isinstance(primary_key, str) else primary_key,
            partition_column=partition_column,
            amount=amount,
            max_bad_share=max_bad_share,
            min_bad_rows=min_bad_rows,
            name=name or f"{package.rpartition('.')[2]}.{module}",
        )

    class Config:
        strict = True


class Table(Model):
    """Base of the contracts of tables, which have a `partition_column` each."""


class Feed(Model):
    """Base of the contracts of feeds. A subclass with a `partition_column` is the table that holds its rows typed.

    A row with `is_deleted` retracts its key. Where the key includes the moment, so that each row is a version, it is
    the version that ends the member.
    """

    is_deleted: bool = column("Whether the row says that its key has been deleted; null if not", nullable=True)

    @retraction
    def deleted(cls) -> nw.Expr:
        """A row that is marked as deleted says that there is none with its key."""
        return nw.col("is_deleted")

    def __init_subclass__(
        cls,
        *,
        event_column: str | None = None,
        version_column: str | None = None,
        identifying: tuple[str, ...] | None = None,
        **header: Any,
    ) -> None:
        """Header of a feed.

        `event_column` holds the moment that decides the event day, `version_column` orders the versions of a key.
        Versions that differ in all of the columns `identifying` are of different things under one key: rows that such
        a version supersedes are listed as conflicts. One of them may be corrected.
        """
        super().__init_subclass__(**header)
        _add_facts(cls, event_column=event_column, version_column=version_column, identifying=identifying)


@dataclass(frozen=True)
class Promise:
    """The facts that feeds and tables share."""

    name: str
    description: str
    primary_key: tuple[str, ...]
    columns: Mapping[str, Column]
    rules: tuple[Rule, ...]
    retractions: tuple[Rule, ...] = field(default=(), kw_only=True)
    """Conditions, any of which makes a row from a feed retract its key; empty if each row is a version that stays."""

    @property
    def hard_rules(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.hard)

    @property
    def soft_rules(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if not rule.hard)

    @property
    def references(self) -> tuple[Column, ...]:
        """The columns whose values must exist in another table."""
        return tuple(column for column in self.columns.values() if column.references)

    @property
    def personal(self) -> frozenset[str]:
        """The names of the columns with personal values."""
        return frozenset(column.name for column in self.columns.values() if column.personal)

    @property
    def merged(self) -> tuple[Column, ...]:
        """The columns whose numbers another table merges."""
        return tuple(column for column in self.columns.values() if column.merged_by)

    @property
    def unknown_without(self) -> Mapping[str, tuple[Column, ...]]:
        """The columns that are null on days on which a table has no good rows, by that table."""
        found: dict[str, tuple[Column, ...]] = {}
        for column in self.columns.values():
            if column.unknown_without:
                found[column.unknown_without] = (*found.get(column.unknown_without, ()), column)
        return found

    @property
    def converted(self) -> tuple[Column, ...]:
        """The column that names the currency of the amounts of rows from a feed, if these are converted."""
        return tuple(column for column in self.columns.values() if column.converted_by)


@dataclass(frozen=True)
class Contract(Promise):
    """The facts of a table."""

    partition_column: str
    amount: str | None = None
    max_bad_share: float = 0.05
    min_bad_rows: int = 10

    @property
    def layer(self) -> Layer:
        return Layer(self.name.partition(".")[0])

    @property
    def key_by_day(self) -> tuple[str, ...]:
        """The columns that tell rows of all days apart, the day first."""
        return tuple(dict.fromkeys((self.partition_column, *self.primary_key)))


@dataclass(frozen=True)
class FeedContract(Promise):
    """The facts of a feed."""

    event_column: str
    version_column: str | None = None
    identifying: tuple[str, ...] = ()

    @property
    def versions_meet(self) -> str:
        """The expectation that no two versions of a key differ in all that identifies the thing."""
        return f"Versions of one {', '.join(self.primary_key)} agree in {' or '.join(self.identifying)}."

    @property
    def is_versioned(self) -> bool:
        """Whether each row is a version of a member, which is valid from its moment on: the key includes the moment."""
        return self.event_column in self.primary_key and self.version_column is None

    @property
    def moment_column(self) -> str | None:
        """The column that orders the versions of a thing; None if there is none."""
        return self.event_column if self.is_versioned else self.version_column

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns that tell things apart: the key, without the moment of a version."""
        return tuple(name for name in self.primary_key if name != self.moment_column)

    @property
    def too_early(self) -> str:
        """The code of the reason against a row from before the calendar's first day."""
        return f"{self.event_column}_too_early"

    def as_sent(self) -> Contract:
        """Returns the contract of its bronze table: text as sent, by arrival day."""
        columns = {
            column.name: replace(column, references=None, merged_by=None, converted_by=None)
            for column in self.columns.values()
        }
        name = f"{Layer.BRONZE}.{self.name.partition('.')[2]}"
        return Contract(name, self.description, self.primary_key, columns, self.rules, partition_column="arrived_on")


def _bounds(include_min: bool, include_max: bool) -> Literal["left", "right", "none", "both"]:
    if include_min:
        return "both" if include_max else "left"
    return "right" if include_max else "none"


def _column_rule(name: str, check: pa.Check) -> Rule:
    """Returns one of pandera's built-in column checks as a sentence and an expression."""
    c, given = nw.col(name), check.statistics or {}
    low, high = given.get("min_value"), given.get("max_value")
    limits: dict[str, Any] = {}
    match check.name:
        case "greater_than_or_equal_to":
            test, words, limits = c >= low, f"at least {low}", {"minimum": low}
        case "greater_than":
            test, words, limits = c > low, f"greater than {low}", {"exclusiveMinimum": low}
        case "less_than_or_equal_to":
            test, words, limits = c <= high, f"at most {high}", {"maximum": high}
        case "less_than":
            test, words, limits = c < high, f"less than {high}", {"exclusiveMaximum": high}
        case "in_range":
            closed = _bounds(given.get("include_min", True), given.get("include_max", True))
            test, words = c.is_between(low, high, closed), f"between {low} and {high}"
        case "equal_to":
            test, words = c == given["value"], f"{given['value']}"
        case "not_equal_to":
            test, words = c != given["value"], f"not {given['value']}"
        case "isin":
            allowed = list(given["allowed_values"])
            test, words, limits = c.is_in(allowed), "one of " + ", ".join(map(str, allowed)), {"enum": allowed}
        case "notin":
            forbidden = list(given["forbidden_values"])
            test, words = ~c.is_in(forbidden), "none of " + ", ".join(map(str, forbidden))
        case "str_matches":
            pattern = given["pattern"]
            pattern = pattern if isinstance(pattern, str) else pattern.pattern
            test, words = c.str.contains("^(?:" + pattern.removeprefix("^") + ")"), f"like {pattern}"
            limits = {"pattern": pattern}
        case "str_length":
            low, high = low or 0, 2**31 - 1 if high is None else high
            test, words = c.str.len_chars().is_between(low, high), f"{low} to {high} characters long"
        case other:
            raise TypeError(f"{name}: the check {other} is not supported; write a @rule instead.")
    return Rule.of_column(name, check.name, words, c.is_null() | test, limits=limits)


def _promised(model: type[Model], *single: str) -> dict[str, Any]:
    """Returns the facts of a model; `single` names those that are one column each. Raises TypeError."""
    facts = model.__facts__
    schema = model.to_schema()
    primary_key = facts.get("primary_key", ())
    columns: dict[str, Column] = {}
    rules: list[Rule] = []
    for name, declared in schema.columns.items():
        kind = _KINDS.get(declared.dtype.type.base_type())
        if kind == "decimal" and declared.dtype.type.scale == _RATE_DECIMALS:
            kind = "rate"
        if kind is None:
            raise TypeError(f"{facts['name']}.{name}: unsupported column type {declared.dtype}.")
        if not declared.description:
            raise TypeError(f"{facts['name']}.{name} has no description.")
        made = Column(name, kind, declared.nullable, declared.description, **(declared.metadata or {}))
        if made.of_store and STORE not in schema.columns:
            raise TypeError(f"{facts['name']}.{name} is of a store, which needs a column {STORE}.")
        if made.merged_by and (kind != "text" or name in primary_key or made.on_same_day):
            raise TypeError(f"{facts['name']}.{name}: merged_by needs a text that is no key, of any day.")
        if made.words_for_nothing and kind != "text":
            raise TypeError(f"{facts['name']}.{name} is not text, and cannot have words for nothing.")
        if issubclass(model, Feed) and kind == "text" and (name in primary_key or made.references):
            made = replace(made, words_for_nothing=True)
        columns[name] = made
        if not declared.nullable:
            rules.append(Rule.of_column(name, "present", "present", ~nw.col(name).is_null(), RuleKind.PRESENT))
        rules += [_column_rule(name, check) for check in declared.checks]
    retractions: list[Rule] = []
    members = {name: member for parent in reversed(model.__mro__) for name, member in vars(parent).items()}
    for name, member in members.items():
        if business_rule := getattr(member, "business_rule", None):
            sentence, function, hard = business_rule
            is_limit = getattr(member, "is_limit", False)
            rules.append(Rule(name, sentence.splitlines()[0], function(model), hard, is_limit=is_limit))
        if retracting := getattr(member, "retracts", None):
            retractions.append(Rule(name, retracting.splitlines()[0], member(model)))
    if repeated := [rule_id for rule_id, count in Counter(rule.id for rule in rules).items() if count > 1]:
        raise TypeError(f"{facts['name']} has two rules {repeated[0]}: rename the method.")
    found = {fact: facts[fact] for fact in single if fact in facts}
    for named in (*primary_key, *found.values()):
        if named not in columns:
            raise TypeError(f"{facts['name']}: the header names {named}, which is not a column.")
    is_versioned = facts.get("event_column") in primary_key and "version_column" not in facts
    if issubclass(model, Feed):
        columns |= {name: columns.pop(name) for name in Feed.__annotations__}
    for made in columns.values():
        for fact, named in (("day_of", made.day_of), ("latest_of", made.latest_of)):
            if named and (named not in columns or columns[named].kind != "timestamp"):
                raise TypeError(f"{facts['name']}.{made.name}: {fact}={named!r} must name a Timestamp column.")
        if made.original_of and (made.original_of not in columns or columns[made.original_of].kind != "decimal"):
            raise TypeError(f"{facts['name']}.{made.name}: original_of={made.original_of!r} must name an amount.")
    return {
        "name": facts["name"],
        "description": inspect.cleandoc(model.__doc__ or ""),
        "primary_key": primary_key,
        "columns": columns,
        "rules": tuple(rules),
        "retractions": () if is_versioned else tuple(retractions),
        **found,
    }


def frame_of(model: "type[Model]", parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Returns frames one below the other, with the columns of a table in their order; empty if there are none."""
    schema = {name: column.dtype.type for name, column in model.to_schema().columns.items()}
    return pl.concat([pl.DataFrame(schema=schema), *(part.select(*schema) for part in parts)])


@cache
def contract(model: type[Model]) -> Contract:
    """Returns the facts of a table's model. Raises TypeError if a declaration is incomplete."""
    facts = model.__facts__
    if "partition_column" not in facts:
        raise TypeError(f"{facts['name']} has no partition_column=.")
    limits = {fact: facts[fact] for fact in ("max_bad_share", "min_bad_rows") if fact in facts}
    promise = Contract(**_promised(model, "partition_column", "amount"), **limits)
    if promise.amount and promise.columns[promise.amount].kind != "decimal":
        raise TypeError(f"{promise.name}: amount={promise.amount!r} must name a money() column.")
    return promise


@cache
def feed_contract(model: type[Feed]) -> FeedContract:
    """Returns the facts of a feed's model. Raises TypeError if a declaration is incomplete."""
    if "event_column" not in model.__facts__:
        raise TypeError(f"{model.__facts__['name']} has no event_column=.")
    promised = FeedContract(
        **_promised(model, "event_column", "version_column"), identifying=model.__facts__.get("identifying", ())
    )
    for named in promised.identifying:
        if named not in promised.columns:
            raise TypeError(f"{promised.name}: the header names {named}, which is not a column.")
    return promised


def is_feed(model: type) -> TypeGuard[type[Feed]]:
    """Returns whether a class is the contract of a feed: not of its silver table, nor the base class."""
    return issubclass(model, Feed) and model is not Feed and "partition_column" not in model.__facts__


def feed_of(model: type[Model]) -> FeedContract | None:
    """Returns the contract of the feed from which a table's model inherits; None if there is none."""
    return next((feed_contract(parent) for parent in model.__mro__ if is_feed(parent)), None)
