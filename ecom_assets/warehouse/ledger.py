"""What the warehouse knows of each table-day: its state, its content and what it was made of.

One row per table and day is written in the transaction that writes the day's rows. From these rows
alone follows which table-days are stale. Hashes are 64 bits from DuckDB's `hash`, summed as HUGEINT.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from ecom_assets.days import GOOD, ONE_DAY, State, Window
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.engine.compiling import compiled
from ecom_assets.errors import UserError
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import between, literal, quoted

HASH_VERSION = "2"
CODE_CHANGED = "its code changed"


@dataclass(frozen=True)
class Slice:
    """Rows of one table-day that are read on one day, and the sum of their hashes."""

    read_day: dt.date
    row_count: int
    content: int


@dataclass(frozen=True)
class DayResult:
    """What became of one day of a write."""

    day: dt.date
    state: State
    row_count: int = 0
    bad_count: int = 0
    note: str = ""
    broken: Mapping[str, int] = field(default_factory=dict)
    """Hard rules or reasons, and how many rows broke them."""
    warned: Mapping[str, int] = field(default_factory=dict)
    """Expectations, and how many rows missed them."""
    samples: Sequence[Mapping[str, str | None]] = ()
    """A few of the offending rows."""
    checked_count: int = 0
    """Rows that were judged: without superseded ones, and also where the day failed."""


@dataclass(frozen=True)
class Entry:
    """One table-day as it is recorded: what became of it, of what inputs, and what stands in it."""

    result: DayResult
    inputs: int
    slices: tuple[Slice, ...] = ()

    @property
    def row_count(self) -> int:
        return sum(part.row_count for part in self.slices)


@dataclass(frozen=True)
class Expectation:
    """What a day would be made of now: fingerprint, days missing in its reach, provisional ones."""

    inputs: int
    missing: int
    unsettled: int


@dataclass(frozen=True, order=True)
class StaleDay:
    """A table-day that has to run again, and why.

    `landed` is the fingerprint of the files that wait to be read; None where none do.
    """

    table: str
    day: dt.date
    why: str
    landed: int | None = None


SCHEMA = """
create schema if not exists ledger;
create table if not exists ledger.days (
    table_name varchar, day date, state varchar, row_count bigint, bad_count bigint, inputs hugeint, code ubigint,
    note varchar, run_id varchar, written_at timestamp);
create table if not exists ledger.slices (
    table_name varchar, day date, read_day date, row_count bigint, content hugeint);
create table if not exists ledger.moves (
    table_name varchar, key_hash ubigint, read_on date, arrived_on date, source_file varchar, record bigint,
    content ubigint);
create table if not exists ledger.amounts (
    table_name varchar, day date, amount decimal(38, 4), run_id varchar, told_at timestamp);
create table if not exists ledger.findings (
    table_name varchar, day date, is_hard boolean, rule varchar, row_count bigint);
create table if not exists ledger.pokes (table_name varchar, day date, because varchar);
create table if not exists ledger.files (
    feed varchar, arrived_on date, source_file varchar, digest varchar, duplicate_of varchar, replaced_at timestamp);
create table if not exists ledger.facts (name varchar, value varchar);
create table if not exists ledger.compiled (
    table_name varchar, made_of varchar, transform varchar, judge varchar, meaning varchar);
alter table ledger.days add column if not exists checked_count bigint;
alter table ledger.moves add column if not exists leans_on map(varchar, varchar);
alter table ledger.moves drop column if exists refers_to;
alter table ledger.compiled add column if not exists
    lineage struct(column_name varchar, from_table varchar, from_column varchar)[];
alter table ledger.compiled add column if not exists conserved varchar;
"""


class LedgerError(UserError):
    """The warehouse was written by a version whose ledger cannot be continued."""


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the ledger's tables where they are not there. Raises LedgerError on a foreign version."""
    con.execute(SCHEMA)
    standing = con.execute("select value from ledger.facts where name = 'hash_version'").fetchall()
    if not standing:
        con.execute("insert into ledger.facts values ('hash_version', ?)", [HASH_VERSION])
    elif standing[0][0] != HASH_VERSION:
        raise LedgerError(
            f"The warehouse was written with content hashes of version {standing[0][0]}, this is version "
            f"{HASH_VERSION}. Rebuild it from the landing zone: move the file aside and run all days."
        )


