"""What Dagster shows of a run in which some days are refused."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_graphql.test.utils import execute_dagster_graphql

from ecom_assets import settings
from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration._dagster import REPAIR_TAG, HeldOpenEventLogStorage, cause_of_failure
from ecom_assets.orchestration.about_runs import PROCESS_TAG, CancelRequest, this_process
from ecom_assets.orchestration.following import followed
from ecom_assets.orchestration.jobs import RETRY_LOST_RUNS
from ecom_assets_tests.orchestration import till
from ecom_assets_tests.orchestration.till import defs

FIVE_DAYS = Window.parse("2024-01-01..2024-01-05")
BAD_DAY = dt.date(2024, 1, 3)
GOOD = "MATERIALIZED"
BAD = "FAILED"
PARTITIONS = """{assetNodes {
    assetKey {path}
    assetPartitionStatuses {... on TimePartitionStatuses {ranges {startKey endKey status}}}
}}"""


@contextmanager
def five_days_landed(data: Path) -> Iterator[Zone]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ECOM_DATA", str(data))
        zone = Zone(settings.load().landing)
        for day in FIVE_DAYS:
            land(zone, day, amount="10.00")
        yield zone


def retrying_instance(folder: Path) -> dg.DagsterInstance:
    """An instance with the project's event log."""
    log = {"module": HeldOpenEventLogStorage.__module__, "class": HeldOpenEventLogStorage.__name__}
    settings = {
        "run_retries": {"enabled": True, "max_retries": 2},
        "event_log_storage": {**log, "config": {"base_dir": str(folder / "events")}},
    }
    folder.mkdir(exist_ok=True)
    return dg.DagsterInstance.local_temp(str(folder), overrides=settings)


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[Zone]:
    with five_days_landed(tmp_path) as zone:
        yield zone


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with retrying_instance(tmp_path / "dagster") as instance:
        yield instance


@pytest.fixture(scope="module")
def after_refusal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """An instance with one run, in which gold refused a day."""
    data = tmp_path_factory.mktemp("refused")
    with retrying_instance(data / "dagster") as instance, five_days_landed(data) as zone:
        land(zone, BAD_DAY, amount="-10.00")
        run(instance, **RETRY_LOST_RUNS)
        yield instance


def land(zone: Zone, day: dt.date, amount: str) -> None:
    zone.write("receipts", day, "till.csv", f"receipt_id,paid_at,amount\nr{day},{day}T09:00:00Z,{amount}\n".encode())


def run(instance: dg.DagsterInstance, **tags: str) -> bool:
    job = defs.resolve_implicit_global_asset_job_def()
    window = {
        "dagster/asset_partition_range_start": str(FIVE_DAYS.first),
        "dagster/asset_partition_range_end": str(FIVE_DAYS.last),
    }
    planned = instance.create_run_for_job(job, tags={**window, **tags})
    return execute_run(InMemoryJob(job), planned, instance).success


def states(instance: dg.DagsterInstance, asset: str) -> list[str | None]:
    """What Dagster says of each of the five days."""
    days = [str(day) for day in FIVE_DAYS]
    found = instance.get_status_by_partition(dg.AssetKey(asset.split("/")), days, till.PARTITIONS) or {}
    return [status.value if (status := found.get(day)) else None for day in days]


def why_it_failed(instance: dg.DagsterInstance) -> str:
    """The reason for which the last run failed."""
    [run, *_] = instance.get_runs(limit=1)
    [entry] = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    cause = cause_of_failure(entry.get_dagster_event())
    while cause.cause:
        cause = cause.cause
    return str(cause.message).strip().removeprefix("dagster._core.definitions.events.Failure: ")


def verdicts(instance: dg.DagsterInstance, asset: str, check: str = "contract") -> list[AssetCheckExecutionRecord]:
    """The executions of a check, the oldest day first."""
    key = dg.AssetCheckKey(dg.AssetKey(asset.split("/")), check)
    found = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
    return sorted(found, key=lambda record: str(record.partition))


def failed_evaluation(instance: dg.DagsterInstance, asset: str) -> dg.AssetCheckEvaluation:
    [failed] = [record for record in verdicts(instance, asset) if record.status.value == "FAILED"]
    assert failed.event
    assert failed.event.dagster_event
    return failed.event.dagster_event.asset_check_evaluation_data


