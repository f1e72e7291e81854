"""The report: the shop's recent measures, compared with the days before and a year before, and their quality.

Here are the records; `report_text` writes them out.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import duckdb

from ecom_assets.days import GOOD, ONE_DAY, State, Window, contiguous
from ecom_assets.errors import UserError
from ecom_assets.serving import bad_days, quarantine
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.sql import between, day_literal, literals, quantity_text

PERIOD_DAYS = 30
MIN_DAYS = 7
"""Days that a measure's own period has at least, if the report's is not shorter."""
YEAR_OF_WEEKS = dt.timedelta(weeks=52)
SALES = "kpi.daily_sales"
RECONCILIATIONS = ("kpi.daily_reconciliation", "kpi.daily_stock_reconciliation", "kpi.settled_reconciliation")
"""The tables whose day fails if tables disagree on an amount or a stock."""


class Unit(StrEnum):
    """The unit of a figure."""

    MONEY = "money"
    """An amount in shop currency."""
    COUNT = "count"
    SHARE = "share"
    """0 to 1, shown in percent."""
    RATIO = "ratio"
    """One amount as a multiple of another."""


@dataclass(frozen=True)
class Measure:
    """One line of the report: an aggregate of a table's rows, or one (`of`) divided by another (`per`).

    Both may name the days $first and $last. `table` is also the one whose days decide whether the value is final. If it
    is `to_date`, the rows are those of all days up to the last. `caveat` is a query that names $first and $last, and
    returns a remark on the value, or null. `column` is one that is null on days of which the value is unknown.
    """

    name: str
    unit: Unit
    table: str
    of: str
    per: str = ""
    to_date: bool = False
    caveat: str = ""
    column: str = ""

    @property
    def query(self) -> str:
        """The query for the value, or for numerator and denominator, of the days $first to $last."""
        days = "day <= $last" if self.to_date else "day between $first and $last"
        return f"select {', '.join(filter(None, (self.of, self.per)))} from {self.table} where {days}"


def _sum(term: str) -> str:
    return f"coalesce(sum({term}), 0)"


MEASURES = [
    Measure("Net sales", Unit.MONEY, "kpi.daily_sales", _sum("net_sales"), column="net_sales"),
    Measure("Orders", Unit.COUNT, "kpi.daily_sales", _sum("orders")),
    Measure("Average order value", Unit.MONEY, "kpi.daily_sales", _sum("gross_sales - discounts"), _sum("orders")),
    Measure("New revenue", Unit.MONEY, "kpi.daily_customers", _sum("new_sales")),
    Measure("Returning revenue", Unit.MONEY, "kpi.daily_customers", _sum("returning_sales")),
    Measure(
        "Repeat purchase rate to date",
        Unit.SHARE,
        "kpi.daily_repeat_rates",
        "max_by(repeat_customers, day)",
        "max_by(customers, day)",
        to_date=True,
    ),
    Measure("Conversion rate", Unit.SHARE, "kpi.daily_funnel", _sum("open_purchase"), _sum("sessions")),
    Measure(
        "Refund rate of the orders",
        Unit.SHARE,
        "kpi.daily_refund_rates",
        # Unknown if returns do not name their orders.
        """case when sum(refunded) > 0 or not exists (
               from gold.fact_returns where returned_on >= $first and order_id is null)
           then sum(refunded) end""",
        "sum(sold)",
    ),
    Measure(
        "Contribution margin",
        Unit.MONEY,
        "kpi.daily_margin",
        # Unknown if no unit's cost is known.
        """case when sum(cost_of_goods) = 0 and sum(units_of_unknown_cost) > 0 then null
           else sum(contribution_margin) end""",
        caveat=f"""
        select case when sum(units_of_unknown_cost) > 0
               then {quantity_text("sum(units_of_unknown_cost)")} || ' units of unknown cost' end
        from kpi.daily_margin where day between $first and $last""",
        column="contribution_margin",
    ),
    Measure(
        "Customer acquisition cost",
        Unit.MONEY,
        "kpi.daily_acquisition",
        # Unknown if no spend is known.
        "nullif(sum(spend), 0)",
        "sum(new_customers)",
    ),
    Measure("Marketing efficiency ratio", Unit.RATIO, "kpi.daily_acquisition", _sum("revenue"), _sum("spend")),
    Measure("Cart abandonment", Unit.SHARE, "kpi.daily_carts", _sum("abandoned_carts"), _sum("carts")),
    Measure("Payment failure rate", Unit.SHARE, "kpi.daily_payments", _sum("failed_count"), _sum("attempts")),
    Measure("On-time shipping", Unit.SHARE, "kpi.daily_fulfilment", _sum("shipped_on_time"), _sum("due")),
]


@dataclass(frozen=True)
class Figure:
    """A measure over a period, the period just before, and the same weekdays a year before.

    Values are exact. A value is None if there is nothing to divide by; those before also if the table does not go back
    that far or has a provisional day there. `note` names a period other than the report's, and what is not final or
    not known.
    """

    name: str
    unit: Unit
    value: Decimal | None
    before: Decimal | None
    year_before: Decimal | None
    note: str = ""

    def change(self, since: Decimal | None) -> Decimal | None:
        """Returns by which share the value grew; for shares, by how much."""
        if self.value is None or since is None:
            return None
        if self.unit is Unit.SHARE:
            return self.value - since
        return (self.value - since) / abs(since) if since else None


@dataclass(frozen=True)
class Trust:
    """Completeness of the published tables: table-days by state, quarantined rows by reason, most frequent first."""

    table_days: Mapping[str, int]
    showing_old_rows: int
    stale: int
    quarantined: int
    reasons: Sequence[tuple[str, int]]
    conflicts: Sequence[tuple[str, int]] = ()
    """Tables and numbers of rows that were superseded by one that differs in all that identifies a row."""


@dataclass(frozen=True)
class Report:
    """All of it.

    `missing` are the days of the period, and of those it is compared with, on which a measure's table has no rows or
    was made without those of an input; `unreconciled` are the days of the period on which tables disagree.
    """

    period: Window
    missing: Sequence[dt.date]
    unreconciled: Sequence[dt.date]
    figures: Sequence[Figure]
    trust: Trust
    damaged: Sequence[tuple[str, dt.date, str]] = ()
    """Table, arrival day and note of each day with a file that is cut off or damaged, whatever the period."""
    lacking: Sequence[tuple[str, Window, Sequence[str]]] = ()
    """Failed tables, the days on which they failed, and the measures' tables whose figures lack these days."""
    quiet: Sequence[Window] = ()
    """Days between others for which nothing has landed, whatever the period; these are not missing."""


