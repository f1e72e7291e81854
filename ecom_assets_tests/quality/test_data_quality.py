from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from ecom_assets.engine.duckdb.tables import ensure_table
from ecom_assets.orchestration.quality_assets import data_quality
from ecom_assets.quality.data_quality import quality, table_of
from ecom_assets.serving.published_tables import DAILY_QUALITY, LEDGER
from ecom_assets.sql import connect

GOOD = [("bronze.orders", "2024-01-01", "stored", 1000, 0), ("gold.fact_sales", "2024-01-02", "provisional", 1000, 0)]
LATE = ("silver.orders", "2024-01-02", "stored", 1000, 10)


def ledger(con: duckdb.DuckDBPyConnection, *days: tuple[str, str, str, int, int]) -> duckdb.DuckDBPyConnection:
    """A snapshot with nothing but a ledger: table, day, state, rows checked and bad rows."""
    for table in LEDGER:
        ensure_table(con, table.name, table.sql_types)
    con.execute("insert into ledger.published (time_zone) values ('Europe/Berlin')")
    con.executemany(
        "insert into ledger.days (table_name, day, state, checked_count, bad_count, written_at) "
        "values (?, ?, ?, ?, ?, '2024-01-02 05:30')",
        days,
    )
    con.execute(f"create schema kpi; create view {DAILY_QUALITY.name} as {DAILY_QUALITY.query}")
    return con


def scores(*days: tuple[str, str, str, int, int]) -> list[tuple[int, int, float]]:
    with connect() as con:
        query = "select rows_checked, rows_passed, quality_score from kpi.daily_quality"
        return ledger(con, *days).execute(query).fetchall()


@pytest.mark.parametrize(
    ("table", "state", "checked", "bad_count", "expected"),
    [
        ("silver.orders", "stored", 100, 1, (100, 99, 0.99)),
        ("bronze.orders", "stored", 100, 1, (100, 99, 0.99)),
        ("silver.orders", "stored", 0, 0, (0, 0, 1)),
        ("silver.orders", "failed", 73, 40, (73, 0, 0)),
        ("gold.fact_sales", "blocked", 0, 0, (0, 0, 0)),
    ],
)
def test_the_score_is_what_passed_of_what_was_checked(table, state, checked, bad_count, expected):
    assert scores((table, "2024-01-01", state, checked, bad_count)) == [expected]


def test_late_shares_are_of_what_arrived_on_the_day():
    with connect() as con:
        ledger(con, *GOOD)
        for happened_on, count in [("2024-01-01", 70), ("2023-12-31", 20), ("2023-12-30", 8), ("2023-11-01", 2)]:
            con.execute(
                "insert into ledger.arrivals values ('bronze.orders', '2024-01-01', ?, ?)", [happened_on, count]
            )
        query = "select columns('late_share.*') from kpi.daily_quality order by table_name"

        assert con.execute(query).fetchall() == [(0.2, 0.08, 0.02), (None, None, None)]


@pytest.mark.parametrize(
    ("day", "state", "hours"),
    [("2024-01-01", "stored", 6.5), ("2024-01-02", "provisional", -17.5), ("2024-01-01", "failed", None)],
)
def test_freshness_counts_from_the_end_of_the_business_day_where_the_shop_is(day, state, hours):
    with connect() as con:
        ledger(con, ("silver.orders", day, state, 9, 0))

        assert con.execute("select freshness_hours from kpi.daily_quality").fetchall() == [(hours,)]


def test_the_restated_amount_is_what_is_told_now_less_what_was_told_first():
    with connect() as con:
        ledger(con, ("kpi.daily_sales", "2024-01-01", "stored", 1, 0), *GOOD)
        for recorded_at, amount in [("2024-01-02", "100.00"), ("2024-01-09", "80.05"), ("2024-01-03", "250.00")]:
            con.execute(
                "insert into ledger.amounts values ('kpi.daily_sales', '2024-01-01', ?, '', ?)", [amount, recorded_at]
            )
        query = "select restated_amount from kpi.daily_quality order by table_name"

        assert con.execute(query).fetchall() == [(None,), (None,), (Decimal("-19.95"),)]
        told = table_of(quality(con))

    assert "| kpi.daily_sales | 1 | 1 | 100.000% | 100.0% | -19.95 |" in told
    assert "| bronze.orders | 1,000 | 1,000 | 100.000% | 100.0% |  |" in told


def test_the_worst_table_comes_first_and_old_days_do_not_count():
    with connect() as con:
        found = quality(ledger(con, *GOOD, LATE, ("silver.orders", "2023-11-01", "failed", 0, 9)))

    assert [(q.name, q.rows_checked, q.score, q.complete) for q in found] == [
        ("silver.orders", 1000, 0.99, 1.0),
        ("gold.fact_sales", 1000, 1.0, 0.0),
        ("bronze.orders", 1000, 1.0, 1.0),
    ]


@pytest.mark.parametrize(
    ("days", "passed"),
    [(GOOD, True), ([*GOOD, LATE], False), ([*GOOD, ("gold.fact_sales", "2024-01-01", "blocked", 0, 0)], False)],
)
def test_the_check_holds_the_last_days_against_the_target(tmp_path: Path, monkeypatch, days, passed):
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    with connect(tmp_path / "snapshot.duckdb") as con:
        ledger(con, *days)

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([data_quality], instance=instance)

    [check] = result.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (passed, dg.AssetCheckSeverity.WARN)
    shown = result.asset_materializations_for_node("quality__data_quality")[0].metadata
    assert "rows checked" in shown["tables"].value
    assert shown["dashboard, while ecom dashboard runs"].value == "http://127.0.0.1:8501/?page=operations"
    assert shown["API, while ecom api runs"].value == "http://127.0.0.1:8000/tables/kpi.daily_quality"
