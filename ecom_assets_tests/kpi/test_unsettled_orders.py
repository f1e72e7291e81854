from decimal import Decimal

from ecom_assets.gold.fact_payments import FactPayments
from ecom_assets.kpi.settled_reconciliation import owed
from ecom_assets.kpi.unsettled_orders import UnsettledOrders, transform
from ecom_assets.silver.order_items import OrderItems
from ecom_assets.silver.orders import Orders
from ecom_assets.silver.payments import Payments
from ecom_assets_tests.samples import broken_rules, collected, rows, run, sample


def test_an_order_that_is_not_paid_in_full_or_paid_back_is_listed():
    order = {"status": "paid", "total": "10"}
    cancelled = {**order, "status": "cancelled"}
    orders = sample(
        Orders,
        {**order, "order_id": "paid", "total": "25"},
        {**order, "order_id": "short"},
        {**order, "order_id": "late"},
        {**order, "order_id": "returned"},
        {**cancelled, "order_id": "paid back"},
        {**cancelled, "order_id": "kept"},
        {**cancelled, "order_id": "paid back late"},
        {**cancelled, "order_id": "paid back too late"},
        {**order, "order_id": "paid before midnight"},
        {**order, "order_id": "open", "status": "placed"},
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

    made = run(transform, orders, sample(OrderItems), payments)

    assert rows(made, "order_id", "difference") == [
        ("kept", Decimal(10)),
        ("late", Decimal(-10)),
        ("open", Decimal(-10)),
        ("paid back too late", Decimal(10)),
        ("short", Decimal(-1)),
    ]
    UnsettledOrders.validate(collected(made))


def test_what_the_bank_took_back_within_45_days_is_missing():
    order = {"status": "paid", "total": "10"}
    orders = sample(Orders, *({**order, "order_id": number} for number in ("taken back", "taken back too late")))
    payments = sample(
        FactPayments,
        {"order_id": "taken back", "received": "10"},
        {"order_id": "taken back", "status": "charged_back", "received": "-10", "paid_on": "2024-02-15"},
        {"order_id": "taken back too late", "received": "10"},
        {"order_id": "taken back too late", "status": "charged_back", "received": "-10", "paid_on": "2024-02-16"},
    )

    made = run(transform, orders, sample(OrderItems), payments)

    assert rows(made, "order_id", "difference", "captured", "charged_back") == [("taken back", -10, 10, 10)]
    UnsettledOrders.validate(collected(made))


def test_what_is_due_is_the_total_whatever_lines_are_there():
    charged = {"status": "paid", "discount": "2", "shipping": "3", "tax": "4"}
    orders = sample(
        Orders,
        {**charged, "order_id": "a line is late", "total": "44"},
        {**charged, "order_id": "all lines are late", "total": "44"},
        {**charged, "order_id": "unpaid without lines", "total": "44"},
        {**charged, "order_id": "without total"},
        {**charged, "order_id": "without total or lines"},
    )
    line = {"quantity": 2, "unit_price": "10", "discount": "1"}
    items = sample(
        OrderItems,
        {**line, "order_id": "a line is late"},
        {**line, "order_id": "without total"},
        {**line, "order_id": "without total", "line_number": 2},
    )
    payments = sample(
        FactPayments,
        {"order_id": "a line is late", "received": "44"},
        {"order_id": "all lines are late", "received": "44"},
    )

    made = run(transform, orders, items, payments)

    assert rows(made, "order_id", "due", "captured") == [
        ("unpaid without lines", Decimal(44), Decimal(0)),
        ("without total", Decimal(43), Decimal(0)),
        ("without total or lines", Decimal(5), Decimal(0)),
    ]


def test_a_discount_beyond_all_that_is_charged_is_owed_by_the_shop():
    owed = {"due": "-5", "captured": "0", "difference": "5"}

    assert broken_rules(UnsettledOrders, owed) == []


def test_an_order_without_lines_owes_at_least_nothing():
    orders = sample(
        Orders,
        {"order_id": "only a discount", "discount": "10", "shipping": "4"},
        {"order_id": "only shipping", "discount": "1", "shipping": "4"},
        {"order_id": "a line and a discount", "discount": "10", "shipping": "4"},
    )
    items = sample(OrderItems, {"order_id": "a line and a discount", "quantity": 1, "unit_price": "5"})

    made = run(transform, orders, items, sample(FactPayments))

    assert rows(made, "order_id", "due") == [("a line and a discount", -1), ("only shipping", 3)]
    owed_upstream = collected(owed(items, orders, sample(Payments)))["amount_upstream"].sum()
    assert owed_upstream == collected(made)["difference"].sum()


def test_of_an_order_in_another_currency_rounding_is_no_difference():
    order = {"status": "paid", "total": "10"}
    orders = sample(
        Orders,
        {**order, "order_id": "own"},
        {**order, "order_id": "rounded", "currency": "USD"},
        {**order, "order_id": "a cent", "currency": "USD"},
        {**order, "order_id": "two cents", "currency": "USD"},
        {**order, "order_id": "two cents of two lines", "currency": "USD"},
    )
    items = sample(OrderItems, *({"order_id": "two cents of two lines", "line_number": n} for n in (1, 2)))
    payments = sample(
        FactPayments,
        {"order_id": "own", "received": "9.9999"},
        {"order_id": "rounded", "received": "10.0003"},
        {"order_id": "a cent", "received": "9.99"},
        {"order_id": "two cents", "received": "9.98"},
        {"order_id": "two cents of two lines", "received": "9.98"},
    )

    assert rows(run(transform, orders, items, payments), "order_id") == ["own", "two cents"]
