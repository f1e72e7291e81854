from decimal import Decimal

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.kpi.attribution import Attribution
from ecom_assets.kpi.daily_acquisition import DailyAcquisition, transform
from ecom_assets.kpi.daily_marketing import DailyMarketing
from ecom_assets.silver.ad_spend import AdSpend
from ecom_assets_tests.samples import broken_rules, rows, run, sample


def test_all_revenue_stands_against_all_spend():
    made = run(
        transform,
        sample(AdSpend, {"spend": "10"}),
        sample(FactSales, {"is_valid": True, "net_amount": "50"}, {"order_id": "void", "net_amount": "9"}),
        sample(AggCustomerMetrics, {"new_orders": 1}, {"customer_id": "b", "new_orders": 1}),
        sample(Attribution, {"model": "first", "revenue": "50"}, {"model": "last", "revenue": "50"}),
        sample(DailyMarketing, {"spend": "4"}, {"channel": "b", "spend": "6"}),
    )

    assert rows(made, "revenue", "spend", "reported_spend", "new_customers", "cac", "mer") == [
        (Decimal(50), Decimal(10), Decimal(10), 2, 5.0, 5.0)
    ]
    assert rows(made, "least_attributed", "most_attributed") == [(Decimal(50), Decimal(50))]


def test_a_day_on_which_spend_or_revenue_got_lost_is_refused():
    good = dict.fromkeys(("spend", "reported_spend", "revenue", "least_attributed", "most_attributed"), "10")

    assert broken_rules(DailyAcquisition, good) == []
    assert broken_rules(DailyAcquisition, {**good, "reported_spend": "11"}) == [
        "The spend of all channels and campaigns is what was reported."
    ]
    assert broken_rules(DailyAcquisition, {**good, "least_attributed": "9"}) == [
        "By each model, the revenue of all channels and campaigns is the revenue of the orders."
    ]
