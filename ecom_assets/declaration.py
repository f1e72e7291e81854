"""How a table is made: its contract, its transform and its inputs.

A declaration is what `table_asset` turns into a Dagster asset and what the core runs. It knows
neither Dagster nor an engine.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

import narwhals as nw

from ecom_assets.contract import Column, Contract, FeedContract, Layer
from ecom_assets.days import Reach, if_known, same_day

DAYS_PARAMETER = "days"


def table_of(parameter: str) -> str:
    """Returns the table that a transform's parameter reads: "silver_order_items" is "silver.order_items"."""
    layer, _, table = parameter.partition("_")
    return f"{layer}.{table}"


@dataclass(frozen=True)
class Read:
    """One input of a table and its reach.

    References have no parameter, nor have inputs that only decide whether columns are known.
    """

    table: str
    reach: Reach
    parameter: str | None


@dataclass(frozen=True)
class Plot:
    """Lines on a table's page in Dagster's UI, of the table's own rows."""

    title: str
    across: str
    """What the horizontal axis shows: numbers or days."""
    up: str
    query: str
    """SQL for `line`, the name of a line, `x` and `y`; rows without `y` are left out."""
    dashed: tuple[str, ...] = ()
    """Lines that are dashed, such as an interval."""


@dataclass(frozen=True, eq=False)
class Declaration:
    """A table; `feed` is set if its rows come from files (bronze) or from bronze (silver)."""

    contract: Contract
    transform: Callable[..., Any]
    reads: tuple[Read, ...] = ()
    wants_days: bool = False
    feed: FeedContract | None = None
    view: tuple[str, str] | None = None
    """Name and query of a view that belongs to the table."""
    plots: tuple[Plot, ...] = ()
    source: Callable[..., Any] | None = None
    """The class or function that defines the table, if it is not the transform."""
    survivors: Callable[[str], str] | None = None
    """For a table that merges numbers: from SQL for its rows to SQL for each merged number and its survivor."""
    conserved: Callable[..., Any] | None = None
    """A function of some of the transform's inputs, read on the same day, that returns rows with the control totals."""

    @property
    def name(self) -> str:
        return self.contract.name

    @property
    def is_bronze(self) -> bool:
        return self.contract.layer is Layer.BRONZE

    @property
    def keyed_reads(self) -> tuple[Read, ...]:
        """Inputs of which only the rows are read whose key occurs on the day."""
        return tuple(read for read in self.reads if read.reach.key)

    @property
    def from_feed(self) -> bool:
        """Whether its rows are typed bronze rows, each accounted for."""
        return self.feed is not None and not self.is_bronze

    @property
    def is_of_members(self) -> bool:
        """Whether its rows come from a feed and are versions of members, such as customers."""
        return self.feed is not None and self.feed.is_versioned

    @property
    def feed_contract(self) -> FeedContract:
        """The contract of its feed. Raises TypeError for a table made from tables."""
        if self.feed is None:
            raise TypeError(f"{self.name} is not from a feed.")
        return self.feed

    @property
    def bronze(self) -> str:
        """The bronze table that a table from a feed reads."""
        return next(read.table for read in self.reads if read.reach.by_event)

    def survivors_in(self, rows: str) -> str:
        """Returns SQL for each merged `number` and its `survivor`, by rows of the table, which are SQL too.

        Raises TypeError for a table that merges no numbers.
        """
        if self.survivors is None:
            raise TypeError(f"{self.name} merges no numbers: declare survivors=.")
        return self.survivors(rows)

    def annotation(self, parameter: str) -> Any:
        """Returns the annotation of a parameter of the transform; narwhals' LazyFrame by default."""
        return inspect.get_annotations(self.transform, eval_str=True).get(parameter, nw.LazyFrame)

    @property
    def is_eager(self) -> bool:
        """Whether the transform loads whole frames into memory."""
        return any(
            getattr(self.annotation(read.parameter), "__name__", "") == "DataFrame"
            for read in self.reads
            if read.parameter
        )

    @cached_property
    def conserved_reads(self) -> tuple[Read, ...]:
        """Inputs of the control totals; empty if none are declared."""
        wanted = inspect.signature(self.conserved).parameters if self.conserved else ()
        return tuple(replace(read, reach=same_day) for read in self.reads if read.parameter in wanted)

    @property
    def conserved_from(self) -> str:
        """Names of the tables of the control totals, joined by “and”; empty if none are declared."""
        return " and ".join(read.table for read in self.conserved_reads)

    @property
    def feed_name(self) -> str:
        """The name without its layer; for bronze and silver the name of the feed and of its landing folder."""
        return self.name.partition(".")[2]

    @property
    def quarantine(self) -> str:
        return f"quarantine.{self.feed_name}"

    @property
    def held(self) -> str:
        """The table with the last good rows of failed and blocked days."""
        return "held." + self.name.replace(".", "_")

    @property
    def superseded(self) -> str:
        return f"superseded.{self.feed_name}"

    @property
    def loose_references(self) -> tuple[Column, ...]:
        """References to a row of any day."""
        return tuple(column for column in self.contract.references if not column.on_same_day)

    @property
    def references(self) -> tuple[str, ...]:
        """The tables to which its columns refer, that merge their numbers or that convert its amounts, each once."""
        promise = self.contract
        named = [c.references for c in promise.references]
        named += [*(c.merged_by for c in promise.merged), *(c.converted_by for c in promise.converted)]
        return tuple(dict.fromkeys(map(str, named)))


