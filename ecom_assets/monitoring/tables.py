"""The parts about tables: which table-days are not good or not up to date, and how good their rows are."""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from ecom_assets.alerting.events import RUN, Event, Key
from ecom_assets.alerting.grouping import CONTRACT
from ecom_assets.alerting.silences import Silence, is_silent
from ecom_assets.alerting.store import open_store
from ecom_assets.days import State, contiguous
from ecom_assets.monitoring.report import Figure, Level, Part, Reason, Value
from ecom_assets.quality.data_quality import TARGET
from ecom_assets.serving.ledger_facts import LedgerFacts

NOTHING_PUBLISHED = "Nothing is published yet."
STALE_AFTER = dt.timedelta(hours=1)
"""Table-days that are stale for so long after a publish are not being repaired."""
QUALITY_DAYS, QUALITY_DAYS_BEFORE = 7, 28
FELL_BY = 0.002
"""By how much the quality of the last days may be below that of the days before."""


def pipeline(facts: LedgerFacts | None, store: Path, runs: Mapping[str, int], now: dt.datetime) -> Part:
    """Returns how table-days and runs are. `runs` has the number of runs of the last day by status."""
    silences, stopped = _known_to_alerting(store, now)
    of_runs = [Figure("runs_last_day", count, {"status": status}) for status, count in sorted(runs.items())]
    reasons = [
        Reason(Level.CRITICAL, f"{event.note}.", f"The log of run {event.run_id or 'in question'} has the traceback.")
        for event in stopped
    ]
    if facts is None:
        advice = "Land files, then: ecom run --stale. Or try make demo."
        return Part(
            "pipeline", NOTHING_PUBLISHED, [*reasons, Reason(Level.WARNING, NOTHING_PUBLISHED, advice)], of_runs
        )
    told = [bad for bad in facts.bad if not is_silent(silences, Key(CONTRACT, bad[0], bad[1]), now)]
    reasons += _failed((table, day) for table, day, state in told if state is State.FAILED)
    if blocked := [bad for bad in told if bad[2] is State.BLOCKED]:
        tables = len({table for table, _, _ in blocked})
        reasons.append(
            Reason(
                Level.WARNING,
                f"{len(blocked):,} table-days of {tables} tables are blocked by an input without good rows.",
                "ecom bad names the first causes; the days run again by themselves once these are good.",
            )
        )
    age = now - facts.published_at
    if facts.stale and age >= STALE_AFTER:
        text = f"{facts.stale:,} table-days are stale, and nothing has been published for {_length(age)}."
        reasons.append(Reason(Level.WARNING, text, "See why run_stale_days skips, in the UI; or: ecom run --stale."))
    good = facts.states[State.STORED] + facts.states[State.PROVISIONAL]
    silent = len(facts.bad) - len(told)
    summary = f"{good:,} of {sum(facts.states.values()):,} table-days are good, {facts.stale:,} are stale" + (
        f"; {silent:,} bad ones are silenced." if silent else "."
    )
    figures = [Figure("table_days", count, {"state": str(state)}) for state, count in facts.states.items()]
    figures += [
        Figure("stale_table_days", facts.stale),
        Figure("published_age_seconds", age.total_seconds()),
    ]
    details: list[Mapping[str, Value]] = [
        {"runs of the last day": status, "number": count} for status, count in sorted(runs.items())
    ]
    return Part("pipeline", summary, reasons, [*figures, *of_runs], details)


def _known_to_alerting(store: Path, now: dt.datetime) -> tuple[list[Silence], list[Event]]:
    """Returns the silences and the runs that stopped; none if the store cannot be read, which alerting says."""
    if not store.exists():
        return [], []
    try:
        with open_store(store) as alerts:
            return alerts.silences(now), alerts.failing((RUN,))
    except (sqlite3.Error, OSError):
        return [], []


def _failed(table_days: Iterable[tuple[str, dt.date]]) -> list[Reason]:
    by_table: dict[str, list[dt.date]] = {}
    for table, day in table_days:
        by_table.setdefault(table, []).append(day)
    return [
        Reason(
            Level.CRITICAL,
            f"{table} failed on {', '.join(map(str, contiguous(days)))}.",
            "ecom bad says why. Correct the file at its source and land it again under the same name.",
        )
        for table, days in by_table.items()
    ]


def quality(facts: LedgerFacts | None) -> Part:
    """Returns the share of the rows checked that passed, in the last days and in those before."""
    if facts is None or not facts.quality:
        return Part("quality", NOTHING_PUBLISHED)
    newest = max(facts.quality)
    age = {day: (newest - day).days for day in facts.quality}
    now = _score(facts, [day for day, days in age.items() if days < QUALITY_DAYS])
    before = _score(facts, [day for day, days in age.items() if days >= QUALITY_DAYS])
    figures = [Figure("quality_score", now, {"days": f"last {QUALITY_DAYS}"})] if now is not None else []
    reasons, than = [], ""
    if before is not None:
        figures.append(Figure("quality_score", before, {"days": f"{QUALITY_DAYS_BEFORE} before"}))
        than = f", {before:.3%} in the {QUALITY_DAYS_BEFORE} days before"
    if now is None:
        return Part("quality", "No rows were checked in the last days.", [], figures)
    advice = "ecom quarantine counts quarantined rows by reason; the asset quality/data_quality lists the worst days."
    if now < TARGET:
        text = f"{now:.3%} of the rows of the last {QUALITY_DAYS} days passed; the target is {TARGET:.1%}."
        reasons.append(Reason(Level.WARNING, text, advice))
    if before is not None and now < before - FELL_BY:
        text = f"The share of rows that pass fell from {before:.3%} to {now:.3%}."
        reasons.append(Reason(Level.WARNING, text, advice))
    summary = f"{now:.3%} of the rows passed in the last {QUALITY_DAYS} days{than}."
    return Part("quality", summary, reasons, figures)


def _score(facts: LedgerFacts, days: Iterable[dt.date]) -> float | None:
    counts = [facts.quality[day] for day in days]
    checked, passed = sum(checked for checked, _ in counts), sum(passed for _, passed in counts)
    return passed / checked if checked else None


def _length(time: dt.timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    return (
        f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours" if minutes < 2880 else f"{time.days} days"
    )
