import datetime as dt
from decimal import Decimal

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.kpi.monthly_cohorts import MonthlyCohorts, transform
from ecom_assets_tests.samples import collected, days, rows, run, sample

JANUARY, FEBRUARY = dt.date(2024, 1, 1), dt.date(2024, 2, 1)


def row(customer: str, day: str, first: str | None, net_sales: str, orders: int = 1):
    return {
        "customer_id": customer,
        "day": day,
        "first_order_on": first,
        "net_sales": net_sales,
        "orders": orders,
    }


def test_a_cohort_shrinks_and_its_value_grows():
    metrics = sample(
        AggCustomerMetrics,
        row("A", "2024-01-05", "2024-01-05", "10"),
        row("B", "2024-01-31", "2024-01-31", "20"),
        row("A", "2024-02-01", "2024-01-05", "5"),
        row("A", "2024-02-02", "2024-01-05", "5"),
        row("B", "2024-02-03", "2024-01-31", "-8", orders=0),
        row("C", "2024-02-29", "2024-02-29", "1"),
        row("refund", "2024-02-29", None, "-1", orders=0),
        row("D", "2024-03-01", "2024-03-01", "1"),
    )

    made = run(transform, metrics, days("2024-01-15", "2024-02-29"))

    columns = ["cohort", "month_offset", "customers", "active_customers", "retention_rate"]
    assert rows(made, *columns) == [(JANUARY, 0, 2, 2, 1.0), (JANUARY, 1, 2, 1, 0.5), (FEBRUARY, 0, 1, 1, 1.0)]
    value = ["cohort", "month_offset", "net_sales", "net_sales_to_date", "net_sales_per_customer"]
    assert rows(made, *value) == [
        (JANUARY, 0, Decimal(30), Decimal(30), 15.0),
        (JANUARY, 1, Decimal(2), Decimal(32), 16.0),
        (FEBRUARY, 0, Decimal(1), Decimal(1), 1.0),
    ]
    MonthlyCohorts.validate(collected(made))


def test_months_are_counted_over_the_turn_of_a_year():
    metrics = sample(AggCustomerMetrics, row("A", "2023-11-05", "2023-11-05", "10"))

    assert rows(run(transform, metrics, days("2024-01-31")), "month_offset") == [2]
