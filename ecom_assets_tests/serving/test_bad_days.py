"""What is bad is said by its first cause, once."""

import datetime as dt
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_assets.cli import text
from ecom_assets.contract import Column
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.serving.bad_days import (
    MISSING_REFERENCE,
    BadDays,
    about_quiet_days,
    advice,
    bad_days,
    bad_days_of,
    quiet_days,
)

FIRST = dt.date(2024, 1, 1)
TEN_DAYS = Window(FIRST, FIRST + 9 * ONE_DAY)
DAYS = "create schema ledger; create table ledger.days (table_name varchar, day date, state varchar, note varchar, "
TOO_MANY = "rows are quarantined, more than the allowed 5.0%"


def snapshot_of(con: duckdb.DuckDBPyConnection, *days: tuple[str, dt.date, str, str, str | None]) -> None:
    """Table, day, state, note and what it was made without."""
    con.execute(f"{DAYS} made_without varchar); create schema superseded; create schema quarantine")
    con.execute(
        "create table quarantine.orders (read_on date, arrived_on date, source_file varchar, record bigint, "
        "reasons varchar[], reason_codes varchar[])"
    )
    for day in days:
        con.execute("insert into ledger.days values (?, ?, ?, ?, ?)", day)


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """All orders of ten days are bad, and a file of prices is due and missing on the last."""
    path, last = tmp_path / "snapshot.duckdb", TEN_DAYS.last
    with duckdb.connect(path) as con:
        snapshot_of(
            con,
            *(("silver.orders", day, "failed", f"{n} of {n} {TOO_MANY}", None) for n, day in enumerate(TEN_DAYS, 3)),
            *(("gold.sales", day, "blocked", f"silver.orders is failed on {day}", None) for day in TEN_DAYS),
            *(("kpi.sales", day, "blocked", f"gold.sales is blocked on {day}", None) for day in TEN_DAYS),
            *(("gold.to_date", day, "provisional", "", "gold.sales") for day in TEN_DAYS),
            ("bronze.prices", last, "failed", "no file arrived", None),
            ("kpi.later", last, "blocked", f"kpi.sooner has not run for {last}: run it first", None),
        )
        con.execute(
            "insert into quarantine.orders select day, day, 'orders.csv', record, "
            "case when record = 1 then ['no number', 'line 3: no moment'] else ['line 4: no moment'] end, null "
            "from (select distinct day from ledger.days) cross join range(1, 4) records (record)"
        )
    return path


def test_a_feed_that_is_bad_on_all_days_is_one_cause_and_what_follows_another(snapshot: Path):
    assert bad_days(snapshot) == [
        BadDays(["bronze.prices"], "failed", "no file arrived", (Window(TEN_DAYS.last, TEN_DAYS.last),)),
        BadDays(
            ["silver.orders"],
            "failed",
            f"{TOO_MANY}: no moment (30 rows, the first is record 1 of 2024-01-01/orders.csv); "
            "1 more reason: ecom quarantine orders",
            (TEN_DAYS,),
        ),
        BadDays(["gold.sales", "kpi.sales"], "blocked", "silver.orders is failed", (TEN_DAYS,)),
        BadDays(
            ["kpi.later"], "blocked", "kpi.sooner has not run: run it first", (Window(TEN_DAYS.last, TEN_DAYS.last),)
        ),
        BadDays(
            ["gold.to_date"],
            "partial",
            "made without the rows of silver.orders of the day, which are not good",
            (TEN_DAYS,),
        ),
    ]


def test_a_line_names_a_table_or_how_many_and_which(snapshot: Path):
    lines = list(text.bad_days(bad_days(snapshot)))

    assert len(lines) == 5
    assert lines[2].split("  ")[0] == "2 tables"
    assert lines[2].endswith(" 2024-01-01..2024-01-10 blocked: silver.orders is failed: gold.sales, kpi.sales")
    assert lines[4].startswith("gold.to_date                     2024-01-01..2024-01-10 partial: made without")


def test_a_run_says_the_first_cause_and_counts_the_rest(snapshot: Path):
    cause, failed, blocked, help_ = text.not_all_good(bad_days(snapshot), stale=0).splitlines()

    assert cause.startswith("Some days have no good rows. bronze.prices")
    assert failed == "1 more table failed on 2024-01-01..2024-01-10: ecom bad lists them."
    assert blocked == "3 tables blocked on 2024-01-01..2024-01-10: ecom bad lists them."
    assert help_.startswith("To run them again does not help. Land files with good rows")


def test_days_that_failed_for_missing_references_come_after_what_they_refer_to():
    assert Column("product_id", "text", nullable=False, description="").missing_reference.code.endswith(
        MISSING_REFERENCE
    )
    with duckdb.connect() as con:
        snapshot_of(
            con,
            ("silver.orders", FIRST, "failed", f"2 of 2 {TOO_MANY}", None),
            ("silver.products", FIRST, "failed", "all bad", None),
        )
        con.execute(
            f"insert into quarantine.orders values ('{FIRST}', '{FIRST}', 'orders.csv', 1, ['no such product'], "
            "['product_id_missing_reference'])"
        )

        assert [bad.tables for bad in bad_days_of(con)] == [["silver.products"], ["silver.orders"]]


def test_to_run_again_is_advised_only_for_what_is_stale():
    failed = BadDays(["silver.orders"], "failed", "all bad", [TEN_DAYS])

    assert [said.partition(".")[0] for said in advice([failed], 0)] == ["To run them again does not help"]
    assert advice([], 0) == []
    assert advice([], 3) == ["3 table-days are stale: ecom run --stale runs them."]


def test_a_blocked_day_is_said_though_what_blocked_it_is_gone():
    with duckdb.connect() as con:
        snapshot_of(con, ("gold.sales", FIRST, "blocked", f"silver.orders is failed on {FIRST}", None))

        assert [bad.why for bad in bad_days_of(con)] == ["silver.orders is failed"]


@given(st.sets(st.integers(0, 9), min_size=1), st.sets(st.integers(0, 9)))
def test_quiet_days_lie_between_others(recorded: set[int], unread: set[int]):
    with duckdb.connect() as con:
        snapshot_of(con, *(("bronze.orders", FIRST + n * ONE_DAY, "stored", "", None) for n in recorded))

        found = {day for window in quiet_days(con, [FIRST + n * ONE_DAY for n in unread]) for day in window}

    known = recorded | unread
    assert found == {FIRST + n * ONE_DAY for n in range(min(known), max(known)) if n not in known}


def test_before_anything_was_read_no_day_is_quiet():
    with duckdb.connect() as con:
        snapshot_of(con)

        assert quiet_days(con) == []


def test_quiet_days_are_named_with_what_to_do():
    assert about_quiet_days([Window.parse("2024-01-02..2024-01-03")]) == (
        "Nothing has landed for 2024-01-02..2024-01-03, and these days have not run. If files are missing, land them. "
        "Otherwise ecom run 2024-01-02..2024-01-03 runs them as days without files, which fail where files are due."
    )
