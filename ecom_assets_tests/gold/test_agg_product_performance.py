from decimal import Decimal

from ecom_assets.gold.agg_product_performance import transform
from ecom_assets.gold.fact_returns import FactReturns
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets_tests.samples import rows, run, sample

LINE = {
    "is_valid": True,
    "order_id": "1",
    "product_id": "P",
    "quantity": 1,
    "gross_sales": "10",
    "discounts": "1",
    "cost": "4",
}


def test_a_product_on_two_lines_of_an_order_counts_one_order():
    sales = sample(FactSales, {**LINE, "line_number": 1}, {**LINE, "line_number": 2})
    returns = sample(FactReturns, {"product_id": "P", "quantity": 1, "amount": "9"})

    columns = ["orders", "units", "returned_units", "net_sales", "cost", "margin"]
    assert rows(run(transform, sales, returns), *columns) == [(1, 2, 1, Decimal(9), Decimal(8), Decimal(1))]


def test_one_unknown_cost_makes_the_margin_unknown():
    sales = sample(FactSales, {**LINE, "line_number": 1}, {**LINE, "line_number": 2, "cost": None})

    assert rows(run(transform, sales, sample(FactReturns)), "net_sales", "cost", "margin") == [
        (Decimal(18), None, None)
    ]


def test_goods_of_a_cancelled_order_cost_nothing():
    sales = sample(FactSales, LINE, {**LINE, "order_id": "2", "status": "cancelled", "cost": None})
    returns = sample(FactReturns, {"product_id": "P", "amount": "9"})

    assert rows(run(transform, sales, returns), "net_sales", "cost", "margin") == [(Decimal(9), Decimal(4), Decimal(5))]


def test_what_has_no_product_is_counted_under_none_and_shipping_alone_is_not():
    sales = sample(FactSales, {**LINE, "product_id": None})
    returns = sample(FactReturns, {"amount": "3"}, {"shipping": "5"}, {"product_id": "P", "quantity": 1})

    made = run(transform, sales, returns)

    assert rows(made, "product_id", "units", "return_lines", "net_sales") == [("(none)", 1, 1, 6), ("P", 0, 1, 0)]
