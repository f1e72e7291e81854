import datetime as dt

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.kpi.monthly_repeat_rates import MonthlyRepeatRates, transform
from ecom_assets_tests.samples import collected, days, rows, run, sample

MARCH = dt.date(2024, 3, 31)


def bought(customer: str, days_before: int, orders: int = 1):
    return {"customer_id": customer, "day": MARCH - dt.timedelta(days=days_before), "orders": orders}


def test_a_customer_counts_and_repeats_by_the_orders_of_these_days():
    metrics = sample(
        AggCustomerMetrics,
        bought("A", 0),
        bought("A", 89),
        bought("B", 10),
        bought("B", 90),
        bought("C", 364, orders=2),
        bought("D", 365),
        bought("D", 100),
        bought("E", -1, orders=2),
        bought("F", 5, orders=0),
    )

    made = run(transform, metrics, days("2024-03-30", "2024-04-01"))

    assert rows(made, "month_end", "trailing_days", "customers", "repeat_customers", "repeat_purchase_rate") == [
        (MARCH, 90, 2, 1, 0.5),
        (MARCH, 365, 4, 3, 0.75),
    ]
    MonthlyRepeatRates.validate(collected(made))
