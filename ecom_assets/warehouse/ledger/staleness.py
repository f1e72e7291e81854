"""Staleness of table-days: compares the inputs from which they were made with the current ones.

Hashes are 64 bits from DuckDB's `hash`, summed as HUGEINT.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence

import duckdb

from ecom_assets.contract import CORRECTED_ON_GOOD_DAYS, REFERS_TO_GOOD_DAYS
from ecom_assets.days import GOOD, ONE_DAY, Reach, Window, revised
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.engine.compiling import compiled
from ecom_assets.sql import between, day_literal, literal, literals, row_values
from ecom_assets.warehouse.ledger.records import Cause, Expectation, StaleDay
from ecom_assets.warehouse.ledger.schema import HASH_VERSION


def code_hash(declaration: Declaration, catalog: Catalog, settings: str) -> int:
    """Returns a 64-bit hash of the meaning of a table's SQL, rules, reaches and settings.

    `settings` has everything outside of the declaration, including the SQL that reads bronze.
    """
    parts = [settings, HASH_VERSION, declaration.name]
    if not declaration.is_bronze:
        parts.append(compiled(declaration, catalog).meaning)
        parts += [f"{read.table} {read.reach}" for read in declaration.reads]
        parts += [f"{table.name}" for read in declaration.keyed_reads for table in catalog.keys_of(declaration, read)]
        references = [
            (column.missing_reference, column.references, column.on_same_day)
            for column in declaration.contract.references
        ]
        parts.append(f"{declaration.contract.primary_key} {references}")
        parts += [
            f"{table} {[column.name for column in columns]}"
            for table, columns in declaration.contract.unknown_without.items()
        ]
    if declaration.from_feed:
        codes = " ".join(rule.id for rule in declaration.contract.hard_rules)
        parts.append(f"{declaration.feed_contract.version_column} {codes}")
        parts += [f"{c.name} {catalog[str(c.merged_by)].survivors_in('merges')}" for c in declaration.contract.merged]
    return hash_of("\n".join(parts))


def hash_of(text: str) -> int:
    """Returns a 64-bit hash."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _content(reads: Sequence[Sequence[str]], calendar: Window, near: Window | None = None) -> str:
    """Returns SQL for the content of the inputs on the days of the calendar, per day on which it is read.

    Whether a good day is final is counted, and no part of its content: rows do not depend on it. If `near` is given,
    only these days of reading are considered.
    """
    known = between("day", calendar)
    read_near, stands_near = (f" and {between(day, near)}" if near else "" for day in ("read_day", "day"))
    arrived = _arrived(reads, known + stands_near)
    return f"""
    reads (table_name, input, before, after, awaited, shown, source) as (values {row_values(reads)}),
    content as (
        select table_name, day, sum(h)::hugeint as h, sum(present)::bigint as present, sum(open)::bigint as open
        from (select table_name, read_day as day,
                     (hash(table_name, day, read_day, row_count, content) >> 8)::hugeint as h, 0 as present, 0 as open
              from ledger.slices where table_name in (select input from reads) and {known}{read_near}
              union all
              select table_name, read_day, 0::hugeint, 0, 1
              from ledger.slices join ledger.days using (table_name, day)
              where state = 'provisional' and read_day <> day
                and table_name in (select input from reads) and {known}{read_near}
              union all
              select table_name, day, (hash(table_name, day, 'stored') >> 8)::hugeint, 1, (state = 'provisional')::int
              from ledger.days
              where state in {GOOD} and table_name in (select input from reads) and {known}{stands_near}
              {arrived})
        group by all)"""


def _arrived(reads: Sequence[Sequence[str]], which: str) -> str:
    """Returns SQL for the same content of what is read by arrival: per day on which it stands."""
    if all(source == shown_as for _, shown_as, *_, source in reads):
        return ""
    by_arrival = "(select distinct input, source from reads where input <> source)"
    return f"""
              union all
              select input, day, (hash(input, day, read_day, row_count, content) >> 8)::hugeint, 0, 0
              from ledger.slices join {by_arrival} on table_name = source where {which}
              union all
              select input, day, (hash(input, day, 'stored') >> 8)::hugeint, 1, (state = 'provisional')::int
              from ledger.days join {by_arrival} on table_name = source where state in {GOOD} and {which}"""


