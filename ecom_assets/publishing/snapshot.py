"""Publishing: the snapshot that everybody reads is replaced in one step at the end of each run.

Two files stand beside the snapshot, and the snapshot is a hard link to one of them. Publishing brings
the other one up to date with what changed since its own last turn, and then moves the link. A killed
run leaves the link where it was; the next run repairs the file that it had begun.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ecom_assets.days import GOOD, Window
from ecom_assets.declaration import Catalog
from ecom_assets.engine.duckdb.tables import columns_of, ensure_table, quarantine_columns, stored_types
from ecom_assets.serving.snapshot import files, is_link, lock, open_snapshot
from ecom_assets.sql import among, between, literal, moment_literal, quoted
from ecom_assets.warehouse.outcome import HELD_LAYERS
from ecom_assets.warehouse.session import Session
from ecom_assets.warehouse.silver import SUPERSEDED_COLUMNS
from ecom_assets.warehouse.store import made_of

ALIAS = "publishing"
_LEDGER = {
    "ledger.files": "select * from {warehouse}.ledger.files",
    "ledger.arrivals": "select table_name, day as arrived_on, read_day as event_on, row_count "
    "from {warehouse}.ledger.slices where table_name in ({bronze})",
    "ledger.amounts": "select * from {warehouse}.ledger.amounts",
    "ledger.stale": "select * from (values {stale}) as s (table_name, day, why) where day is not null",
    "ledger.column_lineage": "select table_name, unnest(lineage, recursive := true) from {warehouse}.ledger.compiled",
    "ledger.published": "select {run_id} as run_id, {now} as published_at, {time_zone} as time_zone, "
    "{made_of} as made_of",
}


@dataclass(frozen=True)
class _Published:
    """A table of the snapshot: `made_by` names the table whose days decide about its rows."""

    name: str
    day: str
    columns: Mapping[str, str]
    made_by: str
    held: str | None = None


def publish(session: Session, path: Path) -> None:
    """Replace the snapshot at `path` by what the warehouse now holds.

    The cost grows with the table-days that changed. Where the idle file is in use, unreadable or
    missing, a copy of the snapshot takes its place. Raises duckdb.Error or OSError; the snapshot is then
    the one that it was.
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
    """Whether the warehouse has been written since the snapshot was."""
    newest = "select max(written_at) from ledger.days"
    [(written_at,)] = session.con.execute(newest).fetchall()
    if written_at is None or not path.exists():
        return written_at is not None
    with open_snapshot(path) as con:
        return con.execute(newest).fetchall() != [(written_at,)]


def _bring_up_to_date(session: Session, idle: Path, path: Path, *, reuse: bool) -> None:
    """Make the idle file equal to the warehouse, from the best there is: itself, the snapshot, nothing."""
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
    """Put a copy of the base, or nothing, in place of the idle file; those who still read that keep it."""
    for left in (idle.with_name(f"{idle.name}.wal"), idle):
        left.unlink(missing_ok=True)
    if base:
        copy = idle.with_name(f"{idle.name}.copy")
        shutil.copyfile(base, copy)
        os.replace(copy, idle)


