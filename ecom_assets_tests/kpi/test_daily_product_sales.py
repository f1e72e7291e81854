from ecom_assets.gold.agg_product_performance import AggProductPerformance
from ecom_assets.kpi.daily_product_sales import DailyProductSales, transform
from ecom_assets_tests.samples import collected, rows, run, sample


def test_a_unit_brings_what_was_sold_before_returns():
    made = run(
        transform,
        sample(
            AggProductPerformance,
            {"product_id": "A", "units": 4, "gross_sales": "10", "discounts": "1", "returns": "5", "net_sales": "4"},
            {"product_id": "B", "returns": "5", "net_sales": "-5"},
        ),
    )

    assert rows(made, "product_id", "asp") == [("A", 2.25), ("B", None)]
    DailyProductSales.validate(collected(made))
