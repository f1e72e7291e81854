"""Dagster's storage on PostgreSQL: what holds of the event log in files holds of that in a database."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from ecom_assets.orchestration import home
from ecom_assets.settings import PROJECT
from ecom_assets_tests.orchestration.test_dagster import (
    CHECK,
    RANGE,
    THREE_DAYS,
    Shelf,
    run,
    said,
    states,
    stopped_till,
    till,
)
from ecom_assets_tests.postgres_server import Server

postgres_log = pytest.importorskip("ecom_assets.orchestration.postgres_log", reason="the extra postgres is missing")
FILE = PROJECT / "dagster-postgres.yaml"
STORAGES = ("run_storage", "event_log_storage", "schedule_storage")


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    with server.database() as name:
        yield name


def address(server: Server, database: str) -> str:
    return server.address(database).replace("postgresql:", "postgresql+psycopg2:")


def logged_by(storage: type, url: str, folder: Path) -> dg.DagsterInstance:
    """An instance whose event log is in a database."""
    folder.mkdir(exist_ok=True)
    log = {"module": storage.__module__, "class": storage.__name__, "config": {"postgres_url": url}}
    return dg.DagsterInstance.local_temp(str(folder), overrides={"event_log_storage": log})


@pytest.fixture
def instance(server: Server, database: str, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with logged_by(postgres_log.PostgresEventLog, address(server, database), tmp_path / "home") as instance:
        yield instance


def told(server: Server, database: str) -> dict[str, list[tuple[object, ...]]]:
    """What the tables of an event log say, without ids and times."""
    of_log = {
        "events": "select dagster_event_type, step_key, asset_key, partition from event_logs order by id",
        "assets": """
            select a.asset_key, a.last_run_id = (select run_id from event_logs order by id desc limit 1), e.partition
            from asset_keys a
            join event_logs e on e.id = (a.last_materialization::json->>'storage_id')::bigint""",
        "tags": "select e.partition, t.key from asset_event_tags t join event_logs e on e.id = t.event_id",
        "verdicts": """
            select c.asset_key, c.check_name, c.partition, c.execution_status, e.partition, e.event = c.evaluation_event
            from asset_check_executions c left join event_logs e on e.id = c.evaluation_event_storage_id
            order by c.id""",
    }
    return {name: server.run(query, database) for name, query in of_log.items()}


@pytest.mark.slow
def test_events_stored_in_bulk_are_those_of_dagsters_own_log(server: Server, tmp_path: Path, monkeypatch) -> None:
    from dagster_postgres.event_log import PostgresEventLogStorage

    monkeypatch.setattr("ecom_assets.orchestration._dagster.BULK_SIZE", 2)
    monkeypatch.setenv("DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS", "true")
    stores, read = [], []
    for storage in (postgres_log.PostgresEventLog, PostgresEventLogStorage):
        with server.database() as database:
            with logged_by(storage, address(server, database), tmp_path / storage.__name__) as instance:
                read.append([said(entry) for _ in range(2) for entry in instance.all_logs(run(instance).run_id)])
            stores.append(told(server, database))

    assert stores[0] == stores[1]
    assert read[0] == read[1]
    assert len(stores[0]["verdicts"]) == 2 * len(THREE_DAYS)


def test_days_are_in_progress_while_they_run_and_red_until_they_are_made(instance: dg.DagsterInstance) -> None:
    job = dg.Definitions([till], resources={"shelf": Shelf()}).resolve_implicit_global_asset_job_def()
    started = instance.create_run_for_job(job, tags=RANGE, status=dg.DagsterRunStatus.STARTED)
    assert states(instance) == ["IN_PROGRESS"] * 3
    instance.report_run_canceled(started)

    dg.materialize([stopped_till], instance=instance, tags=RANGE, raise_on_error=False)
    assert states(instance) == ["FAILED"] * 3
    [stopped, _] = instance.get_runs()
    assert len(instance.all_logs(stopped.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)) == 1
    assert instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=9) == []

    run(instance)
    assert states(instance) == ["MATERIALIZED", "FAILED", "MATERIALIZED"]


def test_events_that_wait_are_stored_before_anything_is_read_and_all_or_none(
    instance: dg.DagsterInstance, monkeypatch
) -> None:
    result = run(instance)
    made, judged = dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION
    log = instance.event_log_storage
    for event in instance.all_logs(result.run_id, of_type={made, judged}):
        log.store_event(event)
        assert instance.all_logs(result.run_id)[-1] == event

    before = len(instance.all_logs(result.run_id))
    with monkeypatch.context() as patch:
        patch.setattr(type(log), "_store_asset_event_tags", lambda *given: 1 / 0)
        log.store_event(next(iter(instance.all_logs(result.run_id, of_type={made}))))
        with pytest.raises(ZeroDivisionError):
            instance.all_logs(result.run_id)
    assert len(instance.all_logs(result.run_id)) == before + 1


def test_the_file_for_postgres_differs_in_the_storages_alone() -> None:
    in_files, in_database = (yaml.safe_load(path.read_text()) for path in (PROJECT / "dagster.yaml", FILE))

    assert {name for name in in_files if in_files[name] != in_database[name]} == set(STORAGES)
    assert in_files.keys() == in_database.keys()


@pytest.mark.slow
def test_an_instance_of_the_file_keeps_runs_ticks_and_events_in_the_database(
    server: Server, database: str, tmp_path: Path, monkeypatch
) -> None:
    (tmp_path / "dagster.yaml").write_text(FILE.read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ECOM_DAGSTER_POSTGRES", address(server, database))
    with home.in_dagster_home() as instance:
        home.prepare(instance)
        assert run(instance).success
    with home.in_dagster_home() as again:
        assert states(again) == ["MATERIALIZED", None, "MATERIALIZED"]
    assert home.storage_problem() == ""
    counts = server.run("select (select count(*) from runs), (select count(*) > 10 from event_logs)", database)
    assert counts == [(1, True)]
    assert not list(tmp_path.rglob("*.db"))

    monkeypatch.setenv("PGPASSWORD", "wrong-one")
    monkeypatch.setenv("ECOM_DAGSTER_POSTGRES", address(server, database).replace("postgres@", "asks@"))
    assert 'password authentication failed for user "asks"' in home.storage_problem()
    assert "wrong-one" not in home.storage_problem()
