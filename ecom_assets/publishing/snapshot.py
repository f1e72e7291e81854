"""Publishing: the snapshot that everybody reads is replaced in one step at the end of each run.

The snapshot is a hard link to one of two files next to it. Publishing writes the changes to the other file, and then
moves the link. If a run is killed, the link is unchanged, and the next run repairs the half-written file.
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from ecom_assets.days import ONE_DAY, Window
from ecom_assets.declaration import Catalog
from ecom_assets.engine.duckdb.tables import columns_of, ensure_table, quarantine, stored_types, superseded
from ecom_assets.serving import published_tables
from ecom_assets.serving.ledger import last_write, plain_tables
from ecom_assets.serving.snapshot import files, is_link, lock, open_snapshot
from ecom_assets.sql import among, between, literal, moment_literal, quoted
from ecom_assets.warehouse.ledger import plain, published
from ecom_assets.warehouse.ledger.lacking import lacking
from ecom_assets.warehouse.session import Session
from ecom_assets.warehouse.store import made_of

ALIAS = "publishing"


@dataclass(frozen=True)
class _TableByDay:
    """A table of the snapshot whose rows are replaced day by day.

    `made_by` names the table whose days decide about its rows, `held` where its last good rows are stored.
    """

    name: str
    day: str
    columns: Mapping[str, str]
    made_by: str
    held: str | None = None


def publish(session: Session, path: Path) -> None:
    """Replace the snapshot at `path` by one of what the warehouse now holds.

    The cost grows with the table-days that changed. If the idle file is in use, unreadable or missing, a copy of the
    snapshot takes its place. Raises duckdb.Error or OSError; the snapshot is then unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    idle = next(file for file in files(path) if not is_link(file, path))
    with lock(idle, fcntl.LOCK_EX) as alone:
        _bring_up_to_date(session, idle, path, reuse=alone)
    session.on_step("snapshot written")
    link = path.with_name(f".{path.name}.link")
    link.unlink(missing_ok=True)
    os.link(idle, link)
    session.on_step("snapshot linked")
    os.replace(link, path)
    session.on_step("snapshot published")


def is_behind(session: Session, path: Path) -> bool:
    """Returns whether the warehouse has been written since the snapshot, or the snapshot is damaged."""
    written_at = published.last_write(session.con)
    if written_at is None or not path.exists():
        return written_at is not None
    try:
        with open_snapshot(path) as con:
            return last_write(con) != written_at or plain_tables(con) != plain.written(session.con)
    except duckdb.Error:
        return True


def _bring_up_to_date(session: Session, idle: Path, path: Path, *, reuse: bool) -> None:
    """Makes the idle file equal to the warehouse, starting from the first that works: itself, the snapshot, nothing."""
    bases = [base for base in (idle if reuse else None, path) if base and base.exists()]
    for base in (*bases, None):
        try:
            if base != idle:
                _begin(idle, base)
            with _attached(session, idle) as con:
                _update(session, con)
            return
        except duckdb.Error:
            if base is None:
                raise


def _begin(idle: Path, base: Path | None) -> None:
    """Replace the idle file by a copy of the base, or remove it; programs that still read it keep it."""
    for left in (idle.with_name(f"{idle.name}.wal"), idle):
        left.unlink(missing_ok=True)
    if base:
        copy = idle.with_name(f"{idle.name}.copy")
        shutil.copyfile(base, copy)
        os.replace(copy, idle)


