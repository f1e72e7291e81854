"""The first page: what the shop did of late, against the days before and a year ago, and how far to trust it."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from pathlib import Path

import duckdb

from ecom_assets.days import GOOD, ONE_DAY, Window, stretches
from ecom_assets.errors import UserError
from ecom_assets.serving import quarantine
from ecom_assets.serving.snapshot import open_snapshot

PERIOD_DAYS = 30
LEAST_DAYS = 7
YEAR_OF_WEEKS = dt.timedelta(weeks=52)
REASONS_SHOWN = 3
RECONCILIATIONS = ("kpi.daily_reconciliation", "kpi.daily_stock_reconciliation", "kpi.settled_reconciliation")
"""The tables whose day fails when amounts or stock of other tables are not those of what they are made of."""
_NOTHING = "-"


class Unit(StrEnum):
    """How a figure is written."""

    MONEY = "money"
    """An amount in shop currency."""
    COUNT = "count"
    SHARE = "share"
    """0 to 1, shown in percent."""
    RATIO = "ratio"
    """One amount as a multiple of another."""


@dataclass(frozen=True)
class Measure:
    """One line of the first page.

    The query takes $first, $last or both and gives one value, or a numerator and a denominator. `table`
    says how far back it reaches. `caveat` is a query that gives a remark on the value, or null.
    """

    name: str
    unit: Unit
    table: str
    query: str
    caveat: str = ""


def _sums(table: str, *terms: str) -> str:
    sums = ", ".join(f"coalesce(sum({term}), 0)" for term in terms)
    return f"select {sums} from {table} where day between $first and $last"


MEASURES = [
    Measure("Net sales", Unit.MONEY, "kpi.daily_sales", _sums("kpi.daily_sales", "net_sales")),
    Measure("Orders", Unit.COUNT, "kpi.daily_sales", _sums("kpi.daily_sales", "orders")),
    Measure(
        "Average order value",
        Unit.MONEY,
        "kpi.daily_sales",
        _sums("kpi.daily_sales", "gross_sales - discounts", "orders"),
    ),
    Measure("New revenue", Unit.MONEY, "kpi.daily_customers", _sums("kpi.daily_customers", "new_sales")),
    Measure("Returning revenue", Unit.MONEY, "kpi.daily_customers", _sums("kpi.daily_customers", "returning_sales")),
    Measure(
        "Repeat purchase rate to date",
        Unit.SHARE,
        "kpi.daily_repeat_rates",
        """
        select max_by(repeat_customers, day), max_by(customers, day) from kpi.daily_repeat_rates
        where day <= $last""",
    ),
    Measure("Conversion rate", Unit.SHARE, "kpi.daily_funnel", _sums("kpi.daily_funnel", "open_purchase", "sessions")),
    Measure(
        "Refund rate of the orders",
        Unit.SHARE,
        "kpi.daily_refund_rates",
        # Nothing is known of it where returns do not say of which order they are.
        """
        select case when sum(refunded) > 0 or not exists (
                   from gold.fact_returns where returned_on >= $first and order_id is null)
               then sum(refunded) end, sum(sold)
        from kpi.daily_refund_rates where day between $first and $last""",
    ),
    Measure(
        "Contribution margin",
        Unit.MONEY,
        "kpi.daily_margin",
        # Nothing is known of it where no unit's cost is.
        """
        select case when sum(cost_of_goods) = 0 and sum(units_of_unknown_cost) > 0 then null
               else sum(contribution_margin) end
        from kpi.daily_margin where day between $first and $last""",
        caveat="""
        select case when sum(units_of_unknown_cost) > 0
               then format('{:,} units of unknown cost', sum(units_of_unknown_cost)::bigint) end
        from kpi.daily_margin where day between $first and $last""",
    ),
    Measure(
        "Customer acquisition cost",
        Unit.MONEY,
        "kpi.daily_acquisition",
        # Where nothing is known to be spent, what a customer costs is not known.
        """
        select nullif(sum(spend), 0), sum(new_customers)
        from kpi.daily_acquisition where day between $first and $last""",
    ),
    Measure(
        "Marketing efficiency ratio",
        Unit.RATIO,
        "kpi.daily_acquisition",
        _sums("kpi.daily_acquisition", "revenue", "spend"),
    ),
    Measure("Cart abandonment", Unit.SHARE, "kpi.daily_carts", _sums("kpi.daily_carts", "abandoned_carts", "carts")),
    Measure(
        "Payment failure rate",
        Unit.SHARE,
        "kpi.daily_payments",
        _sums("kpi.daily_payments", "failed_count", "attempts"),
    ),
    Measure(
        "On-time shipping",
        Unit.SHARE,
        "kpi.daily_fulfilment",
        _sums("kpi.daily_fulfilment", "shipped_on_time", "due"),
    ),
]


@dataclass(frozen=True)
class Figure:
    """A measure over a period, the one just before, and the same weekdays a year before.

    Values are exact. None where there is nothing to divide by, nothing as early as that, or a day that is provisional.
    `note` says where its period is not that of the page or is not final, and what of it is not known.
    """

    name: str
    unit: Unit
    value: Decimal | None
    before: Decimal | None
    year_before: Decimal | None
    note: str = ""

    def change(self, since: Decimal | None) -> Decimal | None:
        """By which share the value grew; of shares, by how much."""
        if self.value is None or since is None:
            return None
        if self.unit is Unit.SHARE:
            return self.value - since
        return (self.value - since) / abs(since) if since else None


@dataclass(frozen=True)
class Trust:
    """How whole the published tables are: table-days by state, quarantined rows by reason, most frequent first."""

    table_days: Mapping[str, int]
    showing_old_rows: int
    stale: int
    quarantined: int
    reasons: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class FirstPage:
    """All of it.

    `missing` are the days shown or compared with on which some measure has no rows to go by, or was made without those
    of an input; `unreconciled` those of the period on which two tables tell different amounts of the same.
    """

    period: Window
    missing: Sequence[dt.date]
    unreconciled: Sequence[dt.date]
    figures: Sequence[Figure]
    trust: Trust


def figures(snapshot: Path, days: int = PERIOD_DAYS, last: dt.date | None = None) -> FirstPage:
    """The first page over the `days` days up to `last`, by default the last day with sales.

    Where less than two such periods have been published, a period is half of what there is. A measure with provisional
    days in the period is that of as many days up to its last final one, or of half of its final days where these are
    fewer, a week at least; where there is no such week, it is that of the period, and compared with nothing. Raises
    UserError where no day of sales has been.
    """
    with open_snapshot(snapshot) as con:
        shown, provisional = _shown_days(con), _provisional_days(con)
        with_sales = shown.get("kpi.daily_sales")
        if not with_sales:
            raise UserError(
                "There is no first page yet: kpi.daily_sales has no good day. Run some: make demo, or ecom run "
                "2024-01-01..2024-01-31."
            )
        last = last or max(with_sales)
        length = max(1, min(days, ((last - min(with_sales)).days + 1) // 2))
        period = Window(last - (length - 1) * ONE_DAY, last)
        year_before, before = _earlier(period)

        def is_final(measure: Measure, window: Window) -> bool:
            reaches = window.first >= min(shown.get(measure.table, ()), default=dt.date.max)
            return reaches and provisional[measure.table].isdisjoint(window)

        def value(measure: Measure, window: Window) -> Decimal | None:
            return None if shown[measure.table].isdisjoint(window) else _value(con, measure, window)

        def figure(measure: Measure) -> Figure:
            window, note = period, ""
            if not provisional[measure.table].isdisjoint(period):
                final = {day for day in shown[measure.table] - provisional[measure.table] if day <= period.last}
                end = max(final, default=period.last)
                fewer = min(length, ((end - min(final, default=end)).days + 1) // 2)
                window = Window(end - (max(fewer, 1) - 1) * ONE_DAY, end)
                note = f"to {end}" if fewer == length else f"{_counted(fewer, 'day')} to {end}"
                if fewer < min(length, LEAST_DAYS) or not is_final(measure, window):
                    return Figure(measure.name, measure.unit, value(measure, period), None, None, "not final")
            year_earlier, just_before = (
                value(measure, other) if is_final(measure, other) else None for other in _earlier(window)
            )
            now = value(measure, window)
            note = ", ".join(filter(None, [note, _caveat(con, measure, window) if now is not None else None]))
            return Figure(measure.name, measure.unit, now, just_before, year_earlier, note)

        tables = {measure.table for measure in MEASURES}
        compared = [window for window in (year_before, before, period) if window.first >= min(with_sales)]
        lacking = _days(con, "made_without is not null")
        missing = [
            day
            for window in compared
            for day in window
            if any(day not in shown[table] or day in lacking[table] for table in tables)
        ]
        failed = _days(con, "state = 'failed'")
        unreconciled = [day for day in period if any(day in failed[table] for table in RECONCILIATIONS)]
        return FirstPage(period, missing, unreconciled, [figure(measure) for measure in MEASURES], _trust(con))


def _earlier(window: Window) -> tuple[Window, Window]:
    """The same weekdays a year before, and as many days just before."""
    return (
        Window(window.first - YEAR_OF_WEEKS, window.last - YEAR_OF_WEEKS),
        Window(window.first - len(window) * ONE_DAY, window.first - ONE_DAY),
    )


def _shown_days(con: duckdb.DuckDBPyConnection) -> Mapping[str, set[dt.date]]:
    """Table to the days on which it is good, or shows the rows of an earlier run."""
    return _days(con, f"state in {GOOD} or shows_old_rows")


def _provisional_days(con: duckdb.DuckDBPyConnection) -> Mapping[str, set[dt.date]]:
    """Table to the days on which something in its reach is missing or still to come."""
    return _days(con, "state = 'provisional'")


def _days(con: duckdb.DuckDBPyConnection, condition: str) -> Mapping[str, set[dt.date]]:
    found: dict[str, set[dt.date]] = defaultdict(set)
    for table, day in con.execute(f"select table_name, day from ledger.days where {condition}").fetchall():
        found[table].add(day)
    return found


def _caveat(con: duckdb.DuckDBPyConnection, measure: Measure, window: Window) -> str | None:
    if not measure.caveat:
        return None
    [(said,)] = con.execute(measure.caveat, vars(window)).fetchall()
    return None if said is None else str(said)


def _value(con: duckdb.DuckDBPyConnection, measure: Measure, window: Window) -> Decimal | None:
    given = {name: day for name, day in vars(window).items() if f"${name}" in measure.query}
    [(value, *rest)] = con.execute(measure.query, given).fetchall()
    if value is None or (rest and not rest[0]):
        return None
    return Decimal(value) / Decimal(rest[0]) if rest else Decimal(value)


def _trust(con: duckdb.DuckDBPyConnection) -> Trust:
    table_days = dict(con.execute("select state, count(*) from ledger.days group by all").fetchall())
    [(old, stale)] = con.execute(
        "select (select count(*) from ledger.days where shows_old_rows), (select count(*) from ledger.stale)"
    ).fetchall()
    quarantined, reasons = 0, []
    if tables := quarantine.tables(con):
        rows = " union all ".join(f'select reasons from quarantine."{table}"' for table in tables)
        [(quarantined,)] = con.execute(f"select count(*) from ({rows})").fetchall()
        reasons = quarantine.counted_reasons(con, rows)
    return Trust(table_days, old, stale, quarantined, reasons)


def render(page: FirstPage) -> str:
    """The first page as text. Amounts are rounded to the cent here, and nowhere before."""
    length = _counted(len(page.period), "day")
    table = [["", length, f"{length} before", "change", "a year before", "change"]]
    for figure in page.figures:
        row = [", ".join(filter(None, [figure.name, figure.note])), _written(figure.value, figure.unit)]
        for earlier in (figure.before, figure.year_before):
            row += [_written(earlier, figure.unit), _change(figure, earlier)]
        table.append(row)
    if all(figure.year_before is None for figure in page.figures):
        table = [row[:-2] for row in table]
    lines = [f"The shop, {page.period}", "", *_aligned(table), ""]
    if page.missing:
        lines.append(f"Without the rows of some tables: {', '.join(map(str, stretches(page.missing)))}.")
    if page.unreconciled:
        lines.append(f"Do not reconcile: {', '.join(map(str, stretches(page.unreconciled)))}. Why: ecom bad.")
    return "\n".join([*lines, *_trust_lines(page.trust)])


def _trust_lines(trust: Trust) -> list[str]:
    count = trust.table_days
    lines = [
        f"Table-days: {count.get('stored', 0):,} good, {count.get('provisional', 0):,} provisional, "
        f"{count.get('failed', 0):,} failed, {count.get('blocked', 0):,} blocked; {trust.stale:,} have to run again."
    ]
    if trust.showing_old_rows:
        lines.append(f"{trust.showing_old_rows:,} failed or blocked table-days show the rows of an earlier run.")
    lines.append(f"Rows in quarantine: {trust.quarantined:,}{', because:' if trust.quarantined else '.'}")
    lines += [f"  {n:,}: {reason}" for reason, n in trust.reasons[:REASONS_SHOWN]]
    if left := trust.reasons[REASONS_SHOWN:]:
        lines.append(f"  and {_counted(len(left), 'other reason')}")
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        yield "   ".join(cells).rstrip()


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


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
