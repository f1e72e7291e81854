import datetime as dt

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.kpi.daily_repeat_rates import DailyRepeatRates, transform
from ecom_assets_tests.samples import collected, days, rows, run, sample

BEFORE, FIRST, SECOND, THIRD, FOURTH = (dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(5))


def bought(customer: str, day: dt.date, orders: int, to_date: int):
    return {"customer_id": customer, "day": day, "orders": orders, "orders_to_date": to_date}


def test_a_customer_repeats_from_the_second_order_on():
    metrics = sample(
        AggCustomerMetrics,
        bought("A", FIRST, 1, 1),
        bought("B", FIRST, 1, 1),
        bought("A", THIRD, 1, 2),
        bought("B", THIRD, 0, 1),
        bought("A", FOURTH, 1, 3),
        bought("C", FOURTH, 2, 2),
    )

    made = run(transform, metrics, days(BEFORE, FOURTH))

    assert rows(made, "day", "customers", "repeat_customers", "repeat_purchase_rate") == [
        (FIRST, 2, 0, 0.0),
        (SECOND, 2, 0, 0.0),
        (THIRD, 2, 1, 0.5),
        (FOURTH, 3, 2, 2 / 3),
    ]
    DailyRepeatRates.validate(collected(made))
