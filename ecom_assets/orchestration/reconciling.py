"""Dagster's colours of table-days, made those of the ledger where events were lost."""

import datetime as dt
import json
from collections.abc import Collection
from pathlib import Path

import dagster as dg

from ecom_assets import settings
from ecom_assets.declaration import Catalog
from ecom_assets.orchestration._dagster import AssetPartitionStatus
from ecom_assets.orchestration.assets import STATE, asset_key, partitions_of
from ecom_assets.orchestration.automation import sensor
from ecom_assets.orchestration.jobs import UNFINISHED
from ecom_assets.serving.ledger import ledger_state
from ecom_assets.settings import Settings

ASSETS_PER_TICK = 25
EVENTS_PER_TICK = 200
"""Each is a few milliseconds of writing."""


def reconciling_sensor(loaded: Settings, tables: Catalog) -> dg.SensorDefinition:
    """Returns the sensor that shows good days of the calendar in Dagster as made."""
    partitions = partitions_of(loaded.calendar, loaded.time_zone)

    @sensor(minimum_interval_seconds=30)
    def show_good_days(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Shows days as made that the ledger has and Dagster does not: after a killed run, or with a new storage.

        The cursor has the version of the snapshot that was looked at, and how many of its tables have been.
        """
        snapshot, days = settings.load().snapshot, loaded.past_days()
        version, done = json.loads(context.cursor or '["", 0]')
        if version != _version(snapshot):
            version, done = _version(snapshot), 0
        if done == len(tables):
            return dg.SensorResult(skip_reason="Dagster shows what the ledger has.", cursor=context.cursor)
        if context.instance.get_runs_count(dg.RunsFilter(statuses=[*UNFINISHED])):
            return dg.SensorResult(skip_reason="A run is in progress.", cursor=context.cursor)
        good: dict[str, list[dt.date]] = {}
        for table, day in ledger_state(snapshot).good:
            if days and day in days:
                good.setdefault(table, []).append(day)
        left = EVENTS_PER_TICK
        for declaration in [*tables][done : done + ASSETS_PER_TICK]:
            for name in (declaration.name, *([declaration.quarantine] if declaration.from_feed else [])):
                left -= _report(context.instance, asset_key(name), good.get(declaration.name, []), partitions, left)
            if left == 0:
                break
            done += 1
        told = EVENTS_PER_TICK - left
        return dg.SensorResult(skip_reason=f"{told} table-days reported.", cursor=json.dumps([version, done]))

    return show_good_days


def _version(snapshot: Path) -> str:
    """Returns a text that changes with each publish; an empty one before the first."""
    return str(snapshot.stat().st_mtime_ns) if snapshot.exists() else ""


def _report(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    good: Collection[dt.date],
    partitions: dg.PartitionsDefinition,
    most: int,
) -> int:
    """Reports good days that Dagster does not show as made, at most so many. Returns their number."""
    days = sorted(map(str, good))
    shown = instance.get_status_by_partition(key, days, partitions) or {}
    missing = [day for day in days if shown.get(day) is not AssetPartitionStatus.MATERIALIZED][:most]
    for day in missing:
        about = {STATE: "good, by the ledger; the run that made it has left no event"}
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day, metadata=about))
    return len(missing)
