"""Tables run by Dagster end in the warehouse and its ledger."""

import datetime as dt
import fcntl
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from filelock import FileLock

from ecom_assets import settings
from ecom_assets.contract import Date, Decimal, Table, column, key, money
from ecom_assets.days import State, Window, by_event_day
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration import io_manager
from ecom_assets.orchestration._dagster import REPAIR_TAG
from ecom_assets.orchestration.alerts import report_failures
from ecom_assets.orchestration.assets import table_assets
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.table_asset import table_asset
from ecom_assets.warehouse.ledger.records import DayResult
from ecom_assets.warehouse.opening import open_session
from ecom_assets_tests.orchestration.till import (
    ASSETS,
    DECLARATIONS,
    PARTITIONS,
    CleanReceipts,
    Receipts,
    TillWarehouse,
    clean,
    warehouse_of,
)

THREE_DAYS = Window.parse("2024-01-01..2024-01-03")
BAD_DAY = dt.date(2024, 1, 2)


@pytest.fixture
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zone:
    """A landing zone with a receipt of each day."""
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    zone = Zone(settings.load().landing)
    for day in THREE_DAYS:
        land(zone, day)
    return zone


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def land(zone: Zone, day: dt.date, amount: str = "10.00") -> None:
    zone.write("receipts", day, "till.csv", f"receipt_id,paid_at,amount\nr{day},{day}T09:00:00Z,{amount}\n".encode())


def run(
    instance: dg.DagsterInstance,
    days: Window = THREE_DAYS,
    *,
    select: str | None = None,
    declarations: list[Declaration] = DECLARATIONS,
    **tags: str,
) -> dg.ExecuteInProcessResult:
    first, last = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    return dg.materialize(
        table_assets(declarations, PARTITIONS),
        instance=instance,
        selection=select and dg.AssetSelection.from_string(select),
        resources={"warehouse": warehouse_of(declarations)},
        tags={first: str(days.first), last: str(days.last), **tags},
        raise_on_error=False,
    )


def asked(query: str) -> list[tuple[Any, ...]]:
    with open_session(settings.load(), Catalog(DECLARATIONS)) as session:
        return session.con.execute(query).fetchall()


def ledger(table: str) -> list[str]:
    """The states of a table's days, the oldest first."""
    return [state for (state,) in asked(f"select state from ledger.days where table_name = '{table}' order by day")]


BLOCKED_BY_RECEIPTS = "2024-01-02 is blocked: silver.receipts failed on 2024-01-02: 1 of 1 rows are quarantined"


def materialised(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dict[str, Any]]:
    """Metadata by partition of what an asset reported."""
    found = result.asset_materializations_for_node(asset.replace("/", "__"))
    mine = [one for one in found if one.asset_key.to_user_string() == asset]
    return {str(one.partition): {name: value.value for name, value in one.metadata.items()} for one in mine}


def why(result: dg.ExecuteInProcessResult) -> str:
    """The message of the first failed step."""
    [failed, *_] = result.get_step_failure_events()
    assert failed.step_failure_data.error
    return failed.step_failure_data.error.message


@pytest.mark.slow
def test_a_window_goes_through_all_tables_into_the_ledger(instance: dg.DagsterInstance, zone: Zone) -> None:
    assert run(instance).success

    for table in ("bronze.receipts", "silver.receipts", "gold.takings", "kpi.report"):
        assert ledger(table) == ["stored"] * 3, table
    assert asked("select day, amount from kpi.report order by day") == [(day, 10) for day in THREE_DAYS]


