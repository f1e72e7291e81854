"""Dagster's event log in SQLite files, with connections that stay open.

Dagster's own class opens and closes a file for each event, and closing flushes SQLite's log to disk:
a run that materialises a thousand table-days would spend most of its time there.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as db
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
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
