"""Figures: an answer as a Vega-Lite specification, whose marks say their exact values as text."""

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from ecom_assets.dashboard.answers import Answer, Restatement, Row, Value
from ecom_assets.dashboard.declared import Form, Series
from ecom_assets.dashboard.texts import full_text, key_text, text, value_text
from ecom_assets.serving.report import Unit

COLORS = ("#0b62a4", "#b35900", "#1b7f4d", "#8a3a8f", "#8c6d00", "#5b5b5b", "#b0305c", "#007a87")
"""Of series; each is told from white and from its neighbours, also without colour vision."""
GREY, INK, RESTATED = "#6b7280", "#374151", "#8f1d5c"
HEIGHT = 260
_ROW_HEIGHT = 34
_NEGATIVE, _POSITIVE = "#a63d40", "#1b7f4d"
Spec = dict[str, Any]


def figure(answer: Answer) -> Spec:
    """Returns the figure of an answer that has rows."""
    drawn = _FORMS[answer.chart.form](answer)
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": f"{answer.chart.title}, {answer.window}",
        "width": "container",
        "autosize": {"type": "fit", "contains": "padding"},
        # Marks of SVG are read by browsers, people's tools and tests.
        "usermeta": {"embedOptions": {"renderer": "svg", "actions": False}},
        "config": {
            "font": "sans-serif",
            "background": "transparent",
            "view": {"stroke": None},
            "axis": {
                "labelColor": INK,
                "titleColor": INK,
                "gridColor": "#e5e7eb",
                "labelFontSize": 11,
                "domainColor": "#9ca3af",
                "tickColor": "#9ca3af",
                "titleFontWeight": "normal",
            },
            "legend": {
                "labelColor": INK,
                "titleColor": INK,
                "orient": "bottom",
                "titleFontWeight": "normal",
                "columns": 4,
                "symbolStrokeWidth": 2,
            },
        },
        **drawn,
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _format(unit: Unit) -> str:
    return "~%" if unit is Unit.SHARE else "~s"


def _legend_name(row: Row) -> str:
    group = " ".join(map(key_text, row.key[1:]))
    return group or row.series.name


def said(row: Row, restated: Sequence[Restatement] = ()) -> str:
    """Returns what a mark says: its group, its exact value, and how far it holds."""
    parts = [*map(key_text, row.key), f"{row.series.name} {full_text(row.value, row.series)}"]
    if row.before is not None:
        parts.append(f"before {value_text(row.before, row.series)}")
    if row.state:
        parts.append("not final" if row.state == "provisional" else row.state)
    return ", ".join(parts) + "".join(f"; {restatement_text(each)}" for each in restated)


def restatement_text(each: Restatement) -> str:
    """Returns which total was restated, and by what."""
    was, now = text(each.was, Unit.MONEY), text(each.is_now, Unit.MONEY)
    causes = ", ".join(f"{cause} {'+' if part > 0 else ''}{text(part, Unit.MONEY)}" for cause, part in each.causes)
    return f"{each.table} of {each.day} was {was}, is now {now}: {causes}"


_MARK: Spec = {"field": "said", "type": "nominal"}
_DAY: Spec = {
    "field": "day",
    "type": "temporal",
    "scale": {"type": "utc"},
    "axis": {"title": None, "format": "%d %b", "labelOverlap": True, "grid": False, "tickCount": 6},
}


def _marked(mark: Spec | str, encoding: Spec, data: Iterable[Spec] | None = None) -> Spec:
    """Returns a layer of marks that say their values."""
    spoken = {"description": _MARK, "tooltip": {"field": "said", "type": "nominal", "title": " "}}
    layer: Spec = {"mark": mark, "encoding": {**encoding, **spoken}}
    return layer if data is None else {**layer, "data": {"values": list(data)}}


def _hidden(mark: Spec, encoding: Spec, data: Iterable[Spec]) -> Spec:
    """Returns a layer of which readers of the page's marks need nothing."""
    return {"mark": {**mark, "aria": False}, "encoding": encoding, "data": {"values": list(data)}}


def _colour(names: Iterable[str], title: str | None = None) -> Spec:
    domain = list(dict.fromkeys(names))
    scale = {"domain": domain, "range": [COLORS[n % len(COLORS)] for n in range(len(domain))]}
    return {
        "field": "series",
        "type": "nominal",
        "scale": scale,
        "legend": {"title": title} if len(domain) > 1 else None,
    }


def _plain(field: str) -> Spec:
    """Returns the encoding of a column of colours."""
    return {"field": field, "type": "nominal", "scale": None, "legend": None}


