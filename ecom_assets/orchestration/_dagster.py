"""All private modules and attributes of Dagster that the platform uses.

An upgrade of Dagster affects only this file and its tests, which pin the behaviour of each piece.
"""

import datetime as dt
import logging
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.events import ASSET_EVENTS, AssetMaterializationPlannedData, JobFailureData
from dagster._core.execution.plan.handle import StepHandle
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.base import Executor
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorType, SensorInstigatorData
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.db_io_manager import DbIOManager, DbTypeHandler, TablePartitionDimension, TableSlice
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.tags import GRPC_INFO_TAG, REPOSITORY_LABEL_TAG, RETRY_NUMBER_TAG
from dagster._core.utils import make_new_run_id
from dagster._serdes import ConfigurableClassData
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import StaticPool

__all__ = [
    "REPAIR_TAG",
    "RETRY_TAG",
    "AssetPartitionStatus",
    "BulkEventLog",
    "ConfigurableClassData",
    "DbIOManager",
    "DbTypeHandler",
    "Executor",
    "HeldOpenEventLogStorage",
    "InProcessExecutor",
    "RetryMode",
    "SqlEventLogStorageTable",
    "SqliteEventLogStorage",
    "Step",
    "TablePartitionDimension",
    "TableSlice",
    "UnresolvedAssetJobDefinition",
    "belongs_to",
    "cause_of_failure",
    "dead_daemons",
    "event_rows",
    "files_of_run",
    "follow_runs_from_now",
    "is_canceled",
    "is_watched",
    "keep_partitions",
    "make_new_run_id",
    "plan_partition",
    "runs_of_newest_events",
    "sensor_ticks",
    "step_of_failure",
    "without_beta_warnings",
]

OPEN_SHARDS = 16
BULK_SIZE = 1_000
"""The most events that are stored at once."""
PAGE_SIZE = 16_384
"""Bytes of a page of a new SQLite file."""
BULK_TRIED_ON = "1.13.27"
"""The version of Dagster whose events the platform stores in bulk."""
REPAIR_TAG = "ecom/repair"
"""Tag of a run that says itself on which of its partitions it runs: the others are not planned."""
RETRY_TAG = RETRY_NUMBER_TAG
"""Tag of a run that the daemon has started again: how often."""
_VERDICT = dg.DagsterEventType.ASSET_CHECK_EVALUATION
_OF_DAYS = frozenset({dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED})
_OF_STEPS = frozenset(
    {
        dg.DagsterEventType.STEP_INPUT,
        dg.DagsterEventType.LOADED_INPUT,
        dg.DagsterEventType.STEP_OUTPUT,
        dg.DagsterEventType.HANDLED_OUTPUT,
    }
)
"""Kinds of events that only the log of their run holds."""
_OF_ONE_VERDICT = ["asset_key", "check_name", "run_id", "partition"]

_log = logging.getLogger(__name__)


@contextmanager
def without_beta_warnings() -> Iterator[None]:
    """Hides that a backfill policy and references to code are in beta: neither has a stable twin, and users read it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


class Step:
    """The step for which an I/O manager loads or stores."""

    def __init__(self, context: dg.InputContext | dg.OutputContext) -> None:
        self._step: Any = context.step_context

    @property
    def run_id(self) -> str:
        return str(self._step.run_id)

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags of the step's run."""
        return dict(self._step.dagster_run.tags)

    @property
    def has_days(self) -> bool:
        """Whether the run has partitions. One that executes a check alone has none."""
        return bool(self._step.has_partition_key or self._step.has_partition_key_range)

    @property
    def partition_key_range(self) -> dg.PartitionKeyRange:
        """Returns first and last partition of the run. Raises DagsterInvariantViolationError if the run has none."""
        key_range: dg.PartitionKeyRange = self._step.partition_key_range
        return key_range

    def add_metadata(self, metadata: Mapping[str, Any], asset: dg.AssetKey, partition: str) -> None:
        """Adds metadata to the materialization of one partition of an asset."""
        self._step.add_asset_metadata(metadata, asset, partition)

    @property
    def may_plan_later(self) -> bool:
        """Whether no partition of a repair is red but those that the run plans by itself."""
        return isinstance(self._step.instance.event_log_storage, BulkEventLog)

    def plan(self, asset: dg.AssetKey, partition: str) -> None:
        """Notes that the run means to materialize a partition of an asset, which is red if the run fails without."""
        plan_partition(self._step.instance, self._step.dagster_run, self._step.step.key, asset, partition)

    def evaluated(self, evaluation: dg.AssetCheckEvaluation) -> dg.DagsterEvent:
        """Returns the event of a check's evaluation, which may be of one partition."""
        return dg.DagsterEvent.asset_check_evaluation(self._step, evaluation)


