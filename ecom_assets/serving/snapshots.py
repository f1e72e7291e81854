"""Snapshots that requests read: the newest one, and for a while those before, so that pages agree with each other."""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import duckdb

from ecom_assets.errors import UserError
from ecom_assets.serving.ledger import provisional_days, snapshot_name
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.sql import literal, quoted

KEPT_SECONDS = 60.0
"""How long a snapshot can be read after a newer one was published. A publish copies the file while it is read."""

FOLLOWED_SECONDS = 5.0
MAX_INDEXED_ROWS = 2_000_000
"""Rows of the largest table of which an index is made: some fifty bytes of memory each."""
_log = logging.getLogger(__name__)


class SnapshotGone(Exception):
    """A snapshot that is asked for by name is no longer kept."""


@dataclass
class _Kept:
    name: str
    inode: int | None
    con: duckdb.DuckDBPyConnection
    provisional: Mapping[str, Sequence[dt.date]]
    opened: ExitStack
    indexes: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Tables and columns that were asked for values, and whether there is an index of them by now."""
    readers: int = 0
    replaced_at: float | None = None


@dataclass(frozen=True)
class Reading:
    """A snapshot while it is read: its name, which orders snapshots by time, and a connection of its own.

    `provisional` are the days of each table that are not final. `places` returns the rowids of a table among which are
    all rows with one of some texts in a column, None while they are not known: the first question begins an index.
    """

    snapshot: str
    con: duckdb.DuckDBPyConnection
    provisional: Mapping[str, Sequence[dt.date]]
    places: Callable[[str, str, Sequence[str]], list[int] | None]


@dataclass
class Snapshots:
    """The snapshots behind a path. Threads may read at once, each by a connection of its own."""

    path: Path
    beside: Callable[[Callable[[], None]], None] = lambda work: threading.Thread(target=work, daemon=True).start()
    """Does work that nobody waits for."""
    _kept: list[_Kept] = field(default_factory=list)
    _lock: threading.Condition = field(default_factory=threading.Condition)
    _closed: threading.Event = field(default_factory=threading.Event)
    _making: int = 0
    """Indexes that are being made."""

    @property
    def is_published(self) -> bool:
        """Whether there is a snapshot."""
        return self.path.exists()

    def newest(self) -> str:
        """Returns the name of the newest snapshot. Raises NothingPublished, SnapshotInUse."""
        with self._lock:
            return self._newest().name

    def current(self) -> str | None:
        """Returns the name of the newest snapshot if it is open already: at once, without waiting for anything."""
        kept = self._kept[-1] if self._kept else None
        return kept.name if kept and kept.inode == self._inode() else None

    def follow(self) -> None:
        """Opens what is published and closes what is old until the end, also while nobody asks.

        A publish copies what is still read.
        """

        def following() -> None:
            while not self._closed.wait(FOLLOWED_SECONDS):
                try:
                    with self._lock:
                        if not self._closed.is_set():
                            self._newest()
                except (UserError, duckdb.Error, OSError) as error:
                    _log.debug("The snapshot cannot be opened: %s", error)

        threading.Thread(target=following, daemon=True).start()

    @contextmanager
    def reading(self, name: str | None = None) -> Iterator[Reading]:
        """Yields a snapshot, the newest by default, and keeps it until the end of the block.

        Raises SnapshotGone if the one named is no longer kept, NothingPublished, SnapshotInUse.
        """
        with self._lock:
            newest = self._newest()
            found = newest if name is None else next((kept for kept in self._kept if kept.name == name), None)
            if found is None:
                raise SnapshotGone(name)
            found.readers += 1
            con = found.con.cursor()
        try:
            con.execute("use snapshot")  # a cursor starts in the database in memory
            yield Reading(found.name, con, found.provisional, partial(self._places, found, con))
        finally:
            con.close()
            with self._lock:
                found.readers -= 1

    def _places(
        self, kept: _Kept, con: duckdb.DuckDBPyConnection, table: str, column: str, values: Sequence[str]
    ) -> list[int] | None:
        is_ready = kept.indexes.get((table, column))
        if is_ready is None:
            self._begin_index(kept, table, column)
        if not is_ready:
            return None
        query = f"select place from {_index_of(table, column)} where value_hash = hash(?)"
        return [place for value in values for (place,) in con.execute(query, [value]).fetchall()]

    def _begin_index(self, kept: _Kept, table: str, column: str) -> None:
        with self._lock:
            if (table, column) in kept.indexes:
                return
            kept.indexes[table, column] = False
            kept.readers += 1
            self._making += 1
        self.beside(partial(self._make_index, kept, table, column))

    def _make_index(self, kept: _Kept, table: str, column: str) -> None:
        """Makes an index of a column in memory, unless the table is too large, or no table."""
        index = _index_of(table, column)
        try:
            with kept.con.cursor() as con:
                rows = con.execute(
                    "select estimated_size from duckdb_tables() where database_name = 'snapshot' "
                    f"and schema_name || '.' || table_name = {literal(table)}"
                ).fetchone()
                if rows and rows[0] <= MAX_INDEXED_ROWS:
                    con.execute(
                        f"create table {index} as select hash({quoted(column)}) as value_hash, rowid as place "
                        f"from snapshot.{quoted(table)}"
                    )
                    con.execute(f"create index {quoted(f'by {column}')} on {index} (value_hash)")
                    kept.indexes[table, column] = True
        except duckdb.Error as error:  # it only saves time
            _log.debug("No index of %s of %s: %s", column, table, error)
        finally:
            with self._lock:
                kept.readers -= 1
                self._making -= 1
                self._lock.notify_all()

    def close(self) -> None:
        """Closes all snapshots, once no index is being made any more, and follows no more."""
        self._closed.set()
        with self._lock:
            self._lock.wait_for(lambda: not self._making)
            for kept in self._kept:
                kept.opened.close()
            self._kept.clear()

    def _newest(self) -> _Kept:
        while True:
            current = next((kept for kept in self._kept if kept.replaced_at is None), None)
            if current and current.inode == self._inode():
                self._close_old()
                return current
            before = self._inode()
            opened = self._open(before)
            if self._inode() != before:  # published meanwhile: it may be either
                opened.opened.close()
                continue
            self._kept.append(opened)
            if current:
                current.replaced_at = time.monotonic()
                for table, column in list(current.indexes):
                    self._begin_index(opened, table, column)

    def _inode(self) -> int | None:
        """Returns what tells files apart under one path, while those that are open are not written again."""
        return self.path.stat().st_ino if self.path.exists() else None

    def _open(self, inode: int | None) -> _Kept:
        stack = ExitStack()
        con = stack.enter_context(open_snapshot(self.path))
        name = snapshot_name(con)
        con.execute("set enable_external_access = false; set lock_configuration = true")
        return _Kept(name, inode, con, provisional_days(con), stack)

    def _close_old(self) -> None:
        until = time.monotonic() - KEPT_SECONDS
        for kept in list(self._kept):
            if kept.replaced_at is not None and kept.replaced_at < until and not kept.readers:
                kept.opened.close()
                self._kept.remove(kept)


def _index_of(table: str, column: str) -> str:
    """Returns SQL for the table in memory with the places of a column's values."""
    name = f"{table} by {column}".replace(".", " ")
    return f'memory.main."{name}"'
