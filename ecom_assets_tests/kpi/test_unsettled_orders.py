from decimal import Decimal

from ecom_assets.gold.fact_payments import FactPayments
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.kpi.unsettled_orders import UnsettledOrders, transform
from ecom_assets_tests.samples import broken_rules, collected, rows, run, sample


def test_an_order_that_is_not_paid_in_full_or_paid_back_is_listed():
    line = {"status": "paid", "net_amount": "10"}
    sales = sample(
        FactSales,
        {**line, "order_id": "paid", "shipping": "3", "tax": "2"},
        {**line, "order_id": "paid", "line_number": 2},
        {**line, "order_id": "short"},
        {**line, "order_id": "late"},
        {**line, "order_id": "returned"},
        {**line, "order_id": "paid back", "status": "cancelled"},
        {**line, "order_id": "kept", "status": "cancelled"},
        {**line, "order_id": "paid back late", "status": "cancelled"},
        {**line, "order_id": "paid back too late", "status": "cancelled"},
        {**line, "order_id": "paid before midnight"},
        {**line, "order_id": "open", "status": "placed"},
    )
    payments = sample(
        FactPayments,
        {"order_id": "paid", "received": "25"},
        {"order_id": "short", "received": "4", "paid_on": "2024-01-08"},
        {"order_id": "short", "received": "5"},
        {"order_id": "late", "received": "10", "paid_on": "2024-01-09"},
        {"order_id": "returned", "received": "10"},
        {"order_id": "returned", "received": "-10", "paid_on": "2024-01-05"},
        {"order_id": "paid back", "received": "10"},
        {"order_id": "paid back", "received": "-10", "paid_on": "2024-01-02"},
        {"order_id": "kept", "received": "10"},
        {"order_id": "paid back late", "received": "10"},
        {"order_id": "paid back late", "received": "-10", "paid_on": "2024-02-15"},
        {"order_id": "paid back too late", "received": "10"},
        {"order_id": "paid back too late", "received": "-10", "paid_on": "2024-02-16"},
        {"order_id": "paid before midnight", "received": "10", "paid_on": "2023-12-31"},
    )

    made = run(transform, sales, payments)

    assert rows(made, "order_id", "difference") == [
        ("kept", Decimal(10)),
        ("late", Decimal(-10)),
        ("open", Decimal(-10)),
        ("paid back too late", Decimal(10)),
        ("short", Decimal(-1)),
    ]
    UnsettledOrders.validate(collected(made))


def test_a_discount_beyond_all_that_is_charged_is_owed_by_the_shop():
    owed = {"due": "-5", "captured": "0", "difference": "5"}

    assert broken_rules(UnsettledOrders, owed) == []
