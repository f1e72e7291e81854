"""Dagster's event log in SQLite files, with connections that stay open; and what Dagster has no query for.

Dagster's own class opens and closes a file for each event, and closing flushes SQLite's log to disk:
a run that materialises a thousand table-days would spend most of its time there.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData, deserialize_value
from sqlalchemy.pool import StaticPool

OPEN_SHARDS = 16


class HeldOpenEventLogStorage(SqliteEventLogStorage):
    """Dagster's SQLite event log; the files in use stay open, and are flushed when SQLite checkpoints.

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
        """A transaction on a shard. One at a time, as in Dagster's own class."""
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
        """Close all files."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


def verdicts_before(
    storage: SqlEventLogStorage, moment: float, check: dg.AssetCheckKey, partitions: Iterable[str | None]
) -> dict[str | None, dg.AssetCheckEvaluation]:
    """The last verdict of a check on each of these partitions before a moment, in seconds since 1970.

    One query for all partitions: Dagster's own gives the last verdict on one, or all that there ever were on each.
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
    with storage.index_connection() as con:
        found = con.execute(last).fetchall()
    events = {partition: deserialize_value(event, dg.EventLogEntry).dagster_event for partition, event in found}
    return {partition: event.asset_check_evaluation_data for partition, event in events.items() if event}
