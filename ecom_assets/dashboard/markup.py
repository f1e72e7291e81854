"""What stands around the figures, as HTML: values, changes, notes, definitions and tables. All texts are escaped."""

import base64
import datetime as dt
import itertools
from collections.abc import Sequence
from html import escape

from ecom_assets.dashboard.answers import Answer, Change, Published
from ecom_assets.dashboard.declared import Chart, Form
from ecom_assets.dashboard.definitions import Definition
from ecom_assets.dashboard.figures import restatement_text
from ecom_assets.dashboard.texts import UNKNOWN, change_text, table, text, value_text

STYLE = """<style>
.block-container, [data-testid="stMainBlockContainer"] {padding: 1.6rem 1.2rem 3rem; max-width: 1500px}
.tiles {display: grid; grid-template-columns: repeat(auto-fill, minmax(215px, 1fr)); gap: .7rem}
.tile {border: 1px solid #d7dbe0; border-radius: .5rem; padding: .6rem .75rem; background: #fff; min-width: 0}
.tile h2, .head h2 {font-size: .95rem; font-weight: 600; margin: 0; padding: 0; line-height: 1.3}
.value {font-size: 1.55rem; font-weight: 600; line-height: 1.25; color: #111827; font-variant-numeric: tabular-nums;
        margin: 0}
.head .value {font-size: 1.3rem}
.question, .note, .change, details.about {font-size: .8rem; color: #4b5563; margin: 0; line-height: 1.4}
.change b {font-weight: 600}
.better b {color: #146c43} .worse b {color: #a32a2d}
.note {margin-top: .15rem}
.open {display: inline-block; border: 1px dashed #92400e; border-radius: .3rem; padding: 0 .3rem; color: #7a3608;
       background: #fff8ed; font-size: .78rem}
.restated {color: #8f1d5c}
.tile img {display: block; width: 100%; height: 34px; margin: .25rem 0}
details.about summary {cursor: pointer; color: #374151; padding: .1rem 0}
details.about p {margin: .2rem 0; overflow-wrap: anywhere}
.scroll {overflow: auto; max-height: 420px; border: 1px solid #e5e7eb; border-radius: .4rem}
.scroll table {border-collapse: collapse; font-size: .8rem; width: 100%; font-variant-numeric: tabular-nums}
.scroll th, .scroll td {padding: .2rem .55rem; text-align: left; border-bottom: 1px solid #eceff3; white-space: nowrap}
.scroll th {position: sticky; top: 0; background: #f4f6f8}
.scroll td.number {text-align: right}
@media (max-width: 640px) {.tiles {grid-template-columns: 1fr 1fr}}
h1.page {font-size: 1.5rem; padding: 0; margin: 0}
.stamp {font-size: .8rem; color: #4b5563; margin: 0}
</style>"""
_NUMBERS = ("value", "numerator", "denominator", "value_before")
_WIDTH, _HEIGHT, _EDGE = 200, 34, 4


def tiles(answers: Sequence[Answer], about: Published | None, definitions: dict[str, Sequence[Definition]]) -> str:
    """Returns all tiles of a page."""
    inner = "".join(_tile(answer, about, definitions[answer.chart.name]) for answer in answers)
    return f'<div class="tiles">{inner}</div>'


def _tile(answer: Answer, about: Published | None, definitions: Sequence[Definition]) -> str:
    return (
        f'<section class="tile" data-chart="{answer.chart.name}"><h2>{escape(answer.chart.title)}</h2>'
        f"{_value(answer)}{spark(answer)}{_changes(answer)}{_notes(answer)}"
        f"{_about(answer, about, definitions)}</section>"
    )


def head(answer: Answer) -> str:
    """Returns what stands above a chart."""
    chart = answer.chart
    return (
        f'<div class="head" data-chart="{chart.name}"><h2>{escape(chart.title)}</h2>'
        f'<p class="question">{escape(chart.question)}</p>{_value(answer)}{_changes(answer)}{_notes(answer)}</div>'
    )


def foot(answer: Answer, about: Published | None, definitions: Sequence[Definition]) -> str:
    """Returns what stands below a chart: what its measures mean, and where they are from."""
    return _about(answer, about, definitions)


def _value(answer: Answer) -> str:
    chart = answer.chart
    if chart.total is None:
        return ""
    said = value_text(answer.total, chart.total) if answer.total else UNKNOWN
    label = "" if chart.form is Form.SPARK else f' <span class="question">{escape(chart.total.name)}</span>'
    return f'<p class="value"><span class="total">{said}</span>{label}</p>'


def _changes(answer: Answer) -> str:
    return "".join(_change(answer.chart, change) for change in answer.changes)


def _change(chart: Chart, change: Change) -> str:
    assert chart.total
    kind = {True: "better", False: "worse", None: "neutral"}[change.good]
    word = {True: "better than ", False: "worse than ", None: "against "}[change.good]
    if change.without:
        said = f"{change.compared.label}: {change.without}"
    else:
        before = text(change.before, chart.total.unit, bool(chart.total.per))
        so_far = "" if change.is_final else ", so far: not all days are final and have rows"
        said = f"{word}{change.compared.label.lower()} {before}{so_far}"
    return (
        f'<p class="change {kind}" data-compared="{change.compared}"><b>{change_text(change, chart.total.unit)}</b> '
        f"{escape(said)}</p>"
    )