def plan_partition(
    instance: dg.DagsterInstance, run: dg.DagsterRun, step: str, asset: dg.AssetKey, partition: str
) -> None:
    """Notes that a run means, or meant, to materialize a partition: it is red if the run fails, or has failed."""
    planned = AssetMaterializationPlannedData(asset, partition=partition)
    event = dg.DagsterEvent.build_asset_materialization_planned_event(run.job_name, step, planned)
    instance.report_dagster_event(event, run.run_id, logging.DEBUG)


def keep_partitions(context: dg.OutputContext, partitions: Iterable[str]) -> None:
    """Makes Dagster materialize only these partitions of an output, not all of the run's.

    If there are none, the output is no asset's: Dagster would materialize the asset without a partition.
    """
    partitions = list(partitions)
    if not partitions:
        context._asset_key = None
        return
    context._asset_partitions_subset = context.asset_partitions_def.subset_with_partition_keys(partitions)


def cause_of_failure(event: dg.DagsterEvent) -> Any:
    """Returns the first error of a failed run, with its causes; None if another process ended the run."""
    data = event.event_specific_data
    if not isinstance(data, JobFailureData):
        return None
    first_step = data.first_step_failure_event
    return data.error or (first_step and first_step.step_failure_data.error)


def step_of_failure(event: dg.DagsterEvent) -> str | None:
    """Returns the table whose step was the first to fail in a failed run; None if no step did."""
    data = event.event_specific_data
    first = data.first_step_failure_event if isinstance(data, JobFailureData) else None
    return str(first.step_key).replace("__", ".") if first and first.step_key else None


