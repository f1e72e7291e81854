"""Pages in HTML, from templates: each is one file that loads no other, in light and dark, for screens of any width."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ecom_assets.contract import Column

TEMPLATES = Path(__file__).parent / "templates"
_NAMES = re.compile("`([^`]+)`")
BAR, HEIGHT = 10, 60
"""Width and height of a bar of a chart, in units of its picture."""


def page(template: str, **values: Any) -> str:
    """Returns a page. All values are escaped."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": number, "prose": prose, "share": share, "zipped": zip}
    made.globals |= {"bars": bars, "unit": unit}
    return made


def prose(text: str) -> Markup:
    """Returns a description, in which names stand in backticks, as HTML."""
    return Markup(_NAMES.sub(r"<code>\1</code>", str(escape(text))))


def number(value: object) -> str:
    """Returns a number with thousands separators and without zeros at its end; anything else as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    whole, point, rest = str(value).partition(".")
    if not whole.removeprefix("-").isdigit() or (rest and not rest.isdigit()):
        return str(value)
    return f"{int(whole):,}{(point + rest).rstrip('0').rstrip('.')}" if whole != "-0" else str(value)


def share(part: int, of: int) -> str:
    """Returns a part of a whole in percent; less than 0.1 % is not shown as none, nor nearly all as all."""
    percent = 100 * part / (of or 1)
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return "> 99.9 %" if 99.9 < percent < 100 else f"{percent:.1f} %".replace(".0 %", " %")


def bars(counts: Sequence[int]) -> str:
    """Returns the outline of bars, one next to the other, as the path of a picture; a bar that is not empty shows."""
    highest = max(counts, default=0) or 1
    heights = [max(HEIGHT * count / highest, 1) if count else 0 for count in counts]
    return "".join(f"M{BAR * n} {HEIGHT}v-{h:.4g}h{BAR - 1}v{h:.4g}z" for n, h in enumerate(heights) if h)


def unit(column: Column, currency: str) -> str:
    """Returns the unit of a column's values; empty without one."""
    if column.is_amount:
        return currency
    if column.kind == "decimal":
        return "units"
    if column.kind == "timestamp":
        return "UTC"
    if column.kind == "float" and column.name.endswith("_share"):
        return "0 to 1"
    last = column.name.rpartition("_")[2]
    return last if last in ("days", "hours", "seconds") and column.kind in ("integer", "float") else ""