def declare(
    contract: Contract,
    transform: Callable[..., Any],
    reads: Mapping[str, Reach] | None = None,
    conserved: Callable[..., Any] | None = None,
    **more: Any,
) -> Declaration:
    """Returns a declaration from the transform's signature. Raises TypeError if the arguments do not match it."""
    given = dict(reads or {})
    parameters = list(inspect.signature(transform).parameters)
    tables = [name for name in parameters if name != DAYS_PARAMETER]
    held_against = inspect.signature(conserved).parameters if conserved else ()
    for argument, names in (("reads", given), ("conserved", held_against)):
        if unknown := set(names) - set(tables):
            listed = ", ".join(sorted(unknown))
            raise TypeError(f"{contract.name}: {argument}= names {listed}, which is not a parameter of transform.")
    not_needed = contract.unknown_without
    reaches = {name: if_known if table_of(name) in not_needed else same_day for name in tables} | given
    inputs = [Read(table_of(name), reaches[name], name) for name in tables]
    known = {read.table for read in inputs}
    inputs += [Read(table, if_known, None) for table in not_needed if table not in known]
    inputs += [
        Read(table, same_day, None)
        for table in dict.fromkeys(str(c.references) for c in contract.references if c.on_same_day)
        if table not in known
    ]
    return Declaration(contract, transform, tuple(inputs), DAYS_PARAMETER in parameters, conserved=conserved, **more)


def declare_bronze(feed: FeedContract, source: Callable[..., Any] | None = None) -> Declaration:
    """Returns the declaration of a feed's bronze table: text as sent, stored by arrival day."""
    return Declaration(feed.as_sent(), _read_by_the_warehouse, feed=feed, source=source)


def _read_by_the_warehouse() -> None:
    """Bronze has no transform: the warehouse reads the landed files."""