def code_hash(declaration: Declaration, catalog: Catalog, settings: str) -> int:
    """A hash of what a table's SQL, rules, reaches and settings mean: 64 bits.

    `settings` holds all that is not of the declaration, the SQL that reads bronze included.
    """
    parts = [settings, HASH_VERSION, declaration.name]
    if not declaration.is_bronze:
        parts.append(compiled(declaration, catalog).meaning)
        parts += [f"{read.table} {read.reach}" for read in declaration.reads]
        references = [
            (column.missing_reference, column.references, column.on_same_day)
            for column in declaration.contract.references
        ]
        parts.append(f"{declaration.contract.primary_key} {references}")
    if declaration.from_feed:
        parts.append(f"{declaration.contract.version_column} {declaration.contract.max_bad_share} of latest rows")
    return int.from_bytes(hashlib.blake2b("\n".join(parts).encode(), digest_size=8).digest())


def _day(day: dt.date) -> str:
    return f"date '{day}'"


def _values(rows: Iterable[Sequence[str]]) -> str:
    return ", ".join("(" + ", ".join(row) + ")" for row in rows)


def _content(reads: Sequence[Sequence[str]], calendar: Window, near: Window | None = None) -> str:
    """SQL: what stands in the inputs on the days of the calendar, per day on which it is read.

    Where `near` is given, no other days of reading are looked at.
    """
    known = between("day", calendar)
    read_near, stands_near = (f" and {between(day, near)}" if near else "" for day in ("read_day", "day"))
    return f"""
    reads (table_name, input, before, after) as (values {_values(reads)}),
    content as (
        select table_name, day, sum(h)::hugeint as h, sum(present)::bigint as present, sum(open)::bigint as open
        from (select table_name, read_day as day,
                     (hash(table_name, day, read_day, row_count, content) >> 8)::hugeint as h, 0 as present, 0 as open
              from ledger.slices where table_name in (select input from reads) and {known}{read_near}
              union all
              select table_name, day, (hash(table_name, day, state) >> 8)::hugeint, 1, (state = 'provisional')::int
              from ledger.days
              where state in {GOOD} and table_name in (select input from reads) and {known}{stands_near})
        group by all)"""


def _expected(reached: str, calendar: Window) -> str:
    """SQL giving table_name, day, inputs, missing, unsettled from what each read of a table-day reaches."""
    first, last = _day(calendar.first), _day(calendar.last)
    return f"""
    select table_name, day, sum((hash(input, h::hugeint) >> 8)::hugeint)::hugeint as inputs,
           sum(greatest(least(coalesce(day + after, {last}), {last}) + 1
                        - greatest(coalesce(day - before, {first}), {first}) - present, 0))::bigint as missing,
           sum(open)::bigint as unsettled
    from ({reached}) group by all"""


def _expected_of_all(reads: Sequence[Sequence[str]], wanted: str, calendar: Window) -> str:
    """SQL for the table-days of `wanted`, many tables and days at once.

    The content of a reach is a difference of running sums, so that the cost does not grow with the reach. What each
    table-day reaches is made first: left to itself, DuckDB pairs each table-day with all days of its inputs.
    """
    reached = """
        select s.table_name, s.day, s.input, s.before, s.after, upto.h - coalesce(short.h, 0) as h,
               upto.present - coalesce(short.present, 0) as present, upto.open - coalesce(short.open, 0) as open
        from spans s join running upto on upto.input = s.input and upto.day = s.upto
        left join running short on short.input = s.input and short.day = s.short"""
    return f"""
    with {_content(reads, calendar)},
    wanted as ({wanted}),
    span as (select min(day) as first, max(day) as last
             from (select day from wanted union all select day from content)),
    spans as materialized (
        select table_name, day, input, before, after, day - before - 1 as short,
               least(coalesce(day + after, span.last), span.last) as upto
        from wanted join reads using (table_name) cross join span),
    grid as (select input, unnest(generate_series(first, last, interval 1 day))::date as day
             from span, (select distinct input from reads)),
    running as (
        select g.input, g.day, sum(coalesce(h, 0)) over so_far as h,
               sum(coalesce(present, 0)) over so_far as present, sum(coalesce(open, 0)) over so_far as open
        from grid g left join content c on c.table_name = g.input and c.day = g.day
        window so_far as (partition by g.input order by g.day))
    {_expected(reached, calendar)}"""


