"""Every run says its days, tables and reason, and is where other runs are, however it was started."""

import subprocess
from collections.abc import Iterator, Mapping

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from ecom_assets import settings
from ecom_assets.orchestration._dagster import REPAIR_TAG
from ecom_assets.orchestration.about_runs import (
    LOCATION,
    PROCESS_TAG,
    REASON_TAG,
    about,
    end_lost_runs,
    introduce,
    this_process,
)

STARTED, FAILED = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE
RANGE = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-31"}
STALE = {**RANGE, REPAIR_TAG: "3 table-days of 2024-01-07"}
TYPED = {**RANGE, PROCESS_TAG: "7 on here", REASON_TAG: "ecom run 2024-01-01..2024-01-31"}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.mark.parametrize(
    ("tags", "days", "reason"),
    [
        ({"dagster/partition": "2024-01-02"}, "2024-01-02", "started by hand"),
        ({**RANGE, "dagster/backfill": "abc"}, "2024-01-01..2024-01-31", "backfill abc"),
        ({**RANGE, "dagster/schedule_name": "nightly"}, "2024-01-01..2024-01-31", "schedule nightly"),
        (
            {**STALE, "dagster/sensor_name": "run_new_files"},
            "2024-01-07",
            "sensor run_new_files: 3 table-days of 2024-01-07",
        ),
        (TYPED, "2024-01-01..2024-01-31", "ecom run 2024-01-01..2024-01-31"),
        ({**TYPED, "dagster/parent_run_id": "0123456789"}, "2024-01-01..2024-01-31", "run 01234567 again"),
        (
            {**TYPED, "dagster/parent_run_id": "0123456789", "dagster/retry_number": "1"},
            "2024-01-01..2024-01-31",
            "retry 1 of run 01234567, which was lost",
        ),
    ],
)
def test_a_run_says_its_days_its_tables_and_its_reason(tags: Mapping[str, str], days: str, reason: str) -> None:
    said = about(tags, ["landing", "silver__orders", "gold__fact_sales"])

    assert said == {"ecom/days": days, "ecom/tables": "2", "ecom/reason": reason}


def test_a_run_without_days_says_its_reason() -> None:
    assert about({"dagster/schedule_name": "daily"}, ["data_quality"]) == {"ecom/reason": "schedule daily"}


@dg.job
def pipeline() -> None: ...


def test_a_run_of_the_command_line_is_one_of_the_code_location(instance: dg.DagsterInstance) -> None:
    origin = dg.reconstructable(pipeline).get_python_origin()
    run = instance.create_run_for_job(pipeline, job_code_origin=origin, tags=TYPED)

    introduce(instance, run, ["silver__orders"])

    [known] = instance.get_runs(dg.RunsFilter(tags={".dagster/repository": f"__repository__@{LOCATION}"}))
    assert known.run_id == run.run_id
    assert known.remote_job_origin
    assert known.remote_job_origin.job_name == "pipeline"
    assert known.tags["ecom/tables"] == "1"


def test_the_code_location_has_its_name_in_the_workspace() -> None:
    assert f"location_name: {LOCATION}\n" in (settings.PROJECT / "workspace.yaml").read_text()


def test_runs_whose_process_is_gone_are_ended_but_not_those_that_others_watch(instance: dg.DagsterInstance) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    here = this_process().partition(" on ")[2]
    dead = f"{gone.pid} on {here}"
    tags = [
        {PROCESS_TAG: dead},
        {PROCESS_TAG: this_process()},
        {PROCESS_TAG: f"{gone.pid} on another machine"},
        {PROCESS_TAG: dead, ".dagster/grpc_info": "{}"},  # it was lost, and started again by the code server
        {},
    ]
    runs = [create_run_for_test(instance, status=STARTED, tags=of_run) for of_run in tags]

    end_lost_runs(instance)

    statuses = [instance.get_run_by_id(run.run_id).status for run in runs]  # type: ignore[union-attr]
    assert statuses == [FAILED, *[STARTED] * 4]
