"""The log of what each run wrote: one JSON object per line, for a table and the days of it that ran.

At most two files of MAX_BYTES each are kept. Only the process that has the warehouse open writes.
"""

import datetime as dt
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Protocol

from ecom_assets.days import State, contiguous

MAX_BYTES = 10_000_000
_COUNTS = Path("/proc/self/io")
_log = logging.getLogger(__name__)


class Ran(Protocol):
    """What became of a day of a table."""

    @property
    def day(self) -> dt.date: ...
    @property
    def state(self) -> State: ...
    @property
    def row_count(self) -> int: ...
    @property
    def bad_count(self) -> int: ...


@dataclass
class Spent:
    """What a piece of work took: seconds, and bytes that this process read and wrote, None where nobody counts."""

    seconds: float = 0.0
    bytes_read: int | None = None
    bytes_written: int | None = None
    _began: float = field(default_factory=perf_counter, repr=False)


@contextmanager
def spending() -> Iterator[Spent]:
    """Yields what the block takes, known at its end."""
    before, spent = _counted(), Spent()
    yield spent
    spent.seconds = perf_counter() - spent._began
    if before and (after := _counted()):
        spent.bytes_read, spent.bytes_written = (now - then for now, then in zip(after, before, strict=True))


def _counted() -> tuple[int, int] | None:
    """Returns the bytes that this process has read and written so far; None where the system does not count them."""
    try:
        counts = dict(line.split(": ") for line in _COUNTS.read_text().splitlines())
        return int(counts["rchar"]), int(counts["wchar"])
    except (OSError, ValueError, KeyError):
        return None


def note(path: Path, run_id: str, table: str, ran: Sequence[Ran], spent: Spent) -> None:
    """Appends a line about the days of a table that a run wrote. Logs what prevents it, and never raises it."""
    if not ran:
        return
    line = {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
        "run": run_id,
        "table": table,
        "days": [str(window) for window in contiguous(result.day for result in ran)],
        "states": dict(Counter(str(result.state) for result in ran)),
        "rows": sum(result.row_count for result in ran),
        "bad_rows": sum(result.bad_count for result in ran),
        "seconds": round(spent.seconds, 3),
        "bytes_read": spent.bytes_read,
        "bytes_written": spent.bytes_written,
    }
    try:
        _append(path, json.dumps(line).encode())
    except OSError as error:
        _log.warning("The log of runs, %s, cannot be written: %s", path, error.strerror or error)


def _append(path: Path, line: bytes) -> None:
    """Appends a line, on one of its own though a killed process left half of one before it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size + len(line) >= MAX_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line + b"\n")
