"""Alerts: failed checks and failed runs, each sent once to a file and to a webhook.

A failed check is reported if it passed before, or failed differently. A failed run is always reported.
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
MAX_SECONDS_PER_TICK = 25.0
"""After this time, a tick leaves the rest to the next: Dagster ends ticks after a minute, and loses their cursor."""
MAX_RUNS_PER_TICK = 50
MAX_LINES = 30
MAX_CHARACTERS = 20_000
TRY_AGAIN = (408, 429)
"""HTTP errors of the webhook that do not concern the message."""
_MARKS = {"critical": ":red_circle:", "error": ":large_orange_circle:", "warning": ":large_yellow_circle:"}
_ENDS = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED)


@dataclass(frozen=True)
class Alert:
    """A failed run, or one check that failed on some days.

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
    """Returns the alerts of a finished run; `error` is the reason of its failure, or None.

    All failures of a check are one alert, whatever the number of days. Blocked days are one alert for all tables.
    """

    def alert(name: str, severity: Severity, what: str, failed: Sequence[dg.AssetCheckEvaluation] = ()) -> Alert:
        days = {dt.date.fromisoformat(verdict.partition) for verdict in failed if verdict.partition}
        rows = sum((Counter(offending(verdict)) for verdict in failed), Counter[str]())
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
        found.append(alert("blocked", "error", f"Blocked by a failed input: {tables}", blocked))
    return found


def _state(verdict: dg.AssetCheckEvaluation) -> str | None:
    """Returns the state of the table-day that was checked; None if the check is not one of ours."""
    state = verdict.metadata.get(STATE)
    return str(state.value) if state else None


def offending(verdict: dg.AssetCheckEvaluation) -> dict[str, int]:
    """Returns the broken rules, with the number of rows."""
    rows = verdict.metadata.get("broken") or verdict.metadata.get("missed")
    return dict(rows.value) if rows else {}  # type: ignore[arg-type]


def write(path: Path, alerts: Sequence[Alert]) -> None:
    """Appends the alerts that are not in the file yet, one JSON object per line.

    Half a line, left by a killed process, is ignored and kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8", errors="replace") as file:
        file.seek(0)
        content = file.read()
        written = set(map(_alert_id, content.splitlines()))
        lines = [json.dumps(asdict(alert)) + "\n" for alert in alerts if alert.id not in written]
        file.write("".join(["" if not content or content.endswith("\n") else "\n", *lines]))


def _alert_id(line: str) -> str | None:
    """Returns the id of the alert on a line; None if it cannot be read."""
    try:
        return str(json.loads(line)["id"])
    except (ValueError, TypeError, KeyError):
        return None


def post(url: str, alerts: Sequence[Alert]) -> None:
    """Sends one message in Slack's format. Raises OSError if it cannot be delivered.

    If the webhook rejects the message itself, a short message says so.
    """
    lines = [_line(alert) for alert in alerts[:MAX_LINES]]
    if len(alerts) > MAX_LINES:
        lines.append(f"… and {len(alerts) - MAX_LINES} more")
    head = f"*{alerts[0].job}*, run {alerts[0].run_id[:8]}"
    text = "\n".join([head, *lines])
    try:
        _send(url, text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} …")
    except HTTPError as error:
        if not 400 <= error.code < 500 or error.code in TRY_AGAIN:
            raise
        _send(url, f"{head}\nThe webhook rejected this alert ({error}); see alerts.jsonl.")


def _send(url: str, text: str) -> None:
    message = json.dumps({"text": text}).encode()
    try:
        request = urllib.request.Request(url, message, {"Content-Type": "application/json; charset=utf-8"})
        with urllib.request.urlopen(request, timeout=WEBHOOK_TIMEOUT):
            pass
    except (HTTPException, ValueError) as error:  # no HTTP response, or an invalid address
        raise OSError(error) from error


def _line(alert: Alert) -> str:
    days = f" on {', '.join(alert.days)}" if alert.days else ""
    rows = "".join(f"\n    • {count} x {rule}" for rule, count in alert.rows.items())
    return f"{_MARKS[alert.severity]} {alert.what}{days}{rows}"


@dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def report_failures(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Sends alerts for failed checks and failed runs, once each; not for a check that fails on a day as it did before.

    File and webhook each have a cursor. It moves past a run only when all of its alerts are delivered there, so that
    none is lost while the webhook is down, and the file does not wait for it.
    """
    known, until, seen = settings.load(), time.monotonic() + MAX_SECONDS_PER_TICK, dict[str, list[Alert]]()
    destinations: dict[str, Callable[[Sequence[Alert]], None]] = {
        "file": lambda alerts: write(known.alerts, alerts),
        "webhook": lambda alerts: post(known.webhook, alerts) if known.webhook else None,
    }
    delivered, problems = 0, []
    for to, send in destinations.items():
        try:
            delivered = max(delivered, _deliver(context, to, send, until, seen))
        except OSError as error:
            problems.append(f"The {to} cannot be reached and will be retried: {error}")
    return dg.SkipReason(" ".join(problems) or f"{delivered} alerts delivered.")


