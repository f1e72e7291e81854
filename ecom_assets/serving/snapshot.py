"""Opening the snapshot for reading."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import duckdb

from ecom_assets.errors import UserError
from ecom_assets.sql import connect, is_locked_out, literal

LOCK_WAIT_SECONDS = 2.0
"""Seconds that a reader waits while another program has the snapshot open for writing."""


class NothingPublished(UserError, FileNotFoundError):
    """There is no snapshot yet."""


class SnapshotInUse(UserError):
    """Another program has the snapshot open for writing."""


@contextmanager
def open_snapshot(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yields a connection that reads the newest snapshot, and keeps reading this one while it is open.

    Raises NothingPublished before the first run, SnapshotInUse.
    """
    until = time.monotonic() + LOCK_WAIT_SECONDS
    with closing(connect()) as con:
        while True:
            if not path.exists():
                raise NothingPublished(
                    f"{path} does not exist yet: nothing has been published. Any run publishes, e.g. make demo or "
                    "ecom run 2024-01-01..2024-01-31."
                )
            found = path.stat().st_ino
            file = next((file for file in files(path) if is_link(file, path)), None)
            with lock(file, fcntl.LOCK_SH) if file else nullcontext():
                try:
                    con.execute(f"attach {literal(str(path))} as snapshot (read_only)")
                except duckdb.IOException as error:
                    if not is_locked_out(error):
                        raise
                    if time.monotonic() > until:
                        raise SnapshotInUse(
                            f"{path} is open for writing in another program. Close it there, or open it read-only, "
                            f"e.g. with duckdb -readonly. {error}"
                        ) from error
                    time.sleep(0.1)
                    continue
                if path.stat().st_ino == found:
                    con.execute("use snapshot")
                    yield con
                    return
                con.execute("detach snapshot")


def files(path: Path) -> list[Path]:
    """Returns the two files next to a snapshot; the snapshot is a hard link to one of them."""
    return [path.with_name(f".{path.stem}-{name}{path.suffix}") for name in "ab"]


def is_link(file: Path, path: Path) -> bool:
    """Returns whether the snapshot is a hard link to the file."""
    return file.exists() and path.exists() and file.samefile(path)


@contextmanager
def lock(file: Path, kind: int) -> Iterator[bool]:
    """Yields whether the lock that belongs to a file could be taken; it is held until the end.

    DuckDB's own lock belongs to the process: it ends as soon as one of several readers in a process closes.
    """
    handle = os.open(file.with_suffix(".lock"), os.O_CREAT | os.O_RDONLY, 0o666)
    try:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
