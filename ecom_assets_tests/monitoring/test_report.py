"""The report is what its schema says, for people, programs and Prometheus; no part that breaks ends it."""

import datetime as dt
import json
import re
from pathlib import Path

import jsonschema
import pytest

from ecom_assets.monitoring import metrics
from ecom_assets.monitoring.judging import judged, write
from ecom_assets.monitoring.report import MOST_REASONS, SCHEMA, Figure, Level, Part, Reason, Report, collect, table_of
from ecom_assets.monitoring.runs import DagsterFacts, Ticker
from ecom_assets.settings import Settings
from ecom_assets.sql import connect
from ecom_assets_tests.quality.test_data_quality import ledger

NOW = dt.datetime(2024, 1, 3, 12, tzinfo=dt.UTC)
TICKER = Ticker("run_new_files", True, NOW, dt.timedelta(seconds=30))
DAYS = [
    ("bronze.orders", "2024-01-01", "stored", 1000, 0),
    ("silver.orders", "2024-01-01", "failed", 1000, 90),
    ("gold.fact_sales", "2024-01-01", "blocked", 0, 0),
    ("kpi.daily_sales", "2024-01-01", "blocked", 0, 0),
]
METRIC = re.compile(r'ecom_[a-z_]+(\{[a-z_]+="[^"\\\n]*"\})? -?[0-9.e+-]+')


def valid(report: Report) -> dict[str, object]:
    """The report as its readers get it, once the schema has been held against it."""
    told = json.loads(report.to_json())
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(told, schema, format_checker=jsonschema.FormatChecker())
    return told


@pytest.fixture
def known(tmp_path: Path) -> Settings:
    return Settings(tmp_path)


@pytest.fixture
def published(known: Settings) -> Settings:
    """A snapshot with a bad day, and nothing else."""
    with connect(known.snapshot) as con:
        ledger(con, *DAYS)
        con.execute("update ledger.published set published_at = '2024-01-02 06:00'")
    return known


def test_the_report_of_a_platform_is_valid(published: Settings) -> None:
    report = judged(published, DagsterFacts(runs={"success": 1}, tickers=[TICKER]), NOW)

    told = valid(report)

    assert told["level"] == "critical"
    assert {part.name: part.level for part in report.parts if part.name in ("pipeline", "queue", "sensors")} == {
        "pipeline": Level.CRITICAL,
        "queue": Level.OK,
        "sensors": Level.OK,
    }
    assert [reason.text for reason in report.parts[0].reasons] == [
        "silver.orders failed on 2024-01-01.",
        "2 table-days of 2 tables are blocked by an input without good rows.",
    ]


def test_the_report_before_anything_ran_is_valid(known: Settings) -> None:
    valid(judged(known, DagsterFacts(problem="no such file"), NOW))


@pytest.mark.parametrize("damage", [b"this is no database", b"\0" * 8 + b"DUCK" + b"\0" * 5000])
def test_a_damaged_snapshot_is_told_and_the_rest_is_judged(known: Settings, damage: bytes) -> None:
    known.snapshot.write_bytes(damage)

    report = judged(known, DagsterFacts(), NOW)

    valid(report)
    assert {part.name for part in report.parts if part.summary == "Not known."} == {
        "pipeline",
        "freshness",
        "volume",
        "quality",
    }
    assert next(part for part in report.parts if part.name == "disk").level is Level.OK


def test_a_part_that_breaks_says_so() -> None:
    def breaks() -> Part:
        raise ZeroDivisionError("division by zero\nand more")

    [broken, well] = collect({"disk": breaks, "queue": lambda: Part("queue", "None wait.")}, NOW).parts

    assert [reason.text for reason in broken.reasons] == ["It could not be judged: division by zero."]
    assert (broken.level, well.level) == (Level.WARNING, Level.OK)


def test_the_worst_reasons_come_first_and_the_rest_are_counted() -> None:
    reasons = [Reason(Level.WARNING, f"{n}", "wait") for n in range(MOST_REASONS)]
    reasons += [Reason(Level.CRITICAL, "bad", "act"), Reason(Level.WARNING, "last", "wait")]

    [part] = collect({"x": lambda: Part("x", "Bad.", reasons)}, NOW).parts

    assert part.reasons[0].text == "bad"
    assert (len(part.reasons), part.reasons[-1].text) == (MOST_REASONS + 1, "And 2 more.")
    assert part.level is Level.CRITICAL


def test_figures_are_metrics_in_families(published: Settings) -> None:
    lines = metrics.text_of(judged(published, DagsterFacts(tickers=[TICKER]), NOW)).splitlines()

    said = [line for line in lines if not line.startswith("#")]
    assert [line for line in said if not METRIC.fullmatch(line)] == []
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert list(dict.fromkeys(re.match(r"\w+", line)[0] for line in said)) == names
    assert 'ecom_table_days{state="failed"} 1' in said
    assert 'ecom_table_days{state="blocked"} 2' in said
    assert 'ecom_level{part="pipeline"} 2' in said


def test_labels_are_escaped() -> None:
    odd = Part("disk", "Odd.", [], [Figure("file_bytes", 1, {"file": 'a"b\\c\nd'})])

    assert 'ecom_file_bytes{file="a\\"b\\\\c\\nd"} 1\n' in metrics.text_of(Report(NOW, [odd]))


def test_both_files_are_written_in_one_step_each(published: Settings) -> None:
    report = judged(published, DagsterFacts(), NOW)

    write(report, published)

    assert json.loads(published.monitoring_report.read_text()) == valid(report)
    assert published.metrics.read_text() == metrics.text_of(report)
    assert {path.name for path in published.metrics.parent.iterdir()} == {"monitoring_report.json", "metrics.prom"}


def test_details_are_a_table() -> None:
    assert table_of([{"feed": "a|b", "rows": None}]) == "| feed | rows |\n| --- | --- |\n| a/b |  |"
    assert table_of([]) == ""