@contextmanager
def _attached(session: Session, file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A second connection of the session that writes to the file; afterwards the file is complete by itself."""
    session.con.execute(f"attach {literal(str(file))} as {ALIAS}")
    try:
        with closing(session.con.cursor()) as con:
            con.execute(f"use {ALIAS}")
            session.on_step("snapshot attached")
            yield con
            con.execute(f"checkpoint {ALIAS}")
    finally:
        session.con.execute(f"detach {ALIAS}")


def _published(catalog: Catalog) -> list[_Published]:
    tables = []
    for declaration in catalog:
        name, columns = declaration.name, columns_of(declaration)
        if declaration.contract.layer in HELD_LAYERS:
            held = declaration.held
            tables.append(_Published(name, str(declaration.contract.partition_column), columns, name, held))
        elif declaration.from_feed:
            rejected = quarantine_columns(catalog[declaration.bronze])
            tables.append(_Published(declaration.quarantine, "read_on", rejected, name))
            tables.append(_Published(declaration.superseded, "read_on", SUPERSEDED_COLUMNS, name))
    return tables


def _update(session: Session, con: duckdb.DuckDBPyConnection) -> None:
    """Make the attached snapshot equal to the warehouse, in one transaction."""
    warehouse = quoted(session.con.execute("select current_database()").fetchall()[0][0])
    tables = _published(session.catalog)
    days = _days_query(session, tables, warehouse)
    bronze = ", ".join(literal(declaration.name) for declaration in session.catalog if declaration.is_bronze)
    stale = ", ".join(
        f"({literal(found.table)}, date '{found.day}', {literal(found.why)})" for found in session.stale()
    )
    con.execute("begin")
    try:
        _make_tables(con, tables, f"{days} limit 0")
        con.execute(f"""
            create or replace temp table changed as
            select coalesce(n.table_name, o.table_name) as table_name, coalesce(n.day, o.day) as day, n as entry
            from ({days}) n full join ledger.days o on n.table_name = o.table_name and n.day = o.day
            where n is distinct from o""")
        for table in tables:
            _replace_days(session, con, table, warehouse)
        con.execute("delete from ledger.days d using changed c where d.table_name = c.table_name and d.day = c.day")
        con.execute("insert into ledger.days select unnest(entry) from changed where entry.day is not null")
        for name, query in _LEDGER.items():
            filled = query.format(
                warehouse=warehouse,
                bronze=bronze or "null",
                stale=stale or "(null::varchar, null::date, null::varchar)",
                run_id=literal(session.run_id),
                now=moment_literal(session.now()),
                time_zone=literal(session.time_zone),
                made_of=literal(made_of(session.time_zone, session.calendar, session.strict)),
            )
            con.execute(f"create or replace table {name} as {filled}")
        _make_views(con, session.catalog)
        session.on_step("snapshot rows written")
        con.execute("commit")
    except BaseException:
        with suppress(duckdb.TransactionException):
            con.execute("rollback")
        raise
    session.on_step("snapshot committed")


def _days_query(session: Session, tables: list[_Published], warehouse: str) -> str:
    """SQL: the ledger's days of the declared tables, and what readers have to know of them.

    That is whether they see rows of an earlier run, and which inputs, read beyond the day too, have no good rows on it.
    """
    declared = ", ".join(map(literal, session.catalog.names))
    old = [
        f"select {literal(table.name)} as table_name, {quoted(table.day)} as day "
        f"from {warehouse}.{quoted(table.held)} group by all"
        for table in tables
        if table.held and session.stored_types(table.held)
    ] or ["select null::varchar as table_name, null::date as day"]
    reads = [
        f"({literal(declaration.name)}, {literal(read.table)})"
        for declaration in session.catalog
        for read in declaration.reads
        if not read.reach.is_same_day
    ] or ["(null, null)"]
    return f"""
        select d.*, state not in {GOOD} and o.day is not null as shows_old_rows,
               case when state in {GOOD} then w.inputs end as made_without
        from {warehouse}.ledger.days d left join ({" union all ".join(old)}) o using (table_name, day)
        left join (
            select r.table_name, i.day, string_agg(r.input, ', ' order by r.input) as inputs
            from (values {", ".join(reads)}) r (table_name, input)
            join {warehouse}.ledger.days i on i.table_name = r.input and i.state not in {GOOD}
            group by all) w using (table_name, day)
        where table_name in ({declared}) and {between("day", session.calendar)}"""


def _make_tables(con: duckdb.DuckDBPyConnection, tables: list[_Published], no_days: str) -> None:
    """Make what is missing, and anew what has other columns than declared; drop what nobody declares."""
    standing = stored_types(con)
    con.execute("create schema if not exists ledger")
    if "ledger.days" not in standing:
        con.execute(f"create table ledger.days as {no_days}")
    wanted = {table.name for table in tables}
    for name in set(standing) - wanted - {"ledger.days", *_LEDGER}:
        con.execute(f"drop table {quoted(name)}")
    for table in tables:
        if standing.get(table.name) != table.columns:
            con.execute(f"drop table if exists {quoted(table.name)}")
            ensure_table(con, table.name, table.columns)
            con.execute(f"delete from ledger.days where table_name = {literal(table.made_by)}")


def _replace_days(session: Session, con: duckdb.DuckDBPyConnection, table: _Published, warehouse: str) -> None:
    """Put the rows of the changed days in the place of those that stand there."""
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
        standing = session.stored_types(source) if source else {}
        days = [day for day, shows_old in changed if shows_old is is_old]
        if standing and days:
            columns = ", ".join(quoted(column) for column in table.columns if column in standing)
            con.execute(
                f"insert into {quoted(table.name)} by name select {columns} from {warehouse}.{quoted(str(source))} "
                f"where {span} and {among(quoted(table.day), days)}"
            )


def _make_views(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    views = dict(declaration.view for declaration in catalog if declaration.view)
    standing = con.execute(
        "select schema_name || '.' || view_name from duckdb_views() "
        "where database_name = current_database() and not internal"
    ).fetchall()
    for (name,) in standing:
        if name not in views:
            con.execute(f"drop view {quoted(name)}")
    for name, query in views.items():
        con.execute(f"create schema if not exists {quoted(name.partition('.')[0])}")
        con.execute(f"create or replace view {quoted(name)} as {query}")
