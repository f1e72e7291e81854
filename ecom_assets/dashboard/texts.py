"""Values and answers as people and files read them: exact amounts, changes, tables and CSV."""

import csv
import datetime as dt
import io
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ecom_assets.dashboard.answers import Answer, Change, Row, Value
from ecom_assets.dashboard.declared import Series
from ecom_assets.serving.report import Unit

UNKNOWN = "\N{EN DASH}"
_CENTS = 2


def rounded(value: Decimal, places: int) -> Decimal:
    """Returns the value with so many decimals, halves away from zero."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def text(value: Decimal | None, unit: Unit, is_ratio: bool = False) -> str:
    """Returns a value as people read it. Amounts are exact: to the cent, or as far as they have decimals."""
    if value is None:
        return UNKNOWN
    match unit:
        case Unit.SHARE:
            return f"{rounded(value * 100, 2)} %"
        case Unit.COUNT:
            return f"{value.normalize():,f}"
        case _:
            is_of_cents = is_ratio or value == rounded(value, _CENTS)
            return f"{rounded(value, _CENTS):,}" if is_of_cents else f"{value.normalize():,f}"


def value_text(value: Value, series: Series) -> str:
    """Returns a value of a series as people read it."""
    return text(value.exact, series.unit, value.is_ratio)


def full_text(value: Value, series: Series) -> str:
    """Returns a value with what it is made of, if it is a ratio."""
    said = value_text(value, series)
    if not value.is_ratio or value.of is None or value.per is None:
        return said
    return f"{said} ({_plain(value.of)} / {_plain(value.per)})"


def key_text(part: Any) -> str:
    """Returns a value of a group as people read it."""
    return part.strftime("%Y-%m-%d") if isinstance(part, dt.date) else str(part)


def change_text(change: Change, unit: Unit) -> str:
    """Returns a change with its direction as a sign: "▲ 3.2 %", "New", or a dash if nothing compares."""
    if change.is_new:
        return "New"
    if change.by is None:
        return UNKNOWN if change.without or change.before is None else "= 0 %"
    sign = "▲" if change.by > 0 else "▼" if change.by < 0 else "="
    is_share = unit is Unit.SHARE
    return f"{sign} {rounded(abs(change.by) * 100, 2 if is_share else 1):,} {'points' if is_share else '%'}"


def table(answer: Answer) -> tuple[list[str], list[list[str]]]:
    """Returns the header and the rows of an answer, with exact values."""
    chart = answer.chart
    has_ratio = any(row.value.is_ratio for row in answer.rows)
    has_before = any(row.before is not None for row in answer.rows)
    has_state = chart.form.is_daily
    header = [
        *chart.by,
        "measure",
        "value",
        *(["numerator", "denominator"] if has_ratio else []),
        *(["value_before"] if has_before else []),
        *(["state"] if has_state else []),
    ]
    rows = []
    for row in answer.rows:
        cells = [*map(key_text, row.key), row.series.name, _cell(row.value)]
        cells += [_plain(row.value.of), _plain(row.value.per)] if has_ratio else []
        cells += [_cell(row.before) if row.before else ""] if has_before else []
        cells += [_state(row)] if has_state else []
        rows.append(cells)
    return header, rows


def csv_of(answers: Sequence[Answer]) -> bytes:
    """Returns the rows of answers as CSV, with amounts to the last decimal."""
    tables = [table(answer) for answer in answers]
    header = list(dict.fromkeys(name for names, _ in tables for name in names))
    file = io.StringIO()
    writer = csv.DictWriter(file, header, lineterminator="\n")
    writer.writeheader()
    for names, rows in tables:
        writer.writerows(dict(zip(names, row, strict=True)) for row in rows)
    return file.getvalue().encode()


def _state(row: Row) -> str:
    return row.state or "final"


def _cell(value: Value) -> str:
    exact = value.exact
    if exact is None:
        return ""
    return _plain(rounded(exact, 6)) if value.is_ratio else _plain(exact)


def _plain(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"
