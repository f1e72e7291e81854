"""The monitoring report: parts, each ok, warning or critical, with figures and reasons."""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

SCHEMA = Path(__file__).with_name("monitoring_report.schema.json")
VERSION = 1
MOST_REASONS = 10
"""Reasons that a part says; what is beyond is counted."""
Value = str | float | int | None


class Level(StrEnum):
    """How a part is, the best first."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Returns 0 for the best."""
        return list(Level).index(self)


@dataclass(frozen=True)
class Reason:
    """Why a part is not ok, as a sentence, and what to do."""

    level: Level
    text: str
    advice: str


@dataclass(frozen=True)
class Figure:
    """A measured value with its labels, such as the feed that it is of."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A part of the report. `details` are rows of one table: of feeds, of sensors."""

    name: str
    summary: str
    reasons: Sequence[Reason] = ()
    figures: Sequence[Figure] = ()
    details: Sequence[Mapping[str, Value]] = ()

    @property
    def level(self) -> Level:
        return max((reason.level for reason in self.reasons), key=lambda level: level.rank, default=Level.OK)


@dataclass(frozen=True)
class Report:
    """All parts at a moment, UTC."""

    written_at: dt.datetime
    parts: Sequence[Part]

    @property
    def level(self) -> Level:
        return max((part.level for part in self.parts), key=lambda level: level.rank, default=Level.OK)

    def to_json(self) -> str:
        """Returns the report as text, as `monitoring_report.schema.json` describes it."""
        parts = {
            part.name: {
                "level": part.level,
                "summary": part.summary,
                "reasons": [vars(reason) for reason in part.reasons],
                "figures": [{"name": f.name, "labels": dict(f.labels), "value": f.value} for f in part.figures],
                "details": [dict(row) for row in part.details],
            }
            for part in self.parts
        }
        at = self.written_at.isoformat(timespec="seconds")
        return json.dumps({"version": VERSION, "written_at": at, "level": self.level, "parts": parts}, indent=1)


def collect(judges: Mapping[str, Callable[[], Part]], now: dt.datetime) -> Report:
    """Returns the report of these parts. A part that cannot be judged says so, and the others are judged."""
    return Report(now, [_judged(name, judge) for name, judge in judges.items()])


def _judged(name: str, judge: Callable[[], Part]) -> Part:
    try:
        part = judge()
    except Exception as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        reason = Reason(Level.WARNING, f"It could not be judged: {why.rstrip('.')}.", "ecom doctor says what is wrong.")
        return Part(name, "Not known.", [reason])
    worst_first = sorted(part.reasons, key=lambda reason: -reason.level.rank)
    if len(worst_first) > MOST_REASONS:
        more = len(worst_first) - MOST_REASONS
        rest = Reason(worst_first[MOST_REASONS].level, f"And {more} more.", worst_first[MOST_REASONS].advice)
        worst_first[MOST_REASONS:] = [rest]
    return Part(name, part.summary, worst_first, part.figures, part.details)


def table_of(details: Iterable[Mapping[str, Value]]) -> str:
    """Returns the details of a part as a Markdown table; empty if there are none."""
    rows = list(details)
    if not rows:
        return ""
    lines = ["", "---", *(["" if value is None else str(value) for value in row.values()] for row in rows)]
    lines[:2] = [list(rows[0]), ["---"] * len(rows[0])]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