def test_a_day_that_breaks_a_rule_is_red_there_and_downstream_and_the_others_are_green(
    after_refusal: dg.DagsterInstance,
) -> None:
    assert states(after_refusal, "silver/receipts") == [GOOD] * 5
    assert states(after_refusal, "gold/takings") == [GOOD, GOOD, BAD, GOOD, GOOD]
    assert states(after_refusal, "kpi/report") == [GOOD, GOOD, BAD, GOOD, GOOD]


def test_a_silver_day_with_too_many_bad_rows_is_red_with_all_that_is_made_of_it(
    instance: dg.DagsterInstance, zone: Zone
) -> None:
    land(zone, BAD_DAY, amount="ten")

    run(instance)

    assert states(instance, "bronze/receipts") == [GOOD] * 5
    for asset in ("silver/receipts", "gold/takings", "kpi/report"):
        assert states(instance, asset) == [GOOD, GOOD, BAD, GOOD, GOOD], asset


def test_a_feed_that_is_bad_on_all_days_leaves_all_that_is_made_of_it_red(
    instance: dg.DagsterInstance, zone: Zone
) -> None:
    for day in FIVE_DAYS:
        land(zone, day, amount="ten")

    assert not run(instance)

    assert states(instance, "bronze/receipts") == [GOOD] * 5
    assert states(instance, "quarantine/receipts") == [GOOD] * 5
    for asset in ("silver/receipts", "gold/takings", "kpi/report"):
        assert states(instance, asset) == [BAD] * 5, asset
        assert instance.get_latest_materialization_event(dg.AssetKey(asset.split("/"))) is None, asset
    assert {record.status.value for record in verdicts(instance, "kpi/report")} == {"FAILED"}
    assert why_it_failed(instance) == (
        "silver/receipts failed on 2024-01-01..2024-01-05: 5 rows are quarantined: amount is not a number with at "
        "most 10 digits before and 4 after the point; a first one is record 1 of 2024-01-01/till.csv. 2 tables more "
        "are blocked on 2024-01-01..2024-01-05. The failed checks and ecom bad have the reasons. The good days are "
        "published."
    )


def test_the_cause_is_that_of_the_first_table_and_others_are_counted(after_refusal: dg.DagsterInstance) -> None:
    assert why_it_failed(after_refusal) == (
        "gold/takings failed on 2024-01-03: 1 rows break: amount is at least 0; a first row is day = 2024-01-03, "
        "amount = -10.0000. 1 table more is blocked on 2024-01-03. "
        "The failed checks and ecom bad have the reasons. The good days are published."
    )


def test_the_failed_check_of_the_day_shows_the_rule_and_rows_that_broke_it(after_refusal: dg.DagsterInstance) -> None:
    verdict = failed_evaluation(after_refusal, "gold/takings")

    assert verdict.partition == str(BAD_DAY)
    assert verdict.metadata["broken"].value == {"amount is at least 0": 1}
    sample = verdict.metadata["sample_rows"]
    assert isinstance(sample, dg.TableMetadataValue)
    assert [row.data for row in sample.records] == [{"day": str(BAD_DAY), "amount": "-10.0000"}]


def test_each_planned_check_gets_its_verdict(after_refusal: dg.DagsterInstance) -> None:
    for asset in ("bronze/receipts", "silver/receipts", "gold/takings", "kpi/report"):
        found = verdicts(after_refusal, asset)
        assert [record.partition for record in found] == [str(day) for day in FIVE_DAYS], asset
        assert {record.status.value for record in found} <= {"SUCCEEDED", "FAILED"}, asset


def test_a_run_that_failed_for_refused_days_is_not_started_again(after_refusal: dg.DagsterInstance) -> None:
    [refused] = after_refusal.get_runs()

    assert refused.is_failure
    assert refused.tags["dagster/will_retry"] == "false"


@pytest.mark.slow
def test_a_run_tells_each_table_before_it_begins(instance: dg.DagsterInstance, zone: Zone) -> None:
    told: list[tuple[str, float]] = []

    with followed(lambda step, share: told.append((step, share))):
        run(instance)

    assert told == [
        *(("bronze.receipts", 0.0), ("the next table", 0.25), ("silver.receipts", 0.25), ("the next table", 0.5)),
        *(("gold.takings", 0.5), ("the next table", 0.75), ("kpi.report", 0.75), ("publishing", 1.0)),
    ]


