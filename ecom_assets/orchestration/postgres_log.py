"""Dagster's event log on PostgreSQL, with the events of table-days in bulk. dagster-postgres.yaml names it.

Only an installation with the extra `postgres` can load this module.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config
from sqlalchemy.dialects.postgresql import insert

from ecom_assets.orchestration._dagster import (
    BulkEventLog,
    ConfigurableClassData,
    SqlEventLogStorageTable,
    event_rows,
)

MORE_CONNECTIONS = 20
"""Connections that threads may open beside the one that stays open."""


class PostgresEventLog(BulkEventLog, PostgresEventLogStorage):
    """The event log in a PostgreSQL database; one connection stays open, and events of table-days are stored in bulk.

    Dagster's own class connects anew for each statement.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        self._begin_waiting()
        super().__init__(*given, **named)
        self._engine = create_pg_engine(
            self.postgres_url,
            self._token_provider,
            isolation_level="AUTOCOMMIT",
            pool_size=1,
            max_overflow=MORE_CONNECTIONS,
            pool_pre_ping=True,
        )

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PostgresEventLog":
        return cls(
            pg_url_from_config(config_value),
            config_value.get("should_autocreate_tables", True),
            inst_data,
            get_token_provider_from_config(config_value),
        )

    def _store_together(self, events: Sequence[dg.EventLogEntry]) -> None:
        rows = event_rows(self, events)
        table = SqlEventLogStorageTable
        with self._engine.execution_options(isolation_level="READ COMMITTED").begin() as con:
            stored = table.insert().returning(table.c.id, sort_by_parameter_order=True)
            ids = [int(event_id) for event_id in con.execute(stored, rows).scalars()]
            self._store_about(events, rows, ids, con, insert)

    @contextmanager
    def _connect(self) -> Iterator[db.Connection]:
        """Yields a connection; no event waits any longer."""
        self._store_waiting()
        with self._engine.connect() as con:
            yield con

    def dispose(self) -> None:
        """Store what waits and close all connections."""
        self._store_waiting()
        self._engine.dispose()
        super().dispose()
