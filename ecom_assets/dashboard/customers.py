"""Charts of who buys, who comes back, and what they are worth."""

from ecom_assets.dashboard.declared import Chart, Form, Good, Page, Series, Span
from ecom_assets.serving.report import Unit

_OF_ALL = Series(
    "Revenue", "sum(new_sales + returning_sales + guest_sales)", unit=Unit.MONEY, column="kpi.daily_customers.new_sales"
)
_RETENTION = Series("Retention", "sum(active_customers)", "sum(customers)", unit=Unit.SHARE, column="retention_rate")
_VALUE = Series(
    "Net sales per customer",
    "sum(net_sales_to_date)",
    "sum(customers)",
    unit=Unit.MONEY,
    column="net_sales_per_customer",
)
_CUSTOMERS = Series("Customers", "count(*)", column="customer_id")

PAGE = Page(
    "customers",
    "Customers",
    (
        Chart(
            "revenue_by_customers",
            "New and returning revenue",
            "Who makes the sales of a day?",
            Form.BARS,
            "kpi.daily_customers",
            (
                Series("New", "sum(new_sales)", unit=Unit.MONEY, column="new_sales"),
                Series("Returning", "sum(returning_sales)", unit=Unit.MONEY, column="returning_sales"),
                Series("Guests", "sum(guest_sales)", unit=Unit.MONEY, column="guest_sales"),
            ),
            total=_OF_ALL,
            good=Good.UP,
        ),
        Chart(
            "returning_customers",
            "Returning customer rate",
            "How many buyers of a day have bought before?",
            Form.LINES,
            "kpi.daily_customers",
            (
                Series(
                    "Returning customer rate",
                    "sum(returning_buyers)",
                    "sum(buyers)",
                    Unit.SHARE,
                    "returning_customer_rate",
                ),
            ),
            total=Series("Returning customer rate of days", "sum(returning_buyers)", "sum(buyers)", Unit.SHARE),
            good=Good.UP,
        ),
        Chart(
            "cohort_retention",
            "Cohort retention",
            "Who comes back in the months after the first order?",
            Form.HEAT,
            "kpi.monthly_cohorts",
            (_RETENTION,),
            by=("cohort", "month_offset"),
            day="month_end",
            span=Span.UP_TO,
            labels={"cohort": "Month of the first order", "month_offset": "Months since"},
        ),
        Chart(
            "cohort_value",
            "Lifetime value by cohort",
            "What is a customer worth so far?",
            Form.CURVES,
            "kpi.monthly_cohorts",
            (_VALUE,),
            by=("cohort", "month_offset"),
            day="month_end",
            span=Span.UP_TO,
            labels={"cohort": "Month of the first order", "month_offset": "Months since"},
        ),
        Chart(
            "days_between_orders",
            "Days between orders",
            "After how long do customers order again?",
            Form.LINES,
            "kpi.daily_customers",
            (
                Series(
                    "Median days since the order before",
                    "max(median_days_between_orders)",
                    unit=Unit.RATIO,
                    column="median_days_between_orders",
                    is_zero_without_rows=False,
                ),
            ),
        ),
        Chart(
            "rfm_map",
            "Recency and frequency",
            "How many customers are loyal, and how many are being lost?",
            Form.HEAT,
            "kpi.customer_rfm",
            (_CUSTOMERS,),
            by=("frequency_score", "recency_score"),
            day="snapshot_on",
            span=Span.LAST,
            total=_CUSTOMERS,
            good=Good.UP,
            labels={"frequency_score": "Frequency score", "recency_score": "Recency score"},
        ),
        Chart(
            "sales_by_segment",
            "Sales to date by segment",
            "Which customers carry the shop?",
            Form.RANKED,
            "kpi.customer_rfm",
            (Series("Sales to date", "sum(monetary)", unit=Unit.MONEY, column="monetary"),),
            by=("segment",),
            day="snapshot_on",
            span=Span.LAST,
            total=Series("Sales to date", "sum(monetary)", unit=Unit.MONEY),
            good=Good.UP,
        ),
    ),
)
