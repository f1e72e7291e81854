"""What a snapshot answers to a chart: exact values, what they are compared with, and how far they hold."""

import datetime as dt
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb

from ecom_assets.dashboard.declared import Chart, Dimension, Good, Series, Span
from ecom_assets.dashboard.filters import Compared, Filters
from ecom_assets.dashboard.pages import CHARTS
from ecom_assets.days import Window, contiguous
from ecom_assets.serving import bad_days
from ecom_assets.serving.ledger import published_at, time_zone
from ecom_assets.serving.published_tables import RESTATEMENTS, VIEWS
from ecom_assets.serving.report import SALES, TableDays, Unit, nothing_to_report, over, table_days
from ecom_assets.sql import between, day_literal, identifier, literal, literals

_OPTIONS = {
    Dimension.CHANNEL: "select channel from kpi.daily_sales",
    Dimension.MARKETING_CHANNEL: "select channel from kpi.daily_funnel union select channel from kpi.daily_marketing",
    Dimension.CATEGORY: "select category from kpi.daily_category_sales union select category from kpi.daily_inventory",
    Dimension.COUNTRY: "select country from gold.fact_sales",
}
_VIEWS = {view.name for view in VIEWS}
NOT_GIVEN = "(not given)"
"""In place of a value that rows lack."""


@dataclass(frozen=True)
class Restatement:
    """A table-day whose total has changed since it was first recorded, and by what."""

    table: str
    day: dt.date
    was: Decimal
    is_now: Decimal
    causes: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True)
class Published:
    """What all charts of a snapshot need: its days, and the values of the dimensions."""

    at: dt.datetime
    """UTC."""
    time_zone: str
    days: Window | None
    """From the first to the last day with sales; None without one."""
    nothing: str
    """Why there is no such day."""
    known: TableDays
    quiet: Collection[dt.date]
    """Days between others for which nothing has landed."""
    options: Mapping[Dimension, Sequence[str]]
    restated: Mapping[str, Sequence[Restatement]]
    """By table of a chart, in order of days."""

    def shown(self, table: str) -> Collection[dt.date]:
        """The days on which a table is good or shows last good rows; of a view, those of all tables."""
        if table in _VIEWS:
            return set().union(*self.known.shown.values())
        return self.known.shown.get(table, set())


def published(con: duckdb.DuckDBPyConnection) -> Published:
    """Returns what all charts of a snapshot need."""
    known = table_days(con)
    sold = known.shown[SALES]
    return Published(
        published_at(con),
        time_zone(con),
        Window(min(sold), max(sold)) if sold else None,
        "" if sold else nothing_to_report(con),
        known,
        set(itertools.chain.from_iterable(bad_days.quiet_days(con))),
        {dimension: _values(con, query) for dimension, query in _OPTIONS.items()},
        _restatements(con),
    )


