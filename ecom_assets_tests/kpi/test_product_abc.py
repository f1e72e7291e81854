import datetime as dt
from decimal import Decimal

from ecom_assets.gold.agg_product_performance import AggProductPerformance
from ecom_assets.kpi.product_abc import ProductAbc, transform
from ecom_assets_tests.samples import collected, days, rows, run, sample

MONTH = days("2024-01-01", "2024-01-31")


def test_products_that_begin_within_80_percent_are_a_and_within_95_are_b():
    sales = {"p1": "60", "p2": "20", "p3": "15", "p4": "4", "p5": "1"}
    sold = sample(AggProductPerformance, *({"product_id": p, "gross_sales": amount} for p, amount in sales.items()))

    made = run(transform, sold, MONTH)

    assert rows(made, "place", "product_id", "cumulative_share", "abc_class") == [
        (1, "p1", 0.6, "A"),
        (2, "p2", 0.8, "A"),
        (3, "p3", 0.95, "B"),
        (4, "p4", 0.99, "C"),
        (5, "p5", 1.0, "C"),
    ]
    ProductAbc.validate(collected(made))


def test_a_month_sums_its_own_days_and_ties_go_by_stock_code():
    sold = sample(
        AggProductPerformance,
        {"day": "2024-01-31", "product_id": "b", "gross_sales": "3", "discounts": "1"},
        {"day": "2024-01-01", "product_id": "a", "gross_sales": "1"},
        {"day": "2024-01-15", "product_id": "a", "gross_sales": "1"},
        {"day": "2023-12-31", "product_id": "a", "gross_sales": "9"},
        {"day": "2024-01-15", "product_id": "given away", "gross_sales": "1", "discounts": "1"},
    )

    made = run(transform, sold, MONTH)

    assert rows(made, "place", "product_id", "sales", "share") == [
        (1, "a", Decimal(2), 0.5),
        (2, "b", Decimal(2), 0.5),
    ]
    assert rows(made, "month_end") == [dt.date(2024, 1, 31)] * 2


def test_products_of_equal_sales_are_of_one_class():
    sales = {"p1": "50", "p2": "20", "p3": "20", "p4": "2.5", "p5": "2.5", "p6": "2.5", "p7": "2.5"}
    sold = sample(AggProductPerformance, *({"product_id": p, "gross_sales": amount} for p, amount in sales.items()))

    made = run(transform, sold, MONTH)

    classes = dict(rows(made, "product_id", "abc_class"))
    assert "".join(classes[product] for product in sales) == "AAABBBB"


def test_nothing_is_written_before_the_month_is_over():
    assert rows(run(transform, sample(AggProductPerformance, {"gross_sales": "1"}), days("2024-01-30")), "place") == []
