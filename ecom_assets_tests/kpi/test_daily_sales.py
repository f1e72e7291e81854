from ecom_assets.gold.agg_daily_sales import AggDailySales
from ecom_assets.kpi.daily_sales import DailySales, transform
from ecom_assets_tests.samples import collected, rows, run, sample


def test_an_order_is_worth_what_was_sold_before_returns():
    sales = sample(
        AggDailySales,
        {
            "orders": 2,
            "cancelled_orders": 1,
            "units": 5,
            "gross_sales": "10",
            "discounts": "1",
            "returns": "4",
            "net_sales": "5",
            "total_sales": "5",
        },
    )

    made = run(transform, sales)

    assert rows(made, "aov", "units_per_order", "asp", "cancel_rate") == [(4.5, 2.5, 1.8, 0.5)]
    DailySales.validate(collected(made))


def test_a_day_of_refunds_alone_has_no_ratios():
    made = run(transform, sample(AggDailySales, {}))

    assert rows(made, "aov", "units_per_order", "asp", "cancel_rate") == [(None, None, None, None)]
