"""The sensor of alerts: what Dagster knows of failures becomes events, and all events become messages.

Verdicts on table-days come from the warehouse, by its relay; here are runs that stopped, checks of other assets, the
storage and the daemons.
"""

import datetime as dt
import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping

import dagster as dg

from ecom_assets import settings
from ecom_assets.alerting.delivery import Delivered, tick
from ecom_assets.alerting.events import DAEMON, DISK, RUN, STORAGE, Event, Key, Kind, Severity
from ecom_assets.alerting.store import AlertStore, open_store
from ecom_assets.monitoring.machine import disk, unreachable
from ecom_assets.monitoring.report import Level
from ecom_assets.orchestration._dagster import cause_of_failure, dead_daemons, is_canceled, step_of_failure
from ecom_assets.orchestration.assets import MISTAKE, STATE, table_of
from ecom_assets.orchestration.automation import sensor
from ecom_assets.settings import Settings

MAX_RUNS_PER_TICK = 50
BAD_DAYS_TAG = "ecom/bad_days"
"""Tag of a run that failed because of verdicts on table-days, each of which is told by itself: their number."""
DEAD_AFTER = dt.timedelta(minutes=2)
"""Time for which a daemon must be seen dead: after a restart the others may need a moment."""
_ENDS = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)
_log = logging.getLogger(__name__)


def offending(verdict: dg.AssetCheckEvaluation) -> dict[str, int]:
    """Returns the broken rules, with the number of rows."""
    rows = verdict.metadata.get("broken") or verdict.metadata.get("missed")
    return dict(rows.value) if rows else {}  # type: ignore[arg-type]


def mistakes(verdicts: Iterable[dg.AssetCheckEvaluation]) -> dict[str, str]:
    """Returns, by table, what is wrong with the code of the tables that could not run."""
    return {
        table_of(verdict.asset_key): str(verdict.metadata[MISTAKE].value)
        for verdict in verdicts
        if MISTAKE in verdict.metadata
    }


def deliver(known: Settings) -> Delivered:
    """Sends what is due. Logs what went wrong, and never raises because of it: a run does not fail over its alerts."""
    try:
        delivered = tick(known.delivery)
    except (sqlite3.Error, OSError) as error:
        delivered = Delivered(problems=(f"The store of alerts cannot be used: {error}.",))
    for problem in delivered.problems:
        _log.warning("Alerts: %s", problem)
    return delivered


