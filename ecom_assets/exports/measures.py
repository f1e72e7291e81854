"""The measures of the kpi tables, each declared once: what is summed, what it is divided by, and how it reads.

Both the OSI file and the Power BI project are made of these declarations.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ecom_assets.declaration import Catalog
from ecom_assets.serving.report import Unit
from ecom_assets.sql import identifier


@dataclass(frozen=True)
class Measure:
    """A measure of a kpi table over any rows of it.

    It is the sum of the columns `plus` less those `minus`, divided by the sum of the column `per` if there is one,
    times `factor`; null if the divisor is zero. `column` is the column of the table that has the same measure of one
    row, and describes it.
    """

    name: str
    table: str
    column: str
    unit: Unit
    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()
    per: str | None = None
    factor: int = 1
    of_last_day: bool = False
    """Whether only the rows of the last day count: sums over days would count the same thing again."""
    null_if_zero: bool = False
    """Whether it is null if the sum is zero, and not zero."""

    def sql(self) -> str:
        """Returns the measure as an aggregate in standard SQL, whose columns are qualified by the table's name.

        Of a measure of the last day it is right over the rows of one day.
        """
        table = self.table.partition(".")[2]

        def total(column: str) -> str:
            return f"SUM({identifier(table)}.{identifier(column)})"

        found = " - ".join([" + ".join(map(total, self.plus)), *map(total, self.minus)])
        if self.null_if_zero:
            found = f"NULLIF({found}, 0)"
        if self.per:
            found = f"CAST({found} AS DOUBLE PRECISION) / NULLIF({total(self.per)}, 0)"
        return found if self.factor == 1 else f"{found} * {self.factor}"

    def dax(self) -> str:
        """Returns the measure in DAX, whose tables have the names of ours without the layer."""
        table = self.table.partition(".")[2]

        def total(column: str) -> str:
            return f"SUM('{table}'[{column}])"

        whole = " - ".join([" + ".join(map(total, self.plus)), *map(total, self.minus)])
        found = f"DIVIDE({whole}, {total(self.per)})" if self.per else whole
        if self.factor != 1:
            found = f"{found} * {self.factor}"
        if self.null_if_zero:
            found = f"IF({whole} <> 0, {found})"
        if self.of_last_day:
            found = f"CALCULATE({found}, TOPN(1, VALUES('{table}'[day]), '{table}'[day]))"
        return found


@dataclass(frozen=True)
class UnknownDays:
    """The number of days on which a column of a table is null, so that sums over it lack these days."""

    name: str
    table: str
    column: str

    @property
    def description(self) -> str:
        return f"Days on which the returns are unknown: measures of {self.table} that need them lack these days"

    def sql(self) -> str:
        """Returns the number as an aggregate in standard SQL."""
        table = identifier(self.table.partition(".")[2])
        return f'COUNT(DISTINCT CASE WHEN {table}.{identifier(self.column)} IS NULL THEN {table}."day" END)'

    def dax(self) -> str:
        """Returns the number in DAX."""
        table = self.table.partition(".")[2]
        return f"CALCULATE(DISTINCTCOUNT('{table}'[day]), ISBLANK('{table}'[{self.column}])) + 0"


def _sums(table: str, unit: Unit, names: Mapping[str, str]) -> Iterator[Measure]:
    for column, name in names.items():
        yield Measure(name, table, column, unit, (column,))


def _ratio(name: str, column: str, over: str, per: str, unit: Unit = Unit.SHARE, **more: bool | int) -> Measure:
    table, _, of = over.rpartition(".")
    return Measure(name, table, column, unit, (of,), per=per, **more)  # type: ignore[arg-type]


def _revenue(name: str, column: str, per: str) -> Measure:
    return Measure(name, _SALES, column, Unit.MONEY, ("gross_sales",), ("discounts",), per)


_SALES = "kpi.daily_sales"
_MARGIN, _MARKETING = "kpi.daily_margin", "kpi.daily_marketing"
MEASURES: tuple[Measure, ...] = (
    *_sums(
        _SALES,
        Unit.MONEY,
        {
            "gross_sales": "Gross sales",
            "discounts": "Discounts",
            "returns": "Returns",
            "net_sales": "Net sales",
            "shipping": "Shipping",
            "tax": "Tax",
            "total_sales": "Total sales",
            "gift_cards_sold": "Gift cards sold",
        },
    ),
    *_sums(_SALES, Unit.COUNT, {"orders": "Orders", "cancelled_orders": "Cancelled orders", "units": "Units"}),
    _revenue("Average order value", "aov", per="orders"),
    _revenue("Average selling price", "asp", per="units"),
    _ratio("Units per order", "units_per_order", f"{_SALES}.units", "orders", Unit.RATIO),
    _ratio("Cancel rate", "cancel_rate", f"{_SALES}.cancelled_orders", "orders"),
    *_sums("kpi.daily_customers", Unit.COUNT, {"new_orders": "New orders", "returning_orders": "Returning orders"}),
    *_sums(
        "kpi.daily_customers",
        Unit.MONEY,
        {"new_sales": "New revenue", "returning_sales": "Returning revenue", "guest_sales": "Guest revenue"},
    ),
    _ratio("Returning customer rate", "returning_customer_rate", "kpi.daily_customers.returning_buyers", "buyers"),
    _ratio(
        "Repeat purchase rate to date",
        "repeat_purchase_rate",
        "kpi.daily_repeat_rates.repeat_customers",
        "customers",
        of_last_day=True,
    ),
    _ratio("Refund rate by value", "refund_rate_value", "kpi.daily_refund_rates.refunded", "sold"),
    _ratio("Refund rate by orders", "refund_rate_orders", "kpi.daily_refund_rates.refunded_orders", "orders"),
    *_sums(
        _MARGIN,
        Unit.MONEY,
        {
            "cost_of_goods": "Cost of goods",
            "shipping_cost": "Shipping cost",
            "payment_fees": "Payment fees",
            "marketing": "Marketing cost",
            "contribution_margin": "Contribution margin",
        },
    ),
    *_sums(_MARGIN, Unit.COUNT, {"units_of_unknown_cost": "Units of unknown cost"}),
    _ratio("Contribution margin share", "contribution_margin_share", f"{_MARGIN}.contribution_margin", "net_sales"),
    *_sums(_MARKETING, Unit.MONEY, {"spend": "Spend", "revenue": "Attributed revenue"}),
    *_sums(_MARKETING, Unit.COUNT, {"impressions": "Impressions", "clicks": "Clicks"}),
    _ratio("Click-through rate", "ctr", f"{_MARKETING}.clicks", "impressions"),
    _ratio("Cost per click", "cpc", f"{_MARKETING}.spend", "clicks", Unit.MONEY),
    _ratio("Cost per thousand impressions", "cpm", f"{_MARKETING}.spend", "impressions", Unit.MONEY, factor=1_000),
    _ratio("Return on advertising spend", "roas", f"{_MARKETING}.revenue", "spend", Unit.RATIO),
    _ratio("Return on spend for new customers", "new_roas", f"{_MARKETING}.new_revenue", "spend", Unit.RATIO),
    _ratio(
        *("Customer acquisition cost", "cac", "kpi.daily_acquisition.spend", "new_customers", Unit.MONEY),
        null_if_zero=True,
    ),
    _ratio("Marketing efficiency ratio", "mer", "kpi.daily_acquisition.revenue", "spend", Unit.RATIO),
    *_sums("kpi.daily_funnel", Unit.COUNT, {"sessions": "Sessions"}),
    _ratio("Conversion rate", "conversion_rate", "kpi.daily_funnel.open_purchase", "sessions"),
    *_sums("kpi.daily_carts", Unit.COUNT, {"carts": "Carts"}),
    _ratio("Cart abandonment rate", "cart_abandonment_rate", "kpi.daily_carts.abandoned_carts", "carts"),
    *_sums(
        "kpi.daily_payments",
        Unit.MONEY,
        {
            "captured_amount": "Captured payments",
            "refunded_amount": "Refunded payments",
            "charged_back_amount": "Charge-backs",
            "fees": "Fees",
        },
    ),
    _ratio("Payment failure rate", "payment_failure_rate", "kpi.daily_payments.failed_count", "attempts"),
    _ratio("On-time shipping", "on_time_shipping", "kpi.daily_fulfilment.shipped_on_time", "due"),
    Measure("Stock on hand", "kpi.daily_inventory", "on_hand", Unit.COUNT, ("on_hand",), of_last_day=True),
    Measure("Stock value", "kpi.daily_inventory", "stock_value", Unit.MONEY, ("stock_value",), of_last_day=True),
    _ratio("Stock-out rate", "stock_out_rate", "kpi.daily_inventory.stock_outs", "products"),
    _ratio(
        *("Sell-through of 28 days", "sell_through_28d", "kpi.daily_inventory.units_sold_28d", "units_available_28d"),
        of_last_day=True,
    ),
    _ratio("Product rating", "product_rating", "kpi.daily_reviews.product_stars", "product_reviews", Unit.RATIO),
)
UNKNOWN_DAYS = (
    UnknownDays("Days of unknown net sales", _SALES, "net_sales"),
    UnknownDays("Days of unknown margin", _MARGIN, "contribution_margin"),
)


def description(measure: Measure | UnknownDays, catalog: Catalog) -> str:
    """Returns what a measure is, from the column that has it of one row."""
    if isinstance(measure, UnknownDays):
        return measure.description
    column = catalog[measure.table].contract.columns[measure.column]
    more = "; of the last day" if measure.of_last_day else ""
    lacking = "; days of which it is unknown are left out" if column.unknown_without else ""
    return f"{column.description}{more}{lacking}"