@pytest.mark.slow
def test_a_run_ends_between_two_tables_if_it_is_asked_to_and_the_next_goes_on(
    instance: dg.DagsterInstance, zone: Zone
) -> None:
    def end_at_half(step: str, share: float) -> None:
        if share >= 0.5:
            raise KeyboardInterrupt

    with followed(end_at_half):
        assert not run(instance, **RETRY_LOST_RUNS)

    [ended] = instance.get_runs()
    assert ended.status is dg.DagsterRunStatus.CANCELED
    assert ended.tags.get("dagster/will_retry") != "true"
    assert states(instance, "silver/receipts") == [GOOD] * 5
    assert states(instance, "gold/takings") == [None] * 5
    assert settings.load().snapshot.exists()

    assert run(instance, **{REPAIR_TAG: "true"})
    assert states(instance, "kpi/report") == [GOOD] * 5


@pytest.mark.slow
def test_a_run_of_the_command_line_that_is_canceled_in_the_ui_ends_between_two_tables(
    instance: dg.DagsterInstance, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CancelRequest, "SECONDS_BETWEEN", 0.0)

    def cancel_at_half(step: str, share: float) -> None:
        if share == 0.5:
            [running] = instance.get_runs()
            instance.report_run_canceling(running)

    with followed(cancel_at_half):
        assert not run(instance, **{PROCESS_TAG: this_process()})

    [ended] = instance.get_runs()
    assert ended.status is dg.DagsterRunStatus.CANCELED
    assert states(instance, "silver/receipts") == [GOOD] * 5
    assert states(instance, "kpi/report") == [None] * 5


@pytest.mark.slow
def test_a_day_that_loses_its_good_rows_is_red_and_says_that_readers_still_see_them(
    instance: dg.DagsterInstance, zone: Zone
) -> None:
    run(instance)
    land(zone, BAD_DAY, amount="ten")

    run(instance, **{REPAIR_TAG: "true"})

    assert states(instance, "kpi/report") == [GOOD, GOOD, BAD, GOOD, GOOD]
    said = failed_evaluation(instance, "kpi/report").description
    assert str(said).startswith("2024-01-03 is blocked: silver.receipts failed on 2024-01-03: 1 of 1 rows are")
    assert str(said).endswith("Readers see its last good rows, marked as old, until the day is good again.")


@pytest.mark.slow
def test_a_mended_day_turns_green_again(instance: dg.DagsterInstance, zone: Zone) -> None:
    land(zone, BAD_DAY, amount="-10.00")
    run(instance)
    land(zone, BAD_DAY, amount="10.00")

    is_good = run(instance, **{REPAIR_TAG: "true"})

    assert is_good
    assert states(instance, "gold/takings") == [GOOD] * 5
    assert states(instance, "kpi/report") == [GOOD] * 5


def test_a_repair_tells_of_the_days_that_it_runs_and_leaves_the_others_as_they_are(
    instance: dg.DagsterInstance, zone: Zone
) -> None:
    run(instance)
    land(zone, BAD_DAY, amount="ten")

    assert not run(instance, **{REPAIR_TAG: "true"})

    assert states(instance, "quarantine/receipts") == [GOOD] * 5
    for asset in ("silver/receipts", "gold/takings", "kpi/report"):
        assert states(instance, asset) == [GOOD, GOOD, BAD, GOOD, GOOD], asset
    [repair, _] = instance.get_runs()
    told = [record for record in verdicts(instance, "gold/takings") if record.run_id == repair.run_id]
    assert [record.partition for record in told] == [str(BAD_DAY)]


@pytest.mark.long
def test_the_web_server_tells_the_same(zone: Zone) -> None:
    land(zone, BAD_DAY, amount="-10.00")
    here = LoadableTargetOrigin(module_name=till.__name__)
    with dg.instance_for_test() as instance:
        run(instance)
        with in_process_test_workspace(instance, here) as workspace:
            result = execute_dagster_graphql(workspace, PARTITIONS)

    shown = {"/".join(node["assetKey"]["path"]): node["assetPartitionStatuses"] for node in result.data["assetNodes"]}
    assert [(part["startKey"], part["endKey"], part["status"]) for part in shown["gold/takings"]["ranges"]] == [
        ("2024-01-01", "2024-01-02", GOOD),
        ("2024-01-03", "2024-01-03", BAD),
        ("2024-01-04", "2024-01-05", GOOD),
    ]
