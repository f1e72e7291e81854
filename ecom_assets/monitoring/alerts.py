"""The part about alerting itself: the dead man's switch, what is open, and how long messages take."""

import datetime as dt
from collections import Counter
from pathlib import Path

from ecom_assets.alerting.delivery import health
from ecom_assets.alerting.events import Severity
from ecom_assets.alerting.store import open_store
from ecom_assets.monitoring.report import Figure, Level, Part, Reason

SLOW_FROM = 60.0
"""Seconds from which on messages of the last day took long, in the slowest twentieth."""
LAST_DAY = dt.timedelta(days=1)


def alerting(path: Path, now: dt.datetime) -> Part:
    """Returns whether alerts are delivered. Alerting that has not run for ten minutes is critical."""
    found = health(path, now)
    advice = "Start Dagster with make ui; ecom alerts test sends a message to every channel."
    reasons = [Reason(Level.CRITICAL, problem, advice) for problem in found.problems]
    if found.last_tick is None:
        return Part("alerting", "Alerting has not run.", reasons)
    with open_store(path) as store:
        severities = Counter(message.severity for message, _ in store.open_incidents())
        lags = store.delivery_seconds(now - LAST_DAY)
        undelivered = len(store.undelivered())
    age = (now - found.last_tick).total_seconds()
    figures = [
        Figure("alerting_tick_age_seconds", age),
        Figure("channels_late", undelivered),
        *(Figure("open_incidents", severities[severity], {"severity": str(severity)}) for severity in Severity),
    ]
    said = "no message was sent in the last day"
    if lags:
        p95 = sorted(lags)[int(0.95 * (len(lags) - 1))]
        figures += [Figure("alert_lag_seconds", p95)]
        said = f"{len(lags)} messages of the last day took {p95:.0f} s at most, but for a twentieth"
        if p95 >= SLOW_FROM:
            text = f"Messages of the last day took up to {p95:.0f} s to arrive."
            reasons.append(Reason(Level.WARNING, text, "ecom alerts lists the channels that fail."))
    summary = f"It ran {age:.0f} s ago; {severities.total()} incidents are open, {said}."
    return Part("alerting", summary, reasons, figures)
