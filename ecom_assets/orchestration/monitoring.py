"""The monitoring report in Dagster: what Dagster knows goes into it, a sensor writes it, an asset shows it."""

import datetime as dt
import json
import logging
from collections.abc import Mapping

import dagster as dg

from ecom_assets import settings
from ecom_assets.monitoring.judging import judged, write
from ecom_assets.monitoring.report import Report, table_of
from ecom_assets.monitoring.runs import DagsterFacts, Ticker
from ecom_assets.orchestration._dagster import dead_daemons, sensor_ticks
from ecom_assets.orchestration.assets import OWNERS
from ecom_assets.orchestration.automation import sensor
from ecom_assets.orchestration.jobs import ENDED, RUNNING, WAITING

REPORT = dg.AssetKey(["quality", "monitoring_report"])
WATCHED = ("run_new_files", "run_stale_days", "report_failures", "show_ledger")
"""The sensors without which the pipeline or its alerts stand still, or Dagster shows old colours."""
EVERY = dt.timedelta(minutes=1)
EACH_HOUR = dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(hours=2))
LAST_DAY = dt.timedelta(days=1)
_log = logging.getLogger(__name__)


def dagster_facts(instance: dg.DagsterInstance, now: dt.datetime) -> DagsterFacts:
    """Returns what Dagster knows of its own state. Never raises: `problem` says what could not be read."""
    try:
        waiting = dg.RunsFilter(statuses=[*WAITING])
        oldest = instance.get_run_records(waiting, limit=1, ascending=True)
        found = sensor_ticks(instance)
        return DagsterFacts(
            runs={
                status.value.lower(): instance.get_runs_count(
                    dg.RunsFilter(statuses=[status], created_after=now - LAST_DAY)
                )
                for status in ENDED
            },
            waiting=instance.get_runs_count(waiting),
            running=instance.get_runs_count(dg.RunsFilter(statuses=[*RUNNING])),
            waits_since=oldest[0].create_timestamp.replace(tzinfo=dt.UTC) if oldest else None,
            tickers=[Ticker(name, *found.get(name, (True, None, EVERY))) for name in WATCHED],
            dead_daemons=dead_daemons(instance),
        )
    except Exception as error:  # the storage of others raises what it wants
        return DagsterFacts(problem=f"Dagster's storage cannot be read: {' '.join(str(error).split())[:300]}")


def watched(known: settings.Settings, instance: dg.DagsterInstance) -> Report:
    """Returns the report of this moment, and writes it. Never raises: what only watches ends no run."""
    now = dt.datetime.now(dt.UTC)
    report = judged(known, dagster_facts(instance, now), now)
    try:
        write(report, known)
    except Exception as error:
        _log.warning("The monitoring report cannot be written: %s", error)
    return report


def shown(report: Report) -> Mapping[str, dg.MetadataValue]:
    """Returns a report as metadata: a table of all parts, and a table for each part that has details."""
    parts = [
        {
            "part": part.name,
            "level": str(part.level),
            "how it is": part.summary,
            "why, and what to do": "<br>".join(f"{reason.text} {reason.advice}" for reason in part.reasons),
        }
        for part in report.parts
    ]
    details = {part.name: dg.MetadataValue.md(table_of(part.details)) for part in report.parts if part.details}
    return {
        "level": dg.MetadataValue.text(str(report.level)),
        "written_at": dg.MetadataValue.timestamp(report.written_at),
        "parts": dg.MetadataValue.md(table_of(parts)),
        **details,
    }


@dg.asset(
    key=REPORT,
    group_name="quality",
    owners=OWNERS,
    kinds={"quality"},
    tags={"domain": "quality"},
    freshness_policy=EACH_HOUR,
)
def monitoring_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """How the platform is: each part ok, warning or critical, with the reasons and what to do.

    The file data/monitoring/monitoring_report.json has the same, every minute, and metrics.prom its figures for
    Prometheus; here is what it said when a level last changed, or at the last full hour. docs/watching.md says more.
    """
    return dg.MaterializeResult(metadata=shown(watched(settings.load(), context.instance)))


@sensor(minimum_interval_seconds=int(EVERY.total_seconds()))
def write_monitoring_report(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Writes the monitoring report each minute, and shows it in the UI when a level changes, and each hour."""
    report = watched(settings.load(), context.instance)
    levels = {part.name: str(part.level) for part in report.parts}
    said = json.dumps({"hour": f"{report.written_at:%Y-%m-%d %H}", "levels": levels})
    asset_events = [dg.AssetMaterialization(REPORT, metadata=shown(report))] if said != context.cursor else []
    return dg.SensorResult(skip_reason=f"The report is {report.level}.", cursor=said, asset_events=asset_events)