def _expected(reached: str, calendar: Window) -> str:
    """Returns SQL for table_name, day, inputs, missing, unsettled from what each read of a table-day reaches."""
    first, last = day_literal(calendar.first), day_literal(calendar.last)
    return f"""
    select table_name, day, sum(shown * (hash(input, h::hugeint) >> 8)::hugeint)::hugeint as inputs,
           sum(awaited * greatest(least(coalesce(day + after, {last}), {last}) + 1
                                  - greatest(coalesce(day - before, {first}), {first}) - present,
                                  0))::bigint as missing,
           sum(awaited * open)::bigint as unsettled
    from ({reached}) group by all"""


def _expected_of_all(reads: Sequence[Sequence[str]], wanted: str, calendar: Window) -> str:
    """Returns SQL for the table-days of `wanted`, many tables and days at once.

    The content of a reach is a difference of running sums, so that the cost does not grow with the reach. The reach of
    each table-day is materialized first: otherwise DuckDB joins each table-day with all days of its inputs.
    """
    reached = """
        select s.table_name, s.day, s.input, s.before, s.after, s.awaited, s.shown, upto.h - coalesce(short.h, 0) as h,
               upto.present - coalesce(short.present, 0) as present, upto.open - coalesce(short.open, 0) as open
        from spans s join running upto on upto.input = s.input and upto.day = s.upto
        left join running short on short.input = s.input and short.day = s.short"""
    return f"""
    with {_content(reads, calendar)},
    wanted as ({wanted}),
    span as (select min(day) as first, max(day) as last
             from (select day from wanted union all select day from content)),
    spans as materialized (
        select table_name, day, input, before, after, awaited, shown, day - before - 1 as short,
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


def _expected_of_one(catalog: Catalog, declaration: Declaration, window: Window, calendar: Window) -> str:
    """Returns SQL for the days of one table's window: the same, by summing what is in reach, which plans faster."""
    reaches, near = [read.reach for read in declaration.reads], None
    if all(reach.length is not None for reach in reaches):
        before, after = max(reach.before or 0 for reach in reaches), max(reach.after or 0 for reach in reaches)
        near = Window(window.first - before * ONE_DAY, window.last + after * ONE_DAY)
    reached = """
        select r.table_name, w.day, r.input, r.before, r.after, r.awaited, r.shown, coalesce(sum(c.h), 0) as h,
               coalesce(sum(c.present), 0) as present, coalesce(sum(c.open), 0) as open
        from reads r cross join wanted w
        left join content c on c.table_name = r.input
            and c.day between coalesce(w.day - r.before, c.day) and coalesce(w.day + r.after, c.day)
        group by all"""
    days = f"generate_series({day_literal(window.first)}, {day_literal(window.last)}, interval 1 day)"
    return f"""
    with {_content(_reads(catalog, [declaration]), calendar, near)},
    wanted as (select unnest({days})::date as day)
    {_expected(reached, calendar)}"""


_NO_READ = ["null::varchar", "null::varchar", "0", "0", "0", "0", "null::varchar"]


def _reads(catalog: Catalog, declarations: Iterable[Declaration]) -> list[list[str]]:
    """Returns the SQL values of the relation `reads`.

    `input` is the content of the table `source`: of its own name by the day on which it is read, of another by arrival.
    The content of what is read by key is not shown in the fingerprint, only that of the tables with the keys of a day:
    `warehouse.keys` invalidates the days of a key of which a row changes. No later day of it is awaited.
    """
    return [
        [
            literal(declaration.name),
            literal(f"{table} by arrival" if reach.by_arrival else table),
            "null::int" if reach.before is None else str(reach.before),
            "0" if reach.key else "null::int" if reach.after is None else str(reach.after),
            str(int(reach.awaited)),
            str(int(reach.key is None)),
            literal(table),
        ]
        for declaration in declarations
        for table, reach in _reaches(catalog, declaration)
    ]


def _reaches(catalog: Catalog, declaration: Declaration) -> list[tuple[str, Reach]]:
    """Returns the inputs of a table with their reach, and those tables on the day whose keys alone it reads on it."""
    reaches = [(read.table, read.reach) for read in declaration.reads]
    on_the_day = {table for table, reach in reaches if reach.before == reach.after == 0}
    keys = [table.name for read in declaration.keyed_reads for table in catalog.keys_of(declaration, read)]
    return reaches + [(table, revised(0, 0)) for table in dict.fromkeys(keys) if table not in on_the_day]


