import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_assets.days import Window, revised
from ecom_assets.gold.dim_payment_method import DimPaymentMethod
from ecom_assets.gold.fact_unpaid_cancellations import DAYS_AFTER, DAYS_BEFORE, FactUnpaidCancellations, transform
from ecom_assets.silver.orders import Orders
from ecom_assets.silver.payments import Payments
from ecom_assets.silver.returns import Returns
from ecom_assets_tests.samples import DAY, collected, rows, run, run_window, sample

CANCELLED = {"status": "cancelled", "cancel_reason": "customer", "updated_on": "2024-01-03"}
LATER = {"paid_on": "2024-01-04"}


def on(day: int) -> str:
    return f"{DAY + dt.timedelta(days=day)}"


def unpaid(orders, payments=(), returns=(), methods=()):
    frames = sample(Orders, *orders), sample(Payments, *payments), sample(Returns, *returns)
    return run(transform, *frames, sample(DimPaymentMethod, *methods))


def test_an_order_cancelled_before_anything_was_paid_is_void():
    numbers = ["never", "failed", "too late", "captured", "given back", "returned", "returned too late"]
    orders = [{**CANCELLED, "order_id": number} for number in numbers]
    orders += [{"order_id": "kept"}, {**CANCELLED, "order_id": "void", "cancel_reason": "void"}]
    payments = [
        {"order_id": "failed", "status": "failed"},
        {"order_id": "too late", "status": "captured", **LATER},
        {"order_id": "captured", "status": "captured"},
        {"order_id": "given back", "status": "refunded"},
    ]
    returns = [
        {"order_id": "returned", "amount": "1", "returned_on": "2024-01-03"},
        {"order_id": "returned too late", "amount": "1", "returned_on": "2024-01-04"},
    ]

    made = unpaid(orders, payments, returns)

    assert rows(made, "order_id") == ["failed", "never", "returned too late", "too late"]
    FactUnpaidCancellations.validate(collected(made))


def test_a_shop_that_sends_no_payments_keeps_its_cancelled_orders():
    orders = [{**CANCELLED, "order_id": "cancelled"}]

    assert rows(unpaid(orders), "order_id") == []
    assert rows(unpaid(orders, [{"paid_on": on(DAYS_AFTER)}]), "order_id") == ["cancelled"]
    assert rows(unpaid(orders, [{"paid_on": on(DAYS_AFTER + 1)}]), "order_id") == []
    assert rows(unpaid(orders, methods=[{"first_seen_on": on(-400)}]), "order_id") == ["cancelled"]
    assert rows(unpaid(orders, methods=[{"first_seen_on": on(1)}]), "order_id") == []


ORDERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), min_size=1, max_size=4)
MONEY = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-2, 70), st.sampled_from(["captured", "failed", "refunded"])), max_size=8
)


def frames(orders, moved, returned):
    inputs: dict[str, Any] = {
        "silver_orders": [
            {**CANCELLED, "order_id": f"{n}", "ordered_on": on(day), "updated_on": on(day + after)}
            for n, (day, after) in enumerate(orders)
        ],
        "silver_payments": [{"order_id": f"{n}", "paid_on": on(day), "status": status} for n, day, status in moved],
        "silver_returns": [{"order_id": f"{n}", "returned_on": on(day), "amount": "1"} for n, day, _ in returned],
    }
    models = {"silver_orders": Orders, "silver_payments": Payments, "silver_returns": Returns}
    days = {"silver_orders": "ordered_on", "silver_payments": "paid_on", "silver_returns": "returned_on"}
    made = {name: (sample(models[name], *rows), days[name]) for name, rows in inputs.items()}
    return made | {"gold_dim_payment_method": (sample(DimPaymentMethod, {"first_seen_on": on(-9)}), "first_seen_on")}


READS = dict.fromkeys(("silver_payments", "silver_returns"), revised(DAYS_BEFORE, DAYS_AFTER))
READS["gold_dim_payment_method"] = revised(None, 0)


def found(orders, moved, returned, first, last):
    window = Window(DAY + dt.timedelta(days=first), DAY + dt.timedelta(days=last))
    made = run_window(transform, window, frames(orders, moved, returned), READS, "ordered_on")
    return set(made["order_id"])


@pytest.mark.slow
@given(ORDERS, MONEY, MONEY)
def test_a_window_finds_what_its_days_find(orders, moved, returned):
    alone = [found(orders, moved, returned, day, day) for day in range(4)]

    assert found(orders, moved, returned, 0, 3) == set().union(*alone)


@pytest.mark.slow
@given(ORDERS, MONEY, MONEY)
def test_nothing_after_a_cancellation_decides_whether_it_was_unpaid(orders, moved, returned):
    now = {f"{n}": day + after for n, (day, after) in enumerate(orders)}
    known = [
        [(n, day, status) for n, day, status in money if f"{n}" in now and day <= now[f"{n}"]]
        for money in (moved, returned)
    ]

    assert found(orders, *known, 0, 3) == found(orders, moved, returned, 0, 3)