def _y(unit: Unit, rows: Iterable[Spec], from_zero: bool = True) -> Spec:
    """Returns the encoding of values; nothing but zeros are drawn on the axis of zero to one."""
    is_flat = not any(row["value"] or row.get("before") for row in rows)
    scale = {"domain": [0, 1]} if is_flat else {"zero": from_zero}
    return {"field": "value", "type": "quantitative", "axis": {"title": None, "format": _format(unit)}, "scale": scale}


def _points(answer: Answer) -> list[Spec]:
    restated: dict[dt.date | None, list[Restatement]] = {}
    for each in answer.restated:
        restated.setdefault(each.day, []).append(each)
    return [
        {
            "day": row.day.isoformat() if row.day else None,
            "series": _legend_name(row),
            "value": _number(row.value.exact),
            "before": _number(row.before.exact) if row.before else None,
            "said": said(row, restated.get(row.day, ())),
            "state": row.state,
            "restated": row.day in restated,
        }
        for row in answer.rows
    ]


def _lines(answer: Answer) -> Spec:
    rows = _points(answer)
    names = [str(row["series"]) for row in rows]
    inks = dict(zip(dict.fromkeys(names), itertools.cycle(COLORS), strict=False))
    unit, single = answer.chart.series[0].unit, len(set(names)) == 1
    y, colour = _y(unit, rows, answer.chart.from_zero), _colour(names)
    final, open_ = _split(rows)
    line = {"type": "line", "strokeWidth": 2}
    layers = [
        _hidden({**line, **dashed}, {"x": _DAY, "y": y, "color": colour}, some)
        for some, dashed in ((final, {}), (open_, {"strokeDash": [5, 4]}))
        if any(row["value"] is not None for row in some)
    ]
    if single and any(row["before"] is not None for row in rows):
        before = [{**row, "value": row["before"]} for row in rows]
        style = {"type": "line", "strokeWidth": 1.5, "color": GREY, "opacity": 0.7}
        layers.insert(0, _hidden(style, {"x": _DAY, "y": y}, before))
    shown = [row for row in rows if row["value"] is not None]
    dots = [
        {**row, "ink": inks[row["series"]], "fill": "white" if row["state"] else inks[row["series"]]} for row in shown
    ]
    style = {"type": "point", "filled": True, "size": 34, "strokeWidth": 1.5}
    layers.append(_marked(style, {"x": _DAY, "y": y, "fill": _plain("fill"), "stroke": _plain("ink")}, dots))
    layers += _restated_marks([row for row in shown if row["restated"]], y)
    return {"height": HEIGHT, "layer": layers}


def _split(rows: Sequence[Spec]) -> tuple[list[Spec], list[Spec]]:
    """Returns the rows of lines of final days, and of those that are not, which begin at the day before them."""
    final = [row if not row["state"] else {**row, "value": None} for row in rows]
    open_ = []
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        leads = following is not None and following["series"] == row["series"] and following["state"]
        open_.append(row if row["state"] or leads else {**row, "value": None})
    return final, open_


def _restated_marks(rows: Sequence[Spec], y: Spec) -> list[Spec]:
    if not rows:
        return []
    style = {"type": "point", "shape": "triangle-up", "size": 70, "filled": True, "color": RESTATED, "yOffset": -11}
    marks = [{**row, "said": f"Restated: {row['said']}"} for row in rows]
    return [_marked(style, {"x": _DAY, "y": y}, marks)]


def _bars(answer: Answer) -> Spec:
    rows = [row for row in _points(answer) if row["value"] is not None]
    names = dict.fromkeys(str(row["series"]) for row in rows)
    inks = dict(zip(names, itertools.cycle(COLORS), strict=False))
    rows = [{**row, "ink": inks[row["series"]] if row["state"] else "white"} for row in rows]
    encoding = {
        "x": {**_DAY, "bandPosition": 0.5, "timeUnit": "utcyearmonthdate"},
        "y": _y(answer.chart.series[0].unit, rows),
        "color": _colour(names),
        "stroke": _plain("ink"),
        "fillOpacity": {"condition": {"test": "datum.state !== ''", "value": 0.35}, "value": 0.9},
        "strokeDash": {"condition": {"test": "datum.state !== ''", "value": [3, 2]}, "value": [1, 0]},
    }
    bars = _marked({"type": "bar", "strokeWidth": 0.5}, encoding, rows)
    marked = {row["day"]: row for row in rows if row["restated"]}
    top = [
        {**row, "value": sum(max(other["value"], 0) for other in rows if other["day"] == day)}
        for day, row in marked.items()
    ]
    return {"height": HEIGHT, "layer": [bars, *_restated_marks(top, _y(answer.chart.series[0].unit, rows))]}


def _groups(answer: Answer) -> list[Spec]:
    return [
        {
            "group": key_text(row.key[0]) if row.key else row.series.name,
            "value": _number(row.value.exact),
            "before": _number(row.before.exact) if row.before else None,
            "shown": value_text(row.value, row.series),
            "said": said(row),
        }
        for row in answer.rows
    ]


