"""The parts about this machine: whether files can be read and written, and how much room is left."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ecom_assets.monitoring.report import Figure, Level, Part, Reason, Value
from ecom_assets.settings import Settings

MB = 1_000_000
LEAST_FREE, LITTLE_FREE = 500 * MB, 2_000 * MB


def unreachable(known: Settings) -> dict[str, str]:
    """Returns what of the data cannot be read or written, and how."""
    found = {}
    for name, path in (("data", known.data), ("landing", known.landing)):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            found[name] = f"{path} cannot be read and written"
    for name, path in (("warehouse", known.warehouse), ("snapshot", known.snapshot)):
        try:
            with path.open("rb") as file:
                head = file.read(12)
        except FileNotFoundError:
            continue
        except OSError as error:
            found[name] = f"{path} cannot be read: {error.strerror}"
        else:
            if head and head[8:] != b"DUCK":  # an empty file is about to be written
                found[name] = f"{path} is not a DuckDB database, or is damaged"
    return found


def connectivity(known: Settings, others: Mapping[str, str]) -> Part:
    """Returns whether the files of the platform can be reached; `others` are problems of Dagster's storage, by name."""
    problems = unreachable(known) | dict(others)
    reasons = [
        Reason(Level.CRITICAL, f"{problem.rstrip('.')}.", "ecom doctor says what to do.")
        for problem in problems.values()
    ]
    places = ("data", "landing", "warehouse", "snapshot", "dagster")
    figures = [Figure("reachable", float(name not in problems), {"place": name}) for name in places]
    summary = f"{len(problems)} places cannot be reached." if problems else "All files can be read and written."
    return Part("connectivity", summary, reasons, figures)


def disk(known: Settings) -> Part:
    """Returns how much room is left, compared with what the next publish may need: a copy of the snapshot."""
    folder = next(path for path in (known.data, *known.data.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    sizes = {"warehouse": _size(known.warehouse), "snapshot": _size(known.snapshot)}
    needed, comfortable = max(LEAST_FREE, sizes["snapshot"]), max(LITTLE_FREE, 2 * sum(sizes.values()))
    figures = [Figure("disk_free_bytes", free)]
    figures += [Figure("file_bytes", size, {"file": name}) for name, size in sizes.items()]
    reasons = []
    if free < comfortable:
        level = Level.CRITICAL if free < needed else Level.WARNING
        text = f"{folder} has {free / MB:,.0f} MB left; a publish may need {needed / MB:,.0f} MB."
        advice = "Free space, or move the data folder to a larger disk; ecom prune lists what nothing needs."
        reasons.append(Reason(level, text, advice))
    details: list[Mapping[str, Value]] = [
        {"file": name, "megabytes": round(size / MB, 1)} for name, size in {**sizes, "free": free}.items()
    ]
    return Part("disk", f"{free / MB:,.0f} MB are free.", reasons, figures, details)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
