"""Pins what the platform uses of Dagster's private parts: an upgrade of Dagster that changes one fails here."""

import datetime as dt
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pytest
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.types import DaemonHeartbeat
from dagster_duckdb.io_manager import DuckDbClient
from dagster_duckdb_pandas import DuckDBPandasTypeHandler

from ecom_assets.orchestration._dagster import (
    DbIOManager,
    DbTypeHandler,
    HeldOpenEventLogStorage,
    InProcessExecutor,
    RetryMode,
    SqliteEventLogStorage,
    Step,
    TablePartitionDimension,
    TableSlice,
    UnresolvedAssetJobDefinition,
    cause_of_failure,
    dead_daemons,
    is_canceled,
    keep_partitions,
    step_of_failure,
)

THREE_DAYS = ["2024-01-01", "2024-01-02", "2024-01-03"]
DAYS = dg.DailyPartitionsDefinition("2024-01-01")
CHECK = dg.AssetCheckKey(dg.AssetKey("till"), "is_counted")
RANGE = {"dagster/asset_partition_range_start": THREE_DAYS[0], "dagster/asset_partition_range_end": THREE_DAYS[-1]}


class Shelf(dg.ConfigurableIOManager):
    """Keeps nothing; says of each day but the second that it has rows."""

    def load_input(self, context: dg.InputContext) -> Any:
        raise NotImplementedError

    def handle_output(  # type: ignore[override]
        self, context: dg.OutputContext, obj: Any
    ) -> Iterator[dg.DagsterEvent]:
        step = Step(context)
        assert step.run_id == context.run_id
        assert step.tags["shop"] == "corner"
        assert (step.partition_key_range.start, step.partition_key_range.end) == (THREE_DAYS[0], THREE_DAYS[-1])
        for day in THREE_DAYS:
            step.add_metadata({"of": day}, context.asset_key, day)
            verdict = dg.AssetCheckEvaluation(CHECK.asset_key, CHECK.name, day != THREE_DAYS[1], {}, partition=day)
            yield step.evaluated(verdict)
        keep_partitions(context, [THREE_DAYS[0], THREE_DAYS[2]])


@dg.multi_asset(
    name="till",
    can_subset=True,
    outs={"rows": dg.AssetOut(key="till", io_manager_key="shelf", is_required=False)},
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec(CHECK.name, asset=CHECK.asset_key)],
)
def till() -> Iterator[dg.Output[int]]:
    yield dg.Output(1, "rows")


@dg.asset
def broken() -> None:
    raise ArithmeticError("no such thing")


def run(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [till], instance=instance, resources={"shelf": Shelf()}, tags={**RANGE, "shop": "corner"}, raise_on_error=False
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_an_io_manager_materializes_some_partitions_each_with_its_metadata(instance: dg.DagsterInstance) -> None:
    result = run(instance)

    assert result.success
    found = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    assert {one.partition: one.metadata["of"].value for one in found} == {
        THREE_DAYS[0]: THREE_DAYS[0],
        THREE_DAYS[2]: THREE_DAYS[2],
    }


def test_an_io_manager_evaluates_a_check_for_each_partition(instance: dg.DagsterInstance) -> None:
    verdicts = run(instance).get_asset_check_evaluations()

    assert {one.partition: one.passed for one in verdicts} == {day: day != THREE_DAYS[1] for day in THREE_DAYS}


def test_the_cause_of_a_failed_run_is_its_first_error(instance: dg.DagsterInstance) -> None:
    result = dg.materialize([broken], instance=instance, raise_on_error=False)

    [failed] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE]
    cause = cause_of_failure(failed)
    assert "no such thing" in (cause.cause or cause).message
    assert step_of_failure(failed) == "broken"


def test_a_run_is_canceled_once_that_is_asked_for(instance: dg.DagsterInstance) -> None:
    run = create_run_for_test(instance, job_name="pipeline", status=dg.DagsterRunStatus.STARTED)
    assert not is_canceled(instance, run.run_id)

    instance.report_run_canceling(run)
    instance.report_run_failed(run)
    assert is_canceled(instance, run.run_id)


def test_a_daemon_is_dead_without_a_sign_of_life_for_ten_minutes(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert dead_daemons(instance) == []
        for name, minutes in (("SCHEDULER", 11), ("SENSOR", 1)):
            then = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).timestamp()
            instance.add_daemon_heartbeat(DaemonHeartbeat(then, name, "1", []))

        assert dead_daemons(instance) == ["SCHEDULER"]