def legend(answer: Answer) -> str:
    """Returns what the marks of a chart mean that are not in its own legend."""
    chart, said = answer.chart, []
    if answer.window and any(row.before is not None for row in answer.rows):
        before = f"{answer.compared.label.lower()}, {answer.compared.before(answer.window)}"
        if chart.form is Form.LINES and len({(row.key[1:], row.series) for row in answer.rows}) == 1:
            said.append(f"Grey line: {before}.")
        if chart.form in (Form.COLUMNS, Form.RANKED):
            said.append(f"Dark marks: {before}.")
    if chart.form.is_daily and any(row.state for row in answer.rows):
        said.append("Dashed, hollow or pale: days that are not final.")
    if answer.restated and chart.form.is_daily:
        said.append("Triangles: restated totals.")
    return f'<p class="note">{escape(" ".join(said))}</p>' if said else ""


def _notes(answer: Answer) -> str:
    found = []
    if answer.as_of:
        found.append(f"As of {answer.as_of}.")
    found += [escape(note) for note in ([answer.lacks] if answer.lacks else []) + list(answer.notes)]
    notes = [f'<p class="note">{note}</p>' for note in dict.fromkeys(found)]
    if answer.provisional:
        days = ", ".join(map(str, answer.provisional))
        notes.insert(0, f'<p class="note"><span class="open">Not final: {days}</span></p>')
    if answer.restated:
        causes = "".join(f"<p>{escape(restatement_text(each))}</p>" for each in answer.restated)
        count = len(answer.restated)
        notes.append(
            f'<details class="about restated"><summary>▲ {count} restated total{"s" if count > 1 else ""}</summary>'
            f"{causes}</details>"
        )
    return "".join(notes)


def _about(answer: Answer, about: Published | None, definitions: Sequence[Definition]) -> str:
    said = "".join(
        f"<p><b>{escape(each.name)}</b>: {escape(each.text)} ({escape(each.column)})</p>" for each in definitions
    )
    tables = ", ".join(answer.chart.tables)
    return (
        f'<details class="about"><summary>Definition, table, snapshot</summary>{said}<p>Read from {escape(tables)}</p>'
        f"<p>{stamp(about)}</p></details>"
    )


def stamp(about: Published | None) -> str:
    """Returns of when the snapshot is."""
    if about is None:
        return "There is no snapshot yet."
    return f"Snapshot of {about.at.replace(tzinfo=dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def spark(answer: Answer) -> str:
    """Returns a small line over the days of the range; days that are not final are dashed."""
    values = [(n, row.value.exact, bool(row.state)) for n, row in enumerate(answer.rows)]
    known = [(n, float(value), is_open) for n, value, is_open in values if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(value for _, value, _ in known), max(value for _, value, _ in known)
    across, up = (_WIDTH - 2 * _EDGE) / (len(values) - 1), (_HEIGHT - 2 * _EDGE) / ((high - low) or 1)

    def point(n: int, value: float) -> str:
        return f"{_EDGE + n * across:.1f},{_HEIGHT - _EDGE - (value - low) * up:.1f}"

    lines = []
    for (n, value, _), (m, following, is_open) in itertools.pairwise(known):
        if m == n + 1:
            dashed = ' stroke-dasharray="3 3"' if is_open else ""
            lines.append(f'<polyline points="{point(n, value)} {point(m, following)}"{dashed} />')
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none">'
        f'<g fill="none" stroke="#0b62a4" stroke-width="1.6">{"".join(lines)}</g></svg>'
    )
    return f'<img alt="" src="data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}">'


def rows_table(answer: Answer) -> str:
    """Returns all rows of an answer as a table."""
    header, rows = table(answer)
    chart = answer.chart
    names = [chart.label(name) if name in chart.by else name.replace("_", " ").capitalize() for name in header]
    return _table(chart.title, names, [name in _NUMBERS for name in header], rows)


def tiles_table(answers: Sequence[Answer]) -> str:
    """Returns the totals of tiles as a table, with what they are compared with."""
    names = ["Measure", "Value", "Previous period", "Change", "Previous year", "Change", "Not final", "Table"]
    rows = []
    for answer in answers:
        total = answer.chart.total
        assert total
        row = [answer.chart.title, value_text(answer.total, total) if answer.total else UNKNOWN]
        for n in range(2):
            change = answer.changes[n] if n < len(answer.changes) else None
            row += (
                [text(change.before, total.unit, bool(total.per)), change_text(change, total.unit)]
                if change
                else [UNKNOWN, UNKNOWN]
            )
        rows.append([*row, ", ".join(map(str, answer.provisional)), ", ".join(answer.chart.tables)])
    return _table("Key figures", names, [False, True, True, True, True, True, False, False], rows)


def _table(title: str, names: Sequence[str], are_numbers: Sequence[bool], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="number">{escape(cell)}</td>' if is_number else f"<td>{escape(cell)}</td>"
            for cell, is_number in zip(row, are_numbers, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}: table"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
