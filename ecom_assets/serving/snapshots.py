"""Snapshots that requests read: the newest one, and for a while those before, so that pages agree with each other."""

import datetime as dt
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from ecom_assets.serving.ledger import provisional_days, snapshot_name
from ecom_assets.serving.snapshot import open_snapshot

KEPT_SECONDS = 60.0
"""How long a snapshot can be read after a newer one was published. A publish copies the file while it is read."""


class SnapshotGone(Exception):
    """A snapshot that is asked for by name is no longer kept."""


@dataclass
class _Kept:
    name: str
    inode: int | None
    con: duckdb.DuckDBPyConnection
    provisional: Mapping[str, Sequence[dt.date]]
    opened: ExitStack
    readers: int = 0
    replaced_at: float | None = None


@dataclass(frozen=True)
class Reading:
    """A snapshot while it is read: its name, which orders snapshots by time, and a connection of its own.

    `provisional` are the days of each table that are not final.
    """

    snapshot: str
    con: duckdb.DuckDBPyConnection
    provisional: Mapping[str, Sequence[dt.date]]


@dataclass
class Snapshots:
    """The snapshots behind a path. Threads may read at once, each by a connection of its own."""

    path: Path
    _kept: list[_Kept] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

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
            yield Reading(found.name, con, found.provisional)
        finally:
            con.close()
            with self._lock:
                found.readers -= 1

    def close(self) -> None:
        """Closes all snapshots."""
        with self._lock:
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
            if current:
                current.replaced_at = time.monotonic()
            self._kept.append(opened)

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
