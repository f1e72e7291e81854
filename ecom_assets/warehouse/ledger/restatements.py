"""The parts by which the total of a table-day was restated, by cause."""

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum

import duckdb

from ecom_assets.days import GOOD, Window
from ecom_assets.sql import between, literal, literals


class Because(StrEnum):
    """What changed rows, and with them a total; the value is stored."""

    LATE = "late rows"
    CORRECTED = "corrections"
    RETRACTED = "retractions"
    QUARANTINED = "quarantined rows"
    WITHDRAWN = "withdrawn files"
    CODE = "code"
    SETTINGS = "settings"
    CODE_OR_SETTINGS = "code or settings"
    OTHER = "rows of other tables"


def codes(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Returns the hash of the code with which each table was last written."""
    rows = con.execute("select table_name, arg_max(code, rowid) from ledger.codes group by all").fetchall()
    return dict(rows)


def record_code(
    con: duckdb.DuckDBPyConnection, table: str, code: int, without_settings: int, settings: int, now: dt.datetime
) -> None:
    """Records that a table is now written with other code: the hash of all, and of either part."""
    con.execute("insert into ledger.codes values (?, ?, ?, ?, ?)", [table, code, without_settings, settings, now])


def remember_days(con: duckdb.DuckDBPyConnection, table: str, window: Window) -> bool:
    """Keeps what was last told of the good days of a window in the temporary table told_before; whether there are any.

    That is the day, its last total if one was recorded, and since when: the record of the total, or else the last
    write; `written_at` is the latter.
    """
    con.execute(f"""
        create or replace temp table told_before as
        select d.day, arg_max(a.amount, a.rowid) as amount, any_value(d.written_at) as written_at,
               coalesce(max(a.recorded_at), any_value(d.written_at)) as since
        from ledger.days d left join ledger.amounts a using (table_name, day)
        where table_name = {literal(table)} and d.state in {GOOD} and {between("day", window)} group by d.day""")
    return bool(con.execute("select count(*) from told_before").fetchall()[0][0])


def compare_days(con: duckdb.DuckDBPyConnection, table: str, upstream: Iterable[str]) -> tuple[int, int]:
    """Keeps what is told now of the remembered days in the temporary table told_again.

    Returns the number of these days, and of those whose total differs. `difference` is that of the totals,
    `recorded_at` when the new one was recorded, or else the last write; `other_code` is the cause if the code or the
    settings of the table or of one `upstream` have changed since the day was written, null otherwise.
    """
    con.execute(f"""
        create or replace temp table told_again as
        with changes as (
            select recorded_at as changed_at, without_settings <> lag(without_settings) over codes as has_other_code,
                   settings <> lag(settings) over codes as has_other_settings, lag(code) over codes is null as is_first
            from ledger.codes where table_name in ({literals([table, *upstream])})
            window codes as (partition by table_name order by recorded_at, rowid)),
        changed as (
            select day, bool_or(has_other_code or not has_other_settings) as has_other_code,
                   bool_or(has_other_settings) as has_other_settings
            from told_before join changes on changed_at > written_at where not is_first group by day)
        select t.day, t.since, t.written_at,
               case when c.day is null then null when not c.has_other_code then {literal(Because.SETTINGS)}
                    when not c.has_other_settings then {literal(Because.CODE)}
                    else {literal(Because.CODE_OR_SETTINGS)} end as other_code,
               coalesce(n.amount - t.amount, 0) as difference, coalesce(n.recorded_at, d.written_at) as recorded_at,
               d.run_id
        from told_before t join ledger.days d on d.table_name = {literal(table)} and d.day = t.day
        left join changed c on c.day = t.day
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

    What remains of a difference is of code or settings, if these have changed, and otherwise of rows of other tables.
    """
    con.execute(f"""
        insert into ledger.amount_changes
        with parts as ({parts}),
        rest as (
            select t.day, coalesce(any_value(other_code), {literal(Because.OTHER)}) as cause,
                   any_value(difference) - coalesce(sum(p.amount), 0) as amount
            from told_again t left join parts p using (day) group by t.day)
        select {literal(table)}, day, cause, sum(amount) as amount, max(row_count) as row_count,
               coalesce(max(files), []) as files, coalesce(max(samples), []) as samples, any_value(run_id), recorded_at
        from (select * from parts union all by name select * from rest where amount <> 0)
        join told_again using (day) group by day, cause, recorded_at
        having sum(amount) <> 0 or len(max(files)) > 0 order by day, cause""")
