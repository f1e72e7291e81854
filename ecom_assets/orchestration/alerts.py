"""Alerts: failed checks and failed runs, told once each to a file and to a webhook.

A failed check is told when it is news: when it had passed before, or had failed otherwise. A failed run always is.
"""

import datetime as dt
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Literal
from urllib.error import HTTPError

import dagster as dg

from ecom_assets import settings
from ecom_assets.days import State, contiguous
from ecom_assets.orchestration._dagster import cause_of_failure, verdicts_before
from ecom_assets.orchestration.assets import CONTRACT, STATE

Severity = Literal["critical", "error", "warning"]

WEBHOOK_TIMEOUT = 5.0
MOST_SECONDS_PER_TICK = 25.0
"""After this, a tick leaves the rest to the next: Dagster ends those of a minute, and forgets how far they came."""
MOST_RUNS_PER_TICK = 50
MOST_LINES = 30
MOST_CHARACTERS = 20_000
TRY_AGAIN = (408, 429)
"""Refusals of the webhook that are not about the message."""
_MARKS = {"critical": ":red_circle:", "error": ":large_orange_circle:", "warning": ":large_yellow_circle:"}
_ENDS = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED)


@dataclass(frozen=True)
class Alert:
    """One thing that a run has shown: itself failed, or one check failed on some days.

    `at` is the end of the run, ISO 8601 in UTC. `days` are windows as text. `rows` counts the offending rows
    by the rule that they broke.
    """

    id: str
    at: str
    severity: Severity
    job: str
    run_id: str
    what: str
    days: tuple[str, ...]
    rows: dict[str, int]


def alerts_of(
    run: dg.DagsterRun, ended_at: dt.datetime, error: str | None, evaluations: Iterable[dg.AssetCheckEvaluation]
) -> list[Alert]:
    """What is to be told of a finished run; `error` is why it failed, or None where it did not.

    All failures of a check are one alert, whatever the number of days. Days that are blocked because another
    table failed are one alert for all tables.
    """

    def alert(name: str, severity: Severity, what: str, failed: Sequence[dg.AssetCheckEvaluation] = ()) -> Alert:
        days = {dt.date.fromisoformat(verdict.partition) for verdict in failed if verdict.partition}
        rows = sum((Counter(_offending(verdict)) for verdict in failed), Counter[str]())
        windows = tuple(map(str, contiguous(days)))
        at = ended_at.isoformat(timespec="seconds")
        return Alert(f"{run.run_id}:{name}", at, severity, run.job_name, run.run_id, what, windows, dict(rows))

    found = [] if error is None else [alert("run", "critical", f"The run failed: {error}")]
    failures: dict[tuple[str, str], list[dg.AssetCheckEvaluation]] = {}
    blocked = []
    for verdict in evaluations:
        if verdict.passed:
            continue
        if _state(verdict) == State.BLOCKED and verdict.check_name == CONTRACT:
            blocked.append(verdict)
        else:
            failures.setdefault((verdict.asset_key.to_user_string(), verdict.check_name), []).append(verdict)
    for (asset, check), failed in sorted(failures.items()):
        is_error = any(verdict.severity is dg.AssetCheckSeverity.ERROR for verdict in failed)
        found.append(alert(f"{asset}:{check}", "error" if is_error else "warning", f"{asset}: {check} failed", failed))
    if blocked:
        tables = ", ".join(sorted({verdict.asset_key.to_user_string() for verdict in blocked}))
        found.append(alert("blocked", "error", f"Without rows, because of what they are made of: {tables}", blocked))
    return found


def _state(verdict: dg.AssetCheckEvaluation) -> str | None:
    """The state of the table-day that was checked; None if the check is not one of ours."""
    state = verdict.metadata.get(STATE)
    return str(state.value) if state else None


def _offending(verdict: dg.AssetCheckEvaluation) -> dict[str, int]:
    """The rules that were broken, and by how many rows."""
    told = verdict.metadata.get("broken") or verdict.metadata.get("missed")
    return dict(told.value) if told else {}  # type: ignore[arg-type]