def _expected_of_one(declaration: Declaration, window: Window, calendar: Window) -> str:
    """SQL for the days of one table's window: the same, by adding up what is in reach, which plans faster."""
    reaches, near = [read.reach for read in declaration.reads], None
    if all(reach.length is not None for reach in reaches):
        before, after = max(reach.before or 0 for reach in reaches), max(reach.after or 0 for reach in reaches)
        near = Window(window.first - before * ONE_DAY, window.last + after * ONE_DAY)
    reached = """
        select r.table_name, w.day, r.input, r.before, r.after, coalesce(sum(c.h), 0) as h,
               coalesce(sum(c.present), 0) as present, coalesce(sum(c.open), 0) as open
        from reads r cross join wanted w
        left join content c on c.table_name = r.input
            and c.day between coalesce(w.day - r.before, c.day) and coalesce(w.day + r.after, c.day)
        group by all"""
    days = f"generate_series({_day(window.first)}, {_day(window.last)}, interval 1 day)"
    return f"""
    with {_content(_reads([declaration]), calendar, near)},
    wanted as (select unnest({days})::date as day)
    {_expected(reached, calendar)}"""


_NO_READ = ["null::varchar", "null::varchar", "0", "0"]


def _reads(declarations: Iterable[Declaration]) -> list[list[str]]:
    """SQL values of the relation `reads`."""
    return [
        [
            literal(declaration.name),
            literal(read.table),
            "null::int" if read.reach.before is None else str(read.reach.before),
            "null::int" if read.reach.after is None else str(read.reach.after),
        ]
        for declaration in declarations
        for read in declaration.reads
    ]


def expectations(
    con: duckdb.DuckDBPyConnection, declaration: Declaration, window: Window, calendar: Window
) -> dict[dt.date, Expectation]:
    """What each day of a window would be made of now."""
    if not declaration.reads:
        return dict.fromkeys(window, Expectation(0, 0, 0))
    query = _expected_of_one(declaration, window, calendar)
    rows = con.execute(f"select day, inputs, missing, unsettled from ({query})").fetchall()
    return {day: Expectation(*rest) for day, *rest in rows}


def states(con: duckdb.DuckDBPyConnection, tables: Iterable[str], window: Window) -> dict[tuple[str, dt.date], State]:
    """The recorded state of each table-day that has one."""
    named = ", ".join(literal(table) for table in tables) or "null"
    rows = con.execute(
        f"select table_name, day, state from ledger.days where table_name in ({named}) and day between ? and ?",
        [window.first, window.last],
    ).fetchall()
    return {(table, day): State(state) for table, day, state in rows}


def good_days(con: duckdb.DuckDBPyConnection) -> set[tuple[str, dt.date]]:
    """The table-days that have good rows."""
    return set(con.execute(f"select table_name, day from ledger.days where state in {GOOD}").fetchall())


def most_rows(con: duckdb.DuckDBPyConnection, tables: Iterable[str], window: Window) -> dict[dt.date, int]:
    """How many rows are read on each day of a window from that of these tables which has most."""
    named = ", ".join(literal(table) for table in tables) or "null"
    rows = con.execute(
        f"select read_day, max(n) from (select table_name, read_day, sum(row_count)::bigint as n from ledger.slices "
        f"where table_name in ({named}) and read_day between ? and ? group by all) group by all",
        [window.first, window.last],
    ).fetchall()
    return dict(rows)