def expectations(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, declaration: Declaration, window: Window, calendar: Window
) -> dict[dt.date, Expectation]:
    """Returns the current inputs of each day of a window."""
    if not declaration.reads:
        return dict.fromkeys(window, Expectation(0, 0, 0))
    query = _expected_of_one(catalog, declaration, window, calendar)
    rows = con.execute(f"select day, inputs, missing, unsettled from ({query})").fetchall()
    return {day: Expectation(*rest) for day, *rest in rows}


def stale(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    codes: Mapping[str, int],
    calendar: Window,
    only: Collection[str] | None = None,
) -> list[StaleDay]:
    """Returns the table-days above bronze whose inputs or code changed since their last attempt.

    Only the first level is found: downstream table-days follow once these have run.
    """
    tables = [d for d in catalog if not d.is_bronze and (only is None or d.name in only)]
    reading = [declaration for declaration in tables if declaration.reads]
    if not tables:
        return []
    bronze = [declaration.name for declaration in catalog if declaration.is_bronze]
    wanted = """
        select table_name, day from (
            select r.table_name, d.day, count(distinct r.input) as found
            from reads r join ledger.days d on d.table_name = r.source group by all)
        join (select table_name, count(distinct input) as found from reads group by all) using (table_name, found)
        union
        select table_name, day from ledger.days where table_name in (select table_name from reads)"""
    wanted = (
        f"select * from ({wanted}) where day between {day_literal(calendar.first)} and {day_literal(calendar.last)}"
    )
    rootless = [declaration.name for declaration in tables if not declaration.reads]
    code_rows = row_values([literal(d.name), str(codes[d.name])] for d in tables)
    turned = f"d.state in {GOOD} and (d.state = 'provisional') <> (e.is_open or w.day is not null)"
    query = f"""
        with code (table_name, hash) as (values {code_rows}),
        expected as (
            select table_name, day, inputs, missing + unsettled > 0 as is_open
            from ({_expected_of_all(_reads(catalog, reading) or [_NO_READ], wanted, calendar)})
            union all
            select t.table_name, d.day, 0::hugeint, false
            from (select unnest([{", ".join(map(literal, rootless))}]::varchar[]) as table_name) t,
                 (select distinct day from ledger.days
                  where table_name in ({literals(bronze)})
                    and day between {day_literal(calendar.first)} and {day_literal(calendar.last)}) d),
        invalidated as (
            select table_name, day, min(cause) as cause, arg_min(by_table, cause) as by_table
            from ledger.invalidations group by all),
        waiting as (
            select distinct table_name, day from ledger.findings
            where rule in ({literals([CORRECTED_ON_GOOD_DAYS, REFERS_TO_GOOD_DAYS])}))
        select e.table_name, e.day,
               case when d.day is null then {literal(Cause.NEVER_RUN)}
                    when d.code <> c.hash then {literal(Cause.CODE_CHANGED)}
                    when d.inputs <> e.inputs then {literal(Cause.INPUTS_CHANGED)}
                    else coalesce(i.cause, {literal(Cause.AWAITED_DAYS_CHANGED)}) end as cause,
               i.by_table
        from expected e join code c using (table_name)
        left join ledger.days d using (table_name, day)
        left join invalidated i using (table_name, day)
        left join waiting w using (table_name, day)
        where d.day is null or d.code <> c.hash or d.inputs <> e.inputs or {turned} or i.cause is not null
        order by all"""
    rows = con.execute(query).fetchall()
    found = ((table, day, Cause(cause), by) for table, day, cause, by in rows)
    return [StaleDay(table, day, cause, by if cause.is_invalidation else None) for table, day, cause, by in found]


def days_of_other_code(con: duckdb.DuckDBPyConnection, table: str, code: int, calendar: Window) -> list[dt.date]:
    """Returns the recorded days of a table, within the calendar, that were written with another code hash."""
    rows = con.execute(
        "select day from ledger.days where table_name = ? and code <> ? and day between ? and ?",
        [table, code, calendar.first, calendar.last],
    ).fetchall()
    return [day for (day,) in rows]
