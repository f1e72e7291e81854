"""Each change of a total is told with its parts, and the rows behind them."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest

from ecom_assets.cli import text
from ecom_assets.engine.duckdb.tables import ensure_table
from ecom_assets.serving.published_tables import AMOUNT_CHANGES, AMOUNTS, COLUMN_LINEAGE, RESTATEMENTS
from ecom_assets.serving.why import Evidence, NoTotal, Part, history
from ecom_assets.sql import connect

DAY = dt.date(2024, 3, 2)
FIRST, SECOND, THIRD = (dt.datetime.fromisoformat(f"2024-03-0{day}T02:30") for day in (3, 5, 9))


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A snapshot in which a total changed twice, and the second change has no parts."""
    with connect() as con:
        for table in (AMOUNTS, AMOUNT_CHANGES, COLUMN_LINEAGE):
            ensure_table(con, table.name, table.sql_types)
        con.execute(f"create schema kpi; create view {RESTATEMENTS.name} as {RESTATEMENTS.query}")
        for amount, at in (("100", FIRST), ("130", SECOND), ("90", THIRD)):
            con.execute("insert into ledger.amounts values ('kpi.daily_sales', ?, ?, 'r-1', ?)", [DAY, amount, at])
        for table, cause, amount, files, keys in (
            ("kpi.daily_sales", "late rows", "45", [], ["2024-03-02, web"]),
            ("kpi.daily_sales", "corrections", "-15", [], ["2024-03-02, app"]),
            ("gold.fact_sales", "late rows", "60", ["orders/2024-03-05/orders.csv"], ["O9, 1", "O9, 2"]),
            ("gold.fact_returns", "late rows", "5", ["returns/2024-03-05/returns.csv"], ["R1"]),
        ):
            row = [table, DAY, cause, amount, len(keys), files, keys, "r-1", SECOND]
            con.execute(f"insert into ledger.amount_changes values ({', '.join('?' * len(row))})", row)
        con.execute("""
            insert into ledger.column_lineage values
            ('kpi.daily_sales', 'net_sales', 'gold.agg_daily_sales', 'net_sales'),
            ('gold.agg_daily_sales', 'net_sales', 'gold.fact_sales', 'net_amount')""")
        yield con


def test_the_parts_of_a_change_add_up_and_name_the_rows_of_the_facts_below(con: duckdb.DuckDBPyConnection) -> None:
    first, second, third = history(con, "kpi.daily_sales", DAY)

    assert (first.amount, first.parts) == (100, ())
    orders = Evidence("gold.fact_sales", 2, ["O9, 1", "O9, 2"], ["orders/2024-03-05/orders.csv"])
    assert second.parts == [Part("late rows", Decimal(45), [orders]), Part("corrections", Decimal(-15), [])]
    assert third.parts == [Part("not recorded", Decimal(-40), [])]


def test_it_is_told_in_lines(con: duckdb.DuckDBPyConnection) -> None:
    lines = [" ".join(line.split()) for line in text.why("kpi.daily_sales", DAY, history(con, "kpi.daily_sales", DAY))]

    assert lines == [
        "kpi.daily_sales on 2024-03-02",
        "2024-03-03 02:30 UTC 100.0000 first recorded",
        "2024-03-05 02:30 UTC 130.0000 +30.0000 by run r",
        "+45.0000 late rows",
        "gold.fact_sales: O9, 1; O9, 2 from orders/2024-03-05/orders.csv",
        "-15.0000 corrections",
        "2024-03-09 02:30 UTC 90.0000 -40.0000 by run r",
        "-40.0000 not recorded",
    ]


def test_a_table_without_totals_is_answered_with_those_that_have_some(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NoTotal, match=r"did you mean 'kpi\.daily_sales'"):
        history(con, "kpi.daily_sale", DAY)
    with pytest.raises(NoTotal, match=r"No total of .* is recorded for 2024-03-03"):
        history(con, "kpi.daily_sales", DAY + dt.timedelta(days=1))
