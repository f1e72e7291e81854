"""The ledger's tables, and the numbered migrations that upgrade a warehouse of earlier code."""

import duckdb

from ecom_assets.errors import UserError
from ecom_assets.sql import transaction

HASH_VERSION = "2"
MIGRATIONS = (
    """
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
        feed varchar, arrived_on date, source_file varchar, digest varchar, duplicate_of varchar,
        replaced_at timestamp);
    create table if not exists ledger.compiled (
        table_name varchar, made_of varchar, transform varchar, judge varchar, meaning varchar);
    """,
    "alter table ledger.days add column if not exists checked_count bigint;",
    """
    alter table ledger.moves add column if not exists leans_on map(varchar, varchar);
    alter table ledger.moves drop column if exists refers_to;
    """,
    """
    alter table ledger.compiled add column if not exists
        lineage struct(column_name varchar, from_table varchar, from_column varchar)[];
    alter table ledger.compiled add column if not exists conserved varchar;
    """,
    """
    create table ledger.invalidations as
        select table_name, day,
               case when because like 'a missing row of %' then 'reference_arrived'
                    when because like 'a row of % came or went' then 'reference_changed'
                    when because like 'a row of % went' then 'reference_removed'
                    else 'key_moved' end as cause,
               nullif(regexp_extract(because, ' row of ([^ ]+) ', 1), '') as by_table
        from ledger.pokes;
    drop table ledger.pokes;
    """,
    "alter table ledger.moves rename column leans_on to refers_to;",
    "alter table ledger.amounts rename column told_at to recorded_at;",
    "create table ledger.plain_tables (table_name varchar, written_at timestamp);",
    """
    create table ledger.missing_values (
        table_name varchar, day date, column_name varchar, row_count bigint, word_count bigint);
    """,
    "create table ledger.keyed_reads (table_name varchar, input varchar, code ubigint);",
    """
    create table ledger.verdict_changes (
        number bigint, table_name varchar, day date, check_name varchar, passed boolean, state varchar, note varchar,
        rules map(varchar, bigint), samples varchar[], upstream varchar[], run_id varchar, changed_at timestamp);
    create table ledger.outbox as select uuid()::varchar as id;
    insert into ledger.verdict_changes
    with
        judged as (
            select table_name, day, state, note, run_id, written_at, state not in ('failed', 'blocked') as is_good
            from ledger.days),
        broken as (
            select table_name, day, check_name, rule, max(row_count) as row_count
            from ledger.findings join judged using (table_name, day),
                 (values ('contract'), ('expectations')) checks (check_name)
            where case check_name when 'contract' then is_hard and not is_good else is_good or not is_hard end
            group by all),
        faults as (
            select table_name, day, check_name, map(list(rule order by row_count desc, rule),
                                                    list(row_count order by row_count desc, rule)) as rules
            from broken group by all
            union all by name
            select table_name, day, 'contract' as check_name, map([]::varchar[], []::bigint[]) as rules
            from judged anti join broken using (table_name, day) where not is_good)
    select row_number() over (order by written_at, table_name, day, check_name), table_name, day, check_name, false,
           state, note, rules, [], [], run_id, written_at
    from faults join judged using (table_name, day);
    """,
    """
    create table ledger.amount_changes (
        table_name varchar, day date, cause varchar, amount decimal(38, 4), row_count bigint, files varchar[],
        samples varchar[], run_id varchar, recorded_at timestamp);
    """,
    """
    insert into ledger.invalidations
    select d.table_name, d.day, 'day_turned', d.table_name from ledger.days d
    where d.table_name like 'silver.%' and d.state in ('stored', 'provisional')
      and exists (from ledger.days where table_name like 'silver.%' and state in ('failed', 'blocked'));
    """,
    """
    create table ledger.codes (
        table_name varchar, code ubigint, without_settings ubigint, settings ubigint, recorded_at timestamp);
    """,
)
"""Migration n, counted from 1, makes schema version n of n - 1.

A change of the ledger's tables is a new migration at the end. The first four also hold for warehouses that were written
before the version was kept, some of them with these tables and columns.
"""
SCHEMA_VERSION = len(MIGRATIONS)


class LedgerError(UserError):
    """The warehouse has a ledger that this code cannot continue."""


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Upgrades the ledger of a warehouse, or of an empty file, to the current schema, in one transaction.

    Raises LedgerError for a warehouse with other content hashes or of a newer schema version.
    """
    con.execute(
        "create schema if not exists ledger; create table if not exists ledger.facts (name varchar, value varchar)"
    )
    version = known_version(con)
    if version == SCHEMA_VERSION:
        return
    with transaction(con):
        for migration in MIGRATIONS[version:]:
            con.execute(migration)
        con.execute("delete from ledger.facts where name in ('hash_version', 'schema_version')")
        con.execute(
            "insert into ledger.facts values ('hash_version', ?), ('schema_version', ?)",
            [HASH_VERSION, str(SCHEMA_VERSION)],
        )


def known_version(con: duckdb.DuckDBPyConnection) -> int:
    """Returns the schema version of a warehouse's ledger. Raises LedgerError if this code cannot continue it."""
    facts = dict(con.execute("select name, value from ledger.facts").fetchall())
    hashes, version = facts.get("hash_version", HASH_VERSION), int(facts.get("schema_version", 0))
    if hashes != HASH_VERSION:
        raise LedgerError(
            f"The warehouse was written with content hashes of version {hashes}, this is version {HASH_VERSION}. "
            "Rebuild it from the landing zone: move the file aside and run all days."
        )
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"The warehouse has a ledger of schema version {version}; this code knows versions up to {SCHEMA_VERSION}. "
            "Use the code that wrote it, or a newer one."
        )
    return version
