"""The monitoring report, made and written: `data/monitoring/monitoring_report.json` and `metrics.prom` beside it."""

import datetime as dt
from functools import cache

from ecom_assets.landing.files import replace_file
from ecom_assets.monitoring import alerts, feeds, machine, metrics, runs, streams, tables
from ecom_assets.monitoring.report import Report, collect
from ecom_assets.monitoring.runs import DagsterFacts
from ecom_assets.serving.ledger_facts import LedgerFacts, ledger_facts
from ecom_assets.settings import Settings


def judged(known: Settings, dagster: DagsterFacts, now: dt.datetime) -> Report:
    """Returns the report. Never raises: a part that cannot be judged says why."""

    @cache
    def facts() -> LedgerFacts | None:
        return ledger_facts(known.snapshot)

    storage = {"dagster": dagster.problem} if dagster.problem else {}
    return collect(
        {
            "pipeline": lambda: tables.pipeline(facts(), known.alert_store, dagster.runs, now),
            "freshness": lambda: feeds.freshness(facts(), known, now),
            "volume": lambda: feeds.volume(facts()),
            "quality": lambda: tables.quality(facts()),
            "connectivity": lambda: machine.connectivity(known, storage),
            "disk": lambda: machine.disk(known),
            "streams": lambda: streams.streams(known, now),
            "queue": lambda: runs.queue(dagster, now),
            "sensors": lambda: runs.sensors(dagster, now),
            "alerting": lambda: alerts.alerting(known.alert_store, now),
        },
        now,
    )


def write(report: Report, known: Settings) -> None:
    """Writes the report and its metrics, each in one step. Raises OSError."""
    replace_file(known.monitoring_report, f"{report.to_json()}\n".encode())
    replace_file(known.metrics, metrics.text_of(report).encode())