def is_canceled(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Returns whether a user has canceled a run, however it ended."""
    kinds = {dg.DagsterEventType.RUN_CANCELING, dg.DagsterEventType.RUN_CANCELED}
    return bool(instance.event_log_storage.get_logs_for_run(run_id, of_type=kinds, limit=1))


def is_watched(run: dg.DagsterRun) -> bool:
    """Returns whether the code server has started the process of a run, and ends the run if the process dies."""
    return GRPC_INFO_TAG in run.tags


def belongs_to(instance: dg.DagsterInstance, run_id: str, location: str) -> None:
    """Makes a run one of a job of a code location, as those are that the web server or the daemon starts.

    Without it, the run is on no job's page and not on the timeline, and the daemon cannot start it again.
    """
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__")
    instance.add_run_tags(run_id, {REPOSITORY_LABEL_TAG: repository.get_label()})
    if run := instance.get_run_by_id(run_id):
        instance.run_storage.replace_job_origin(run, repository.get_job_origin(run.job_name))


def dead_daemons(instance: dg.DagsterInstance) -> list[str]:
    """Returns the daemons of Dagster that have lived and have shown no sign of life for ten minutes."""
    from dagster._daemon.controller import get_daemon_statuses  # slow to load, and needed by the daemon alone

    if instance.is_ephemeral:
        return []
    found = get_daemon_statuses(
        instance, instance.get_required_daemon_types(), ignore_errors=True, heartbeat_tolerance_seconds=600
    )
    return sorted(name for name, status in found.items() if status.last_heartbeat and not status.healthy)


def sensor_ticks(instance: dg.DagsterInstance) -> dict[str, tuple[bool, dt.datetime | None, dt.timedelta]]:
    """Returns, for each sensor that has ever ticked, whether it is on, when it last ticked, and how often it should."""
    found: dict[str, tuple[bool, dt.datetime | None, dt.timedelta]] = {}
    if instance.is_ephemeral:
        return found
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        data = state.instigator_data
        if not isinstance(data, SensorInstigatorData):
            continue
        at = dt.datetime.fromtimestamp(data.last_tick_timestamp, dt.UTC) if data.last_tick_timestamp else None
        _, before, _ = found.get(state.name, (True, None, None))
        if before is None or (at and at > before):
            found[state.name] = state.is_running, at, dt.timedelta(seconds=data.min_interval or 30)
    return found


def follow_runs_from_now(instance: dg.DagsterInstance) -> None:
    """Makes the daemon that retries runs look at those that end from now on, unless it has looked at some before.

    It would do so by itself, with a warning for each kind of end.
    """
    from dagster._daemon.auto_run_reexecution import event_log_consumer as consumer  # slow to load

    keys = {consumer._create_cursor_key(kind) for kind in consumer.DAGSTER_EVENT_TYPES}
    if unset := keys - instance.daemon_cursor_storage.get_cursor_values(keys).keys():
        newest = instance.event_log_storage.get_maximum_record_id() or 0
        instance.daemon_cursor_storage.set_cursor_values(dict.fromkeys(unset, str(newest)))


def files_of_run(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    """Returns the files with the log of a run, and the folder with what its process printed; none on other storages."""
    log, printed = instance.event_log_storage, instance.compute_log_manager
    found = []
    if isinstance(log, SqliteEventLogStorage):
        path = Path(log.path_for_shard(run_id))
        found += [path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))]
    if isinstance(printed, LocalComputeLogManager):
        found.append(Path(printed._base_dir, run_id))
    return [path for path in found if path.exists()]


def runs_of_newest_events(instance: dg.DagsterInstance) -> set[str] | None:
    """Returns the runs with the newest event of a kind of any partition of any asset; None if they cannot be known.

    Dagster tells from these which partitions are there; without its run, an event is gone.
    """
    log = instance.event_log_storage
    if not isinstance(log, SqlEventLogStorage):
        return None
    events = SqlEventLogStorageTable.c
    kinds = [kind.value for kind in ASSET_EVENTS]
    newest = (
        db.select(db.func.max(events.id))
        .where(events.dagster_event_type.in_(kinds))
        .group_by(events.dagster_event_type, events.asset_key, events.partition)
    )
    with log.index_connection() as con:
        found = con.execute(db.select(events.run_id).where(events.id.in_(newest)).distinct()).fetchall()
    return {run_id for (run_id,) in found}


class BulkEventLog(SqlEventLogStorage):
    """What our event logs share, whatever they store in: events of table-days in bulk, and plans of whole runs.

    Dagster's own classes store each event alone. Here the events of table-days, and of what steps read and make, wait
    until anything else is stored or read, or `BULK_SIZE` of them wait, and are stored in one transaction. Whoever
    reads through this object sees them all; other processes see those of a table when its step ends.

    A run plans the partitions of an asset with one event, and those of a check without a row for each.

    A killed process loses the waiting events of the step in which it was killed. With another version of Dagster than
    `BULK_TRIED_ON`, events are stored one by one.
    """

    def _begin_waiting(self) -> None:
        self._waiting: list[dg.EventLogEntry] = []
        self._waiting_lock = threading.RLock()
        self._in_bulk = dg.__version__ == BULK_TRIED_ON
        if not self._in_bulk:
            _log.warning("Bulk storage of events is tried on Dagster %s; this is %s.", BULK_TRIED_ON, dg.__version__)

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event; one of a table-day of a run, or of what a step reads and makes, may wait for others."""
        if not (self._in_bulk and event.run_id and _may_wait(event)):
            super().store_event(event)
            return
        with self._waiting_lock:
            if self._waiting and self._waiting[0].run_id != event.run_id:
                self._store_waiting()
            self._waiting.append(event)
            if len(self._waiting) >= BULK_SIZE:
                self._store_waiting()

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Whether a run plans all partitions of an asset with one event; Dagster asks at the start of a run."""
        return self._in_bulk

    def _store_asset_check_evaluation_planned(self, event: dg.EventLogEntry, event_id: int | None) -> None:
        """Stores no row for each partition that a check may be of: its verdict makes it."""
        if not (self._in_bulk and event.get_dagster_event().asset_check_planned_data.partitions_subset):
            super()._store_asset_check_evaluation_planned(event, event_id)

    def get_latest_asset_partition_materialization_attempts_without_materializations(
        self, asset_key: dg.AssetKey, after_storage_id: int | None = None
    ) -> Mapping[str, tuple[str, int]]:
        """Returns run and event of the last plan of each partition that has not been materialized since.

        Dagster takes them for in progress or failed, by the state of the run; its own class overlooks partitions that
        were planned with one event. A repair plans none: of its partitions, most are not stale.
        """
        found = dict(
            super().get_latest_asset_partition_materialization_attempts_without_materializations(
                asset_key, after_storage_id
            )
        )
        of_asset = dg.EventRecordsFilter(
            dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, asset_key, after_cursor=after_storage_id
        )
        planned = {
            record.storage_id: (record.run_id, subset)
            for record in self._get_event_records(of_asset, ascending=True)
            if (subset := record.event_log_entry.get_dagster_event().partitions_subset) is not None
        }
        if not planned:
            return found
        runs = {run_id for run_id, _ in planned.values()}
        repairs = {run_id for run_id in runs if self._is_repair(run_id)}
        made = self.get_latest_storage_id_by_partition(asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION)
        for event_id, (run_id, subset) in planned.items():
            for partition in subset.get_partition_keys() if run_id not in repairs else ():
                if event_id > max(made.get(partition, 0), found.get(partition, (run_id, 0))[1]):
                    found[partition] = run_id, event_id
        return found

    def _is_repair(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        return run is not None and REPAIR_TAG in run.tags

    def _store_waiting(self) -> None:
        """Store the events that wait: all or none."""
        with self._waiting_lock:
            if not self._waiting:
                return
            events, self._waiting = self._waiting, []  # storing may read, and reading stores what waits
            try:
                self._store_together(events)
            except BaseException:
                self._waiting = [*events, *self._waiting]
                raise

    def _store_together(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events of one run in one transaction."""
        raise NotImplementedError

    def _store_about(
        self,
        events: Sequence[dg.EventLogEntry],
        rows: Sequence[Mapping[str, Any]],
        ids: Sequence[int],
        index: db.Connection,
        insert: Callable[[db.Table], Any],
    ) -> None:
        """Store what Dagster's own class stores beside the row of each event, with one statement for many.

        `insert` makes a statement that can say what to do on a conflict, in the words of the database.
        """
        stored = list(zip(events, rows, ids, strict=True))
        of_assets = [(event, event_id) for event, _, event_id in stored if event.dagster_event_type in ASSET_EVENTS]
        if of_assets:
            self._store_asset_event_tags(index, *zip(*of_assets, strict=True))
        # What Dagster notes of an asset is that of its last event of each kind.
        last = {(event.get_dagster_event().asset_key, event.dagster_event_type): (event, n) for event, n in of_assets}
        for event, event_id in last.values():
            self._store_asset_event(index, event, event_id)
        verdicts = [_verdict(*of_one) for of_one in stored if of_one[0].dagster_event_type is _VERDICT]
        if verdicts:
            over_planned = insert(AssetCheckExecutionsTable)
            told = {name: over_planned.excluded[name] for name in verdicts[0] if name not in _OF_ONE_VERDICT}
            index.execute(over_planned.on_conflict_do_update(index_elements=_OF_ONE_VERDICT, set_=told), verdicts)


class HeldOpenEventLogStorage(BulkEventLog, SqliteEventLogStorage):
    """Dagster's SQLite event log; the files in use stay open, and events of table-days are stored in bulk.

    Dagster's own class opens and closes a file for each event, and closing flushes SQLite's log to disk; each event
    takes up to four transactions. After a power cut the last events may be missing, never half written.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, db.Engine] = {}
        self._found_tables: set[str] = set()
        self._begin_waiting()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "HeldOpenEventLogStorage":
        return cls(inst_data=inst_data, **config_value)

    def _initdb(self, engine: db.Engine, for_index_shard: bool = False) -> None:
        """Makes a file's tables, in a new file with pages that events fill without leaving much of them empty."""
        db.event.listen(engine, "connect", lambda raw, _: raw.execute(f"pragma page_size = {PAGE_SIZE}"))
        super()._initdb(engine, for_index_shard)

    def has_table(self, table_name: str) -> bool:
        """Returns whether the log has a table; Dagster asks at each check event."""
        if table_name not in self._found_tables and super().has_table(table_name):
            self._found_tables.add(table_name)
        return table_name in self._found_tables

    def _store_together(self, events: Sequence[dg.EventLogEntry]) -> None:
        with self._db_lock, self._begun(INDEX_SHARD_NAME) as index, self._begun(events[0].run_id) as of_run:
            self._store_in_bulk(events, of_run, index)

    def _store_in_bulk(self, events: Sequence[dg.EventLogEntry], of_run: db.Connection, index: db.Connection) -> None:
        rows = event_rows(self, events)
        of_run.execute(SqlEventLogStorageTable.insert(), rows)
        found = [of_one for of_one in zip(events, rows, strict=True) if of_one[0].dagster_event_type not in _OF_STEPS]
        if not found:
            return
        events, rows = zip(*found, strict=True)
        index.execute(SqlEventLogStorageTable.insert(), rows)
        # SQLite numbers the rows of a transaction one after the other; asking for each number takes twice the time.
        last_id = index.execute(db.text("select last_insert_rowid()")).scalar_one()
        self._store_about(events, rows, range(last_id - len(rows) + 1, last_id + 1), index, insert)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        """Opens a transaction on a shard, one at a time, like Dagster's own class; no event waits any longer."""
        self._store_waiting()
        with self._db_lock, self._begun(shard) as conn:
            yield conn

    @contextmanager
    def _begun(self, shard: str) -> Iterator[db.Connection]:
        with self._engine(shard).connect() as conn, conn.begin():
            yield conn

    def _engine(self, shard: str) -> db.Engine:
        if shard not in self._engines:
            while len(self._engines) >= OPEN_SHARDS:
                oldest = next(name for name in self._engines if name != INDEX_SHARD_NAME)
                self._engines.pop(oldest).dispose()
            engine = db.create_engine(
                self.conn_string_for_shard(shard),
                poolclass=StaticPool,
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            self._initdb(engine)
            with engine.connect() as conn:
                conn.execute(db.text("pragma synchronous = normal"))
            self._engines[shard] = engine
        return self._engines[shard]

    def dispose(self) -> None:
        """Store what waits and close all files."""
        self._store_waiting()
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


def event_rows(log: SqlEventLogStorage, events: Sequence[dg.EventLogEntry]) -> list[Mapping[str, Any]]:
    """Returns the rows of events in a log's table."""
    return [log._event_to_row(_without_repetition(event)) for event in events]


def _may_wait(event: dg.EventLogEntry) -> bool:
    """Returns whether an event may be stored in bulk: of a materialization, a partition's verdict, or a step's data."""
    kind = event.dagster_event_type
    if kind is _VERDICT:
        return event.get_dagster_event().asset_check_evaluation_data.partition is not None
    return kind in _OF_STEPS or kind in _OF_DAYS


def _without_repetition(event: dg.EventLogEntry) -> dg.EventLogEntry:
    """Returns an event without what it says twice, and without the tags of Python's loggers: a quarter of its size."""
    told = event.get_dagster_event()
    if told.node_handle is None or told.step_handle != StepHandle(told.node_handle):
        return event
    return event._replace(user_message="", dagster_event=told._replace(step_handle=None, logging_tags={}))


def _verdict(event: dg.EventLogEntry, row: Mapping[str, Any], event_id: int) -> dict[str, Any]:
    """Returns the row of a check's evaluation, of which there is one for each run and partition."""
    verdict = event.get_dagster_event().asset_check_evaluation_data
    judged = verdict.target_materialization_data
    status = AssetCheckExecutionRecordStatus.SUCCEEDED if verdict.passed else AssetCheckExecutionRecordStatus.FAILED
    return {
        "asset_key": verdict.asset_key.to_string(),
        "check_name": verdict.check_name,
        "run_id": event.run_id,
        "partition": verdict.partition,
        "execution_status": status.value,
        "evaluation_event": row["event"],
        "evaluation_event_timestamp": row["timestamp"],
        "evaluation_event_storage_id": event_id,
        "materialization_event_storage_id": judged.storage_id if judged else None,
    }