class Catalog:
    """All declarations, in execution order."""

    def __init__(self, declarations: Iterable[Declaration]) -> None:
        """Raises LookupError for inputs that are not declared, TypeError for keys that they do not have."""
        by_name = {declaration.name: declaration for declaration in declarations}
        needs = {name: self._inputs(declaration) for name, declaration in by_name.items()}
        for name, inputs in needs.items():
            if missing := inputs - set(by_name):
                raise LookupError(f"{name} reads {', '.join(sorted(missing))}, which no table file declares.")
        in_order = TopologicalSorter({name: sorted(needs[name]) for name in sorted(needs)}).static_order()
        self._by_name = {name: by_name[name] for name in in_order}
        for declaration in self:
            for read in declaration.keyed_reads:
                self.keys_of(declaration, read)

    @staticmethod
    def _inputs(declaration: Declaration) -> set[str]:
        """Returns the tables that a table reads or refers to, and those by whose rules it judges what it reads."""
        judging = {read.table.replace("bronze.", "silver.") for read in declaration.reads if read.reach.by_arrival}
        return ({read.table for read in declaration.reads} | set(declaration.references) | judging) - {declaration.name}

    def __getitem__(self, name: str) -> Declaration:
        return self._by_name[name]

    def __iter__(self) -> Iterator[Declaration]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @property
    def names(self) -> list[str]:
        return list(self._by_name)

    @property
    def feeds(self) -> list[str]:
        """Names of the feeds that are read."""
        return [declaration.feed_name for declaration in self if declaration.is_bronze]

    @property
    def feed_columns(self) -> Mapping[str, Collection[str]]:
        """The columns of each feed that is read."""
        bronze = [declaration for declaration in self if declaration.is_bronze]
        return {declaration.feed_name: declaration.feed_contract.columns for declaration in bronze}

    @property
    def feed_keys(self) -> Mapping[str, Collection[str]]:
        """The columns of the key of each feed that is read."""
        bronze = [declaration for declaration in self if declaration.is_bronze]
        return {declaration.feed_name: declaration.feed_contract.primary_key for declaration in bronze}

    @property
    def feeds_of_members(self) -> list[str]:
        """Names of the feeds whose rows are versions of members, such as customers."""
        return [declaration.feed_name for declaration in self if declaration.is_of_members and declaration.is_bronze]

    @cached_property
    def set_by_rules(self) -> Mapping[str, Mapping[str, Collection[str]]]:
        """The columns of each feed that the shop's rules may set, with the values that they may have, empty for any."""
        return {
            declaration.feed_name: {
                column.name: column.by_rule
                for column in declaration.contract.columns.values()
                if column.by_rule is not None
            }
            for declaration in self
            if declaration.from_feed
        }

    def _by_table(
        self, columns: Callable[[Contract], Iterable[Column]], named: Callable[[Column], str | None]
    ) -> dict[str, list[tuple[Declaration, Column]]]:
        """Returns some columns of all tables, by the table that each of them names."""
        found: dict[str, list[tuple[Declaration, Column]]] = {}
        for declaration in self:
            for column in columns(declaration.contract):
                found.setdefault(str(named(column)), []).append((declaration, column))
        return found

    @cached_property
    def referring(self) -> Mapping[str, list[tuple[Declaration, Column]]]:
        """The columns of other tables that refer to each table."""
        return self._by_table(lambda promise: promise.references, lambda column: column.references)

    @cached_property
    def merged(self) -> Mapping[str, list[tuple[Declaration, Column]]]:
        """The columns of other tables whose numbers each table merges."""
        return self._by_table(lambda promise: promise.merged, lambda column: column.merged_by)

    @cached_property
    def converted(self) -> Mapping[str, list[tuple[Declaration, Column]]]:
        """The columns that name the currencies of amounts that each table converts."""
        return self._by_table(lambda promise: promise.converted, lambda column: column.converted_by)

    def keys_of(self, declaration: Declaration, read: Read) -> tuple[Declaration, ...]:
        """Returns the tables with the keys of a day, for an input that is read by key; see `Reach.by`.

        Raises TypeError if one of them has no such column.
        """
        key = str(read.reach.key)
        same_day_tables = [
            other.table
            for other in declaration.reads
            if other.parameter and other.reach.before == other.reach.after == 0 and not other.reach.by_event
        ]
        found = [table for table in same_day_tables if key in self[table].contract.columns] or [read.table]
        if read.reach.keys_of:
            found = [other.table for other in declaration.reads if other.table == read.reach.keys_of]
        for table in (read.table, *found):
            if key not in self[table].contract.columns or self[table].is_bronze:
                raise TypeError(f"{declaration.name} cannot read {read.table} by {key}: not a column of {table}.")
        if not found:
            raise TypeError(f"{declaration.name} does not read {read.reach.keys_of}, which is to have its keys.")
        return tuple(map(self.__getitem__, found))

    @cached_property
    def reading_by_key(self) -> Mapping[str, list[tuple[Declaration, Read]]]:
        """The tables that read rows of each table by key, and how."""
        found: dict[str, list[tuple[Declaration, Read]]] = {}
        for declaration in self:
            for read in declaration.keyed_reads:
                found.setdefault(read.table, []).append((declaration, read))
        return found

    @cached_property
    def taking_keys(self) -> Mapping[str, list[Declaration]]:
        """The tables that read others by the keys that each table has on a day."""
        found: dict[str, dict[str, Declaration]] = {}
        for declaration in self:
            for read in declaration.keyed_reads:
                for table in self.keys_of(declaration, read):
                    found.setdefault(table.name, {})[declaration.name] = declaration
        return {table: list(taking.values()) for table, taking in found.items()}

    def readers_by_key(self, table: str) -> list[Declaration]:
        """Returns the tables that read a table by key, or others by the keys that it has on a day."""
        readers = [reader for reader, _ in self.reading_by_key.get(table, [])]
        return [*readers, *self.taking_keys.get(table, [])]

    def silver_of(self, bronze: str) -> Declaration | None:
        """Returns the table that types a bronze table's rows."""
        return next((d for d in self if d.from_feed and d.bronze == bronze), None)

    def typed_by(self, bronze: Declaration) -> Declaration:
        """Returns the table that types a bronze table's rows. Raises LookupError if none does."""
        found = self.silver_of(bronze.name)
        if found is None:
            raise LookupError(f"No table types the rows of {bronze.name}.")
        return found

    def upstream(self, name: str) -> set[str]:
        """Returns all tables upstream of a table, directly or indirectly, including references."""
        found: set[str] = set()
        todo = [name]
        while todo:
            for table in self._inputs(self[todo.pop()]) - found:
                found.add(table)
                todo.append(table)
        return found

    def downstream(self, names: Iterable[str]) -> set[str]:
        """Returns these tables and all that read or refer to them, directly or indirectly."""
        found = set(names)
        for declaration in self:
            if not found.isdisjoint(self._inputs(declaration)):
                found.add(declaration.name)
        return found

    def same_day_downstream(self, names: Iterable[str]) -> set[str]:
        """Returns these tables and all tables downstream of them over same-day reads."""
        found = set(names)
        for declaration in self:
            if any(read.reach.is_same_day and read.table in found for read in declaration.reads):
                found.add(declaration.name)
        return found
