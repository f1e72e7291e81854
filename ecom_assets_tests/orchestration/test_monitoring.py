"""Dagster's own state is part of the report; the sensor writes it, and the asset shows it."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._core.test_utils import create_run_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from ecom_assets import catalog, settings
from ecom_assets.orchestration import monitoring
from ecom_assets.orchestration.monitoring import REPORT, WATCHED, dagster_facts, monitoring_report
from ecom_assets.orchestration.sensors import sensors

NOW = dt.datetime.now(dt.UTC)
_LOADED = LoadableTargetOrigin(module_name="ecom_assets.definitions")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    return settings.load()


def test_the_watched_sensors_are_those_there_are(known: settings.Settings) -> None:
    names = {sensor.name for sensor in sensors(known, catalog.tables())}

    assert set(WATCHED) == names - {"write_monitoring_report"}


def test_runs_are_counted_and_the_oldest_waiting_one_is_known(instance: dg.DagsterInstance) -> None:
    for status in (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED):
        create_run_for_test(instance, job_name="pipeline", status=status)
    create_run_for_test(instance, job_name="pipeline", status=dg.DagsterRunStatus.FAILURE)

    found = dagster_facts(instance, NOW)

    assert (found.problem, found.waiting, found.running) == ("", 2, 1)
    assert found.runs == {"success": 0, "failure": 1, "canceled": 0}
    assert found.waits_since
    assert abs(found.waits_since - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)
    assert [(ticker.name, ticker.last_tick) for ticker in found.tickers] == [(name, None) for name in WATCHED]


def test_a_tick_of_a_sensor_is_known(tmp_path: Path) -> None:
    """Dagster's daemon keeps it with the state of the sensor."""
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        ticked = SensorInstigatorData(last_tick_timestamp=NOW.timestamp(), min_interval=45)
        origin = RemoteInstigatorOrigin(
            RemoteRepositoryOrigin(ManagedGrpcPythonEnvCodeLocationOrigin(_LOADED, "here"), "all"), "run_new_files"
        )
        status = InstigatorStatus.DECLARED_IN_CODE
        instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, status, ticked))

        new_files, *others = dagster_facts(instance, NOW).tickers

    assert (new_files.is_on, new_files.last_tick, new_files.interval) == (True, NOW, dt.timedelta(seconds=45))
    assert {other.last_tick for other in others} == {None}


def test_a_storage_that_cannot_be_read_is_a_sentence(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("disk I/O error\n[SQL: …]")

    monkeypatch.setattr(instance, "get_runs_count", fails)

    assert dagster_facts(instance, NOW).problem == "Dagster's storage cannot be read: disk I/O error [SQL: …]"


def test_the_asset_shows_the_report_and_writes_it(known: settings.Settings, instance: dg.DagsterInstance) -> None:
    result = dg.materialize([monitoring_report], instance=instance)

    [made] = result.asset_materializations_for_node("quality__monitoring_report")
    assert made.metadata["level"].value == "critical"
    parts = str(made.metadata["parts"].value)
    assert "| alerting | critical |" in parts
    assert "Alerting has never run" in parts
    assert json.loads(known.monitoring_report.read_text())["level"] == "critical"


def test_a_folder_that_cannot_be_written_ends_no_run(
    known: settings.Settings, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    (known.data / "monitoring").write_text("in the way")

    assert dg.materialize([monitoring_report], instance=instance).success
    assert "The monitoring report cannot be written" in caplog.text


def test_the_sensor_tells_dagster_when_a_level_changes_and_each_hour(
    known: settings.Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = None

    def told() -> list[dg.AssetKey]:
        nonlocal cursor
        data = monitoring.write_monitoring_report.evaluate_tick(dg.build_sensor_context(instance, cursor))
        cursor = data.cursor
        return [event.asset_key for event in data.asset_events]

    assert told() == [REPORT]
    assert known.metrics.exists()

    known.snapshot.write_bytes(b"this is no database")
    assert told() == [REPORT]

    earlier = json.loads(cursor)
    cursor = json.dumps({**earlier, "hour": "2024-01-01 00"})
    assert told() == [REPORT]


def test_the_sensor_says_nothing_new_twice(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    report = monitoring.watched(settings.load(), instance)
    monkeypatch.setattr(monitoring, "watched", lambda *_: report)

    first = monitoring.write_monitoring_report.evaluate_tick(dg.build_sensor_context(instance))
    again = monitoring.write_monitoring_report.evaluate_tick(dg.build_sensor_context(instance, first.cursor))

    assert (len(first.asset_events), len(again.asset_events)) == (1, 0)
    assert again.skip_message == "The report is critical."