@pytest.mark.slow
def test_a_run_logs_a_line_per_table_and_no_output_as_missing(
    instance: dg.DagsterInstance, zone: Zone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ecom_assets")

    by_dagster = [entry.user_message for entry in instance.all_logs(run(instance).run_id) if not entry.is_dagster_event]

    by_us = [record.message for record in caplog.records if record.name.startswith("ecom_assets.")]
    assert [message.partition(" ")[0] for message in by_us] == [declaration.name for declaration in DECLARATIONS]
    assert [message for message in by_dagster if "did not yield" in message] == []


@pytest.mark.slow
def test_a_run_writes_a_line_of_json_per_table_and_window(instance: dg.DagsterInstance, zone: Zone) -> None:
    first = run(instance).run_id
    land(zone, BAD_DAY, amount="-10.00")
    again = run(instance, **{REPAIR_TAG: "a correction"}).run_id

    lines = [json.loads(line) for line in settings.load().run_log.read_text().splitlines()]

    said = [(line["run"], line["table"], line["days"], line["states"], line["rows"]) for line in lines]
    days, day = [str(THREE_DAYS)], [str(BAD_DAY)]
    assert said[:4] == [(first, declaration.name, days, {"stored": 3}, 3) for declaration in DECLARATIONS]
    assert said[4:] == [
        (again, "bronze.receipts", day, {"stored": 1}, 1),
        (again, "silver.receipts", day, {"stored": 1}, 1),
        (again, "gold.takings", day, {"failed": 1}, 0),
        (again, "kpi.report", day, {"blocked": 1}, 0),
    ]
    assert min(line["seconds"] for line in lines) > 0


@pytest.mark.slow
def test_a_repair_without_stale_days_publishes_a_damaged_snapshot_anew(
    instance: dg.DagsterInstance, zone: Zone
) -> None:
    run(instance)
    snapshot = settings.load().snapshot
    snapshot.write_bytes(b"this is no database")

    assert run(instance, **{REPAIR_TAG: "the snapshot"}).success

    with open_snapshot(snapshot) as con:
        assert con.execute("select day, amount::int from kpi.report order by day").fetchall() == [
            (day, 10) for day in THREE_DAYS
        ]


@pytest.mark.slow
def test_each_day_reports_its_own_row_count_and_state(instance: dg.DagsterInstance, zone: Zone) -> None:
    zone.write("receipts", BAD_DAY, "second.csv", f"receipt_id,paid_at,amount\nx,{BAD_DAY}T10:00:00Z,1\n".encode())

    told = materialised(run(instance), "silver/receipts")

    assert [about["dagster/partition_row_count"] for about in told.values()] == [1, 2, 1]
    assert all(about["seconds per day"] > 0 for about in told.values())


@pytest.mark.slow
def test_the_last_day_of_a_run_says_what_columns_come_from(instance: dg.DagsterInstance, zone: Zone) -> None:
    result = run(instance)

    lineage = [about.get("dagster/column_lineage") for about in materialised(result, "gold/takings").values()]
    assert lineage == [None, None, lineage[-1]]
    assert lineage[-1].deps_by_column == {
        "day": [dg.TableColumnDep(dg.AssetKey(["silver", "receipts"]), "paid_on")],
        "amount": [dg.TableColumnDep(dg.AssetKey(["silver", "receipts"]), "amount")],
    }
    told = materialised(result, "silver/receipts")[str(THREE_DAYS.last)]["column lineage"]
    assert "- **paid_on** from bronze.receipts: paid_at\n" in told


class LenientReceipts(Receipts, name="silver.receipts", partition_column="paid_on", max_bad_share=1.0):
    """One row per receipt; a day may consist of bad ones."""

    paid_on: Date = column("Business day")


@pytest.mark.slow
def test_a_quarantine_lists_its_rows_by_reason(instance: dg.DagsterInstance, zone: Zone) -> None:
    land(zone, BAD_DAY, amount="ten")
    lenient = [DECLARATIONS[0], table_asset(LenientReceipts, clean, reads={"bronze_receipts": by_event_day})]

    result = run(instance, declarations=lenient)

    told = {
        str(one.partition): one.metadata
        for one in result.asset_materializations_for_node("silver__receipts")
        if one.asset_key.to_user_string() == "quarantine/receipts"
    }
    assert [day for day, about in told.items() if "reasons" in about] == [str(BAD_DAY)]
    assert "- 1: amount is not a number" in str(told[str(BAD_DAY)]["reasons"].value)
    sample = told[str(BAD_DAY)]["sample_rows"]
    assert isinstance(sample, dg.TableMetadataValue)
    assert [row.data["source_file"] for row in sample.records] == ["till.csv"]


@pytest.mark.slow
def test_only_the_last_day_of_a_measure_carries_a_picture(instance: dg.DagsterInstance, zone: Zone) -> None:
    told = materialised(run(instance), "kpi/report")

    assert [day for day, about in told.items() if "amount of the last days" in about] == [str(THREE_DAYS.last)]
    assert "data:image/svg+xml" in told[str(THREE_DAYS.last)]["amount of the last days"]


@pytest.mark.slow
def test_the_picture_goes_as_far_as_the_table_though_an_old_day_runs(instance: dg.DagsterInstance, zone: Zone) -> None:
    run(instance)

    told = materialised(run(instance, Window(BAD_DAY, BAD_DAY), select="key:kpi/report"), "kpi/report")

    assert "2024-01-01 to 2024-01-03" in told[str(BAD_DAY)]["amount of the last days"]


@pytest.mark.slow
@pytest.mark.parametrize("asset", ["silver/receipts", "quarantine/receipts"])
def test_a_table_and_its_quarantine_run_each_without_the_other(
    asset: str, instance: dg.DagsterInstance, zone: Zone
) -> None:
    land(zone, BAD_DAY, amount="ten")
    run(instance, select="key:bronze/receipts")

    result = run(instance, select=f"key:{asset}")

    assert ledger("silver.receipts") == ["stored", "failed", "stored"]
    assert asked("select count(*) from quarantine.receipts") == [(1,)]
    assert {
        event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key
    } == {asset}


@pytest.mark.slow
def test_a_repair_runs_only_the_days_that_are_stale(instance: dg.DagsterInstance, zone: Zone) -> None:
    first = run(instance)
    land(zone, BAD_DAY, amount="11.00")

    repair = run(instance, **{REPAIR_TAG: "true"})

    runs = asked("select run_id from ledger.days where table_name = 'gold.takings' order by day")
    assert [run_id for (run_id,) in runs] == [first.run_id, repair.run_id, first.run_id]
    assert repair.success


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str, str | None]:
    """What the contracts of a run's failed table-days say."""
    failed = [one for one in result.get_asset_check_evaluations() if not one.passed and one.check_name == "contract"]
    return {one.asset_key.to_user_string(): one.description for one in failed}


