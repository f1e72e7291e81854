import datetime as dt
from decimal import Decimal

from ecom_assets.gold.agg_daily_sales import AggDailySales, transform
from ecom_assets.gold.fact_returns import FactReturns
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets_tests.samples import collected, rows, run, sample


def test_refunds_count_on_their_own_day_and_channel():
    sale = {"is_valid": True, "gross_sales": "10", "discounts": "1"}
    sales = sample(FactSales, {**sale, "ordered_on": "2024-01-01", "channel": "web"})
    returns = sample(FactReturns, {"returned_on": "2024-01-02", "channel": "app", "amount": "4", "shipping": "2"})

    made = run(transform, sales, returns)

    assert rows(made, "day", "channel", "net_sales", "total_sales") == [
        (dt.date(2024, 1, 1), "web", Decimal(9), Decimal(9)),
        (dt.date(2024, 1, 2), "app", Decimal(-4), Decimal(-6)),
    ]
    AggDailySales.validate(collected(made))


def test_an_order_counts_once_and_only_where_it_is_valid():
    line = {"is_valid": True, "quantity": 2}
    sales = sample(
        FactSales,
        {**line, "order_id": "1", "is_first_line": True},
        {**line, "order_id": "1", "is_first_line": False},
        {**line, "order_id": "2", "is_first_line": True, "status": "cancelled"},
        {**line, "order_id": "3", "is_first_line": True, "is_valid": False},
    )

    assert rows(run(transform, sales, sample(FactReturns)), "orders", "cancelled_orders", "units") == [(2, 1, 6)]


def test_a_gift_card_is_a_liability_and_its_orders_shipping_is_charged():
    line = {"order_id": "1", "gross_sales": "50", "discounts": "5", "net_amount": "45", "quantity": 1}
    sales = sample(
        FactSales,
        {**line, "is_gift_card": True, "is_first_line": True, "shipping": "4", "tax": "1"},
        {**line, "order_id": "void", "is_gift_card": True, "voided_on": "2024-01-02"},
    )
    returns = sample(FactReturns, {"amount": "30", "is_gift_card": True})

    made = run(transform, sales, returns)

    assert rows(made, "orders", "units", "gross_sales", "discounts", "returns") == [(0, 0, 0, 0, 0)]
    assert rows(made, "gift_cards_sold", "shipping", "tax", "total_sales") == [(15, 4, 1, 5)]
    AggDailySales.validate(collected(made))