def _no_days() -> Mapping[str, set[dt.date]]:
    return defaultdict(set)


@dataclass(frozen=True)
class TableDays:
    """The days of each table, by their state in the ledger."""

    shown: Mapping[str, set[dt.date]] = field(default_factory=_no_days)
    """Good, or with last good rows."""
    provisional: Mapping[str, set[dt.date]] = field(default_factory=_no_days)
    partial: Mapping[str, set[dt.date]] = field(default_factory=_no_days)
    """Made without the rows of an input."""
    failed: Mapping[str, set[dt.date]] = field(default_factory=_no_days)
    blocked: Mapping[str, set[dt.date]] = field(default_factory=_no_days)
    old: Mapping[str, set[dt.date]] = field(default_factory=_no_days)
    """Failed or blocked, with last good rows."""

    def are_final(self, table: str, window: Window) -> bool:
        """Returns whether the table goes back to the window's first day, and no day of the window is provisional."""
        reaches = window.first >= min(self.shown[table], default=dt.date.max)
        return reaches and self.provisional[table].isdisjoint(window)


def report(snapshot: Path, days: int = PERIOD_DAYS, last: dt.date | None = None) -> Report:
    """Returns the report over the `days` days up to `last`, by default the last day with sales.

    If fewer than two such periods have been published, the period is half of the published days. Raises UserError if
    no day of sales is good, NothingPublished, SnapshotInUse.
    """
    with open_snapshot(snapshot) as con:
        known = table_days(con)
        if not known.shown[SALES]:
            raise UserError(nothing_to_report(con))
        first, last = min(known.shown[SALES]), last or max(known.shown[SALES])
        period = last_days(last, max(1, min(days, _half(first, last))))
        quiet = bad_days.quiet_days(con)
        compared = [window for window in (*earlier(period), period) if window.first >= first]
        return Report(
            period,
            missing=[
                day
                for window in compared
                for day in window
                if _lacks_rows(known, day) and not any(day in days for days in quiet)
            ],
            damaged=con.execute(
                "select table_name, day, note from ledger.days "
                "where state = 'provisional' and starts_with(table_name, 'bronze.') order by all"
            ).fetchall(),
            unreconciled=[day for day in period if any(day in known.failed[table] for table in RECONCILIATIONS)],
            figures=[_figure(con, known, measure, period) for measure in MEASURES],
            trust=_trust(con),
            quiet=quiet,
            lacking=_lacking_tables(con, period),
        )


