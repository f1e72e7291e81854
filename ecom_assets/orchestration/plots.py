"""Plots on pages of Dagster's UI, as Markdown with an embedded SVG of a few kilobytes."""

import base64
import datetime as dt
import html
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence

from ecom_assets.days import ONE_DAY, contiguous
from ecom_assets.declaration import Plot

PLOT_DAYS = 60
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 480, 10, 110
"""Of a plot, in pixels."""
_LOWER = 210
"""The bottom of a plot of several lines."""
_LINE = 16
"""Height of a line of text."""
_COLOURS = ("#4f43dd", "#c2410c", "#15803d", "#0e7490", "#a21caf", "#854d0e", "#be123c", "#475569")
_WHOLE = 100
"""From which value on labels have no decimals."""
_MOST_LATER = 1.2
"""Days are missing if the next one is later than usual by more: months are of several lengths."""

Place = float | dt.date


def of_days(measure: str, values: Mapping[dt.date, float], provisional: Collection[dt.date] = ()) -> str:
    """Returns a line chart as Markdown with an embedded SVG, about two kilobytes. Needs at least one value.

    Where days are missing the line is broken; to days that are provisional it is dashed.
    """
    days = sorted(values)
    low, high = min(0.0, *values.values()), max(0.0, *values.values())
    across, up = max((days[-1] - days[0]).days, 1), (high - low) or 1.0

    def height(value: float) -> float:
        return _BOTTOM - (value - low) / up * (_BOTTOM - _TOP)

    def path(line: Sequence[dt.date]) -> str:
        places = [_LEFT + (day - days[0]).days / across * (_RIGHT - _LEFT) for day in line]
        return _path(zip(places, (height(values[day]) for day in line), strict=True))

    final, open_ = ("".join(map(path, lines)) for lines in _lines(days, provisional))
    caption = f"{measure}, {days[0]} to {days[-1]}: last {values[days[-1]]:,.6g}, maximum {max(values.values()):,.6g}"
    if not_final := list(map(str, contiguous(day for day in days if day in provisional))):
        caption += f"; not final: {', '.join(not_final)}"
    drawn = (
        f'<g fill="none" stroke="{_COLOURS[0]}" stroke-width="2" stroke-linecap="round"><path d="{final}"/>'
        f'<path d="{open_}" stroke-dasharray="2 4"/></g>'
    )
    return _picture(caption, (str(days[0]), str(days[-1])), (low, high), height(0.0), _BOTTOM, drawn)


def of_lines(plot: Plot, points: Iterable[tuple[str, Place, float]]) -> str:
    """Returns a chart of several lines as Markdown with an embedded SVG. Needs at least one point.

    Args:
        plot: What it shows.
        points: Name of a line, place on the horizontal axis and value, in any order.
    """
    lines: dict[str, list[tuple[Place, float]]] = {}
    for line, place, value in sorted(points):
        lines.setdefault(line, []).append((place, value))
    places = [place for line in lines.values() for place, _ in line]
    values = [value for line in lines.values() for _, value in line]
    low, high = min(0.0, *values), max(0.0, *values)
    first, last = (_number(of(places)) for of in (min, max))

    def at(place: Place, value: float) -> tuple[float, float]:
        across = (_number(place) - first) / ((last - first) or 1.0)
        return _LEFT + across * (_RIGHT - _LEFT), _LOWER - (value - low) / ((high - low) or 1.0) * (_LOWER - _TOP)

    marks, names = [], []
    for row, (line, found) in enumerate(lines.items()):
        colour = "#888" if line in plot.dashed else _COLOURS[row % len(_COLOURS)]
        dashed = ' stroke-dasharray="4 4"' if line in plot.dashed else ""
        dot = ' stroke-width="8"' if len(found) == 1 else ""
        name = f"{html.escape(line)}: {_label(found[0][1])} to {_label(found[-1][1])}"
        marks.append(f'<path d="{_path(at(*point) for point in found)}" stroke="{colour}"{dashed}{dot}/>')
        below = _LOWER + (row + 3) * _LINE
        names.append(f'<text x="{_LEFT}" y="{below}" fill="{colour}">{"- - " if dashed else "— "}{name}</text>')
    drawn = f'<g fill="none" stroke-width="2" stroke-linecap="round">{"".join(marks)}</g><g>{"".join(names)}</g>'
    caption = f"{plot.title}: {plot.up} by {plot.across}"
    ends = _said(min(places)), _said(max(places))
    return _picture(caption, ends, (low, high), at(places[0], 0.0)[1], _LOWER, drawn, len(lines) + 1)


def _picture(
    caption: str,
    ends: tuple[str, str],
    between: tuple[float, float],
    zero: float,
    bottom: int,
    drawn: str,
    more: int = 0,
) -> str:
    """Returns what is drawn with its axes: ends of the horizontal one, and of values, with so many more lines below."""
    low, high = between
    width, below = _RIGHT + 8, bottom + _LINE
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{below + 4 + more * _LINE}" '
        f'font-family="sans-serif" font-size="11" fill="#666"><path d="M{_LEFT},{zero:.0f}H{_RIGHT}" stroke="#bbb"/>'
        f'<g text-anchor="end"><text x="{_LEFT - 5}" y="{_TOP + 4}">{_label(high)}</text>'
        f'<text x="{_LEFT - 5}" y="{bottom + 4}">{_label(low)}</text>'
        f'<text x="{_RIGHT}" y="{below}">{ends[1]}</text></g><text x="{_LEFT}" y="{below}">{ends[0]}</text>'
        f"{drawn}</svg>"
    )
    return f"![{caption}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})\n\n{caption}"


def _path(points: Iterable[tuple[float, float]]) -> str:
    said = [f"{x:.0f},{y:.0f}" for x, y in points]
    return f"M{'L'.join(said)}{'' if len(said) > 1 else 'h0'}"


def _number(place: Place) -> float:
    return float(place.toordinal() if isinstance(place, dt.date) else place)


def _said(place: Place) -> str:
    return str(place) if isinstance(place, dt.date) else _label(place)


def _label(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"


def _lines(
    days: Sequence[dt.date], provisional: Collection[dt.date]
) -> tuple[list[list[dt.date]], list[list[dt.date]]]:
    """Returns the days of each line between final days, and of each to, from or between others."""
    usual = min((later - day for day, later in itertools.pairwise(days)), default=ONE_DAY)
    final: list[list[dt.date]] = []
    open_: list[list[dt.date]] = []
    for before, day in zip([None, *days], days, strict=False):
        is_joined = before is not None and day - before <= _MOST_LATER * usual
        if day in provisional or (is_joined and before in provisional):
            if is_joined and before in provisional:
                open_[-1].append(day)
            else:
                open_.append([before, day] if is_joined and before else [day])
        if day not in provisional:
            if is_joined and before not in provisional:
                final[-1].append(day)
            else:
                final.append([day])
    return final, open_
