"""The quality of the published tables: which miss the target, and on which days."""

from dataclasses import dataclass
from decimal import Decimal

import duckdb

TARGET = 0.999
"""Rows that pass, per row checked."""
DAYS = 30
WORST_DAYS = 10


@dataclass(frozen=True)
class Quality:
    """The checked rows of some days: of one table, or of one table-day."""

    name: str
    rows_checked: int
    rows_passed: int
    score: float
    """Rows that passed per row checked; the mean of the days' scores if there was nothing to check."""
    complete: float
    """Share of its days on which nothing is missing or still to come, 0 to 1."""
    restated: Decimal | None
    """Its totals now less those first recorded, in shop currency; None if it has no amount column."""


def quality(con: duckdb.DuckDBPyConnection, days: int = DAYS, *, by_day: bool = False) -> list[Quality]:
    """Returns the tables of a snapshot, or their days, by quality in the last `days` days, the worst first."""
    name = "table_name || ' ' || day" if by_day else "table_name"
    rows = con.execute(f"""
        select {name} as name, sum(rows_checked)::bigint, sum(rows_passed)::bigint,
               coalesce(sum(rows_passed) / nullif(sum(rows_checked), 0), avg(quality_score)) as score,
               avg(is_complete::int) as complete, sum(restated_amount) as restated
        from kpi.daily_quality where day > (select max(day) from kpi.daily_quality) - {days}
        group by all order by score, complete, name""").fetchall()
    return [Quality(*row) for row in rows]


def table_of(found: list[Quality]) -> str:
    """Returns qualities as a Markdown table."""
    lines = [
        f"| {q.name} | {q.rows_checked:,} | {q.rows_passed:,} | {q.score:.3%} | {q.complete:.1%} "
        f"| {'' if q.restated is None else f'{q.restated:,.2f}'} |"
        for q in found
    ]
    head = ["| | rows checked | passed | score | complete | restated by |", "| --- | --: | --: | --: | --: | --: |"]
    return "\n".join([*head, *lines])