def write(path: Path, alerts: Sequence[Alert]) -> None:
    """Append the alerts that do not stand in the file, one JSON object per line.

    Half a line, as a killed process leaves it, tells of nothing and stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8", errors="replace") as file:
        file.seek(0)
        standing = file.read()
        told = set(map(_told, standing.splitlines()))
        lines = [json.dumps(asdict(alert)) + "\n" for alert in alerts if alert.id not in told]
        file.write("".join(["" if not standing or standing.endswith("\n") else "\n", *lines]))


def _told(line: str) -> str | None:
    """The number of the alert that a line tells of; None where it cannot be read."""
    try:
        return str(json.loads(line)["id"])
    except (ValueError, TypeError, KeyError):
        return None


def post(url: str, alerts: Sequence[Alert]) -> None:
    """Send one message in Slack's format. Raises OSError where it cannot be delivered.

    Where the webhook refuses the message itself, it gets a short one that says so.
    """
    lines = [_line(alert) for alert in alerts[:MOST_LINES]]
    if len(alerts) > MOST_LINES:
        lines.append(f"… and {len(alerts) - MOST_LINES} more")
    head = f"*{alerts[0].job}*, run {alerts[0].run_id[:8]}"
    text = "\n".join([head, *lines])
    try:
        _send(url, text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …")
    except HTTPError as error:
        if not 400 <= error.code < 500 or error.code in TRY_AGAIN:
            raise
        _send(url, f"{head}\nThe webhook refused what there is to tell ({error}). It stands in the file of alerts.")


def _send(url: str, text: str) -> None:
    message = json.dumps({"text": text}).encode()
    try:
        request = urllib.request.Request(url, message, {"Content-Type": "application/json; charset=utf-8"})
        with urllib.request.urlopen(request, timeout=WEBHOOK_TIMEOUT):
            pass
    except (HTTPException, ValueError) as error:  # no HTTP comes back, or the address leads nowhere
        raise OSError(error) from error


def _line(alert: Alert) -> str:
    days = f" on {', '.join(alert.days)}" if alert.days else ""
    rows = "".join(f"\n    • {count} x {rule}" for rule, count in alert.rows.items())
    return f"{_MARKS[alert.severity]} {alert.what}{days}{rows}"


@dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def report_failures(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Tell of failed checks and failed runs, once each; a check that fails on a day as it did before is no news.

    File and webhook have a cursor each. It moves past a run only when all of its alerts are delivered there, so that
    none is lost while the webhook is down, and the file does not wait for it.
    """
    known, until, seen = settings.load(), time.monotonic() + MOST_SECONDS_PER_TICK, dict[str, list[Alert]]()
    destinations: dict[str, Callable[[Sequence[Alert]], None]] = {
        "file": lambda alerts: write(known.alerts, alerts),
        "webhook": lambda alerts: post(known.webhook, alerts) if known.webhook else None,
    }
    told, problems = 0, []
    for to, send in destinations.items():
        try:
            told = max(told, _deliver(context, to, send, until, seen))
        except OSError as error:
            problems.append(f"The {to} cannot be reached and is tried again: {error}")
    return dg.SkipReason(" ".join(problems) or f"{told} alerts delivered.")


def _deliver(
    context: dg.SensorEvaluationContext,
    to: str,
    send: Callable[[Sequence[Alert]], None],
    until: float,
    seen: dict[str, list[Alert]],
) -> int:
    """Send the alerts of the runs that have ended since; gives how many. What `send` raises ends it there.

    So does the moment `until`. `seen` keeps the alerts of runs for the next destination.
    """
    cursors: dict[str, str] = json.loads(context.cursor or "{}")
    told = 0
    for end in _ENDS:
        place = f"{to} {end.value}"
        for _ in range(MOST_RUNS_PER_TICK):
            page = context.instance.fetch_run_status_changes(end, limit=1, cursor=cursors.get(place), ascending=True)
            if not page.records or time.monotonic() > until:
                break
            [record] = page.records
            if record.run_id not in seen:
                seen[record.run_id] = _alerts_of_record(context.instance, record)
            if alerts := seen[record.run_id]:
                send(alerts)
            told += len(alerts)
            cursors[place] = page.cursor
            context.update_cursor(json.dumps(cursors))
    return told


def _alerts_of_record(instance: dg.DagsterInstance, record: dg.EventLogRecord) -> list[Alert]:
    run = instance.get_run_by_id(record.run_id)
    if run is None:
        return []
    entry = record.event_log_entry
    ended_at = dt.datetime.fromtimestamp(entry.timestamp, dt.UTC)
    logged = instance.all_logs(record.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return alerts_of(run, ended_at, _error_of(instance, entry), _news(instance, logged))


def _news(instance: dg.DagsterInstance, logged: Sequence[dg.EventLogEntry]) -> list[dg.AssetCheckEvaluation]:
    """The failed verdicts of a run that are not those that stood before it.

    What stood is read from Dagster's log, for that says the same at every try and to every destination.
    """
    failed: dict[dg.AssetCheckKey, list[dg.AssetCheckEvaluation]] = {}
    for entry in logged:
        verdict = entry.get_dagster_event().asset_check_evaluation_data
        if not verdict.passed:
            failed.setdefault(verdict.asset_check_key, []).append(verdict)
    began = min((entry.timestamp for entry in logged), default=0.0)
    news = []
    for check, verdicts in failed.items():
        stood = verdicts_before(instance, began, check, [verdict.partition for verdict in verdicts])
        for verdict in verdicts:
            before = stood.get(verdict.partition)
            if before is None or _fault(before) != _fault(verdict):
                news.append(verdict)
    return news


def _fault(verdict: dg.AssetCheckEvaluation) -> tuple[bool, dg.AssetCheckSeverity, dict[str, int]]:
    return verdict.passed, verdict.severity, _offending(verdict)


def _error_of(instance: dg.DagsterInstance, entry: dg.EventLogEntry) -> str | None:
    event = entry.dagster_event
    if event is None or event.event_type is not dg.DagsterEventType.RUN_FAILURE:
        return None
    cause = cause_of_failure(event)
    if not cause:
        return event.message or _last_words(instance, entry.run_id)
    while cause.cause:
        cause = cause.cause
    return str(cause.message).strip().removeprefix(f"{dg.Failure.__module__}.Failure: ")


def _last_words(instance: dg.DagsterInstance, run_id: str) -> str:
    """What Dagster last noted of a run that ended without saying why."""
    noted = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    said = [message for entry in noted if (message := entry.get_dagster_event().message)]
    return said[-1] if said else "its process is gone"
