"""Answers as lines of text for a terminal."""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ecom_assets import settings
from ecom_assets.days import contiguous

if TYPE_CHECKING:
    from ecom_assets.orchestration.retention import Retired
    from ecom_assets.quality.anomalies import Measured, Share
    from ecom_assets.quality.detection import Detection
    from ecom_assets.quality.truth_scores import TruthScore
    from ecom_assets.serving.bad_days import BadDays
    from ecom_assets.serving.quarantine import QuarantinedRow, ReasonCount
    from ecom_assets.serving.why import Told
    from ecom_assets.warehouse.ledger.records import StaleDay

MOST_NAMES = 5
"""Names of each kind that a list shows unless all are asked for."""


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns rows of values under their names, in columns of equal width; nothing where a value is null."""
    cells = [list(names), *(["" if value is None else str(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(f"  {line}" for line in lines) if rows else "  no rows"


def stale_days(found: "Sequence[StaleDay]") -> Iterator[str]:
    """Yields a line for each table and reason, and how many table-days there are."""
    reasons: dict[tuple[str, str], list[dt.date]] = {}
    for item in found:
        reasons.setdefault((item.table, item.why), []).append(item.day)
    for (table, why), days in reasons.items():
        yield f"{table:32} {', '.join(map(str, contiguous(days)))}: {why}"
    yield f"{len(found)} table-days are stale." if found else "Nothing is stale."


def retired(found: "Sequence[Retired]", all_names: bool = False) -> Iterator[str]:
    """Yields a line for each kind of thing that is kept no longer, and its names: the first few, or all."""
    by_kind: dict[str, list[Retired]] = {}
    for item in found:
        by_kind.setdefault(item.kind, []).append(item)
    for kind, items in by_kind.items():
        size = sum(item.bytes for item in items)
        since = f"over between {min(i.over_at for i in items):%Y-%m-%d} and {max(i.over_at for i in items):%Y-%m-%d}"
        yield f"{kind}: {len(items):,}, {size:,} bytes, {since}"
        for item in items if all_names else items[:MOST_NAMES]:
            yield f"  {item.over_at:%Y-%m-%d}  {item.bytes:>12,}  {item.name}"
        if len(items) > MOST_NAMES and not all_names:
            yield f"  … and {len(items) - MOST_NAMES:,} more: --all lists them"


def bad_days(found: "Sequence[BadDays]") -> Iterator[str]:
    """Yields a line for each cause and the days and tables that it concerns."""
    for days in found:
        yield _bad(days)
    if not found:
        yield "Every day has good rows."


def _bad(days: "BadDays") -> str:
    name, *others = days.tables
    which = f": {', '.join(days.tables)}" if others else ""
    who = f"{len(days.tables)} tables" if others else name
    return f"{who:32} {', '.join(map(str, days.windows))} {days.state}: {days.why}{which}"


def not_all_good(found: "Sequence[BadDays]", stale: int) -> str:
    """Returns what to know after a run with bad days: the first cause, how much else, and what helps."""
    from ecom_assets.serving.bad_days import advice

    failed, blocked = ([bad for bad in found if bad.state == state] for state in ("failed", "blocked"))
    [first, *others] = failed or blocked or found
    lines = [f"Some days have no good rows. {' '.join(_bad(first).split())}."]
    for rest, what in ((others if failed else [], "failed"), (blocked if failed else others, "blocked")):
        if rest:
            tables = len({table for bad in rest for table in bad.tables})
            days = contiguous(day for bad in rest for window in bad.windows for day in window)
            more = f"{tables} {'more ' if what == 'failed' else ''}table{'s' if tables > 1 else ''}"
            lines.append(f"{more} {what} on {', '.join(map(str, days))}: ecom bad lists them.")
    return "\n".join([*lines, *advice(found, stale)])


def quarantine_counts(found: "Sequence[ReasonCount]") -> Iterator[str]:
    """Yields a line for each table and reason."""
    for one in found:
        yield f"{one.table:12} {one.rows:>10,}  {one.reason}"
    if not found:
        yield "No rows are quarantined."


def quarantined_rows(rows: "Iterable[QuarantinedRow]") -> Iterator[str]:
    """Yields three lines for each row: an empty one, its place with the reasons, and its values."""
    for row in rows:
        yield f"\n{row.arrived_on} {row.source_file}, record {row.record}: {'; '.join(row.reasons)}"
        yield "  " + ", ".join(f"{name} {value!r}" for name, value in row.values.items())


def detection(found: "Detection", by_day: bool) -> Iterator[str]:
    """Yields a table of the kinds of defects, what else was quarantined, and a table of arrival days if `by_day`."""
    yield f"{'defect':20} {'planted':>9} {'caught':>9} {'recall':>9}"
    for kind in found.kinds:
        yield f"{kind.name:20} {kind.planted:>9,} {kind.caught:>9,} {kind.recall:>9.1%}"
    yield (
        f"\nQuarantined: {found.quarantined_defects:,} records with a defect, {found.consequences:,} that refer to one "
        f"of these, {found.waiting:,} that wait for a record to arrive, {found.false_alarm_count:,} false alarms."
    )
    if found.precision is not None:
        yield (
            f"Precision {found.precision:.1%}, {found.false_alarms_per_thousand:.2f} false alarms per 1,000 good rows"
            f"{':' if found.false_alarms else '.'}"
        )
    for why, rows in found.false_alarms.items():
        yield f"{rows:>9,}  {why}"
    if by_day:
        yield from _detection_by_day(found)


def _detection_by_day(found: "Detection") -> Iterator[str]:
    from ecom_assets.quality.detection import percent

    yield f"\n{'arrival day':12}{'feed':20}{'planted':>9}{'caught':>9}{'recall':>9}{'alarms':>9}{'precision':>11}"
    for day in found.feed_days:
        yield (
            f"{day.arrived_on!s:12}{day.feed:20}{day.planted:>9,}{day.caught:>9,}{percent(day.recall):>9}"
            f"{day.false_alarms:>9,}{percent(day.precision):>11}"
        )


def truth_scores(found: "Sequence[TruthScore]") -> Iterator[str]:
    """Yields a line per way to predict, by subject."""
    for subject, scores in itertools.groupby(found, lambda score: score.subject):
        yield f"\n{subject}:"
        for score in scores:
            measures = "  ".join(f"{name} {value:.4g}" for name, value in score.measures.items())
            yield f"  {score.name:24} {score.count:>9,}  {measures}"


def anomalies(found: "Measured", unusual: "Share", is_known: bool) -> Iterator[str]:
    """Yields a table of the kinds of anomalies as they were measured, what is missed, and the alarms of this shop."""
    from ecom_assets.quality.anomalies import clean_lines, here_line, missed_lines, percent, sources_line

    yield f"\n{'anomaly':27} {'planted':>8} {'noticed':>8}  {'recall':27} {'near misses':>11} {'alarms':>7}"
    for kind in found.kinds:
        yield (
            f"{kind.name:27} {kind.planted:>8,} {kind.noticed:>8,}  {percent(kind.recall):27} {kind.near_misses:>11,} "
            f"{kind.alarms:>7,}"
        )
    yield f"\n{sources_line(found)}"
    yield from missed_lines(found)
    for clean in found.clean:
        yield from clean_lines(clean)
    yield here_line(unusual, is_known)


def why(table: str, day: dt.date, found: "Sequence[Told]") -> Iterator[str]:
    """Yields the totals of a table-day as they were recorded, and the parts of each change."""
    yield f"{table} on {day}"
    for told in found:
        at = f"{told.recorded_at:%Y-%m-%d %H:%M} UTC  {told.amount:>18,.4f}"
        if not told.parts:
            yield f"  {at}  first recorded"
            continue
        yield f"  {at}  {sum(part.amount for part in told.parts):+,.4f} by run {told.run_id.partition('-')[0]}"
        for part in told.parts:
            yield f"{'':23}{part.amount:>+18,.4f}  {part.cause}"
            for seen in part.evidence:
                keys = "; ".join(seen.keys) + ("; …" if seen.row_count > len(seen.keys) else "")
                yield f"{'':43}{seen.table}: {keys} from {', '.join(seen.files)}"
    if len(found) == 1:
        yield "It has not changed since."


def show_report() -> None:
    """Print the report from what was last published. Raises NothingPublished."""
    from ecom_assets.serving.report import report
    from ecom_assets.serving.report_text import render

    click.echo(render(report(settings.load().snapshot)))
