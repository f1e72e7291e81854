"""Dagster shows days as they are in the ledger, whatever its events say."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from ecom_assets import settings
from ecom_assets.declaration import Catalog
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration import reconciling
from ecom_assets.orchestration.reconciling import reconciling_sensor
from ecom_assets_tests.orchestration.test_partition_states import (
    BAD,
    BAD_DAY,
    FIVE_DAYS,
    GOOD,
    five_days_landed,
    land,
    retrying_instance,
    run,
    states,
)
from ecom_assets_tests.orchestration.till import DECLARATIONS, defs

pytestmark = pytest.mark.slow
ASSETS = ["bronze/receipts", "silver/receipts", "quarantine/receipts", "gold/takings", "kpi/report"]


def ticked(instance: dg.DagsterInstance, times: int = 1) -> list[str]:
    """What ticks of the sensor say, each going on from the cursor of the one before."""
    sensor, cursor, said = reconciling_sensor(settings.load(), Catalog(DECLARATIONS)), None, []
    for _ in range(times):
        data = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor))
        cursor = data.cursor
        said.append(data.skip_message or "")
    return said


def test_a_new_storage_gets_the_good_days_of_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with five_days_landed(tmp_path) as zone:
        land(zone, BAD_DAY, amount="-10.00")
        with retrying_instance(tmp_path / "lost") as lost:
            run(lost)
        monkeypatch.setattr(reconciling, "EVENTS_PER_TICK", 9)
        with retrying_instance(tmp_path / "new") as instance:
            said = ticked(instance, times=5)

            for asset in ASSETS[:3]:
                assert states(instance, asset) == [GOOD] * 5, asset
            for asset in ASSETS[3:]:
                assert states(instance, asset) == [GOOD, GOOD, None, GOOD, GOOD], asset
            assert said == [
                *[f"{n} table-days reported." for n in (9, 9, 5)],
                *["Dagster shows what the ledger has."] * 2,
            ]


def test_days_that_a_failed_run_planned_and_another_made_without_events_are_made(tmp_path: Path) -> None:
    with five_days_landed(tmp_path), retrying_instance(tmp_path / "dagster") as instance:
        with retrying_instance(tmp_path / "lost") as lost:
            run(lost)
        days = {
            "dagster/asset_partition_range_start": str(FIVE_DAYS.first),
            "dagster/asset_partition_range_end": str(FIVE_DAYS.last),
        }
        killed = instance.create_run_for_job(defs.resolve_implicit_global_asset_job_def(), tags=days)
        instance.report_run_failed(killed)
        assert states(instance, "kpi/report") == [BAD] * 5

        ticked(instance)

        for asset in ASSETS:
            assert states(instance, asset) == [GOOD] * 5, asset


def test_nothing_is_reported_while_a_run_is_in_progress_or_before_the_first(tmp_path: Path) -> None:
    with five_days_landed(tmp_path), retrying_instance(tmp_path / "dagster") as instance:
        assert ticked(instance) == ["0 table-days reported."]
        with retrying_instance(tmp_path / "lost") as lost:
            run(lost)
        instance.create_run_for_job(defs.resolve_implicit_global_asset_job_def())

        assert ticked(instance) == ["A run is in progress."]


def after_a_feed_was_blocked(instance: dg.DagsterInstance, zone: Zone) -> str:
    """A run of silver alone, which finds a day bad that all tables had, and blocks it in those that it does not run."""
    run(instance)
    land(zone, BAD_DAY, amount="ten")
    selection = {dg.AssetKey(asset.split("/")) for asset in ASSETS[:3]}
    job = defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=selection)
    blocking = instance.create_run_for_job(job, tags={"dagster/partition": str(BAD_DAY)}, asset_selection=selection)
    assert not execute_run(InMemoryJob(job), blocking, instance).success
    return blocking.run_id


@pytest.mark.parametrize("how", ["failed", "pruned"])
def test_days_that_a_run_of_other_tables_has_blocked_are_red_until_they_are_good(tmp_path: Path, how: str) -> None:
    with five_days_landed(tmp_path) as zone, retrying_instance(tmp_path / "dagster") as instance:
        blocking = after_a_feed_was_blocked(instance, zone)
        assert states(instance, "kpi/report") == [GOOD] * 5
        if how == "pruned":
            instance.delete_run(blocking)

        said = ticked(instance, times=3)

        assert states(instance, "quarantine/receipts") == [GOOD] * 5
        for asset in ("gold/takings", "kpi/report"):
            assert states(instance, asset) == [GOOD, GOOD, BAD, GOOD, GOOD], asset
        assert said[1:] == ["Dagster shows what the ledger has."] * 2
        assert not any(found.tags.get("dagster/will_retry") == "true" for found in instance.get_runs())
        assert ticked(instance) == ["0 table-days reported."]

        land(zone, BAD_DAY, amount="10.00")
        run(instance)
        for asset in ASSETS:
            assert states(instance, asset) == [GOOD] * 5, asset