def test_a_table_without_a_good_day_is_not_materialised_and_stops_no_other_step(
    instance: dg.DagsterInstance, zone: Zone
) -> None:
    land(zone, BAD_DAY, amount="ten")

    result = run(instance, Window(BAD_DAY, BAD_DAY))

    assert [one.asset_key.to_user_string() for one in result.get_asset_materialization_events() if one.asset_key] == [
        "bronze/receipts",
        "quarantine/receipts",
    ]
    assert result.get_step_failure_events() == []
    assert "not executing" not in " ".join(entry.user_message for entry in instance.all_logs(result.run_id)).lower()
    found = verdicts(result)
    assert str(found["silver/receipts"]).startswith(
        "2024-01-02 failed: 1 of 1 rows are quarantined, more than the allowed 0.0%; a first row is record 1 of "
        "2024-01-02/till.csv"
    )
    assert str(found["kpi/report"]).startswith(BLOCKED_BY_RECEIPTS)


@pytest.mark.slow
def test_a_run_by_hand_does_not_pass_a_day_that_failed_before(instance: dg.DagsterInstance, zone: Zone) -> None:
    land(zone, BAD_DAY, amount="ten")
    run(instance)

    result = run(instance, Window(BAD_DAY, BAD_DAY), select="key:gold/takings")

    [(table, why_not)] = verdicts(result).items()
    assert (table, str(why_not).partition(",")[0]) == ("gold/takings", BLOCKED_BY_RECEIPTS)
    assert str(why_not).endswith(
        "a first row is 2024-01-02/till.csv, record 1: amount is not a number with at most "
        "10 digits before and 4 after the point"
    )
    assert result.get_asset_materialization_events() == []


@contextmanager
def on_each_wait(act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Wait for nothing before saying so, and act when it is said. Gives the messages."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: (messages.append(record.getMessage()), act())  # type: ignore[method-assign]
    logger = logging.getLogger("ecom_assets.warehouse.opening")
    logger.addHandler(handler)
    monkeypatch.setattr("ecom_assets.warehouse.opening.LOCK_WAIT_SECONDS", 0.0)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)