def _values(con: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    found = con.execute(f"select distinct coalesce(v, {literal(NOT_GIVEN)}) from ({query}) t(v) order by all")
    return [value for (value,) in found.fetchall()]


@dataclass(frozen=True)
class Value:
    """A measure's value, exact: `of`, or `of` divided by `per`. None if unknown, or without anything to divide by."""

    of: Decimal | None
    per: Decimal | None = None
    is_ratio: bool = False

    @property
    def exact(self) -> Decimal | None:
        """The value."""
        if not self.is_ratio or self.of is None:
            return self.of
        return self.of / self.per if self.per else None


NOTHING = Value(None)


@dataclass(frozen=True)
class Row:
    """A value of a chart: of which group, of which series, and what it was in the days compared with."""

    key: tuple[Any, ...]
    series: Series
    value: Value
    before: Value | None = None
    state: str = ""
    """Of a day: provisional, last good rows, or why there are no rows; empty for a final one."""

    @property
    def day(self) -> dt.date | None:
        """The day, if the chart has one by day."""
        return self.key[0] if self.key and isinstance(self.key[0], dt.date) else None


@dataclass(frozen=True)
class Change:
    """How a total has changed since other days. `without` says why there is nothing to compare, or is empty."""

    compared: Compared
    window: Window
    before: Decimal | None
    by: Decimal | None
    """By which share it grew; of a share, by how much. None without anything before, or if that was zero."""
    is_new: bool
    is_final: bool
    """Whether all days of both sides are final and have rows."""
    good: bool | None
    """Whether it became better; None if that cannot be said."""
    without: str = ""


@dataclass(frozen=True)
class Answer:
    """What a chart shows, and what there is to know of it."""

    chart: Chart
    window: Window | None
    compared: Compared = Compared.PERIOD
    rows: tuple[Row, ...] = ()
    total: Value | None = None
    changes: tuple[Change, ...] = ()
    provisional: tuple[Window, ...] = ()
    notes: tuple[str, ...] = ()
    restated: tuple[Restatement, ...] = ()
    as_of: dt.date | None = None
    """The day of the rows, if they are those of one day."""
    lacks: str = ""
    """Why there is nothing to show, if so."""


@dataclass
class _Standing:
    """How far the tables of a chart hold on some days."""

    provisional: set[dt.date] = field(default_factory=set)
    states: dict[dt.date, str] = field(default_factory=dict)
    missing: dict[str, set[dt.date]] = field(default_factory=dict)
    """Days without rows, or made without others, by reason."""

    def note(self, why: str, days: Iterable[dt.date]) -> None:
        for day in days:
            self.missing.setdefault(why, set()).add(day)


def nothing(chart: Chart, why: str) -> Answer:
    """Returns the answer of a chart that has nothing to show."""
    return Answer(chart, None, lacks=why)


def answer(con: duckdb.DuckDBPyConnection, about: Published, chart: Chart, filters: Filters) -> Answer:
    """Returns what a snapshot says to a chart. Raises duckdb.Error if it is of another version."""
    if about.days is None:
        return nothing(chart, about.nothing)
    window = filters.window(about.days)
    query = _Query(con, about, chart, filters)
    begins = min(about.shown(chart.table), default=None)
    if begins is None:
        return nothing(chart, f"{chart.table} has no day with good rows yet; ecom bad says why.")
    if chart.span is not Span.RANGE:
        days = query.days(window)
        as_of = max(days, default=None)
        if as_of is None:
            why = f"{chart.table} has no rows up to {window.last}."
            monthly = chart.day in ("month_end", "snapshot_on")
            return nothing(chart, f"{why} It is written at the end of each month." if monthly else why)
        days = [as_of] if chart.span is Span.LAST else days
    else:
        days, as_of = list(window), None
    found, read = query.rows(window), set(days)
    standing = _standing(about, chart, days, found)
    rows = _with_days(about, chart, window, found, standing) if chart.form.is_daily else _in_order(chart, found)
    if chart.question and chart.span is Span.RANGE:
        rows = _compared(query, rows, window, filters.compared)
    compared = list(Compared) if not chart.question else [filters.compared]
    total = query.total(window) if chart.total else None
    changes = tuple(_change(query, total, window, each, standing) for each in compared) if total else ()
    lacks = "" if any(row.value.exact is not None for row in rows) else _why_nothing(chart, window, standing)
    return Answer(
        chart,
        window,
        filters.compared,
        tuple(rows),
        total,
        changes,
        tuple(contiguous(standing.provisional)),
        tuple(_notes(con, about, chart, filters, window, standing)),
        tuple(each for table in chart.tables for each in about.restated.get(table, ()) if each.day in read),
        as_of if chart.span is Span.LAST else None,
        lacks,
    )


class _Query:
    """The queries of a chart with its filters."""

    def __init__(self, con: duckdb.DuckDBPyConnection, about: Published, chart: Chart, filters: Filters) -> None:
        self.con, self.about, self.chart = con, about, chart
        source = chart.source.replace("$time_zone", literal(about.time_zone)) or f"from {chart.table}"
        self._from = f"from ({source}) as source"
        self._where, self._given = "true", list[str]()
        for dimension, column in chart.filters.items():
            if values := filters.of(dimension):
                given = f"coalesce({identifier(column)}, {literal(NOT_GIVEN)})"
                self._where += f" and {given} in ({', '.join('?' * len(values))})"
                self._given += values

    def _fetch(self, window: Window, select: str, days: str, more: str = "") -> list[tuple[Any, ...]]:
        query = over(window, f"select {select} {self._from} where {days} and {self._where} {more}")
        return self.con.execute(query, self._given).fetchall() if self._given else self.con.execute(query).fetchall()

    def _days(self, window: Window, span: Span) -> str:
        day = identifier(self.chart.day)
        match span:
            case Span.RANGE:
                return between(self.chart.day, window)
            case Span.UP_TO:
                return f"{day} <= {day_literal(window.last)}"
            case Span.LAST:
                return f"{day} = (select max({day}) {self._from} where {day} <= {day_literal(window.last)})"

    def days(self, window: Window) -> list[dt.date]:
        """Returns the days with rows up to the range's last."""
        day = identifier(self.chart.day)
        return [
            found for (found,) in self._fetch(window, f"distinct {day}", self._days(window, Span.UP_TO), "order by 1")
        ]

    def rows(self, window: Window) -> dict[tuple[tuple[Any, ...], Series], Value]:
        """Returns the values by group and series."""
        chart = self.chart
        by = ", ".join(map(identifier, chart.by))
        terms = [term for series in chart.series for term in (series.of, series.per or "null")]
        more = f"group by {by} order by {by}" if by else ""
        found = self._fetch(
            window, ", ".join([*map(identifier, chart.by), *terms]), self._days(window, chart.span), more
        )
        values = {}
        for row in found:
            key, parts = row[: len(chart.by)], row[len(chart.by) :]
            key = tuple(NOT_GIVEN if part is None else part for part in key)
            for n, series in enumerate(chart.series):
                values[key, series] = _value(series, *parts[2 * n : 2 * n + 2])
        return values

    def total(self, window: Window) -> Value:
        """Returns the chart's total of a range, recomputed from its rows."""
        series = self.chart.total
        assert series
        span = Span.UP_TO if self.chart.total_to_date else self.chart.span
        terms = f"{series.of}, {series.per or 'null'}, count(*)"
        [(of, per, count)] = self._fetch(window, terms, self._days(window, span))
        if not count and span is Span.RANGE:
            shown = self.about.shown(self.chart.table)
            is_zero = not series.per and any(day in shown for day in window)
            return Value(Decimal(0) if is_zero else None, None, bool(series.per))
        return _value(series, of, per)


def _value(series: Series, of: Any, per: Any) -> Value:
    return Value(_exact(of), _exact(per), bool(series.per))


def _exact(number: Any) -> Decimal | None:
    return None if number is None else Decimal(str(number))


def _standing(
    about: Published, chart: Chart, days: Collection[dt.date], found: Mapping[tuple[tuple[Any, ...], Series], Value]
) -> _Standing:
    """Returns how far a chart's tables hold on the days that it reads."""
    standing, known = _Standing(), about.known
    for table in chart.tables:
        if table in _VIEWS:
            continue  # it has no days of its own
        asked, shown = set(days), known.shown.get(table, set())
        old = asked & known.old.get(table, set())
        standing.provisional |= asked & known.provisional.get(table, set())
        standing.note(f"Last good rows of {table}, which is failed or blocked, on", old)
        standing.note(
            f"{table} was made without the rows of an input on", asked & known.partial.get(table, set()) & shown
        )
        lacking = asked - shown
        failed, blocked = (lacking & of.get(table, set()) for of in (known.failed, known.blocked))
        quiet = lacking & set(about.quiet)
        standing.note(f"{table} failed on", failed)
        standing.note(f"{table} is blocked on", blocked)
        standing.note("Nothing has landed for", quiet)
        standing.note(f"{table} has no rows of", lacking - failed - blocked - quiet)
        for state, of in (("last good rows", old), ("failed", failed), ("blocked", blocked)):
            standing.states |= dict.fromkeys(of, state)
        standing.states |= dict.fromkeys(lacking - failed - blocked, "no rows")
    unknown = {
        key[0]
        for (key, series), value in found.items()
        if chart.form.is_daily and value.of is None and series.is_zero_without_rows and not series.per
    }
    standing.note("Unknown on", unknown)
    standing.states |= dict.fromkeys(unknown, "unknown")
    for day in standing.provisional:
        standing.states.setdefault(day, "provisional")
    return standing


def _with_days(
    about: Published,
    chart: Chart,
    window: Window,
    found: Mapping[tuple[tuple[Any, ...], Series], Value],
    standing: _Standing,
) -> list[Row]:
    """Returns a row for each day, further group and series: a good day without rows is one of zero."""
    shown = about.shown(chart.table)
    groups = dict.fromkeys(key[1:] for key, _ in found) if len(chart.by) > 1 else {(): None}
    rows = []
    for group in sorted(groups):
        for series in chart.series:
            for day in window:
                is_zero = day in shown and series.is_zero_without_rows and not series.per
                otherwise = Value(Decimal(0)) if is_zero else Value(None, None, bool(series.per))
                value = found.get(((day, *group), series), otherwise)
                rows.append(Row((day, *group), series, value, state=standing.states.get(day, "")))
    return rows


def _in_order(chart: Chart, found: Mapping[tuple[tuple[Any, ...], Series], Value]) -> list[Row]:
    """Returns the rows by group; all values of the axis if they are known and there are any rows."""
    if chart.keys and found:
        found = {((key,), series): Value(Decimal(0)) for key in chart.keys for series in chart.series} | dict(found)
    return [Row(key, series, value) for (key, series), value in found.items()]


def _compared(query: _Query, rows: Sequence[Row], window: Window, compared: Compared) -> list[Row]:
    """Returns the rows with their values in the days compared with; of days before the table begins there are none."""
    chart, before = query.chart, compared.before(window)
    shown = query.about.shown(chart.table)
    if not any(day in shown for day in before) or chart.form.value == "points":
        return list(rows)
    values, moved = query.rows(before), window.first - before.first

    def of(row: Row) -> Value | None:
        key = (row.day - moved, *row.key[1:]) if row.day else row.key
        found = values.get((key, row.series))
        is_good = key[0] in shown if row.day else before.first >= min(shown)
        if found is None and is_good and row.series.is_zero_without_rows and not row.series.per:
            return Value(Decimal(0))
        return found if is_good else None

    return [Row(row.key, row.series, row.value, of(row), row.state) for row in rows]


def _change(query: _Query, total: Value, window: Window, compared: Compared, now: _Standing) -> Change:
    """Returns how a chart's total has changed, and whether both sides are alike: all days final, and with rows."""
    chart, about, before = query.chart, query.about, compared.before(window)
    begins = min(about.shown(chart.table))
    is_of_range = chart.span is Span.RANGE and not chart.total_to_date
    if (before.first if is_of_range else before.last) < begins:
        return Change(compared, before, None, None, False, False, None, f"{chart.table} begins on {begins}")
    days = list(before)
    if chart.span is not Span.RANGE:
        days = query.days(before)[-1:]
        if not days:
            return Change(compared, before, None, None, False, False, None, f"no rows up to {before.last}")
    value, then = total.exact, _standing(about, chart, days, {})
    earlier = query.total(before).exact
    is_final = not (now.provisional or now.missing or then.provisional or then.missing)
    if value is None or earlier is None:
        return Change(compared, before, earlier, None, False, is_final, None, "no value to compare")
    if earlier == 0:
        return Change(compared, before, earlier, None, value != 0, is_final, None)
    is_share = chart.total is not None and chart.total.unit is Unit.SHARE
    by = value - earlier if is_share else (value - earlier) / abs(earlier)
    better = None if chart.good is Good.NEITHER or by == 0 or not is_final else (by > 0) == (chart.good is Good.UP)
    return Change(compared, before, earlier, by, False, is_final, better)


def _why_nothing(chart: Chart, window: Window, standing: _Standing) -> str:
    if chart.empty:
        return chart.empty
    reasons = "; ".join(_said(standing))
    return f"No value from {window.first} to {window.last}{': ' + reasons if reasons else f' in {chart.table}'}."


def _said(standing: _Standing) -> list[str]:
    return [f"{why} {', '.join(map(str, contiguous(days)))}" for why, days in standing.missing.items() if days]


def _notes(
    con: duckdb.DuckDBPyConnection,
    about: Published,
    chart: Chart,
    filters: Filters,
    window: Window,
    standing: _Standing,
) -> list[str]:
    notes = [f"{text}." for text in _said(standing)]
    if chart.caveat:
        [(caveat,)] = con.execute(over(window, chart.caveat)).fetchall()
        notes += [f"{caveat}."] if caveat else []
    ignored = [dimension.label for dimension, values in filters.chosen if values and dimension not in chart.filters]
    if ignored:
        notes.append(f"Not filtered by {' and '.join(ignored).lower()}: {chart.table} has no such column.")
    for dimension, values in filters.chosen:
        unknown = [value for value in values if value not in about.options[dimension]]
        if unknown and dimension in chart.filters:
            notes.append(f"{dimension.label}: nothing is known of {', '.join(unknown)}.")
    return notes


def _restatements(con: duckdb.DuckDBPyConnection) -> dict[str, list[Restatement]]:
    """Returns the days of each table of a chart whose totals have changed since they were first recorded, in order."""
    tables = {table for chart in CHARTS.values() for table in chart.tables}
    rows = con.execute(f"""
        with moved as (select * from {RESTATEMENTS.name} where table_name in ({literals(sorted(tables))})),
        ends as (
            select table_name, day, arg_min(was, recorded_at) as was, arg_max(is_now, recorded_at) as is_now
            from moved group by all)
        select table_name, day, any_value(ends.was), any_value(ends.is_now), cause, sum(part)
        from moved join ends using (table_name, day) group by all order by all""").fetchall()
    found: dict[str, list[Restatement]] = {}
    for (table, day, was, is_now), parts in itertools.groupby(rows, lambda row: row[:4]):
        causes = tuple((cause, part) for *_, cause, part in parts)
        found.setdefault(table, []).append(Restatement(table, day, was, is_now, causes))
    return found
