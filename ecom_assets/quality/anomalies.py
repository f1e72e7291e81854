"""What was measured of the checks for anomalies: which kinds they notice, and how often they are wrong.

`python -m bench.anomalies --save` plants the kinds of `sources.anomalies` and writes the figures into anomalies.json,
which the documentation, `ecom detection` and the asset quality/detection show. Nothing is measured here.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import duckdb

from ecom_assets.kpi.feed_agreement import FEWEST, ONE_IN
from ecom_assets.sources.anomalies import KINDS

FILE = Path(__file__).parent / "anomalies.json"
MOST_FALSE_ALARMS, MOST_MESSAGES = 2.0, 5
"""False alarms per 1,000 clean table-days, at the upper end of the interval, and messages in a week of a clean year."""
SETTLED_AFTER = 35
"""Days after which the synthetic shop has sent all rows of a day."""
_KINDS = {kind.name: kind for kind in KINDS}
_Z = 1.96
"""Standard deviations around the middle that hold 95 %."""


@dataclass(frozen=True)
class Share:
    """Hits of a number of trials, with Wilson's interval of 95 %."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """Hits per trial, 0 to 1. Raises ZeroDivisionError without trials."""
        return self.hits / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the interval, 0 to 1. Raises ZeroDivisionError without trials."""
        half = _Z * math.sqrt(self.value * (1 - self.value) / self.of + _Z**2 / (4 * self.of**2))
        middle, whole = self.value + _Z**2 / (2 * self.of), 1 + _Z**2 / self.of
        return max((middle - half) / whole, 0), min((middle + half) / whole, 1)


@dataclass(frozen=True)
class Kind:
    """Figures of a kind of anomaly: those planted and noticed, its near misses, and its alarms on clean days."""

    name: str
    planted: int
    noticed: int
    near_misses: int
    alarms: int
    """Near misses that were taken for the anomaly."""
    clean_table_days: int = 0
    """Clean days of the tables in which the kind shows."""
    clean_alarms: int = 0
    """Of these, days that were taken for the anomaly, once all rows had arrived or before."""

    @property
    def recall(self) -> Share:
        """Noticed per planted."""
        return Share(self.noticed, self.planted)

    @property
    def precision(self) -> Share:
        """Noticed per alarm, of plants and near misses."""
        return Share(self.noticed, self.noticed + self.alarms)

    @property
    def goal(self) -> float | None:
        """The recall to reach, 0 to 1; None if the kind has none."""
        return _KINDS[self.name].goal if self.name in _KINDS else None

    @property
    def is_missed(self) -> bool:
        """Whether fewer were noticed than is the goal, or any at all of a kind without a goal."""
        return self.recall.value < (1.0 if self.goal is None else self.goal)


@dataclass(frozen=True)
class Clean:
    """Days of clean shops, and the alarms that were raised nevertheless."""

    judged: str
    """When: with all rows, or with those that arrive on the day itself."""
    table_days: int
    days_of_checks: int
    """Those of them that are of kpi.daily_anomalies and kpi.feed_agreement."""
    alarms: Mapping[str, int]
    """Table-days with a false alarm, by table and rule."""
    most_in_a_week: int
    """False alarms in the week with the most."""

    @property
    def false_alarms(self) -> Share:
        """False alarms per table-day."""
        return Share(sum(self.alarms.values()), self.table_days)

    @property
    def false_alarms_of_checks(self) -> Share:
        """False alarms per table-day of kpi.daily_anomalies and kpi.feed_agreement."""
        hits = sum(count for rule, count in self.alarms.items() if rule.startswith("kpi."))
        return Share(hits, self.days_of_checks)


@dataclass(frozen=True)
class Measured:
    """All figures, with how they were measured."""

    measured_on: str
    shop: str
    seeds: Sequence[int]
    """Of the shops with plants."""
    kinds: Sequence[Kind]
    clean: Sequence[Clean] = ()
    real: Sequence[Kind] = ()
    """Kinds planted into the days of a real shop, Online Retail."""
    clean_real: Sequence[Clean] = ()
    """Its days without plants."""

    @property
    def missed(self) -> Sequence[Kind]:
        """Kinds of which some were not noticed, or fewer than is their goal."""
        return [kind for kind in self.kinds if kind.is_missed]

    @classmethod
    def load(cls, file: Path = FILE) -> Self:
        """Returns the figures in a file. Raises OSError, ValueError, TypeError if it is not such a file."""
        known: dict[str, Any] = json.loads(file.read_text())
        known["kinds"] = [Kind(**kind) for kind in known["kinds"]]
        known["clean"] = [Clean(**clean) for clean in known["clean"]]
        known["real"] = [Kind(**kind) for kind in known["real"]]
        known["clean_real"] = [Clean(**clean) for clean in known["clean_real"]]
        return cls(**known)

    def save(self, file: Path = FILE) -> None:
        """Writes the figures into a file."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n")