def test_waiting_for_another_run_is_logged_once(tmp_path: Path, zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "warehouse.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with on_each_wait(lambda: fcntl.flock(other, fcntl.LOCK_UN), monkeypatch) as messages:
            assert asked("select 1") == [(1,)]

    assert messages == [f"Waiting for another run or command that uses {tmp_path}/warehouse.duckdb."]


def test_waiting_for_a_program_that_has_the_warehouse_open_is_logged_once_with_its_process(
    tmp_path: Path, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", opens, tmp_path / "warehouse.duckdb"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()

        with on_each_wait(lambda: other.communicate(b"\n"), monkeypatch) as messages:
            assert asked("select 1") == [(1,)]

    [message] = messages
    assert message.startswith("Waiting for another program to close the warehouse. ")
    assert f"(PID {other.pid})" in message


def executed(instance: dg.DagsterInstance, table: str, check: str) -> dg.ExecuteInProcessResult:
    """A run that "Execute" on the page of a check starts: it has no days."""
    selection = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(table.split("/")), check))
    return dg.materialize(
        ASSETS, instance=instance, selection=selection, resources={"warehouse": TillWarehouse()}, raise_on_error=False
    )


@pytest.mark.slow
def test_a_check_executed_alone_says_how_all_days_are(instance: dg.DagsterInstance, zone: Zone) -> None:
    land(zone, BAD_DAY, amount="-10.00")
    run(instance)

    [good] = executed(instance, "silver/receipts", "contract").get_asset_check_evaluations()
    bad = executed(instance, "gold/takings", "contract")
    [hoped] = executed(instance, "silver/receipts", "expectations").get_asset_check_evaluations()

    assert (good.passed, good.description) == (True, "0 of 3 days have no good rows.\n")
    assert (hoped.passed, hoped.description) == (True, "0 of 3 days miss an expectation.\n")
    [verdict] = bad.get_asset_check_evaluations()
    assert not verdict.passed
    assert str(verdict.description).startswith(
        "1 of 3 days have no good rows.\n\n- 2024-01-02 failed: 1 rows break: amount is at least 0"
    )
    assert bad.success
    report_failures.evaluate_tick(dg.build_sensor_context(instance))
    alerts = settings.load().alerts.read_text() if settings.load().alerts.exists() else ""
    assert "all days" not in alerts


def test_a_check_executed_alone_needs_days_that_have_run(instance: dg.DagsterInstance, zone: Zone) -> None:
    assert "gold.takings has not run on any day: materialize its days first." in why(
        executed(instance, "gold/takings", "contract")
    )


@pytest.mark.slow
def test_tables_run_without_the_checks_that_block(instance: dg.DagsterInstance, zone: Zone) -> None:
    """A user of the UI may leave checks out."""
    days = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-03"}
    selection = dg.AssetSelection.all() - dg.AssetSelection.all_asset_checks()
    result = dg.materialize(
        ASSETS, instance=instance, selection=selection, resources={"warehouse": TillWarehouse()}, tags=days
    )

    assert len(materialised(result, "kpi/report")) == 3


