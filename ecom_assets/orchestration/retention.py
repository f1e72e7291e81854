"""What is kept for a while only: logs and records of runs, messages of alerts, old pages and exports, what was left.

Nothing goes that a full rebuild, the tables' pages or the next publish need: landed files of the calendar, rows,
quarantine and the newest event of each partition stay.
"""

import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
from filelock import FileLock

from ecom_assets.exports.folder import MANIFEST, NotAnExport, refuse_others
from ecom_assets.landing.files import replace_file
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration._dagster import files_of_run, runs_of_newest_events
from ecom_assets.orchestration.jobs import ENDED
from ecom_assets.settings import Settings, is_saved
from ecom_assets.streaming.landing import places

DAY = dt.timedelta(days=1)
INDEX = "index.html"
LEFT_AFTER = DAY
"""A half-written file of this age is no longer being written."""
_PAGE = 1000


@dataclass(frozen=True)
class Retired:
    """One thing that is kept no longer: its kind, its name, since when it is over, UTC, and the bytes that it takes.

    `remove` removes it. Raises OSError.
    """

    kind: str
    name: str
    over_at: dt.datetime
    bytes: int
    remove: Callable[[], object]


def retired(
    known: Settings, instance: dg.DagsterInstance, before: dt.datetime, now: dt.datetime, *, landed: bool = False
) -> Iterator[Retired]:
    """Yields what was over before a moment and is needed no longer.

    With `landed`, also landed files of days before the first of the calendar, which nothing reads; none while no
    calendar is saved.
    """
    if landed and is_saved(known.data):
        yield from _landed(known, before)
    yield from _of_runs(instance, before)
    yield from _messages(known, before)
    yield from _written(known, before)
    yield from _left(known, min(before, now - LEFT_AFTER))


def _landed(known: Settings, before: dt.datetime) -> Iterator[Retired]:
    zone = Zone(known.landing)
    for feed in zone.feeds():
        ends_of_streams = {place.day for place in places(zone, feed).values()}  # where consumers go on
        for day in zone.days(feed):
            over_at = dt.datetime.combine(day + DAY, dt.time(), ZoneInfo(known.time_zone))
            if day < known.start and over_at < before and day not in ends_of_streams:
                folder = known.landing / feed / str(day)
                name, size = f"{feed}/{day}", _bytes([folder])
                yield Retired("landed files before the first day", name, over_at, size, partial(shutil.rmtree, folder))


def _of_runs(instance: dg.DagsterInstance, before: dt.datetime) -> Iterator[Retired]:
    """Yields logs of runs that have ended, and the records of those that no page of a table needs.

    The record of a failed run stays, since a day is red because of it; so does that of a run with the newest event of a
    partition.
    """
    needed = runs_of_newest_events(instance)
    ended = dg.RunsFilter(statuses=[*ENDED], updated_before=before)
    cursor = None
    while records := instance.get_run_records(ended, limit=_PAGE, cursor=cursor, ascending=True):
        cursor = records[-1].dagster_run.run_id
        for record in records:
            run = record.dagster_run
            over_at = dt.datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), dt.UTC)
            if over_at >= before:
                continue
            name = f"{run.job_name} {run.run_id}"
            files = files_of_run(instance, run.run_id)
            if needed is not None and run.status is not dg.DagsterRunStatus.FAILURE and run.run_id not in needed:
                remove = partial(_remove_run, instance, run.run_id, files)
                yield Retired("runs with their logs", name, over_at, _bytes(files), remove)
            elif files:
                yield Retired("logs of runs", name, over_at, _bytes(files), partial(_remove, files))


def _messages(known: Settings, before: dt.datetime) -> Iterator[Retired]:
    """Yields the old lines of the file of messages, as one. The store of alerts forgets by itself after 90 days."""
    if not known.alerts.exists():
        return
    old = [line for line in known.alerts.read_bytes().splitlines(keepends=True) if _is_older(line, before)]
    if not old:
        return

    def remove() -> None:
        with FileLock(known.alert_store.with_suffix(".lock"), thread_local=False):  # no tick appends meanwhile
            lines = known.alerts.read_bytes().splitlines(keepends=True)
            replace_file(known.alerts, b"".join(line for line in lines if not _is_older(line, before)))

    name = f"{len(old):,} of {known.alerts.name}"
    yield Retired("messages of alerts", name, _moment(old[-1]) or before, sum(map(len, old)), remove)


def _is_older(line: bytes, before: dt.datetime) -> bool:
    at = _moment(line)
    return at is not None and at < before


def _moment(line: bytes) -> dt.datetime | None:
    """Returns when a message was made; None for half a line."""
    try:
        return dt.datetime.fromisoformat(json.loads(line)["at"])
    except (ValueError, TypeError, KeyError):
        return None


def _written(known: Settings, before: dt.datetime) -> Iterator[Retired]:
    """Yields pages and an export that have not been written since; a command or an asset writes them again.

    An export in which somebody has changed a file, or put one, stays.
    """
    for newest in (known.profiles / INDEX, known.catalogue / INDEX, known.exports / MANIFEST):
        folder = newest.parent
        if newest.exists() and (over_at := dt.datetime.fromtimestamp(newest.stat().st_mtime, dt.UTC)) < before:
            with suppress(NotAnExport):
                if folder == known.exports:
                    refuse_others(folder)
                remove = partial(shutil.rmtree, folder)
                yield Retired("old pages and exports", folder.name, over_at, _bytes([folder]), remove)


def _left(known: Settings, before: dt.datetime) -> Iterator[Retired]:
    """Yields half-written files that killed processes left, and damaged files that were moved aside."""
    for folder in (known.data, known.alert_store.parent):
        for pattern in (".*.part", ".*.copy", "*.damaged"):
            for file in sorted(folder.glob(pattern)):
                over_at = dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC)
                if file.is_file() and over_at < before:
                    yield Retired("files left behind", str(file), over_at, file.stat().st_size, file.unlink)


def _bytes(files: list[Path]) -> int:
    return sum(
        inner.stat().st_size
        for file in files
        for inner in (file.rglob("*") if file.is_dir() else [file])
        if inner.is_file()
    )


def _remove_run(instance: dg.DagsterInstance, run_id: str, files: list[Path]) -> None:
    instance.delete_run(run_id)
    _remove(files)


def _remove(files: list[Path]) -> None:
    for file in files:
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)