@contextmanager
def _attached(session: Session, file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yields a second connection of the session that writes to the file; afterwards no write-ahead log is left."""
    session.con.execute(f"attach {literal(str(file))} as {ALIAS}")
    try:
        with closing(session.con.cursor()) as con:
            con.execute(f"use {ALIAS}")
            session.on_step("snapshot attached")
            yield con
            con.execute(f"checkpoint {ALIAS}")
    finally:
        session.con.execute(f"detach {ALIAS}")


def _tables_by_day(catalog: Catalog) -> list[_TableByDay]:
    tables = []
    for declaration in catalog:
        name, layer = declaration.name, declaration.contract.layer
        if layer.is_published:
            day, columns = declaration.contract.partition_column, columns_of(declaration)
            held = declaration.held if layer.holds_last_good else None
            tables.append(_TableByDay(name, day, columns, name, held))
        elif declaration.from_feed:
            bad, old = quarantine(declaration), superseded(declaration)
            tables.append(_TableByDay(declaration.quarantine, bad.day, bad.columns, name))
            tables.append(_TableByDay(declaration.superseded, old.day, old.columns, name))
    return tables


def _update(session: Session, con: duckdb.DuckDBPyConnection) -> None:
    """Makes the attached snapshot equal to the warehouse, in one transaction."""
    warehouse = quoted(session.con.execute("select current_database()").fetchall()[0][0])
    tables = _tables_by_day(session.catalog)
    held = [(t.made_by, t.day, t.held) for t in tables if t.held and session.stored_types(t.held)]
    days = published.days_query(warehouse, session.catalog, session.calendar, held)
    ledger_days, entry = published_tables.DAYS.name, ", ".join(published_tables.DAYS.sql_types)
    others = {
        published_tables.AMOUNTS: published.amounts_query(warehouse),
        published_tables.AMOUNT_CHANGES: published.amount_changes_query(warehouse),
        published_tables.STALE: _stale_query(session),
        published_tables.LACKING: published.lacking_query(
            lacking(session.con, session.catalog, session.calendar), published_tables.LACKING.sql_types
        ),
        published_tables.FILES: published.files_query(warehouse),
        published_tables.MISSING_VALUES: published.missing_values_query(warehouse),
        published_tables.ARRIVALS: published.arrivals_query(warehouse, session.catalog),
        published_tables.COLUMN_LINEAGE: published.column_lineage_query(warehouse),
        published_tables.PLAIN_TABLES: published.plain_tables_query(warehouse),
        published_tables.WATERMARKS: watermarks_query(session),
        published_tables.PUBLISHED: published_query(session),
    }
    con.execute("begin")
    try:
        _make_tables(con, tables, plain.written(session.con))
        _copy_plain_tables(session, con, warehouse)
        con.execute(f"""
            create or replace temp table changed as
            select coalesce(n.table_name, o.table_name) as table_name, coalesce(n.day, o.day) as day, n as entry
            from (select {entry} from ({days})) n
            full join {ledger_days} o on n.table_name = o.table_name and n.day = o.day
            where n is distinct from o""")
        for table in tables:
            _replace_days(session, con, table, warehouse)
        con.execute(f"delete from {ledger_days} d using changed c where d.table_name = c.table_name and d.day = c.day")
        con.execute(f"insert into {ledger_days} select unnest(entry) from changed where entry.day is not null")
        for whole, query in others.items():
            con.execute(f"drop table if exists {whole.name}")
            ensure_table(con, whole.name, whole.sql_types)
            con.execute(f"insert into {whole.name} select {', '.join(whole.sql_types)} from ({query})")
        _make_views(con, session.catalog)
        session.on_step("snapshot rows written")
        con.execute("commit")
    except BaseException:
        with suppress(duckdb.TransactionException):
            con.execute("rollback")
        raise
    session.on_step("snapshot committed")


def _stale_query(session: Session) -> str:
    """Returns SQL for the table-days that have to run again."""
    found = [f"({literal(day.table)}, date '{day.day}', {literal(day.why)})" for day in session.stale()]
    rows = ", ".join(found) or "(null::varchar, null::date, null::varchar)"
    return f"from (values {rows}) stale (table_name, day, why) where day is not null"


def watermarks_query(session: Session) -> str:
    """Returns SQL for up to when the feeds of streams are complete."""
    zone = ZoneInfo(session.time_zone)
    found = [
        f"({literal(feed)}, {mark.partitions}, {moment_literal(mark.complete_until)}, "
        f"date '{mark.complete_until.astimezone(zone).date() - ONE_DAY}')"
        for feed, mark in sorted(session.zone.watermarks().items())
    ]
    rows = ", ".join(found) or "(null::varchar, null::bigint, null::timestamp, null::date)"
    return f"from (values {rows}) marks (feed, partitions, complete_until, complete_day) where feed is not null"


def published_query(session: Session) -> str:
    """Returns SQL for the one row that says how the snapshot is published."""
    made = made_of(session.time_zone, session.calendar, session.strict, session.zone, session.currency)
    return f"""
        select {literal(session.run_id)} as run_id, {moment_literal(session.now())} as published_at,
               {literal(session.time_zone)} as time_zone, {literal(made)} as made_of"""


def _copy_plain_tables(session: Session, con: duckdb.DuckDBPyConnection, warehouse: str) -> None:
    """Copy the tables of plain assets that were written since this file got them."""
    copied = plain_tables(con)
    for name, written_at in plain.written(session.con).items():
        if session.stored_types(name) and copied.get(name) != written_at:
            con.execute(f"create schema if not exists {quoted(name.partition('.')[0])}")
            con.execute(f"create or replace table {quoted(name)} as from {warehouse}.{quoted(name)}")


def _make_tables(con: duckdb.DuckDBPyConnection, tables: list[_TableByDay], others: Iterable[str]) -> None:
    """Create missing tables, replace those with other columns than declared, and drop those that are not declared.

    The tables named in `others` are left as they are.
    """
    ledger_days = published_tables.DAYS
    stored = {name: list(columns.items()) for name, columns in stored_types(con).items()}
    declared = {table.name for table in tables} | {table.name for table in published_tables.LEDGER} | {*others}
    knows_its_days = stored.get(ledger_days.name) == list(ledger_days.sql_types.items())
    for name in set(stored) - declared if knows_its_days else set(stored):
        con.execute(f"drop table {quoted(name)}")
        stored.pop(name)
    if not knows_its_days:
        ensure_table(con, ledger_days.name, ledger_days.sql_types)
    for table in tables:
        if stored.get(table.name) != list(table.columns.items()):
            con.execute(f"drop table if exists {quoted(table.name)}")
            ensure_table(con, table.name, table.columns)
            con.execute(f"delete from {ledger_days.name} where table_name = {literal(table.made_by)}")


def _replace_days(session: Session, con: duckdb.DuckDBPyConnection, table: _TableByDay, warehouse: str) -> None:
    """Replace the rows of the changed days."""
    changed = con.execute(
        "select day, coalesce(entry.shows_old_rows, false) from changed where table_name = ?", [table.made_by]
    ).fetchall()
    if not changed:
        return
    span = between(table.day, Window(min(day for day, _ in changed), max(day for day, _ in changed)))
    con.execute(
        f"delete from {quoted(table.name)} where {span} and {among(quoted(table.day), [day for day, _ in changed])}"
    )
    for source, is_old in ((table.name, False), (table.held, True)):
        stored = session.stored_types(source) if source else {}
        days = [day for day, shows_old in changed if shows_old is is_old]
        if stored and days:
            columns = ", ".join(quoted(column) for column in table.columns if column in stored)
            con.execute(
                f"insert into {quoted(table.name)} by name select {columns} from {warehouse}.{quoted(str(source))} "
                f"where {span} and {among(quoted(table.day), days)}"
            )


def _make_views(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    views = dict(declaration.view for declaration in catalog if declaration.view)
    views |= {view.name: view.query for view in published_tables.VIEWS if view.query}
    stored = con.execute(
        "select schema_name || '.' || view_name from duckdb_views() "
        "where database_name = current_database() and not internal"
    ).fetchall()
    for (name,) in stored:
        if name not in views:
            con.execute(f"drop view {quoted(name)}")
    for name, query in views.items():
        con.execute(f"create schema if not exists {quoted(name.partition('.')[0])}")
        con.execute(f"create or replace view {quoted(name)} as {query}")