def _columns(answer: Answer) -> Spec:
    rows = _groups(answer)
    label = answer.chart.label(answer.chart.by[0])
    x = {
        "field": "group",
        "type": "ordinal",
        "sort": None,
        "axis": {"title": label, "labelAngle": 0, "labelOverlap": True},
    }
    unit = answer.chart.series[0].unit
    layers = [_marked({"type": "bar", "color": COLORS[0]}, {"x": x, "y": _y(unit, rows)}, rows)]
    if any(row["before"] is not None for row in rows):
        layers.append(
            _hidden(
                {"type": "tick", "color": INK, "thickness": 2},
                {"x": x, "y": {**_y(unit, rows), "field": "before"}},
                rows,
            )
        )
    return {"height": HEIGHT, "layer": layers}


def _ranked(answer: Answer) -> Spec:
    rows = sorted((row for row in _groups(answer) if row["value"] is not None), key=lambda row: -row["value"])
    y = {
        "field": "group",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelLimit": 130, "ticks": False, "domain": False},
    }
    unit = answer.chart.series[0].unit
    x = {
        **_y(unit, rows),
        "field": "value",
        "axis": {"title": None, "format": _format(unit), "tickCount": 4},
    }
    layers = [_marked({"type": "bar", "color": COLORS[0], "height": {"band": 0.7}}, {"x": x, "y": y}, rows)]
    if any(row["before"] is not None for row in rows):
        style = {"type": "tick", "color": INK, "thickness": 2, "height": {"band": 0.9}}
        layers.append(_hidden(style, {"x": {**x, "field": "before"}, "y": y}, rows))
    return {"height": max(HEIGHT, _ROW_HEIGHT * len(rows) + 30), "layer": layers}


def _heat(answer: Answer) -> Spec:
    chart = answer.chart
    across = len(chart.by) > 1
    rows = [
        {
            "down": key_text(row.key[0]),
            "across": key_text(row.key[1]) if across else row.series.name,
            "value": _number(row.value.exact),
            "shown": _short(row.value, row.series),
            "said": said(row),
        }
        for row in answer.rows
        if row.value.exact is not None
    ]
    downward = _sorted_keys({row.key[0] for row in answer.rows})
    if chart.name == "rfm_map":
        downward.reverse()
    acrosses = _sorted_keys({row.key[1] for row in answer.rows}) if across else [each.name for each in chart.series]
    wide = {"labelAngle": -30 if len(acrosses) > 6 else 0, "labelLimit": 90}
    x = {
        "field": "across",
        "type": "ordinal",
        "sort": acrosses,
        "axis": {"title": chart.label(chart.by[1]) if across else None, **wide, "domain": False, "ticks": False},
    }
    y = {
        "field": "down",
        "type": "ordinal",
        "sort": downward,
        "axis": {"title": chart.label(chart.by[0]), "domain": False, "ticks": False, "labelLimit": 90},
    }
    top = max((abs(float(row.value.exact or 0)) for row in answer.rows), default=0) or 1.0
    scale = {"domain": [0, top], "range": ["#eef4fb", "#08427a"]}
    cells = _marked(
        {"type": "rect", "stroke": "white"},
        {"x": x, "y": y, "color": {"field": "value", "type": "quantitative", "scale": scale, "legend": None}},
        rows,
    )
    words = _hidden(
        {"type": "text", "fontSize": 10},
        {
            "x": x,
            "y": y,
            "text": {"field": "shown"},
            "color": {"condition": {"test": f"datum.value > {0.45 * top}", "value": "white"}, "value": "#111827"},
        },
        rows,
    )
    return {"height": max(180, _ROW_HEIGHT * len(downward) + 70), "layer": [cells, words]}


def _sorted_keys(keys: set[Any]) -> list[str]:
    return [key_text(key) for key in sorted(keys, key=lambda key: (str(type(key)), key))]


def _short(value: Value, series: Series) -> str:
    """Returns a value in few characters, for a cell."""
    exact = value.exact
    if exact is None:
        return ""
    if series.unit is Unit.SHARE:
        return f"{exact * 100:.0f} %"
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if abs(exact) >= size:
            short = exact / size
            return f"{short:.0f}{letter}" if abs(short) >= 10 else f"{short:.1f}{letter}"
    return f"{exact:.0f}"


def _curves(answer: Answer) -> Spec:
    chart = answer.chart
    rows = [
        {"x": row.key[1], "series": _curve_name(row.key[0]), "value": _number(row.value.exact), "said": said(row)}
        for row in answer.rows
        if row.value.exact is not None
    ]
    x = {
        "field": "x",
        "type": "quantitative",
        "axis": {"title": chart.label(chart.by[1]), "tickMinStep": 1, "format": "d"},
    }
    encoding = {
        "x": x,
        "y": _y(chart.series[0].unit, rows),
        "color": _colour((str(row["series"]) for row in rows), None),
    }
    return {
        "height": HEIGHT,
        "layer": [
            _hidden({"type": "line", "strokeWidth": 2}, encoding, rows),
            _marked({"type": "point", "filled": True, "size": 40}, encoding, rows),
        ],
    }


