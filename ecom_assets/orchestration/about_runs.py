"""What runs say of themselves in the UI: days, number of tables and reason, however they were started."""

import math
import os
import socket
import time
from collections.abc import Collection, Mapping

import dagster as dg

from ecom_assets.days import Window
from ecom_assets.orchestration._dagster import REPAIR_TAG, RETRY_TAG, belongs_to, is_watched

LOCATION = "ecom_assets"
"""The name of the code location, in workspace.yaml."""
DAYS_TAG = "ecom/days"
TABLES_TAG = "ecom/tables"
REASON_TAG = "ecom/reason"
PROCESS_TAG = "ecom/process"
"""Tag of a run of the command line: its process, which nobody else watches."""


def this_process() -> str:
    """Returns the value of PROCESS_TAG for this process."""
    return f"{os.getpid()} on {socket.gethostname()}"


def introduce(instance: dg.DagsterInstance, run: dg.DagsterRun, steps: Collection[str]) -> None:
    """Adds the tags of a run that begins; a run of the command line also gets its place on job pages and timeline."""
    if run.remote_job_origin is None and run.job_code_origin:
        belongs_to(instance, run.run_id, LOCATION)
    instance.add_run_tags(run.run_id, about(run.tags, steps))


def about(tags: Mapping[str, str], steps: Collection[str]) -> dict[str, str]:
    """Returns what a run with these tags and steps says of itself. Of a repair, the days are those stale at first."""
    first, last = (tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    if first is None or last is None:
        first = last = tags.get("dagster/partition")
    days = str(Window.parse(f"{first}..{last}")) if first else ""
    if REPAIR_TAG in tags:
        days = tags[REPAIR_TAG].partition(" of ")[2] or days
    tables = sum("__" in step for step in steps)
    found = {DAYS_TAG: days, TABLES_TAG: str(tables) if tables else "", REASON_TAG: _reason(tags)}
    return {tag: text for tag, text in found.items() if text}


def _reason(tags: Mapping[str, str]) -> str:
    if parent := tags.get("dagster/parent_run_id"):
        number = tags.get(RETRY_TAG)
        return f"retry {number} of run {parent[:8]}, which was lost" if number else f"run {parent[:8]} again"
    if PROCESS_TAG in tags:
        return tags.get(REASON_TAG, "command line")
    if backfill := tags.get("dagster/backfill"):
        return f"backfill {backfill}"
    if sensor := tags.get("dagster/sensor_name"):
        return f"sensor {sensor}: {tags[REPAIR_TAG]}" if REPAIR_TAG in tags else f"sensor {sensor}"
    if schedule := tags.get("dagster/schedule_name"):
        return f"schedule {schedule}"
    return "started by hand"


class CancelRequest:
    """Tells whether a user of the UI has canceled a run of the command line, whose process gets no signal."""

    SECONDS_BETWEEN = 1.0
    """Dagster's storage is asked this often at most: a day has a hundred steps, most of them shorter."""

    def __init__(self, instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
        self._instance, self._run_id = instance, run.run_id
        self._gets_no_signal = PROCESS_TAG in run.tags and not is_watched(run)
        self._asked_at = -math.inf

    def is_made(self) -> bool:
        """Returns whether the run is to end, as far as is known."""
        if not self._gets_no_signal or time.monotonic() - self._asked_at < self.SECONDS_BETWEEN:
            return False
        self._asked_at = time.monotonic()
        found = self._instance.get_run_by_id(self._run_id)
        return found is not None and found.status is dg.DagsterRunStatus.CANCELING


def end_lost_runs(instance: dg.DagsterInstance) -> None:
    """Ends runs of the command line whose process is gone: they would hold the pool's slot for hours.

    Those of another machine are left alone. The daemon starts them again, as it does all runs that are lost.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        process, _, machine = run.tags.get(PROCESS_TAG, "").partition(" on ")
        is_here = process and machine in ("", socket.gethostname()) and not is_watched(run)
        if is_here and not _is_alive(int(process)):
            instance.report_run_failed(run, "The process of this run has ended; what it committed is kept.")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
