"""The parts about Dagster: runs that wait, and sensors that tick. Who knows Dagster brings the facts."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ecom_assets.monitoring.report import Figure, Level, Part, Reason

WAITS_LONG, WAITS_TOO_LONG = dt.timedelta(hours=1), dt.timedelta(hours=6)
SILENT_AFTER = dt.timedelta(minutes=10)
"""A sensor that has not ticked for so long, or ten of its intervals, is dead."""
START = "Start Dagster with make ui."


@dataclass(frozen=True)
class Ticker:
    """A sensor: whether it is switched on, when it last ticked (UTC; None if never), and how often it should."""

    name: str
    is_on: bool
    last_tick: dt.datetime | None
    interval: dt.timedelta


@dataclass(frozen=True)
class DagsterFacts:
    """What Dagster knows: runs of the last day by status, waiting and running ones, sensors, dead daemons.

    `problem` says why nothing could be read.
    """

    runs: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0
    running: int = 0
    waits_since: dt.datetime | None = None
    tickers: Sequence[Ticker] = ()
    dead_daemons: Sequence[str] = ()
    problem: str = ""


def queue(facts: DagsterFacts, now: dt.datetime) -> Part:
    """Returns how many runs wait, and for how long."""
    if facts.problem:
        return Part("queue", "Not known: Dagster's storage cannot be read.")
    wait = now - facts.waits_since if facts.waits_since else dt.timedelta(0)
    reasons = []
    if wait >= WAITS_LONG:
        level = Level.CRITICAL if wait >= WAITS_TOO_LONG else Level.WARNING
        text = f"A run has waited for {int(wait.total_seconds() // 60)} minutes; {facts.running} runs are running."
        advice = "See what runs in the UI, and end it if it hangs. If nothing runs, start Dagster with make ui."
        reasons.append(Reason(level, text, advice))
    figures = [
        Figure("runs_waiting", facts.waiting),
        Figure("runs_running", facts.running),
        Figure("longest_wait_seconds", wait.total_seconds()),
    ]
    return Part("queue", f"{facts.running} runs are running, {facts.waiting} wait.", reasons, figures)


def sensors(facts: DagsterFacts, now: dt.datetime) -> Part:
    """Returns whether sensors tick as often as they should, and daemons live."""
    if facts.problem:
        return Part("sensors", "Not known: Dagster's storage cannot be read.")
    reasons = [
        Reason(Level.CRITICAL, f"The daemon {name} of Dagster has stopped.", START) for name in facts.dead_daemons
    ]
    figures, details = list[Figure](), []
    for ticker in facts.tickers:
        age = now - ticker.last_tick if ticker.last_tick else None
        if not ticker.is_on:
            reasons.append(
                Reason(Level.WARNING, f"The sensor {ticker.name} is switched off.", "Switch it on in the UI.")
            )
        elif age is None:
            reasons.append(Reason(Level.WARNING, f"The sensor {ticker.name} has never ticked.", START))
        elif abs(age) >= max(SILENT_AFTER, 10 * ticker.interval):
            text = f"The sensor {ticker.name} has not ticked for {abs(int(age.total_seconds() // 60))} minutes."
            reasons.append(Reason(Level.CRITICAL, text, START))
        seconds = round(age.total_seconds()) if age is not None else None
        details.append({"sensor": ticker.name, "is on": str(ticker.is_on).lower(), "seconds since its tick": seconds})
        if age is not None:
            lag = max(0.0, (age - ticker.interval).total_seconds())
            labels = {"sensor": ticker.name}
            figures += [
                Figure("sensor_tick_age_seconds", age.total_seconds(), labels),
                Figure("sensor_lag_seconds", lag, labels),
            ]
    on_time = len(facts.tickers) - sum(reason.text.startswith("The sensor") for reason in reasons)
    return Part("sensors", f"{on_time} of {len(facts.tickers)} sensors tick.", reasons, figures, details)