def _deliver(
    context: dg.SensorEvaluationContext,
    to: str,
    send: Callable[[Sequence[Alert]], None],
    until: float,
    seen: dict[str, list[Alert]],
) -> int:
    """Sends the alerts of the runs that have ended since, and returns their number. Stops if `send` raises.

    Stops at the moment `until` too. `seen` keeps the alerts of runs for the next destination.
    """
    cursors: dict[str, str] = json.loads(context.cursor or "{}")
    delivered = 0
    for end in _ENDS:
        place = f"{to} {end.value}"
        for _ in range(MAX_RUNS_PER_TICK):
            page = context.instance.fetch_run_status_changes(end, limit=1, cursor=cursors.get(place), ascending=True)
            if not page.records or time.monotonic() > until:
                break
            [record] = page.records
            if record.run_id not in seen:
                seen[record.run_id] = _alerts_of_record(context.instance, record)
            if alerts := seen[record.run_id]:
                send(alerts)
            delivered += len(alerts)
            cursors[place] = page.cursor
            context.update_cursor(json.dumps(cursors))
    return delivered


def _alerts_of_record(instance: dg.DagsterInstance, record: dg.EventLogRecord) -> list[Alert]:
    run = instance.get_run_by_id(record.run_id)
    if run is None:
        return []
    entry = record.event_log_entry
    ended_at = dt.datetime.fromtimestamp(entry.timestamp, dt.UTC)
    logged = instance.all_logs(record.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return alerts_of(run, ended_at, _error_of(instance, entry), _news(instance, logged))


def _news(instance: dg.DagsterInstance, logged: Sequence[dg.EventLogEntry]) -> list[dg.AssetCheckEvaluation]:
    """Returns the failed evaluations of a run that differ from those before it.

    Those are read from Dagster's log, which is the same at every retry and for every destination.
    """
    failed: dict[dg.AssetCheckKey, list[dg.AssetCheckEvaluation]] = {}
    for entry in logged:
        verdict = entry.get_dagster_event().asset_check_evaluation_data
        if not verdict.passed:
            failed.setdefault(verdict.asset_check_key, []).append(verdict)
    began = min((entry.timestamp for entry in logged), default=0.0)
    news = []
    for check, verdicts in failed.items():
        previous = verdicts_before(instance, began, check, [verdict.partition for verdict in verdicts])
        for verdict in verdicts:
            before = previous.get(verdict.partition)
            if before is None or _fault(before) != _fault(verdict):
                news.append(verdict)
    return news


def _fault(verdict: dg.AssetCheckEvaluation) -> tuple[bool, dg.AssetCheckSeverity, dict[str, int]]:
    return verdict.passed, verdict.severity, offending(verdict)


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
    """Returns Dagster's last message about a run that ended without an error."""
    noted = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    messages = [message for entry in noted if (message := entry.get_dagster_event().message)]
    return messages[-1] if messages else "its process has ended"
