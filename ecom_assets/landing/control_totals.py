"""Control totals: what the sender of a file states about it, in a file beside it.

Beside `orders.csv`, `orders.csv.control.json` has the number of rows and the sums of some columns:
{"rows": 250, "sums": {"total": "12345.60"}}.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from ecom_assets.errors import suggestion

SUFFIX = ".control.json"


@dataclass(frozen=True)
class ControlTotals:
    """The number of rows of a file and the sums of its columns, as far as the sender states them."""

    rows: int | None = None
    sums: Mapping[str, Decimal] = field(default_factory=dict)


def is_control(name: str) -> bool:
    """Returns whether a file of this name has the control totals of another one."""
    return name.endswith(SUFFIX)


def read_control_totals(path: Path, columns: Collection[str]) -> ControlTotals:
    """Returns the totals in a file; `columns` are those that may be summed. Raises ValueError."""
    given = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    if not isinstance(given, dict) or not given or not set(given) <= {"rows", "sums"}:
        raise ValueError('write {"rows": 250, "sums": {"total": "12345.60"}}, or one of both')
    rows, sums = given.get("rows"), given.get("sums", {})
    if rows is not None and (type(rows) is not int or rows < 0):
        raise ValueError("rows must be a whole number")
    if not isinstance(sums, dict):
        raise ValueError('sums must be columns with their sums, such as {"total": "12345.60"}')
    for name in sums:
        if name not in columns:
            raise ValueError(f"unknown column {name!r}{suggestion(name, columns)}")
    return ControlTotals(rows, {name: _sum(name, value) for name, value in sums.items()})


def _sum(name: str, value: Any) -> Decimal:
    try:
        total = Decimal(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    except InvalidOperation:
        total = None
    if total is None or not total.is_finite():
        raise ValueError(f'the sum of {name} must be a number, such as "12345.60"')
    return total