def nothing_to_report(con: duckdb.DuckDBPyConnection) -> str:
    """Returns why there is no day to report, and what helps."""
    nothing = f"There is nothing to report yet: {SALES} has no good day."
    for bad in bad_days.bad_days_of(con):
        if bad.state == State.FAILED:
            days = ", ".join(map(str, bad.windows))
            return f"{nothing} {' and '.join(bad.tables)} failed on {days}: {bad.why}. See ecom bad."
    return f"{nothing} Run some: make demo, or ecom run 2024-01-01..2024-01-31."


def table_days(con: duckdb.DuckDBPyConnection) -> TableDays:
    """Returns the days of all tables that have run."""
    known = TableDays()
    for table, day, is_shown, is_provisional, is_partial, is_failed, is_blocked, is_old in con.execute(f"""
        select table_name, day, state in {GOOD} or shows_old_rows, state = 'provisional', made_without is not null,
               state = 'failed', state = 'blocked', shows_old_rows
        from ledger.days""").fetchall():
        for days, belongs in (
            (known.shown, is_shown),
            (known.provisional, is_provisional),
            (known.partial, is_partial),
            (known.failed, is_failed),
            (known.blocked, is_blocked),
            (known.old, is_old),
        ):
            if belongs:
                days[table].add(day)
    return known


def _lacking_tables(con: duckdb.DuckDBPyConnection, period: Window) -> list[tuple[str, Window, Sequence[str]]]:
    found = con.execute(
        f"""
        select failed_table, first_failed_day, last_failed_day, list(distinct table_name order by table_name)
        from ledger.lacking
        where first_day <= {day_literal(period.last)} and last_day >= {day_literal(period.first)}
            and table_name in ({literals(sorted({measure.table for measure in MEASURES}))})
        group by all order by all"""
    ).fetchall()
    return [(failed, Window(first, last), tables) for failed, first, last, tables in found]


def last_days(last: dt.date, count: int) -> Window:
    """Returns so many days up to the last one."""
    return Window(last - (count - 1) * ONE_DAY, last)


def _half(first: dt.date, last: dt.date) -> int:
    """Half of the days from first to last."""
    return ((last - first).days + 1) // 2


def earlier(window: Window) -> tuple[Window, Window]:
    """Returns the same weekdays a year before, and as many days just before."""
    return (
        Window(window.first - YEAR_OF_WEEKS, window.last - YEAR_OF_WEEKS),
        last_days(window.first - ONE_DAY, len(window)),
    )


def _lacks_rows(known: TableDays, day: dt.date) -> bool:
    tables = {measure.table for measure in MEASURES}
    return any(day not in known.shown[table] or day in known.partial[table] for table in tables)


