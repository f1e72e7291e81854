from pathlib import Path

import duckdb
import pytest

from ecom_assets.documentation import anomalies as page
from ecom_assets.quality.anomalies import (
    FILE,
    Clean,
    Kind,
    Measured,
    Share,
    clean_lines,
    here_line,
    kinds_table,
    missed_lines,
    unusual_days,
)
from ecom_assets.settings import PROJECT
from ecom_assets.sources.anomalies import KINDS

FOUND = Kind("nothing_arrived", 300, 300, 150, 1, 1_000, 2)
MISSED = Kind("half_of_the_events_lost", 200, 190, 100, 0)


def test_an_interval_of_a_share_is_wilsons():
    assert Share(300, 300).interval == pytest.approx((0.98736, 1), abs=1e-5)
    assert Share(0, 10_000).interval == pytest.approx((0, 0.000384), abs=1e-6)
    assert Share(5, 10).interval == pytest.approx((0.23659, 0.76341), abs=1e-5)


def test_a_kind_has_recall_precision_and_false_alarms_with_their_intervals():
    assert kinds_table([FOUND]).splitlines()[-1] == (
        "| `nothing_arrived` | 300 | 300 | 100.0% (98.7% to 100.0%) | 150 | 1 | 99.7% (98.1% to 99.9%) "
        "| 2.00 (0.55 to 7.26) |"
    )


def test_a_kind_that_is_missed_is_listed_with_its_goal_and_the_smallest_change():
    measured = Measured("2026-11-30", "a shop", [1, 2], [FOUND, MISSED, Kind("time_zone_of_payments", 200, 199, 9, 0)])

    [line] = missed_lines(measured)

    assert line.startswith(
        "- `half_of_the_events_lost`: 10 of 200 missed, without a goal. No other feed names each event"
    )
    assert list(missed_lines(Measured("2026-11-30", "a shop", [1], [FOUND]))) == ["None."]


def test_false_alarms_of_clean_years_are_told_by_rule():
    clean = Clean("all rows arrived", 10_000, 700, {"kpi.daily_anomalies: Amounts.": 2, "bronze.orders: Files.": 1}, 2)

    assert list(clean_lines(clean)) == [
        "Clean days, all rows arrived: 3 false alarms over 10,000 table-days, 0.30 (0.10 to 0.88) per 1,000; "
        "at most 2 in a week.",
        "2: kpi.daily_anomalies: Amounts.",
        "1: bronze.orders: Files.",
    ]
    assert clean.false_alarms_of_checks == Share(2, 700)


def test_figures_are_read_as_they_were_saved(tmp_path: Path):
    clean = Clean("all rows arrived", 10_000, 700, {"a rule": 1}, 1)
    measured = Measured("2026-11-30", "a shop", [1], [FOUND], [clean], [MISSED], [clean])

    measured.save(tmp_path / "anomalies.json")

    assert Measured.load(tmp_path / "anomalies.json") == measured


def test_unusual_days_of_the_shop_itself_are_counted():
    con = duckdb.connect()
    con.execute("create schema kpi")
    assert unusual_days(con) == Share(0, 0)

    con.execute("""
        create table kpi.daily_anomalies as from (values (1, 0), (1, 1), (2, 0)) t (day, anomalies);
        create table kpi.feed_agreement as
            from (values (1, 5, 10), (2, 6, 20), (3, 6, 30)) t (day, missing, compared)""")

    assert unusual_days(con) == Share(2, 5)
    assert here_line(Share(2, 5), is_known=True).endswith(
        "nothing of these kinds was planted, so that each is a false alarm."
    )
    assert here_line(Share(2, 5), is_known=False).endswith("are unusual.")


def test_the_figures_that_ship_are_of_all_kinds_and_those_of_the_page():
    assert [kind.name for kind in Measured.load(FILE).kinds] == [kind.name for kind in KINDS]
    standing = (PROJECT / "docs" / "anomalies-measured.md").read_text(encoding="utf-8")
    assert standing == page.text(), "docs/anomalies-measured.md is stale; write it anew with: ecom dictionary"