def _curve_name(key: Any) -> str:
    """Returns the name of a curve; of a date its month."""
    return f"{key:%Y-%m}" if isinstance(key, dt.date) else key_text(key)


def _bridge(answer: Answer) -> Spec:
    rows: list[Spec] = []
    level = 0.0
    for place, row in enumerate(answer.rows):
        value = _number(row.value.exact) or 0.0
        is_end = place in (0, len(answer.rows) - 1)
        start = 0.0 if is_end else level
        level = start + value
        colour = COLORS[0] if is_end else _POSITIVE if value >= 0 else _NEGATIVE
        rows.append(
            {
                "group": row.series.name,
                "from": start,
                "to": level,
                "fill": colour,
                "said": said(row),
                "shown": value_text(row.value, row.series),
            }
        )
    names = [row["group"] for row in rows]
    y = {"field": "group", "type": "nominal", "sort": names, "axis": {"title": None, "ticks": False, "domain": False}}
    x = {"field": "from", "type": "quantitative", "axis": {"title": None, "format": "~s", "tickCount": 4}}
    bars = _marked(
        {"type": "bar", "height": {"band": 0.7}}, {"y": y, "x": x, "x2": {"field": "to"}, "color": _plain("fill")}, rows
    )
    return {"height": max(HEIGHT, _ROW_HEIGHT * len(rows) + 30), "layer": [bars]}


def _interval(answer: Answer) -> Spec:
    low, expected, high, came = (series.name for series in answer.chart.series)
    rows = [row for row in _points(answer) if row["value"] is not None]
    ends = {(row["day"], row["series"]): row["value"] for row in rows}
    band = [
        {"day": row["day"], "low": row["value"], "high": ends.get((row["day"], high))}
        for row in rows
        if row["series"] == low
    ]
    y = _y(answer.chart.series[0].unit, rows)
    colours = dict(zip((expected, came, low, high), (*COLORS[:2], GREY, GREY), strict=True))
    colour = {
        "field": "series",
        "type": "nominal",
        "scale": {"domain": list(colours), "range": list(colours.values())},
        "legend": {"title": None},
    }
    area = {"x": _DAY, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    line = [row for row in rows if row["series"] == expected]
    return {
        "height": HEIGHT,
        "layer": [
            _hidden({"type": "area", "color": GREY, "opacity": 0.2}, area, band),
            _hidden({"type": "line", "strokeWidth": 2, "color": COLORS[0]}, {"x": _DAY, "y": y}, line),
            _marked({"type": "point", "filled": True, "size": 44}, {"x": _DAY, "y": y, "color": colour}, rows),
        ],
    }


def _steps(answer: Answer) -> Spec:
    rows = [
        {
            "series": row.series.name.partition(": ")[0],
            "group": row.series.name.partition(": ")[2],
            "value": _number(row.value.exact),
            "said": said(row),
        }
        for row in answer.rows
    ]
    groups = list(dict.fromkeys(str(row["group"]) for row in rows))
    x = {"field": "group", "type": "nominal", "sort": groups, "axis": {"title": None, "labelAngle": 0}}
    encoding = {
        "x": x,
        "xOffset": {"field": "series"},
        "y": _y(Unit.COUNT, rows),
        "color": _colour(str(row["series"]) for row in rows),
    }
    return {"height": HEIGHT, "layer": [_marked({"type": "bar"}, encoding, rows)]}


def _scattered(answer: Answer) -> Spec:
    rows = [
        {
            "day": key_text(row.key[0]),
            "series": key_text(row.key[-1]),
            "value": _number(row.value.exact),
            "said": said(row),
        }
        for row in answer.rows
    ]
    encoding = {
        "x": _DAY,
        "y": _y(Unit.MONEY, rows),
        "color": _colour(str(row["series"]) for row in rows),
        "shape": {"field": "series", "type": "nominal", "legend": None},
    }
    return {"height": HEIGHT, "layer": [_marked({"type": "point", "filled": True, "size": 60}, encoding, rows)]}


_FORMS = {
    Form.LINES: _lines,
    Form.BARS: _bars,
    Form.COLUMNS: _columns,
    Form.RANKED: _ranked,
    Form.HEAT: _heat,
    Form.CURVES: _curves,
    Form.BRIDGE: _bridge,
    Form.STEPS: _steps,
    Form.INTERVAL: _interval,
    Form.POINTS: _scattered,
}
