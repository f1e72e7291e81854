"""The warehouse as a run uses it: its connection, the code of its tables, and what a window of them reads."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import duckdb

from ecom_assets.contract import CURRENCY, Column
from ecom_assets.days import Window
from ecom_assets.declaration import DAYS_PARAMETER, Catalog, Declaration, Read
from ecom_assets.engine import compiling
from ecom_assets.engine.compiling import MISTAKES, compiled, over, with_stable_names
from ecom_assets.engine.duckdb.parsing import bronze_query, parse_query
from ecom_assets.engine.duckdb.tables import (
    Query,
    columns_of,
    days_query,
    ensure_table,
    parsed_columns,
    read_query,
    stored_types,
)
from ecom_assets.engine.reasons import with_reasons
from ecom_assets.errors import UserError
from ecom_assets.landing.reading import LAND_WHOLE
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import literal, quoted, transaction
from ecom_assets.warehouse.ledger.compiled import keep_compiled, take_compiled
from ecom_assets.warehouse.ledger.invalidation import (
    KeyedRead,
    invalidate_days_with_other_keys,
    keep_keyed_reads,
    keyed_reads,
    rivals_query,
)
from ecom_assets.warehouse.ledger.records import Entry, write_entries
from ecom_assets.warehouse.ledger.restatements import codes, record_code
from ecom_assets.warehouse.ledger.schema import prepare
from ecom_assets.warehouse.ledger.staleness import code_hash, hash_of
from ecom_assets.warehouse.ledger.totals import record_totals
from ecom_assets.warehouse.ledger.verdicts import Fault, Judged, faults, record_changes


@dataclass
class Store:
    """A connection to the warehouse, with everything for reading and writing table-days."""

    con: duckdb.DuckDBPyConnection
    catalog: Catalog
    zone: Zone
    calendar: Window
    time_zone: str = "UTC"
    strict: bool = False
    run_id: str = ""
    currency: str | None = None
    """The shop's, into which amounts are converted. Unknown, all currencies that rows name are other ones."""
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC).replace(tzinfo=None)
    on_step: Callable[[str], None] = lambda step: None
    """Called with the name of each step of a write; tests raise errors there."""
    on_changed_verdicts: Callable[[], None] = lambda: None
    """Called after a transaction that has recorded changes of verdicts."""

    def __post_init__(self) -> None:
        self._stored: dict[str, dict[str, str]] | None = None
        self._keyed_reads: set[KeyedRead] | None = None
        self._recorded_codes: dict[str, int] | None = None
        self._faults: dict[Judged, Fault] | None = None
        self._has_changed_verdicts = False
        self._mistakes: dict[str, UserError] = {}
        prepare(self.con)
        self._kept = take_compiled(self.con, self.catalog)

    def record_days(self, declaration: Declaration, entries: Sequence[Entry]) -> None:
        """Writes days of a table into the ledger, with the code of the table, this run and the current time."""
        name = declaration.name
        now = self.now()
        if self._keyed_reads is None:
            self._keyed_reads = keyed_reads(self.con)
        keep_keyed_reads(self.con, self.catalog, declaration, self.codes, self._keyed_reads)
        invalidate_days_with_other_keys(self.con, self.catalog, declaration, entries)
        self._record_code(name, now)
        write_entries(self.con, name, self.codes[name], self.run_id, entries, now)
        if self._faults is None:
            self._faults = faults(self.con)
        if record_changes(self.con, declaration, entries, self._faults, self.run_id, now):
            self._has_changed_verdicts = True
        if declaration.contract.amount:
            good = [entry.result.day for entry in entries if entry.result.state.is_good]
            record_totals(self.con, declaration, good, self.run_id, now)

    def stored_types(self, table: str) -> Mapping[str, str]:
        """Column to SQL type of a table of the warehouse; empty if it does not exist."""
        return self._known_tables().get(table, {})

    def _known_tables(self) -> dict[str, dict[str, str]]:
        if self._stored is None:
            self._stored = stored_types(self.con)
        return self._stored

    def count(self, query: str) -> int:
        """Returns the one number that a query gives."""
        return int(self.con.execute(query).fetchall()[0][0])

    def ensure(self, table: str, columns: Mapping[str, str]) -> None:
        """Make a table, or add the columns it lacks. Raises ShapeError if a type has changed."""
        stored = self.stored_types(table)
        if stored != columns:
            ensure_table(self.con, table, columns, stored)
            self._known_tables()[table] = {**stored, **columns}

    @cached_property
    def codes(self) -> "_Codes":
        """Table to the hash of its code, computed when asked for; for broken code, to one of what is wrong with it."""
        return _Codes(self._code)

    def mistake(self, name: str) -> UserError | None:
        """Returns what is wrong with the code of a table whose hash in `codes` is known; None if it compiles."""
        return self._mistakes.get(name)

    def _code(self, name: str) -> int:
        declaration = self.catalog[name]
        settings = _settings_of_code(self.time_zone, self.calendar, self.strict)
        if declaration.is_bronze:
            settings += self.bronze_query(declaration)
            settings += LAND_WHOLE
        elif declaration.from_feed:
            first = Window(self.calendar.first, self.calendar.first)
            settings += self.parse_query(declaration, first)
            settings += str(self.limits(declaration))
            settings += str(self._complete(declaration) or "")
            settings += "".join(filter(None, map(self._members, declaration.loose_references)))
            if declaration.contract.converted:
                settings += self.currency or ""
        for read in declaration.reads:
            if read.reach.key and read.reach.after is None:
                settings += str(self.calendar.last)
            if read.reach.by_arrival:
                first = Window(self.calendar.first, self.calendar.first)
                settings += with_stable_names(self._versions_query(self.catalog[read.table], first))
        try:
            if not declaration.is_bronze and name not in self._kept:
                keep_compiled(self.con, declaration, self.catalog)
                self._kept.add(name)
            return code_hash(declaration, self.catalog, settings)
        except MISTAKES as mistake:
            self._mistakes[name] = mistake
            return hash_of(str(mistake))

    def _record_code(self, name: str, now: dt.datetime) -> None:
        """Records the code of a table if it was last written with another."""
        if self._recorded_codes is None:
            self._recorded_codes = codes(self.con)
        if self._recorded_codes.get(name) == self.codes[name]:
            return
        without_settings = 0 if self.mistake(name) else code_hash(self.catalog[name], self.catalog, "")
        record_code(self.con, name, self.codes[name], without_settings, self._settings_hash, now)
        self._recorded_codes[name] = self.codes[name]

    @cached_property
    def _settings_hash(self) -> int:
        known = _settings_of_code(self.time_zone, self.calendar, self.strict)
        zones = {table.feed_name: self._feed_zone(table) for table in self.catalog if table.from_feed}
        return hash_of(f"{known} {self.currency} {self.zone.judging()} {zones}")

    def _members(self, column: Column) -> str | None:
        return self.zone.settings(self.catalog[str(column.references)].feed_name).members

    def limits(self, declaration: Declaration) -> "Limits":
        """Returns the limits on bad rows of a table from a feed: its contract's, unless the feed's settings differ."""
        if self.strict:
            return Limits(0.0, 1)
        promise, settings = declaration.contract, self.zone.settings(declaration.feed_name)
        share, least = settings.max_bad_share, settings.min_bad_rows
        return Limits(promise.max_bad_share if share is None else float(share), least or promise.min_bad_rows)

    def _complete(self, declaration: Declaration) -> tuple[str, ...]:
        return self.zone.settings(declaration.feed_name).complete

    def group(self, declaration: Declaration) -> tuple[str, ...]:
        """Returns the columns that rows of a feed share if they compete: of complete groups, if they are, or the key.

        Of a complete group each arrival holds all rows or none.
        """
        return self._complete(declaration) or declaration.feed_contract.primary_key

    def has_complete_groups(self, declaration: Declaration) -> bool:
        """Returns whether a later arrival of a group of rows replaces all of them."""
        return bool(self._complete(declaration))

    def can_move(self, declaration: Declaration) -> bool:
        """Returns whether rows that compete can have several event days."""
        return declaration.feed_contract.event_column not in self.group(declaration)

    def _feed_zone(self, declaration: Declaration) -> str:
        """Returns the time zone of timestamps that a feed sends without offset."""
        return self.zone.settings(declaration.feed_name).time_zone

    def bronze_query(self, declaration: Declaration, landed: str = "landed") -> str:
        """Returns SQL for the rows of bronze from landed records."""
        feed, zone = declaration.feed_contract, self._feed_zone(declaration)
        return bronze_query(landed, feed, self.group(declaration), zone, self.time_zone, self.calendar)

    def parse_query(self, declaration: Declaration, window: Window) -> str:
        """Returns SQL for the rows of bronze that a window of a table from a feed is made of, typed."""
        rivals = rivals_query(declaration.bronze, window, self.calendar) if self.can_move(declaration) else ""
        return self._parsed(declaration, window, rivals, "read_on")

    def _parsed(self, declaration: Declaration, window: Window, rivals: str, by: str) -> str:
        known = self.zone.settings(declaration.feed_name)
        zones = known.time_zone, self.time_zone
        rules = [(rule.when, rule.then) for rule in known.rules]
        extra, decimals = known.extra, known.round_amounts
        return parse_query(declaration, window, rivals, *zones, self.calendar, extra, decimals, rules, by)

    def _versions_query(self, bronze: Declaration, window: Window) -> str:
        """Returns SQL for the valid rows that arrived on the days of a window, typed, all versions of a key.

        A row that only waits for what it refers to is valid. Amounts are in the currency that the row names, null if it
        is the shop's.
        """
        silver = self.catalog.typed_by(bronze)
        (parameter,) = (str(read.parameter) for read in silver.reads if read.reach.by_event)
        parsed = {parameter: self._parsed(silver, window, "", "arrived_on")}
        sql = compiled(silver, self.catalog).transform
        rows = over(parsed, sql) if sql else parsed[parameter]
        own = f"nullif({quoted(CURRENCY)}, {literal(self.currency or '')}) as {quoted(CURRENCY)}"
        names = ", ".join(own if name == CURRENCY else quoted(name) for name in parsed_columns(silver))
        judged = with_reasons(silver, rows, self.catalog)
        return f"select {names}, retracts as is_retraction from ({judged}) where reasons is null"

    def inputs(self, declaration: Declaration, window: Window) -> dict[str, Query]:
        """Returns the inputs of a table's transform by parameter, as queries."""
        frames = {read.parameter: self.frame(declaration, read, window) for read in declaration.reads if read.parameter}
        if declaration.wants_days:
            frames[DAYS_PARAMETER] = self.days(window)
        return frames

    def days(self, window: Window) -> Query:
        """Returns the days of a window, for transforms with a parameter `days`."""
        return Query(self.con, days_query(window))

    def frame(self, declaration: Declaration, read: Read, window: Window) -> Query:
        """Returns the rows of one input that a window reaches. Bronze rows are typed."""
        return Query(self.con, self._read_query(declaration, read, window))

    def unconserved(self, declaration: Declaration, rows: str, window: Window) -> str | None:
        """Returns SQL for day, column, sum and control total where these differ; None without control totals."""
        sql = compiled(declaration, self.catalog).conserved
        reads = {str(r.parameter): self._read_query(declaration, r, window) for r in declaration.conserved_reads}
        return over({"rows_to_judge": rows, **reads}, sql) if sql else None

    def _read_query(self, declaration: Declaration, read: Read, window: Window) -> str:
        source = self.catalog[read.table]
        self.ensure(read.table, columns_of(source))
        if read.reach.by_arrival:
            return self._versions_query(source, window)
        if source.is_bronze:
            return self.parse_query(declaration, window)
        keys_of = self.catalog.keys_of(declaration, read) if read.reach.key else ()
        for table in keys_of:
            self.ensure(table.name, columns_of(table))
        return read_query(source, read, window, self.calendar, keys_of)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Runs the block as one transaction; a rollback includes tables created meanwhile."""
        try:
            with transaction(self.con):
                yield
                self.on_step("before commit")
        except BaseException:
            self._stored = self._keyed_reads = self._recorded_codes = self._faults = None
            self._has_changed_verdicts = False
            raise
        self.on_step("after commit")
        if self._has_changed_verdicts:
            self._has_changed_verdicts = False
            self.on_changed_verdicts()


class Limits(NamedTuple):
    """How many bad rows a day of a table from a feed may have."""

    max_bad_share: float
    min_bad_rows: int

    def are_exceeded(self, bad: int, of: int) -> bool:
        """Returns whether a day fails with a number of bad rows, of all that count."""
        return bad > 0 and bad / of > self.max_bad_share and (bad >= self.min_bad_rows or bad == of)


class _Codes(dict[str, int]):
    """Code hashes by table, each computed on first use."""

    def __init__(self, work_out: Callable[[str], int]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, name: str) -> int:
        self[name] = self._work_out(name)
        return self[name]


def _settings_of_code(time_zone: str, calendar: Window, strict: bool) -> str:
    return f"{time_zone} {calendar.first} {strict}"


def made_of(
    time_zone: str, calendar: Window, strict: bool, zone: Zone, currency: str | None = None, code: str | None = None
) -> str:
    """Returns a text that is the same while neither the code of the tables nor their settings change.

    `code` is that of `compiling`; by default what this process has loaded.
    """
    return f"{code or compiling.made_of()} {_settings_of_code(time_zone, calendar, strict)} {currency} {zone.judging()}"
