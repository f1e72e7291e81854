import datetime as dt
from decimal import Decimal

from ecom_assets.gold.dim_product_versions import DimProductVersions
from ecom_assets.gold.fact_returns import FactReturns
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.kpi.daily_category_sales import DailyCategorySales, transform
from ecom_assets_tests.samples import collected, rows, run, sample


def test_a_sale_counts_for_the_category_of_its_moment():
    products = sample(
        DimProductVersions,
        {"product_key": "A@1", "category": "toys"},
        {"product_key": "A@2", "category": "games"},
        {"product_key": "B@1", "category": None},
    )
    sale = {"is_valid": True, "quantity": 2, "gross_sales": "10", "discounts": "1"}
    sales = sample(
        FactSales,
        {**sale, "product_key": "A@1"},
        {**sale, "product_key": "A@2", "is_valid": False},
        {**sale, "product_key": "B@1", "order_id": "b"},
        {**sale, "product_key": "B@1", "order_id": "b", "line_number": 2},
        {**sale, "product_key": None},
    )
    returns = sample(FactReturns, {"product_key": "A@2", "returned_on": "2024-01-02", "amount": "4", "quantity": 3})

    made = run(transform, sales, returns, products)

    assert rows(made, "day", "category", "orders", "units", "returned_units", "net_sales", "asp") == [
        (dt.date(2024, 1, 1), "toys", 1, 2, 0, Decimal(9), 4.5),
        (dt.date(2024, 1, 1), "unknown", 2, 6, 0, Decimal(27), 4.5),
        (dt.date(2024, 1, 2), "games", 0, 0, 3, Decimal(-4), None),
    ]
    DailyCategorySales.validate(collected(made))
