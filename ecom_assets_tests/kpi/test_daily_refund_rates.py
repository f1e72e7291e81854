import datetime as dt
from decimal import Decimal

from ecom_assets.gold.fact_returns import FactReturns
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.kpi.daily_refund_rates import DailyRefundRates, transform
from ecom_assets_tests.samples import collected, rows, run, sample


def test_a_refund_counts_for_the_day_of_its_order_and_for_45_days():
    line = {"is_valid": True, "net_amount": "10"}
    sales = sample(
        FactSales,
        {**line, "order_id": "1"},
        {**line, "order_id": "1", "line_number": 2},
        {**line, "order_id": "2"},
        {**line, "order_id": "3", "is_valid": False},
        {**line, "order_id": "4", "ordered_on": "2024-01-02"},
    )
    back = {"amount": "4"}
    returns = sample(
        FactReturns,
        {**back, "order_id": "1", "returned_on": "2024-01-05"},
        {**back, "order_id": "1", "returned_on": "2024-02-15"},
        {**back, "order_id": "2", "returned_on": "2024-02-16"},
        {**back, "order_id": "3", "returned_on": "2024-01-02"},
        {**back, "order_id": "4", "returned_on": "2024-02-16"},
        {**back, "order_id": None, "returned_on": "2024-01-02"},
    )

    made = run(transform, sales, returns)

    counts = ["day", "orders", "refunded_orders", "sold", "refunded", "refund_rate_value", "refund_rate_orders"]
    assert rows(made, *counts) == [
        (dt.date(2024, 1, 1), 2, 1, Decimal(30), Decimal(8), 8 / 30, 0.5),
        (dt.date(2024, 1, 2), 1, 1, Decimal(10), Decimal(4), 0.4, 1.0),
    ]
    DailyRefundRates.validate(collected(made))


def test_a_return_of_no_value_is_no_refund_and_discounts_may_exceed_the_goods():
    sales = sample(FactSales, {"order_id": "1", "is_valid": True, "net_amount": "-2"})

    made = run(transform, sales, sample(FactReturns, {"order_id": "1", "returned_on": "2024-01-05", "amount": "0"}))

    assert rows(made, "orders", "refunded_orders", "sold", "refunded") == [(1, 0, Decimal(-2), Decimal(0))]
    DailyRefundRates.validate(collected(made))