@pytest.mark.slow
def test_the_newest_day_shows_some_of_its_rows(
    instance: dg.DagsterInstance, zone: Zone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told = materialised(run(instance), "silver/receipts")

    assert [day for day, about in told.items() if "some rows" in about] == [str(THREE_DAYS.last)]
    assert told[str(THREE_DAYS.last)]["some rows"].splitlines() == [
        "| receipt_id | paid_at | amount | paid_on | is_deleted |",
        "| --- | --- | --- | --- | --- |",
        "| r2024-01-03 | 2024-01-03 09:00:00 | 10.0000 | 2024-01-03 |  |",
    ]

    def broken(*_: object) -> str:
        raise ValueError("no preview")

    monkeypatch.setattr(io_manager.metadata, "preview", broken)
    assert run(instance).success
    assert "The pages of silver.receipts lack a part" in caplog.text


@pytest.mark.slow
def test_wide_sample_rows_fit_the_page(instance: dg.DagsterInstance, zone: Zone) -> None:
    names = [f"column_{n}" for n in range(20)]
    row = {"reasons": "['column_19 is bad']", "arrived_on": str(BAD_DAY), "source_file": "a.csv", "record": "1"}
    sample = {**dict.fromkeys(names, "x"), **row}
    result = DayResult(BAD_DAY, State.FAILED, broken={"column_19 is bad": 1}, samples=[sample])

    table = io_manager._sample_table(DECLARATIONS[1], result)

    [shown] = [record.data for record in table.records]
    assert list(shown) == ["reasons", "arrived_on", "source_file", "record", "column_19", "other values"]
    assert shown["other values"] == ", ".join(f"{name} = x" for name in names[:19])


@pytest.mark.slow
def test_a_failing_step_lets_the_next_run_in(instance: dg.DagsterInstance, zone: Zone) -> None:
    def refuse(bronze_receipts: nw.LazyFrame) -> nw.LazyFrame:
        raise OSError("no space left")

    broken = [DECLARATIONS[0], table_asset(CleanReceipts, refuse, reads={"bronze_receipts": by_event_day})]

    result = run(instance, declarations=broken)

    assert not result.success
    with FileLock(settings.load().data / "warehouse.lock", timeout=0):
        pass
    assert run(instance).success


@pytest.mark.slow
def test_a_refused_day_is_left_out_of_what_dagster_takes_for_materialised(
    instance: dg.DagsterInstance, zone: Zone
) -> None:
    land(zone, BAD_DAY, amount="-10.00")

    told = materialised(run(instance), "gold/takings")

    assert list(told) == [str(THREE_DAYS.first), str(THREE_DAYS.last)]


@pytest.mark.slow
def test_each_day_has_a_verdict_of_its_own(instance: dg.DagsterInstance, zone: Zone) -> None:
    land(zone, BAD_DAY, amount="-10.00")

    verdicts = [
        event.asset_check_evaluation_data
        for event in run(instance).all_events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]

    takings = {str(one.partition): one for one in verdicts if one.asset_key == dg.AssetKey(["gold", "takings"])}
    assert {day: one.passed for day, one in takings.items()} == {str(day): day != BAD_DAY for day in THREE_DAYS}
    assert takings[str(BAD_DAY)].description == (
        "2024-01-02 failed: 1 rows break: amount is at least 0; a first row is day = 2024-01-02, amount = -10.0000"
    )
    bad = {one.asset_key.path[-1]: one.metadata["state"].value for one in verdicts if one.partition == str(BAD_DAY)}
    assert bad == {"receipts": "stored", "takings": "failed", "report": "blocked"}


@pytest.mark.slow
def test_a_day_that_cannot_be_computed_is_refused_with_the_words_of_duckdb(
    instance: dg.DagsterInstance, zone: Zone
) -> None:
    def by_number(bronze_receipts: nw.LazyFrame) -> nw.LazyFrame:
        number = nw.col("receipt_id").str.tail(2).cast(nw.Int64)
        return bronze_receipts.with_columns(receipt_id=number.cast(nw.String))

    by_numbers = table_asset(CleanReceipts, by_number, reads={"bronze_receipts": by_event_day})
    numbered = [DECLARATIONS[0], by_numbers, *DECLARATIONS[2:]]
    zone.write("receipts", BAD_DAY, "till.csv", f"receipt_id,paid_at,amount\nx,{BAD_DAY}T09:00:00Z,1\n".encode())

    result = run(instance, declarations=numbered)

    for asset in ("silver/receipts", "kpi/report"):
        assert list(materialised(result, asset)) == [str(THREE_DAYS.first), str(THREE_DAYS.last)]
    failed = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert {one.partition for one in failed} == {str(BAD_DAY)}
    assert failed[0].description
    assert failed[0].description.startswith(
        "2024-01-02 failed: Conversion Error: Could not convert string 'x' to INT64"
    )
    assert failed[0].metadata["broken"].value == {failed[0].description.removeprefix("2024-01-02 failed: "): 1}


@pytest.mark.slow
def test_checks_show_how_many_words_were_taken_as_missing(instance: dg.DagsterInstance, zone: Zone) -> None:
    zone.write("receipts", BAD_DAY, "till.csv", f"receipt_id,paid_at,amount\nN/A,{BAD_DAY}T09:00:00Z,1\n".encode())

    shown = [one for one in run(instance).get_asset_check_evaluations() if "words_for_nothing" in one.metadata]

    assert {(one.asset_key.to_user_string(), one.partition) for one in shown} == {("silver/receipts", str(BAD_DAY))}
    assert shown[0].metadata["words_for_nothing"].value == {"receipt_id": 1}


@pytest.mark.slow
def test_a_warning_names_rules_and_counts_and_shows_the_reasons_first(instance: dg.DagsterInstance, zone: Zone) -> None:
    land(zone, BAD_DAY, amount="ten")

    verdicts = run(instance).get_asset_check_evaluations()

    [failed] = [one for one in verdicts if one.check_name == "contract" and "sample_rows" in one.metadata]
    assert failed.description
    assert "- 1: amount is not a number with at most 10 digits before and 4 after the point" in failed.description
    sample = failed.metadata["sample_rows"]
    assert isinstance(sample, dg.TableMetadataValue)
    assert next(iter(sample.records[0].data)) == "reasons"


class Balance(Table, name="kpi.balance", primary_key="day", partition_column="day"):
    """One row per day with a receipt."""

    day: Date = key("Business day")
    amount: Decimal = money("What is left, if that is known", nullable=True)


def unknown_on_the_bad_day(silver_receipts: nw.LazyFrame) -> nw.LazyFrame:
    amount = nw.when(nw.col("paid_on") != nw.lit(BAD_DAY)).then("amount")
    return silver_receipts.select(amount.alias("amount"), day="paid_on")


@pytest.mark.slow
def test_a_measure_without_a_value_is_left_out_of_the_picture(instance: dg.DagsterInstance, zone: Zone) -> None:
    result = run(instance, declarations=[*DECLARATIONS[:2], table_asset(Balance, unknown_on_the_bad_day)])

    assert result.success
    shown = materialised(result, "kpi/balance")[str(THREE_DAYS.last)]["amount of the last days"]
    assert "2024-01-01 to 2024-01-03: last 10, maximum 10" in shown


@pytest.mark.slow
def test_what_only_decorates_does_not_end_a_run(
    instance: dg.DagsterInstance, zone: Zone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ecom_assets.orchestration.plots.of_days", lambda measure, values: 1 / 0)

    assert run(instance).success

    assert ledger("kpi.report") == ["stored"] * 3
    assert "The pages of kpi.report lack a part, which could not be made." in caplog.text


class Sums(Table, name="gold.sums", primary_key="day", partition_column="day"):
    """One row per day with a receipt."""

    day: Date = key("Business day")
    amount: Decimal = money("What was paid")


def summed_in_polars(silver_receipts: pl.DataFrame) -> pl.DataFrame:
    return silver_receipts.group_by(day="paid_on").agg(pl.col("amount").sum())


def summed_in_pandas(silver_receipts: pd.DataFrame) -> pd.DataFrame:
    days = silver_receipts.rename(columns={"paid_on": "day"})
    return days.groupby("day", as_index=False).agg(amount=("amount", "sum"))


@pytest.mark.slow
@pytest.mark.parametrize("transform", [summed_in_polars, summed_in_pandas])
def test_a_transform_gets_and_gives_whole_frames_where_it_says_so(
    transform: Callable[..., Any], instance: dg.DagsterInstance, zone: Zone
) -> None:
    declarations = [*DECLARATIONS[:2], table_asset(Sums, transform)]

    result = run(instance, declarations=declarations)

    assert result.success
    assert asked("select day, amount from gold.sums order by day") == [(day, 10) for day in THREE_DAYS]


trained_on: list[list[dt.date]] = []


def trained(silver_receipts: pl.DataFrame) -> pl.DataFrame:
    if len(silver_receipts):
        trained_on.append(sorted(silver_receipts["paid_on"]))
    return summed_in_polars(silver_receipts)


@pytest.mark.slow
def test_an_eager_transform_runs_once_on_the_days_that_are_run_alone(instance: dg.DagsterInstance, zone: Zone) -> None:
    declarations = [*DECLARATIONS[:2], table_asset(Sums, trained)]
    trained_on.clear()

    assert run(instance, declarations=declarations).success
    assert trained_on == [list(THREE_DAYS)]

    trained_on.clear()
    land(zone, BAD_DAY, amount="11.00")
    assert run(instance, declarations=declarations, **{REPAIR_TAG: "true"}).success
    assert trained_on == [[BAD_DAY]]
    assert asked("select day, amount from gold.sums where amount > 10") == [(BAD_DAY, 11)]

    trained_on.clear()
    assert run(instance, declarations=declarations, **{REPAIR_TAG: "true"}).success
    assert trained_on == []


def test_a_transform_is_called_as_a_function_in_a_test() -> None:
    receipts = pl.DataFrame({"paid_on": [BAD_DAY, BAD_DAY], "amount": ["1.50", "2.50"]}).cast(
        {"amount": pl.Decimal(18, 4)}
    )

    assert summed_in_polars(receipts).rows() == [(BAD_DAY, 4)]
