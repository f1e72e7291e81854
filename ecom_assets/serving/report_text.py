"""The report as text."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal

from ecom_assets.days import contiguous
from ecom_assets.serving.bad_days import about_quiet_days
from ecom_assets.serving.report import Figure, Report, Trust, Unit, counted

REASONS_SHOWN = 3
_NOTHING = "-"


def render(report: Report) -> str:
    """Returns the report as text. Amounts are rounded to the cent here, and nowhere before."""
    length = counted(len(report.period), "day")
    table = [["", length, f"{length} before", "change", "a year before", "change"]]
    for figure in report.figures:
        row = [", ".join(filter(None, [figure.name, figure.note])), _written(figure.value, figure.unit)]
        for earlier in (figure.before, figure.year_before):
            row += [_written(earlier, figure.unit), _change(figure, earlier)]
        table.append(row)
    if all(figure.year_before is None for figure in report.figures):
        table = [row[:-2] for row in table]
    lines = [f"The shop, {report.period}", "", *_aligned(table), ""]
    if report.missing:
        lines.append(f"Some tables lack rows on: {', '.join(map(str, contiguous(report.missing)))}.")
    lines += [f"{failed} failed on {days}, which {', '.join(tables)} lack." for failed, days, tables in report.lacking]
    if report.quiet:
        lines.append(about_quiet_days(report.quiet))
    lines += [f"Not complete: {table} {day}: {note}." for table, day, note in report.damaged]
    if report.unreconciled:
        lines.append(
            f"Do not reconcile on: {', '.join(map(str, contiguous(report.unreconciled)))}. For the reasons: ecom bad."
        )
    return "\n".join([*lines, *_trust_lines(report.trust)])


def _trust_lines(trust: Trust) -> list[str]:
    count = trust.table_days
    lines = [
        f"Table-days: {count.get('stored', 0):,} good, {count.get('provisional', 0):,} provisional, "
        f"{count.get('failed', 0):,} failed, {count.get('blocked', 0):,} blocked; {trust.stale:,} stale."
    ]
    if trust.showing_old_rows:
        lines.append(f"{trust.showing_old_rows:,} failed or blocked table-days show last good rows.")
    lines.append(f"Quarantined rows: {trust.quarantined:,}{', by reason:' if trust.quarantined else '.'}")
    lines += [f"  {n:,}: {reason}" for reason, n in trust.reasons[:REASONS_SHOWN]]
    if left := trust.reasons[REASONS_SHOWN:]:
        lines.append(f"  and {counted(len(left), 'other reason')}")
    lines += [f"Conflicts of one key in {table}: {n:,}. See ecom bad." for table, n in trust.conflicts]
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        yield "   ".join(cells).rstrip()


def _rounded(value: Decimal, places: str) -> Decimal:
    return value.quantize(Decimal(places), ROUND_HALF_UP)


def _written(value: Decimal | None, unit: Unit) -> str:
    if value is None:
        return _NOTHING
    match unit:
        case Unit.MONEY | Unit.RATIO:
            return f"{_rounded(value, '0.01'):,}"
        case Unit.COUNT:
            return f"{_rounded(value, '1'):,}"
        case Unit.SHARE:
            return f"{_rounded(value * 100, '0.01')} %"


def _change(figure: Figure, since: Decimal | None) -> str:
    change = figure.change(since)
    if change is None:
        return _NOTHING
    return f"{_rounded(change * 100, '0.1'):+} {'points' if figure.unit is Unit.SHARE else '%'}"
