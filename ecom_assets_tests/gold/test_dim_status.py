import datetime as dt

from ecom_assets.gold import dim_payment_method, dim_status
from ecom_assets.silver.orders import Orders
from ecom_assets.silver.payments import Payments
from ecom_assets_tests.samples import rows, run, sample

FIRST, SECOND = dt.date(2024, 1, 1), dt.date(2024, 1, 2)


def test_a_status_stands_on_the_day_on_which_it_is_first_seen():
    orders = sample(Orders, {"status": "paid", "ordered_on": SECOND}, {"status": "paid", "ordered_on": FIRST})
    payments = sample(Payments, {"status": "failed", "paid_on": SECOND})

    statuses = run(dim_status.transform, orders, payments)

    assert rows(statuses, "kind", "status", "first_seen_on") == [
        ("order", "paid", FIRST),
        ("payment", "failed", SECOND),
    ]


def test_a_payment_method_stands_on_the_day_on_which_it_is_first_seen():
    payments = sample(Payments, {"method": "card", "paid_on": SECOND}, {"method": "card", "paid_on": FIRST})

    assert rows(run(dim_payment_method.transform, payments), "method", "first_seen_on") == [("card", FIRST)]
