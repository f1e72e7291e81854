import datetime as dt
from decimal import Decimal

from ecom_assets.days import Window
from ecom_assets.gold.fact_ad_spend import FactAdSpend
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.gold.fact_shipments import FactShipments
from ecom_assets.kpi.daily_margin import DailyMargin, asset, transform
from ecom_assets.kpi.daily_payments import DailyPayments
from ecom_assets.kpi.daily_sales import DailySales
from ecom_assets_tests.samples import collected, days, rows, run, sample

FIRST, SECOND = dt.date(2024, 1, 1), dt.date(2024, 1, 2)


def test_what_is_left_after_all_costs_of_the_day():
    made = run(
        transform,
        sample(DailySales, {"channel": "web", "net_sales": "60"}, {"channel": "app", "net_sales": "40"}),
        sample(
            FactSales,
            {"is_valid": True, "cost": "30", "quantity": 2},
            {"is_valid": True, "cost": None, "quantity": 3},
            {"is_valid": False, "cost": "99", "quantity": 1},
            {"is_valid": True, "status": "cancelled", "cost": "60", "quantity": 1},
            {"is_valid": True, "status": "cancelled", "cost": None, "quantity": 1},
        ),
        sample(FactShipments, {"cost": "7"}, {"cost": "3"}, {"ordered_on": "2024-01-03", "cost": "99"}),
        sample(DailyPayments, {"method": "card", "fees": "2"}, {"method": "paypal", "fees": "3"}),
        sample(FactAdSpend, {"spend_on": "2024-01-01", "spend": "5"}, {"spend_on": "2024-01-02", "spend": "4"}),
        days(FIRST, SECOND),
    )

    costs = ["day", "cost_of_goods", "shipping_cost", "payment_fees", "marketing", "units_of_unknown_cost"]
    assert rows(made, *costs) == [
        (FIRST, Decimal(30), Decimal(10), Decimal(5), Decimal(5), 3),
        (SECOND, Decimal(0), Decimal(0), Decimal(0), Decimal(4), 0),
    ]
    assert rows(made, "day", "contribution_margin", "contribution_margin_share") == [
        (FIRST, Decimal(50), 0.5),
        (SECOND, Decimal(-4), None),
    ]
    DailyMargin.validate(collected(made))


def test_a_day_is_provisional_until_its_shipments_have_left():
    reaches = {read.table: read.reach for read in asset.reads}
    day, calendar = Window(FIRST, FIRST), Window(FIRST, dt.date(2024, 12, 31))

    assert reaches["gold.fact_shipments"].window(day, calendar) == Window(FIRST, dt.date(2024, 1, 29))