def test_the_event_log_keeps_its_files_open_until_it_is_disposed_of(tmp_path: Path) -> None:
    storage = HeldOpenEventLogStorage.from_config_value(None, {"base_dir": str(tmp_path)})
    with storage.index_connection() as con:
        first = con.connection.dbapi_connection
    with storage.index_connection() as con:
        assert con.connection.dbapi_connection is first

    storage.dispose()

    with storage.index_connection() as con:
        assert con.connection.dbapi_connection is not first
    storage.dispose()


def logged_by(storage: type[SqliteEventLogStorage], folder: Path) -> dg.DagsterInstance:
    """An instance whose event log lies in a folder."""
    (folder / "home").mkdir(parents=True)
    log = {"module": storage.__module__, "class": storage.__name__, "config": {"base_dir": str(folder)}}
    return dg.DagsterInstance.local_temp(str(folder / "home"), overrides={"event_log_storage": log})


def told(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the files of an event log say, without ids and times."""
    of_log = {
        "events": "select dagster_event_type, step_key, asset_key, partition from event_logs order by id",
        "assets": """
            select a.asset_key, a.last_run_id = (select run_id from event_logs order by id desc limit 1), e.partition
            from asset_keys a join event_logs e on e.id = json_extract(a.last_materialization, '$.storage_id')""",
        "tags": "select e.partition, t.key from asset_event_tags t join event_logs e on e.id = t.event_id",
        "verdicts": """
            select c.asset_key, c.check_name, c.partition, c.execution_status, e.partition, e.event = c.evaluation_event
            from asset_check_executions c left join event_logs e on e.id = c.evaluation_event_storage_id
            order by c.id""",
    }
    index, runs = folder / "index.db", sorted(set(folder.glob("*.db")) - {folder / "index.db"})
    with closing(sqlite3.connect(index)) as log:
        found = {name: log.execute(query).fetchall() for name, query in of_log.items()}
    for n, path in enumerate(runs):
        with closing(sqlite3.connect(path)) as log:
            found[f"events of run {n}"] = log.execute(of_log["events"]).fetchall()
    return found


def said(entry: dg.EventLogEntry) -> tuple[object, ...]:
    """What is read of an event but ids, times and places."""
    if not entry.dagster_event:
        return entry.level, entry.message
    event = entry.dagster_event
    about: object = None
    if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        about = event.asset_check_evaluation_data.metadata
    elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
        about = event.materialization.metadata
    where = entry.step_key, event.step_key, event.step_handle, event.node_handle, event.step_kind_value
    message = re.sub(r"[\d.]+m?s\b|pid: \d+", "", entry.message)
    return entry.level, message, entry.job_name, event.job_name, event.event_type, where, event.partition, about


def test_a_new_event_log_has_large_pages(tmp_path: Path) -> None:
    with logged_by(HeldOpenEventLogStorage, tmp_path) as instance:
        run(instance)
    for path in tmp_path.glob("*.db"):
        with closing(sqlite3.connect(path)) as log:
            assert log.execute("pragma page_size").fetchone() == (16_384,)


@pytest.mark.parametrize("at_once", [1, 2, 1_000])
def test_events_stored_in_bulk_are_those_of_dagsters_own_log(tmp_path: Path, monkeypatch, at_once: int) -> None:
    monkeypatch.setattr("ecom_assets.orchestration._dagster.BULK_SIZE", at_once)
    monkeypatch.setenv("DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS", "true")
    stores, read = {}, {}
    for storage in (HeldOpenEventLogStorage, SqliteEventLogStorage):
        folder = tmp_path / storage.__name__
        with logged_by(storage, folder) as instance:
            read[storage] = [said(entry) for _ in range(2) for entry in instance.all_logs(run(instance).run_id)]
        stores[storage] = told(folder)

    assert stores[HeldOpenEventLogStorage] == stores[SqliteEventLogStorage]
    assert read[HeldOpenEventLogStorage] == read[SqliteEventLogStorage]
    assert len(stores[HeldOpenEventLogStorage]["verdicts"]) == 2 * len(THREE_DAYS)


@dg.multi_asset(
    name="till",
    outs={"rows": dg.AssetOut(key="till", is_required=False)},
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec(CHECK.name, asset=CHECK.asset_key)],
)
def stopped_till() -> Iterator[dg.Output[int]]:
    raise ArithmeticError("no such thing")
    yield


def states(instance: dg.DagsterInstance) -> list[str | None]:
    """What Dagster says of each of the three days."""
    found = instance.get_status_by_partition(CHECK.asset_key, THREE_DAYS, DAYS) or {}
    return [state.value if (state := found.get(day)) else None for day in THREE_DAYS]


@pytest.mark.parametrize("storage", [HeldOpenEventLogStorage, SqliteEventLogStorage])
def test_days_are_in_progress_while_they_run_and_red_until_they_are_made(
    tmp_path: Path, storage: type[SqliteEventLogStorage]
) -> None:
    with logged_by(storage, tmp_path) as instance:
        job = dg.Definitions([till], resources={"shelf": Shelf()}).resolve_implicit_global_asset_job_def()
        started = instance.create_run_for_job(job, tags=RANGE, status=dg.DagsterRunStatus.STARTED)
        assert states(instance) == ["IN_PROGRESS"] * 3
        instance.report_run_canceled(started)
        assert states(instance) == [None] * 3

        dg.materialize([stopped_till], instance=instance, tags=RANGE, raise_on_error=False)
        assert states(instance) == ["FAILED"] * 3

        run(instance)
        assert states(instance) == ["MATERIALIZED", "FAILED", "MATERIALIZED"]


def test_a_run_plans_all_days_of_an_asset_with_one_event_and_a_check_without_rows(tmp_path: Path) -> None:
    with logged_by(HeldOpenEventLogStorage, tmp_path) as instance:
        dg.materialize([stopped_till], instance=instance, tags=RANGE, raise_on_error=False)
        [stopped] = instance.get_runs()

        assert len(instance.all_logs(stopped.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)) == 1
        assert instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=9) == []


def test_events_that_wait_are_stored_before_anything_is_read(tmp_path: Path) -> None:
    with logged_by(HeldOpenEventLogStorage, tmp_path) as instance:
        result = run(instance)
        made, judged = dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION
        for event in instance.all_logs(result.run_id, of_type={made, judged}):
            instance.event_log_storage.store_event(event)
            assert instance.all_logs(result.run_id)[-1] == event


def test_events_of_a_version_of_dagster_that_was_not_tried_are_stored_one_by_one(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("ecom_assets.orchestration._dagster.BULK_TRIED_ON", "0.0.1")
    monkeypatch.setattr(HeldOpenEventLogStorage, "_store_in_bulk", None)
    with logged_by(HeldOpenEventLogStorage, tmp_path) as instance:
        assert run(instance).success


def test_an_executor_of_ours_can_wrap_the_one_in_process() -> None:
    inner = InProcessExecutor(retries=RetryMode.ENABLED)

    assert inner.retries is RetryMode.ENABLED
    assert inner.step_dependency_config


def test_an_asset_job_is_resolved_later() -> None:
    assert isinstance(dg.define_asset_job("all"), UnresolvedAssetJobDefinition)


class _Client(DuckDbClient):
    """dagster-duckdb's client on a connection that stays open."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con

    @contextmanager
    def connect(self, context: Any, table_slice: TableSlice) -> Iterator[Any]:  # type: ignore[override]
        yield self.con


def test_a_handler_of_pandas_frames_replaces_a_slice_on_a_connection_of_ours(instance: dg.DagsterInstance) -> None:
    @dg.asset(partitions_def=DAYS, key_prefix="research", metadata={"partition_expr": "day"})
    def counted() -> pd.DataFrame:
        return pd.DataFrame({"day": pd.to_datetime(THREE_DAYS[:1])})

    con = duckdb.connect()
    handler = DuckDBPandasTypeHandler()
    assert isinstance(handler, DbTypeHandler)
    manager = DbIOManager(type_handlers=[handler], db_client=_Client(con), database="")
    for _ in range(2):
        result = dg.materialize(
            [counted], instance=instance, partition_key=THREE_DAYS[0], resources={"io_manager": manager}
        )

    assert con.execute("select count(*) from research.counted").fetchall() == [(1,)]
    [told] = result.asset_materializations_for_node("research__counted")
    assert {"dagster/partition_row_count", "dagster/table_name", "Query"} <= told.metadata.keys()


def test_the_slice_of_a_partition_is_a_query() -> None:
    window = DAYS.time_window_for_partition_key(THREE_DAYS[0])
    part = TableSlice("counted", "research", partition_dimensions=[TablePartitionDimension("day", window)])

    assert DuckDbClient.get_select_statement(part) == (
        "SELECT * FROM research.counted WHERE\nday >= '2024-01-01 00:00:00' AND day < '2024-01-02 00:00:00'"
    )
