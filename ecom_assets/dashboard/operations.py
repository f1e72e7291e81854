"""Charts of stock, shipping and payments, and of how far the figures can be trusted."""

from ecom_assets.dashboard.declared import Chart, Dimension, Form, Good, Page, Series, Span
from ecom_assets.serving.ledger import ARRIVED_ROWS
from ecom_assets.serving.published_tables import DAILY_QUALITY, RESTATEMENTS
from ecom_assets.serving.report import Unit

_CATEGORY = {Dimension.CATEGORY: "category"}
_STOCK_OUTS = Series("Stock-out rate", "sum(stock_outs)", "sum(products)", Unit.SHARE, "stock_out_rate")
# Units on hand per mean units sold per day, from the sums of all products.
_SUPPLY = Series(
    "Days of supply",
    "sum(on_hand)",
    "nullif(sum(units_sold_28d), 0) / max(days_stocked_28d)",
    Unit.RATIO,
    "days_of_supply",
)
_ON_TIME = Series("On-time shipping", "sum(shipped_on_time)", "sum(due)", Unit.SHARE, "on_time_shipping")
_QUALITY = Series("Quality score", "sum(rows_passed)", "sum(rows_checked)", Unit.SHARE, "quality_score")
_FAILURES = Series("Failure rate", "sum(failed_count)", "sum(attempts)", Unit.SHARE, "payment_failure_rate")


def _late(name: str, condition: str, column: str) -> Series:
    of = f"coalesce(sum(row_count) filter ({condition}), 0)"
    return Series(name, of, "sum(row_count)", Unit.SHARE, column, is_zero_without_rows=False)


PAGE = Page(
    "operations",
    "Operations and trust",
    (
        Chart(
            "stock_outs",
            "Stock-outs by day",
            "How many products that sell are out of stock?",
            Form.LINES,
            "kpi.daily_inventory",
            (_STOCK_OUTS,),
            total=_STOCK_OUTS,
            good=Good.DOWN,
            filters=_CATEGORY,
        ),
        Chart(
            "days_of_supply",
            "Days of supply by category",
            "How long does the stock last?",
            Form.RANKED,
            "kpi.daily_inventory",
            (_SUPPLY,),
            by=("category",),
            span=Span.LAST,
            filters=_CATEGORY,
        ),
        Chart(
            "on_time_by_day",
            "On-time shipping by day",
            "Do shipments leave when they were promised?",
            Form.LINES,
            "kpi.daily_fulfilment",
            (_ON_TIME,),
            total=_ON_TIME,
            good=Good.UP,
        ),
        Chart(
            "payments_by_method",
            "Payments by method",
            "How is money received and given back, and what does it cost?",
            Form.HEAT,
            "kpi.daily_payments",
            (
                Series("Captured", "sum(captured_amount)", unit=Unit.MONEY, column="captured_amount"),
                Series("Refunded", "sum(refunded_amount)", unit=Unit.MONEY, column="refunded_amount"),
                Series("Charged back", "sum(charged_back_amount)", unit=Unit.MONEY, column="charged_back_amount"),
                Series("Fees", "sum(fees)", unit=Unit.MONEY, column="fees"),
            ),
            by=("method",),
            total=Series("Captured", "sum(captured_amount)", unit=Unit.MONEY),
            good=Good.UP,
        ),
        Chart(
            "payment_failures",
            "Payment failures by day",
            "How many attempts to pay fail?",
            Form.LINES,
            "kpi.daily_payments",
            (_FAILURES,),
            total=_FAILURES,
            good=Good.DOWN,
        ),
        Chart(
            "quality_by_layer",
            "Quality score by layer",
            "How many rows pass their checks?",
            Form.LINES,
            DAILY_QUALITY.name,
            (_QUALITY,),
            by=("day", "layer"),
            total=_QUALITY,
            good=Good.UP,
            from_zero=False,
            source=f"select day, split_part(table_name, '.', 1) as layer, rows_passed, rows_checked "
            f"from {DAILY_QUALITY.name}",
        ),
        Chart(
            "late_rows",
            "Late rows by lag",
            "How many rows arrive after their day?",
            Form.BARS,
            DAILY_QUALITY.name,
            (
                _late("Under 24 h", "days_late = 1", "late_share_under_24_hours"),
                _late("24 to 48 h", "days_late = 2", "late_share_24_to_48_hours"),
                _late("Over 48 h", "days_late > 2", "late_share_over_48_hours"),
            ),
            total=_late("Late rows", "days_late > 0", "late_share_over_48_hours"),
            good=Good.DOWN,
            source=ARRIVED_ROWS,
        ),
        Chart(
            "restatements",
            "Restatements: what moved, and why",
            "Which published totals have changed since, and by what?",
            Form.POINTS,
            RESTATEMENTS.name,
            (Series("Part of the change", "sum(part)", unit=Unit.MONEY, column="part"),),
            by=("day", "table_name", "cause"),
            total=Series("Restated table-days", "count(distinct (table_name, day))"),
            good=Good.DOWN,
            empty="No published total of these days has changed.",
            labels={"table_name": "Table"},
        ),
    ),
)
