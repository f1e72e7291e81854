"""Dagster's colours of table-days, made those of the ledger: green with good rows, red without."""

import datetime as dt
import json
from collections.abc import Collection, Mapping
from pathlib import Path

import dagster as dg

from ecom_assets import settings
from ecom_assets.declaration import Catalog
from ecom_assets.orchestration._dagster import AssetPartitionStatus, make_new_run_id, plan_partition
from ecom_assets.orchestration.about_runs import REASON_TAG
from ecom_assets.orchestration.assets import STATE, asset_key, partitions_of
from ecom_assets.orchestration.automation import sensor
from ecom_assets.orchestration.jobs import UNFINISHED, pipeline
from ecom_assets.serving.ledger import BadDay, ledger_state
from ecom_assets.settings import Settings

ASSETS_PER_TICK = 25
EVENTS_PER_TICK = 100
"""Each is a few milliseconds of writing."""


def reconciling_sensor(loaded: Settings, tables: Catalog) -> dg.SensorDefinition:
    """Returns the sensor that shows days of the calendar in Dagster as they are in the ledger."""
    partitions = partitions_of(loaded.calendar, loaded.time_zone)

    @sensor(minimum_interval_seconds=30)
    def show_ledger(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Shows days as they are in the ledger where Dagster shows them otherwise.

        Good ones are made: after a killed run, or with a new storage. Those without good rows have failed: of tables
        that a run of others has blocked.
        """
        # The cursor has the version of the snapshot that was looked at, and how many of its tables have been.
        snapshot, days = settings.load().snapshot, loaded.past_days()
        version, done = json.loads(context.cursor or '["", 0]')
        if version != _version(snapshot):
            version, done = _version(snapshot), 0
        if done == len(tables):
            return dg.SensorResult(skip_reason="Dagster shows what the ledger has.", cursor=context.cursor)
        if context.instance.get_runs_count(dg.RunsFilter(statuses=[*UNFINISHED])):
            return dg.SensorResult(skip_reason="A run is in progress.", cursor=context.cursor)
        ledger = ledger_state(snapshot)
        good: dict[str, list[dt.date]] = {}
        bad: dict[str, dict[dt.date, BadDay]] = {}
        for table, day in ledger.good:
            if days and day in days:
                good.setdefault(table, []).append(day)
        for (table, day), found in ledger.bad.items():
            if days and day in days:
                bad.setdefault(table, {})[day] = found
        shown = _Shown(context.instance, partitions, EVENTS_PER_TICK)
        for declaration in [*tables][done : done + ASSETS_PER_TICK]:
            name = declaration.name
            shown.make(asset_key(name), good.get(name, []), bad.get(name, {}))
            if declaration.from_feed:
                without, with_rows = dict(bad.get(name, {})), list(good.get(name, []))
                with_rows += [day for day, found in without.items() if found.has_quarantined]
                without = {day: found for day, found in without.items() if not found.has_quarantined}
                shown.make(asset_key(declaration.quarantine), with_rows, without)
            if shown.left == 0:
                break
            done += 1
        told = EVENTS_PER_TICK - shown.left
        return dg.SensorResult(skip_reason=f"{told} table-days reported.", cursor=json.dumps([version, done]))

    return show_ledger


def _version(snapshot: Path) -> str:
    """Returns a text that changes with each publish; an empty one before the first."""
    return str(snapshot.stat().st_mtime_ns) if snapshot.exists() else ""


class _Shown:
    """What Dagster shows, and at most so many events that change it."""

    def __init__(self, instance: dg.DagsterInstance, partitions: dg.PartitionsDefinition, left: int) -> None:
        self.left = left
        self._instance, self._partitions = instance, partitions
        self._failed_runs: dict[str, dg.DagsterRun] = {}

    def make(self, key: dg.AssetKey, good: Collection[dt.date], bad: Mapping[dt.date, BadDay]) -> None:
        """Shows good days as made, and bad ones that are shown as made as failed."""
        days = sorted(map(str, [*good, *bad]))
        shown = self._instance.get_status_by_partition(key, days, self._partitions) or {}
        made = {day for day in days if shown.get(day) is AssetPartitionStatus.MATERIALIZED}
        for day in sorted({*map(str, good)} - made)[: self.left]:
            about = {STATE: "good, by the ledger; the run that made it has left no event"}
            self._instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day, metadata=about))
            self.left -= 1
        for lost in sorted(lost for lost in bad if str(lost) in made)[: self.left]:
            plan_partition(self._instance, self._failed(bad[lost].run_id), "__".join(key.path), key, str(lost))
            self.left -= 1

    def _failed(self, run_id: str) -> dg.DagsterRun:
        """Returns the failed run that wrote days without good rows.

        If it was canceled, or pruned, one that says so in its place: a day is shown as failed only for a failed run.
        """
        if run_id not in self._failed_runs:
            run = self._instance.get_run_by_id(run_id)
            if run is None or run.status is not dg.DagsterRunStatus.FAILURE:
                reason = f"no run: it stands for run {run_id[:8]}, which left days without good rows"
                in_place = dg.DagsterRun(
                    pipeline.name, make_new_run_id(), status=dg.DagsterRunStatus.FAILURE, tags={REASON_TAG: reason}
                )
                run = self._instance.add_run(in_place)
            self._failed_runs[run_id] = run
        return self._failed_runs[run_id]
