import datetime as dt
from decimal import Decimal

from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.gold.fact_voided_orders import transform
from ecom_assets_tests.samples import rows, run, sample


def test_an_order_that_counted_at_the_end_of_its_day_is_kept_with_what_it_counted_for():
    line = {"ordered_on": "2024-01-01", "voided_on": "2024-01-03", "is_valid": False}
    sales = sample(
        FactSales,
        {**line, "order_id": "later", "gross_sales": "10", "discounts": "1"},
        {**line, "order_id": "later", "gross_sales": "5", "line_number": 2},
        {**line, "order_id": "of a guest", "gross_sales": "2", "customer_id": None},
        {**line, "order_id": "at once", "voided_on": "2024-01-01"},
        {**line, "order_id": "valid", "voided_on": None, "is_valid": True},
    )

    made = run(transform, sales)

    assert rows(made, "order_id", "voided_on", "revenue") == [
        ("later", dt.date(2024, 1, 3), Decimal(14)),
        ("of a guest", dt.date(2024, 1, 3), Decimal(2)),
    ]
