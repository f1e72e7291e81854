"""All private modules and attributes of Dagster that the platform uses.

An upgrade of Dagster affects only this file and its tests, which pin the behaviour of each piece.
"""

import datetime as dt
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.events import JobFailureData
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.base import Executor
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.db_io_manager import DbIOManager, DbTypeHandler, TablePartitionDimension, TableSlice
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData, deserialize_value
from sqlalchemy.pool import StaticPool

__all__ = [
    "DbIOManager",
    "DbTypeHandler",
    "Executor",
    "HeldOpenEventLogStorage",
    "InProcessExecutor",
    "RetryMode",
    "Step",
    "TablePartitionDimension",
    "TableSlice",
    "UnresolvedAssetJobDefinition",
    "cause_of_failure",
    "keep_partitions",
    "verdicts_before",
    "without_beta_warnings",
]

OPEN_SHARDS = 16


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
    def partition_key_range(self) -> dg.PartitionKeyRange:
        """Returns first and last partition of the run. Raises DagsterInvariantViolationError if the run has none."""
        key_range: dg.PartitionKeyRange = self._step.partition_key_range
        return key_range

    def add_metadata(self, metadata: Mapping[str, Any], asset: dg.AssetKey, partition: str) -> None:
        """Adds metadata to the materialization of one partition of an asset."""
        self._step.add_asset_metadata(metadata, asset, partition)

    def evaluated(self, evaluation: dg.AssetCheckEvaluation) -> dg.DagsterEvent:
        """Returns the event of a check's evaluation, which may be of one partition."""
        return dg.DagsterEvent.asset_check_evaluation(self._step, evaluation)


def keep_partitions(context: dg.OutputContext, partitions: Iterable[str]) -> None:
    """Makes Dagster materialize only these partitions of an output, not all of the run's."""
    context._asset_partitions_subset = context.asset_partitions_def.subset_with_partition_keys(partitions)


def cause_of_failure(event: dg.DagsterEvent) -> Any:
    """Returns the first error of a failed run, with its causes; None if another process ended the run."""
    data = event.event_specific_data
    if not isinstance(data, JobFailureData):
        return None
    first_step = data.first_step_failure_event
    return data.error or (first_step and first_step.step_failure_data.error)


class HeldOpenEventLogStorage(SqliteEventLogStorage):
    """Dagster's SQLite event log; the files in use stay open, and are flushed when SQLite checkpoints.

    Dagster's own class opens and closes a file for each event, and closing flushes SQLite's log to disk:
    a run that materializes a thousand table-days would spend most of its time there.

    A killed process loses nothing; after a power cut the last events may be missing, never half written.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, db.Engine] = {}
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "HeldOpenEventLogStorage":
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        """Opens a transaction on a shard, one at a time, like Dagster's own class."""
        with self._db_lock:
            engine = self._engine(shard)
            with engine.connect() as conn, conn.begin():
                yield conn

    def _engine(self, shard: str) -> db.Engine:
        if shard not in self._engines:
            while len(self._engines) >= OPEN_SHARDS:
                self._engines.pop(next(iter(self._engines))).dispose()
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
        """Closes all files."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


def verdicts_before(
    instance: dg.DagsterInstance, moment: float, check: dg.AssetCheckKey, partitions: Iterable[str | None]
) -> dict[str | None, dg.AssetCheckEvaluation]:
    """Returns the last evaluation of a check for each of these partitions before a moment, in seconds since 1970.

    One query for all partitions: Dagster's own returns the last evaluation of one, or all evaluations of each.
    """
    of = AssetCheckExecutionsTable.c
    newest_first = [of.evaluation_event_timestamp.desc(), of.id.desc()]
    place = db.func.row_number().over(partition_by=of.partition, order_by=newest_first).label("place")
    ranked = (
        db.select(of.id, place)
        .where(
            of.asset_key == check.asset_key.to_string(),
            of.check_name == check.name,
            of.execution_status != AssetCheckExecutionRecordStatus.PLANNED.value,
            of.evaluation_event_timestamp < dt.datetime.fromtimestamp(moment, dt.UTC).replace(tzinfo=None),
            db.or_(of.partition.in_(set(partitions) - {None}), of.partition.is_(None)),
        )
        .subquery()
    )
    last = db.select(of.partition, of.evaluation_event).where(
        of.id.in_(db.select(ranked.c.id).where(ranked.c.place == 1))
    )
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        raise TypeError(f"The event log must be an SQL database, not {type(storage).__name__}.")
    with storage.index_connection() as con:
        found = con.execute(last).fetchall()
    events = {partition: deserialize_value(event, dg.EventLogEntry).dagster_event for partition, event in found}
    return {partition: event.asset_check_evaluation_data for partition, event in events.items() if event}
