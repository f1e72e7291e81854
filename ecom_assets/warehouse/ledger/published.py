"""The parts of the warehouse's ledger to publish, as SQL that another database of the connection can run."""

import datetime as dt
from collections.abc import Collection, Iterable

import duckdb

from ecom_assets.days import GOOD, Window
from ecom_assets.declaration import Catalog
from ecom_assets.sql import between, literal, literals, quoted
from ecom_assets.warehouse.ledger.lacking import Lack


def last_write(con: duckdb.DuckDBPyConnection) -> dt.datetime | None:
    """Returns when a table-day was last written, UTC; None before the first."""
    written_at: dt.datetime | None
    [(written_at,)] = con.execute("select max(written_at) from ledger.days").fetchall()
    return written_at


def days_query(warehouse: str, catalog: Catalog, calendar: Window, held: Collection[tuple[str, str, str]]) -> str:
    """Returns SQL for the table-days of the declared tables, and what readers have to know of them.

    That is whether they see last good rows, which inputs, read beyond the day too, have no good rows on it, and the
    content hash of its rows.
    `held` lists table, partition column and stored last good rows of the tables that have any.
    """
    old = [
        f"select {literal(table)} as table_name, {quoted(day)} as day from {warehouse}.{quoted(rows)} group by all"
        for table, day, rows in held
    ] or ["select null::varchar as table_name, null::date as day"]
    reads = [
        f"({literal(declaration.name)}, {literal(read.table)})"
        for declaration in catalog
        for read in declaration.reads
        if not read.reach.is_same_day
    ] or ["(null, null)"]
    return f"""
        select d.*, state not in {GOOD} and o.day is not null as shows_old_rows,
               case when state in {GOOD} then w.inputs end as made_without,
               case when state in {GOOD} then coalesce(c.content, 0) end as content
        from {warehouse}.ledger.days d left join ({" union all ".join(old)}) o using (table_name, day)
        left join (
            select r.table_name, i.day, string_agg(r.input, ', ' order by r.input) as inputs
            from (values {", ".join(reads)}) r (table_name, input)
            join {warehouse}.ledger.days i on i.table_name = r.input and i.state not in {GOOD}
            group by all) w using (table_name, day)
        left join (
            select table_name, day, sum(content)::hugeint as content from {warehouse}.ledger.slices
            group by all) c using (table_name, day)
        where table_name in ({literals(catalog.names)}) and {between("day", calendar)}"""


def amounts_query(warehouse: str) -> str:
    """Returns SQL for the recorded totals."""
    return f"from {warehouse}.ledger.amounts"


def amount_changes_query(warehouse: str) -> str:
    """Returns SQL for the parts by which totals changed."""
    return f"from {warehouse}.ledger.amount_changes"


def lacking_query(found: Iterable[Lack], columns: Iterable[str]) -> str:
    """Returns SQL for what tables lack, in these columns."""
    rows = [
        f"({literal(lack.table)}, date '{lack.days.first}', date '{lack.days.last}', {literal(lack.failed)}, "
        f"date '{lack.failed_on.first}', date '{lack.failed_on.last}')"
        for lack in found
    ] or [f"({', '.join(['null'] * 6)})"]
    named = ", ".join(columns)
    return f"select * from (values {', '.join(rows)}) lacking ({named}) where table_name is not null"


def files_query(warehouse: str) -> str:
    """Returns SQL for the landed files that have been read."""
    return f"from {warehouse}.ledger.files"


def missing_values_query(warehouse: str) -> str:
    """Returns SQL for how many values are missing from the columns that declare words for nothing."""
    return f"from {warehouse}.ledger.missing_values"


def arrivals_query(warehouse: str, catalog: Catalog) -> str:
    """Returns SQL for how many rows of each bronze table arrived on a day and are read on another."""
    bronze = literals(declaration.name for declaration in catalog if declaration.is_bronze)
    return f"""
        select table_name, day as arrived_on, read_day as event_on, row_count
        from {warehouse}.ledger.slices where table_name in ({bronze})"""


def plain_tables_query(warehouse: str) -> str:
    """Returns SQL for the tables of plain assets, and when each was written."""
    return f"from {warehouse}.ledger.plain_tables"


def column_lineage_query(warehouse: str) -> str:
    """Returns SQL for the columns that each column comes from."""
    return f"select table_name, unnest(lineage, recursive := true) from {warehouse}.ledger.compiled"