def _figure(con: duckdb.DuckDBPyConnection, known: TableDays, measure: Measure, period: Window) -> Figure:
    """Returns the measure's figure.

    - If no day of the report's period is provisional, it is over that period.
    - Otherwise it is over as many days up to the last final one, or over half of the final days if these are fewer.
    - If that is less than a week, it is over the report's period, not final, and compared with nothing.

    The note names the days that it lacks.
    """

    def value(window: Window) -> Decimal | None:
        is_unknown = not measure.to_date and _lacking(con, known, measure, window).issuperset(window)
        return None if is_unknown or known.shown[measure.table].isdisjoint(window) else _value(con, measure, window)

    def without(window: Window) -> list[str]:
        lacking = _lacking(con, known, measure, window)
        return [f"without {', '.join(map(str, contiguous(lacking)))}"] if lacking and not measure.to_date else []

    window = _final_window(known, measure.table, period)
    if window is None:
        notes = ["not final", *without(period)]
        return Figure(measure.name, measure.unit, value(period), None, None, ", ".join(notes))
    now, notes = value(window), without(window)
    if window != period:
        notes.append(
            f"to {window.last}" if len(window) == len(period) else f"{counted(len(window), 'day')} to {window.last}"
        )
    if now is not None and (caveat := _caveat(con, measure, window)):
        notes.append(caveat)
    year_before, before = (value(o) if known.are_final(measure.table, o) else None for o in earlier(window))
    return Figure(measure.name, measure.unit, now, before, year_before, ", ".join(notes))


def _lacking(con: duckdb.DuckDBPyConnection, known: TableDays, measure: Measure, window: Window) -> set[dt.date]:
    """Returns the days of a window of which a measure's table has no rows, or nothing is known."""
    lacking = {day for day in window if day not in known.shown[measure.table]}
    if measure.column:
        rows = f"from {measure.table} where {between('day', window)}"
        unknown = con.execute(f"select day {rows} group by day having count({measure.column}) = 0").fetchall()
        lacking |= {day for (day,) in unknown}
    return lacking


def _final_window(known: TableDays, table: str, period: Window) -> Window | None:
    """Returns the days of a table's figure, all of them final; None if these are too few."""
    if known.provisional[table].isdisjoint(period):
        return period
    final = {day for day in known.shown[table] - known.provisional[table] if day <= period.last}
    length = min(len(period), _half(min(final), max(final))) if final else 0
    if length < min(len(period), MIN_DAYS):
        return None
    window = last_days(max(final), length)
    return window if known.are_final(table, window) else None


def counted(n: int, noun: str) -> str:
    """Returns "1 day", "1,000 days"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _value(con: duckdb.DuckDBPyConnection, measure: Measure, window: Window) -> Decimal | None:
    [(value, *rest)] = con.execute(over(window, measure.query)).fetchall()
    if value is None or (rest and not rest[0]):
        return None
    return Decimal(value) / Decimal(rest[0]) if rest else Decimal(value)


def _caveat(con: duckdb.DuckDBPyConnection, measure: Measure, window: Window) -> str | None:
    if not measure.caveat:
        return None
    caveat: str | None
    [(caveat,)] = con.execute(over(window, measure.caveat)).fetchall()
    return caveat


def over(window: Window, query: str) -> str:
    """Returns a measure's query with the days of a window, as text: for a query's parameters DuckDB loads pandas."""
    return query.replace("$first", day_literal(window.first)).replace("$last", day_literal(window.last))


def _trust(con: duckdb.DuckDBPyConnection) -> Trust:
    table_days = dict(con.execute("select state, count(*) from ledger.days group by all").fetchall())
    [(old,)] = con.execute("select count(*) from ledger.days where shows_old_rows").fetchall()
    quarantined, reasons = 0, []
    if rows := quarantine.all_reasons_query(con):
        [(quarantined,)] = con.execute(f"select count(*) from ({rows})").fetchall()
        reasons = quarantine.counted_reasons(con, rows)
    conflicts = tuple((table, rows) for table, rows, _ in bad_days.conflicts(con))
    return Trust(table_days, old, bad_days.stale_count(con), quarantined, reasons, conflicts)
