"""The parts by which the total of a table-day was restated, by cause."""

from enum import StrEnum

import duckdb

from ecom_assets.days import GOOD, Window
from ecom_assets.sql import between, literal


class Because(StrEnum):
    """What changed rows, and with them a total; the value is stored."""

    LATE = "late rows"
    CORRECTED = "corrections"
    RETRACTED = "retractions"
    QUARANTINED = "quarantined rows"
    WITHDRAWN = "withdrawn files"
    CODE = "code or settings"
    OTHER = "rows of other tables"


def remember_days(con: duckdb.DuckDBPyConnection, table: str, window: Window) -> bool:
    """Keeps what was last told of the good days of a window in the temporary table told_before; whether there are any.

    That is the day, its last total if one was recorded, the code, and since when: the record of the total, or else the
    last write; `written_at` is the latter.
    """
    con.execute(f"""
        create or replace temp table told_before as
        select d.day, any_value(d.code) as code, arg_max(a.amount, a.rowid) as amount,
               coalesce(max(a.recorded_at), any_value(d.written_at)) as since, any_value(d.written_at) as written_at
        from ledger.days d left join ledger.amounts a using (table_name, day)
        where table_name = {literal(table)} and d.state in {GOOD} and {between("day", window)} group by d.day""")
    return bool(con.execute("select count(*) from told_before").fetchall()[0][0])


def compare_days(con: duckdb.DuckDBPyConnection, table: str) -> tuple[int, int]:
    """Keeps what is told now of the remembered days in the temporary table told_again.

    Returns the number of these days, and of those whose total differs. `difference` is that of the totals,
    `recorded_at` when the new one was recorded, or else the last write.
    """
    con.execute(f"""
        create or replace temp table told_again as
        select t.day, t.since, t.written_at, t.code is distinct from d.code as has_other_code,
               coalesce(n.amount - t.amount, 0) as difference, coalesce(n.recorded_at, d.written_at) as recorded_at,
               d.run_id
        from told_before t join ledger.days d on d.table_name = {literal(table)} and d.day = t.day
        left join (select day, arg_max(amount, rowid) as amount, max(recorded_at) as recorded_at from ledger.amounts
                   where table_name = {literal(table)} group by day) n on n.day = t.day and n.recorded_at > t.since
        where d.state in {GOOD} and d.written_at > t.written_at""")
    [(days, changed)] = con.execute("select count(*), count(*) filter (difference <> 0) from told_again").fetchall()
    return days, changed


def arrivals_of(bronze: str) -> str:
    """Returns SQL for arrived_on and read_at: when a run last read the files of each arrival day, UTC."""
    return f"select day as arrived_on, written_at as read_at from ledger.days where table_name = {literal(bronze)}"


def record_parts(con: duckdb.DuckDBPyConnection, table: str, parts: str) -> None:
    """Records parts of the differences, SQL for day, cause, amount, row_count, files and samples; and what remains.

    What remains of a difference is of other code, if the code has changed, and otherwise of rows of other tables.
    """
    con.execute(f"""
        insert into ledger.amount_changes
        with parts as ({parts}),
        rest as (
            select t.day, if(any_value(has_other_code), {literal(Because.CODE)}, {literal(Because.OTHER)}) as cause,
                   any_value(difference) - coalesce(sum(p.amount), 0) as amount
            from told_again t left join parts p using (day) group by t.day)
        select {literal(table)}, day, cause, sum(amount) as amount, max(row_count) as row_count,
               coalesce(max(files), []) as files, coalesce(max(samples), []) as samples, any_value(run_id), recorded_at
        from (select * from parts union all by name select * from rest where amount <> 0)
        join told_again using (day) group by day, cause, recorded_at
        having sum(amount) <> 0 or len(max(files)) > 0 order by day, cause""")