def recorded_inputs(con: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> dict[tuple[str, dt.date], int]:
    """The fingerprint of the inputs of each table-day that has one."""
    named = ", ".join(literal(table) for table in tables) or "null"
    rows = con.execute(f"select table_name, day, inputs from ledger.days where table_name in ({named})").fetchall()
    return {(table, day): inputs for table, day, inputs in rows}


def findings(con: duckdb.DuckDBPyConnection, table: str, window: Window) -> dict[tuple[dt.date, bool], dict[str, int]]:
    """The rules that rows of a table broke (True) or missed (False) by day, and how many; most first."""
    rows = con.execute(
        "select day, is_hard, rule, row_count from ledger.findings where table_name = ? and day between ? and ? "
        "order by row_count desc, rule",
        [table, window.first, window.last],
    ).fetchall()
    found: dict[tuple[dt.date, bool], dict[str, int]] = {}
    for day, is_hard, rule, count in rows:
        found.setdefault((day, is_hard), {})[rule] = count
    return found


def happened(con: duckdb.DuckDBPyConnection, bronze: Iterable[str]) -> set[dt.date]:
    """The days on which rows of bronze tables happened, whenever they arrived."""
    named = ", ".join(literal(table) for table in bronze) or "null"
    rows = con.execute(f"select distinct read_day from ledger.slices where table_name in ({named})").fetchall()
    return {day for (day,) in rows}


def unread(
    zone: Zone,
    tables: Collection[str],
    recorded: Mapping[tuple[str, dt.date], int],
    calendar: Window,
    only: Collection[str] | None = None,
    *,
    happened: Collection[dt.date] = (),
) -> list[StaleDay]:
    """The arrival days of bronze tables whose files are not those that were read.

    A day on which files of any of the tables landed concerns all of them, for what is made of several waits for
    each. On the newest day, files that are due may still be on their way. A day on which nothing landed concerns
    them once a later file has brought rows of it.
    `recorded` gives the fingerprint of the files that were read for a table and day; `happened` the days whose rows
    have been read.
    """
    feeds = {table: table.partition(".")[2] for table in tables}
    landed = {table: {day for day in zone.days(feed) if day in calendar} for table, feed in feeds.items()}
    every = set().union(*landed.values())
    newest = max(every, default=None)
    every |= {day for day in happened if newest and day < newest and day in calendar}
    found = []
    for table in tables if only is None else only:
        feed = feeds[table]
        days = every | {day for name, day in recorded if name == table and day in calendar}
        if (
            newest
            and newest not in landed[table]
            and (table, newest) not in recorded
            and zone.is_due(feed, newest, calendar.first)
        ):
            days.discard(newest)
        prints = zone.fingerprint(feed, min(days), max(days), calendar.first) if days else {}
        for day in sorted(days):
            if recorded.get((table, day)) != prints[day]:
                why = "its files changed" if (table, day) in recorded else "its files have not been read"
                if day not in landed[table]:
                    why = "its files are gone" if (table, day) in recorded else "others landed, and none of its own"
                found.append(StaleDay(table, day, why, prints[day]))
    return found


def record(
    con: duckdb.DuckDBPyConnection, table: str, code: int, run_id: str, entries: Sequence[Entry], now: dt.datetime
) -> None:
    """Replace the rows of these table-days; what was asked of them is settled thereby."""
    days = ", ".join(_day(entry.result.day) for entry in entries)
    for part in ("days", "slices", "findings", "pokes"):
        con.execute(f"delete from ledger.{part} where table_name = ? and day in ({days})", [table])
    rows = _values(
        (
            literal(table),
            _day(entry.result.day),
            literal(entry.result.state),
            str(entry.row_count),
            str(entry.result.bad_count),
            str(entry.inputs),
            str(code),
            literal(entry.result.note),
            literal(run_id),
            f"timestamp '{now:%Y-%m-%d %H:%M:%S.%f}'",
            str(entry.result.checked_count),
        )
        for entry in entries
    )
    con.execute(f"insert into ledger.days values {rows}")
    slices = _values(
        (literal(table), _day(entry.result.day), _day(part.read_day), str(part.row_count), str(part.content))
        for entry in entries
        for part in entry.slices
    )
    if slices:
        con.execute(f"insert into ledger.slices values {slices}")
    found = _values(
        (literal(table), _day(entry.result.day), is_hard, literal(rule), str(count))
        for entry in entries
        for is_hard, rules in (("true", entry.result.broken), ("false", entry.result.warned))
        for rule, count in rules.items()
    )
    if found:
        con.execute(f"insert into ledger.findings values {found}")


def tell(
    con: duckdb.DuckDBPyConnection, declaration: Declaration, days: Collection[dt.date], run_id: str, now: dt.datetime
) -> None:
    """Note the amount of days that now stand in a table, where it is not the one that was noted last."""
    if not days:
        return
    table, promise = literal(declaration.name), declaration.contract
    day, amount = quoted(str(promise.partition_column)), quoted(str(promise.amount))
    listed = ", ".join(map(_day, days))
    con.execute(
        f"""
        insert into ledger.amounts
        with standing as (
            select told.day, coalesce(sum({amount}), 0)::decimal(38, 4) as amount
            from (select unnest([{listed}]::date[]) as day) told
            left join {quoted(declaration.name)} written on written.{day} = told.day group by told.day),
        noted as (
            select day, arg_max(amount, rowid) as amount from ledger.amounts
            where table_name = {table} and day in ({listed}) group by day)
        select {table}, day, standing.amount, ?, ? from standing left join noted using (day)
        where standing.amount is distinct from noted.amount order by day""",
        [run_id, now],
    )


def stale(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    codes: Mapping[str, int],
    calendar: Window,
    only: Collection[str] | None = None,
) -> list[StaleDay]:
    """The table-days above bronze whose inputs or code are no longer those of their last attempt.

    Only the first level is seen: what lies downstream follows once these have run.
    """
    tables = [d for d in catalog if not d.is_bronze and (only is None or d.name in only)]
    reading = [declaration for declaration in tables if declaration.reads]
    if not tables:
        return []
    bronze = [declaration.name for declaration in catalog if declaration.is_bronze]
    wanted = """
        select table_name, day from (
            select r.table_name, d.day, count(distinct r.input) as found
            from reads r join ledger.days d on d.table_name = r.input group by all)
        join (select table_name, count(distinct input) as found from reads group by all) using (table_name, found)
        union
        select table_name, day from ledger.days where table_name in (select table_name from reads)"""
    wanted = f"select * from ({wanted}) where day between {_day(calendar.first)} and {_day(calendar.last)}"
    rootless = [declaration.name for declaration in tables if not declaration.reads]
    code_rows = _values([literal(d.name), str(codes[d.name])] for d in tables)
    turned = f"d.state in {GOOD} and (d.state = 'provisional') <> e.is_open"
    query = f"""
        with code (table_name, hash) as (values {code_rows}),
        expected as (
            select table_name, day, inputs, missing + unsettled > 0 as is_open
            from ({_expected_of_all(_reads(reading) or [_NO_READ], wanted, calendar)})
            union all
            select t.table_name, d.day, 0::hugeint, false
            from (select unnest([{", ".join(map(literal, rootless))}]::varchar[]) as table_name) t,
                 (select distinct day from ledger.days
                  where table_name in ({", ".join(map(literal, bronze)) or "null"})
                    and day between {_day(calendar.first)} and {_day(calendar.last)}) d),
        poked as (select table_name, day, min(because) as because from ledger.pokes group by all)
        select e.table_name, e.day,
               case when d.day is null then 'it has not run since its inputs came'
                    when d.code <> c.hash then {literal(CODE_CHANGED)}
                    when d.inputs <> e.inputs then 'its inputs changed'
                    when {turned} then 'the calendar''s end moved'
                    else p.because end as why
        from expected e join code c using (table_name)
        left join ledger.days d using (table_name, day)
        left join poked p using (table_name, day)
        where d.day is null or d.code <> c.hash or d.inputs <> e.inputs or {turned} or p.because is not null
        order by all"""
    return [StaleDay(*row) for row in con.execute(query).fetchall()]
