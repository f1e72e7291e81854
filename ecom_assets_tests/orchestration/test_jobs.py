"""Which runs are started again. Leans on how Dagster reads the tags of a run."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ecom_assets import settings
from ecom_assets.orchestration.home import in_dagster_home
from ecom_assets.orchestration.jobs import JOBS, RETRY_LOST_RUNS, selected


@dg.op
def fail() -> None:
    raise dg.Failure("the disk is full")


@dg.job(tags=RETRY_LOST_RUNS)
def broken() -> None:
    fail()


@dg.job
def untagged() -> None:
    fail()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(settings={"run_retries": {"enabled": True}}) as instance:
        yield instance


def test_each_job_has_the_policy() -> None:
    assert all(job.tags == RETRY_LOST_RUNS for job in JOBS)


def test_a_run_whose_process_died_is_started_again(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(broken, status=dg.DagsterRunStatus.STARTED, tags=RETRY_LOST_RUNS)

    instance.report_run_failed(run, "The process is gone.")

    [lost] = instance.get_runs()
    assert lost.tags["dagster/will_retry"] == "true"


def test_runs_of_no_job_have_the_policy_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as those of assets that a user of the UI selects."""
    shutil.copy(settings.PROJECT / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_DATA", str(tmp_path / "data"))
    with in_dagster_home() as instance:
        run = instance.create_run_for_job(untagged, status=dg.DagsterRunStatus.STARTED)
        instance.report_run_failed(run, "The process is gone.")
        untagged.execute_in_process(instance=instance, raise_on_error=False)

        stopped, lost = instance.get_runs()
    assert (stopped.tags["dagster/will_retry"], lost.tags["dagster/will_retry"]) == ("false", "true")


def test_a_run_in_which_a_step_failed_is_not_started_again(instance: dg.DagsterInstance) -> None:
    broken.execute_in_process(instance=instance, raise_on_error=False)

    [failed] = instance.get_runs()
    assert failed.tags["dagster/will_retry"] == "false"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("kpi/sales", ["kpi/sales"]),
        ("+kpi/sales", ["bronze/orders", "gold/sales", "kpi/sales"]),
        ("*kpi/sales", ["bronze/orders", "gold/sales", "kpi/sales"]),
        ("1+kpi/sales", ["gold/sales", "kpi/sales"]),
        ("bronze/orders+1", ["bronze/orders", "gold/sales"]),
        ("kpi/sales, bronze/orders", ["bronze/orders", "kpi/sales"]),
        ('group:"kpi" or +key:"gold/sales"', ["bronze/orders", "gold/sales", "kpi/sales"]),
        ("kpi/no", []),
    ],
)
def test_a_selection_reads_as_in_the_ui(text: str, keys: list[str]) -> None:
    @dg.asset(key=["bronze", "orders"], group_name="bronze")
    def orders() -> None: ...

    @dg.asset(key=["gold", "sales"], deps=[orders], group_name="gold")
    def sales() -> None: ...

    @dg.asset(key=["kpi", "sales"], deps=[sales], group_name="kpi")
    def daily() -> None: ...

    graph = dg.Definitions([orders, sales, daily]).resolve_asset_graph()

    assert sorted(key.to_user_string() for key in selected(text).resolve(graph)) == keys
