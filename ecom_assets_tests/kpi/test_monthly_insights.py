import datetime as dt
from decimal import Decimal

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.gold.dim_date import DimDate
from ecom_assets.kpi.daily_category_sales import DailyCategorySales
from ecom_assets.kpi.daily_payments import DailyPayments
from ecom_assets.kpi.daily_sales import DailySales
from ecom_assets.kpi.monthly_insights import MonthlyInsights, transform
from ecom_assets_tests.samples import collected, days, rows, run, sample


def insights(*, categories=(), payments=(), sales=(), customers=(), dates=(), first="2024-01-30", last="2024-01-31"):
    return run(
        transform,
        sample(DailyCategorySales, *categories),
        sample(DailyPayments, *payments),
        sample(DailySales, *sales),
        sample(AggCustomerMetrics, *customers),
        sample(DimDate, *dates),
        days(first, last),
    )


def test_the_parts_of_a_month_have_shares():
    made = insights(
        categories=[
            {"category": "toys", "gross_sales": "80", "discounts": "5"},
            {"category": "games", "gross_sales": "25", "day": "2024-01-31"},
            {"category": "toys", "gross_sales": "99", "day": "2023-12-31"},
        ],
        payments=[{"method": "card", "captured_amount": "3"}, {"method": "paypal", "captured_amount": "1"}],
    )

    assert rows(made, "insight", "item", "amount", "share", "index") == [
        ("category", "games", Decimal(25), 0.25, None),
        ("category", "toys", Decimal(75), 0.75, None),
        ("payment method", "card", Decimal(3), 0.75, None),
        ("payment method", "paypal", Decimal(1), 0.25, None),
    ]
    MonthlyInsights.validate(collected(made))


def test_a_part_may_be_negative_where_discounts_exceed_the_goods():
    made = insights(
        categories=[
            {"category": "games", "gross_sales": "8", "discounts": "10"},
            {"category": "toys", "gross_sales": "6"},
        ]
    )

    assert rows(made, "item", "amount", "share") == [("games", Decimal(-2), -0.5), ("toys", Decimal(6), 1.5)]
    MonthlyInsights.validate(collected(made))


def test_weekends_and_the_month_are_held_against_an_average_day():
    dates = [
        {"day": "2023-12-29"},
        {"day": "2023-12-30", "is_weekend": True},
        {"day": "2024-01-05"},
        {"day": "2024-01-06", "is_weekend": True},
        {"day": "2023-01-31"},
    ]
    sales = [
        {"day": "2023-12-29", "gross_sales": "20"},
        {"day": "2024-01-05", "gross_sales": "20"},
        {"day": "2024-01-06", "gross_sales": "50"},
        {"day": "2024-01-06", "channel": "app", "gross_sales": "15", "discounts": "5"},
    ]

    made = insights(dates=dates, sales=sales)

    assert rows(made, "insight", "item", "share", "index") == [
        ("part of the week", "weekday", 0.25, 0.5),
        ("part of the week", "weekend", 0.75, 1.5),
        ("season", "the month", 0.8, 1.6),
        ("season", "the other months", 0.2, 0.4),
    ]


def test_the_top_fifth_of_six_customers_are_two():
    spent = [10, 10, 10, 10, 30, 90]
    customers = [
        {"customer_id": str(n), "orders": 1, "gross_sales": amount, "day": "2024-01-31"}
        for n, amount in enumerate(spent)
    ]

    made = insights(customers=[*customers, {"customer_id": "refund", "returns": "9"}])

    assert rows(made, "item", "amount", "share") == [("others", Decimal(40), 0.25), ("top 20 %", Decimal(120), 0.75)]


def test_a_month_that_is_not_over_has_none():
    made = insights(payments=[{"method": "card", "captured_amount": "3"}], last="2024-01-30")

    assert rows(made, "month_end") == []


def test_each_month_of_a_window_is_its_own():
    paid = [{"day": dt.date(2024, month, 1), "captured_amount": month} for month in (1, 2, 3)]

    made = insights(payments=paid, last="2024-03-01")

    assert rows(made, "month_end", "amount") == [
        (dt.date(2024, 1, 31), Decimal(1)),
        (dt.date(2024, 2, 29), Decimal(2)),
    ]