@sensor(minimum_interval_seconds=10)
def report_failures(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Sends alerts about failed checks, days without good rows and runs that stopped, one message per cause.

    It says once when a problem is solved. The file data/monitoring/alerts.jsonl has all messages; docs/alerts.md says
    how to have them sent elsewhere.
    """
    known, now = settings.load(), dt.datetime.now(dt.UTC)
    try:
        with open_store(known.alert_store) as store:
            _take_platform(store, known, context.instance, now)
            _take_ended_runs(context, store, now)
    except (sqlite3.Error, OSError) as error:
        return dg.SkipReason(f"The store of alerts cannot be used: {error}.")
    delivered = deliver(known)
    return dg.SkipReason(" ".join(delivered.problems) or f"{delivered.sent} messages sent.")


def _take_ended_runs(context: dg.SensorEvaluationContext, store: AlertStore, now: dt.datetime) -> None:
    """Adds the events of the runs that have ended since. The cursor moves past a run once its events are stored."""
    before: dict[str, str] = json.loads(context.cursor or "{}")
    cursors: dict[str, str] = {}
    ended: list[dg.EventLogRecord] = []
    for end in _ENDS:
        cursor = before.get(end.value) or before.get(f"file {end.value}")
        page = context.instance.fetch_run_status_changes(end, limit=MAX_RUNS_PER_TICK, cursor=cursor, ascending=True)
        ended += page.records
        cursors[end.value] = page.cursor
    for record in sorted(ended, key=lambda record: record.event_log_entry.timestamp):
        store.add(_of_run(store, context.instance, record), now)
    if cursors != before:
        context.update_cursor(json.dumps(cursors))


def _of_run(store: AlertStore, instance: dg.DagsterInstance, record: dg.EventLogRecord) -> list[Event]:
    """Returns the events of a run that has ended: that it stopped, what it solves, and checks of other assets."""
    run, entry = instance.get_run_by_id(record.run_id), record.event_log_entry
    if run is None or is_canceled(instance, record.run_id):
        return []
    at = dt.datetime.fromtimestamp(entry.timestamp, dt.UTC)
    logged = [
        (dt.datetime.fromtimestamp(log.timestamp, dt.UTC), log.get_dagster_event().asset_check_evaluation_data)
        for log in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    ]
    broken = mistakes(verdict for _, verdict in logged)
    failing, found = {event.key: event for event in store.failing()}, []
    if entry.dagster_event_type is dg.DagsterEventType.RUN_FAILURE and BAD_DAYS_TAG not in run.tags:
        error, step = _error_of(instance, entry), step_of_failure(entry.get_dagster_event())
        note = f"{step} stopped: {error}" if step else f"The run failed: {error}"
        key = Key(RUN, step if step and "." in step else run.job_name)
        found.append(Event(f"{run.run_id}:run", at, key, Severity.CRITICAL, Kind.PLATFORM, note, run_id=run.run_id))
    else:
        found += [
            Event(f"{run.run_id}:run:{key.table}", at, key, None, run_id=run.run_id)
            for key, event in failing.items()
            if key.check == RUN and event.at <= at and key.table not in broken and _covers(run, key.table)
        ]
    for table, note in broken.items():
        id, key = f"{run.run_id}:run:{table}", Key(RUN, table)
        found.append(Event(id, at, key, Severity.CRITICAL, Kind.PLATFORM, note, run_id=run.run_id))
    for judged_at, verdict in logged:
        if STATE not in verdict.metadata:
            event = _of_check(verdict, run.run_id, judged_at)
            if not event.passes or event.key in failing:
                found.append(event)
    return found


def _covers(run: dg.DagsterRun, name: str) -> bool:
    """Returns whether a run has computed the table that stopped an earlier one, or is of the same job."""
    if "." not in name:
        return run.job_name == name
    return not run.asset_selection or dg.AssetKey(name.split(".")) in run.asset_selection


def _of_check(verdict: dg.AssetCheckEvaluation, run_id: str, at: dt.datetime) -> Event:
    """Returns the event of a check that is not of our tables."""
    try:
        day = dt.date.fromisoformat(verdict.partition or "")
    except ValueError:
        day = None
    table = ".".join(verdict.asset_key.path)
    id, key = f"{run_id}:{table}:{verdict.check_name}:{verdict.partition}", Key(verdict.check_name, table, day)
    if verdict.passed:
        return Event(id, at, key, None, run_id=run_id)
    severity = Severity.ERROR if verdict.severity is dg.AssetCheckSeverity.ERROR else Severity.WARNING
    if verdict.blocking and severity is Severity.ERROR:
        severity = Severity.CRITICAL
    return Event(id, at, key, severity, note=verdict.description or "", rules=offending(verdict), run_id=run_id)


def _error_of(instance: dg.DagsterInstance, entry: dg.EventLogEntry) -> str:
    event = entry.get_dagster_event()
    cause = cause_of_failure(event)
    if not cause:
        return event.message or _last_words(instance, entry.run_id)
    while cause.cause:
        cause = cause.cause
    return str(cause.message).strip().removeprefix(f"{dg.Failure.__module__}.Failure: ")


def _last_words(instance: dg.DagsterInstance, run_id: str) -> str:
    """Returns Dagster's last message about a run that ended without an error."""
    noted = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    messages = [message for entry in noted if (message := entry.get_dagster_event().message)]
    return messages[-1] if messages else "its process has ended"


def _take_platform(store: AlertStore, known: Settings, instance: dg.DagsterInstance, now: dt.datetime) -> None:
    """Adds the events of files that can no longer be reached, or again, of a full disk, and of daemons."""
    notes = {Key(STORAGE, name): note for name, note in unreachable(known).items()}
    if known.data.exists() and disk(known).level is Level.CRITICAL:
        notes[Key(DISK, "data")] = f"The disk of {known.data} has less room left than a publish may need"
    seen: Mapping[str, str] = json.loads(store.fact("dead_daemons") or "{}")
    dead = {name: seen.get(name, now.isoformat()) for name in dead_daemons(instance)}
    if dead != seen:
        store.set_fact("dead_daemons", json.dumps(dead))
    for name, since in dead.items():
        if now - dt.datetime.fromisoformat(since) >= DEAD_AFTER:
            notes[Key(DAEMON, name)] = f"The daemon {name} of Dagster has stopped"
    failing = {event.key: event.note for event in store.failing((STORAGE, DAEMON, DISK))}
    store.add(_changes(failing, notes, now), now)


def _changes(before: Mapping[Key, str], after: Mapping[Key, str], now: dt.datetime) -> Iterator[Event]:
    for key in before.keys() | after.keys():
        note, id = after.get(key), f"{key.check}:{key.table}:{now.isoformat()}"
        if note is None:
            yield Event(id, now, key, None)
        elif before.get(key) != note:
            yield Event(id, now, key, Severity.CRITICAL, Kind.PLATFORM, note)