def unusual_days(con: duckdb.DuckDBPyConnection) -> Share:
    """Returns how many of the published days of kpi.daily_anomalies and kpi.feed_agreement miss an expectation."""
    tables = "table_schema = 'kpi' and table_name in ('daily_anomalies', 'feed_agreement')"
    [(published,)] = con.execute(f"select count(*) from information_schema.tables where {tables}").fetchall()
    if published < 2:
        return Share(0, 0)
    [found] = con.execute(f"""
        with days as (
            select day, bool_or(anomalies > 0) as is_unusual from kpi.daily_anomalies group by day
            union all
            select day, bool_or(missing >= {FEWEST} and missing * {ONE_IN} > compared) from kpi.feed_agreement
            group by day)
        select count(*) filter (is_unusual), count(*) from days""").fetchall()
    return Share(*found)


def percent(share: Share) -> str:
    """Returns a share with its interval in percent; an empty text without trials."""
    if not share.of:
        return ""
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%} to {high:.1%})"


def per_thousand(share: Share) -> str:
    """Returns a share with its interval per thousand; an empty text without trials."""
    if not share.of:
        return ""
    low, high = share.interval
    return f"{1000 * share.value:.2f} ({1000 * low:.2f} to {1000 * high:.2f})"


def kinds_table(kinds: Sequence[Kind]) -> str:
    """Returns the figures of kinds as a Markdown table."""
    head = (
        "| kind | planted | noticed | recall | near misses | alarms | precision "
        "| false alarms per 1,000 clean table-days |",
        "| --- | --: | --: | --- | --: | --: | --- | --- |",
    )
    return "\n".join([*head, *map(_line, kinds)])


def _line(kind: Kind) -> str:
    return (
        f"| `{kind.name}` | {kind.planted:,} | {kind.noticed:,} | {percent(kind.recall)} | {kind.near_misses:,} "
        f"| {kind.alarms:,} | {percent(kind.precision)} "
        f"| {per_thousand(Share(kind.clean_alarms, kind.clean_table_days))} |"
    )


def sources_line(found: Measured) -> str:
    """Returns when and in what the kinds were planted, as a sentence."""
    return (
        f"Measured on {found.measured_on}, in {len(found.seeds)} synthetic shops of {found.shop}, with the seeds "
        f"{min(found.seeds)} to {max(found.seeds)}, on which nothing was tuned."
    )


def here_line(unusual: Share, is_known: bool) -> str:
    """Returns how many days of the published shop are unusual, as a sentence; `is_known` says that it is synthetic."""
    of = "; nothing of these kinds was planted, so that each is a false alarm" if is_known else ""
    return (
        f"In this shop, {unusual.hits:,} of {unusual.of:,} table-days of kpi.daily_anomalies and kpi.feed_agreement "
        f"are unusual{of}."
    )


def missed_lines(found: Measured) -> Iterator[str]:
    """Yields a line for each kind that misses its goal, or of which some are missed, with the reason."""
    for kind in found.missed:
        goal = "without a goal" if kind.goal is None else f"the goal is {kind.goal:.0%}"
        limit = _KINDS[kind.name].limit if kind.name in _KINDS else ""
        yield f"- `{kind.name}`: {kind.planted - kind.noticed:,} of {kind.planted:,} missed, {goal}. {limit}".rstrip()
    if not found.missed:
        yield "None."


def clean_lines(clean: Clean) -> Iterator[str]:
    """Yields sentences about clean days, and a line for each rule that raised a false alarm."""
    found = clean.false_alarms
    yield (
        f"Clean days, {clean.judged}: {found.hits} false alarms over {found.of:,} table-days, {per_thousand(found)} "
        f"per 1,000; at most {clean.most_in_a_week} in a week."
    )
    for rule, count in clean.alarms.items():
        yield f"{count}: {rule}"
