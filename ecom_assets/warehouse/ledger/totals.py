"""The totals of table-days, and their restatements."""

import datetime as dt
from collections.abc import Collection

import duckdb

from ecom_assets.declaration import Declaration
from ecom_assets.sql import day_literal, literal, quoted


def record_totals(
    con: duckdb.DuckDBPyConnection, declaration: Declaration, days: Collection[dt.date], run_id: str, now: dt.datetime
) -> None:
    """Records the known totals of days of a table that differ from the last recorded ones."""
    if not days:
        return
    table, promise = literal(declaration.name), declaration.contract
    day, amount = quoted(promise.partition_column), quoted(str(promise.amount))
    listed = ", ".join(map(day_literal, days))
    con.execute(
        f"""
        insert into ledger.amounts
        with present as (
            select wanted.day, coalesce(sum({amount}), 0)::decimal(38, 4) as amount
            from (select unnest([{listed}]::date[]) as day) wanted
            left join {quoted(declaration.name)} written on written.{day} = wanted.day group by wanted.day
            having count({amount}) > 0 or count(written.{day}) = 0),
        recorded as (
            select day, arg_max(amount, rowid) as amount from ledger.amounts
            where table_name = {table} and day in ({listed}) group by day)
        select {table}, day, present.amount, ?, ? from present left join recorded using (day)
        where present.amount is distinct from recorded.amount order by day""",
        [run_id, now],
    )
