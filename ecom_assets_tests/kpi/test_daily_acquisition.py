from decimal import Decimal

import pytest

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.kpi._attribution import MODELS
from ecom_assets.kpi.attribution import Attribution
from ecom_assets.kpi.daily_acquisition import DailyAcquisition, transform
from ecom_assets.kpi.daily_marketing import DailyMarketing
from ecom_assets.silver.ad_spend import AdSpend
from ecom_assets_tests.samples import broken_rules, collected, days, rows, run, sample

SHARED = "By each model, the revenue of all channels and campaigns is the revenue of the orders."
SHARED_ORDERS = "By each model, the parts of orders of all channels and campaigns are as many as the orders."


def made(*credits):
    return run(
        transform,
        sample(AdSpend, {"spend": "10"}),
        sample(
            FactSales,
            {"is_valid": True, "net_amount": "30", "is_first_line": True},
            {"is_valid": True, "net_amount": "20", "line_number": 2},
            {"order_id": "void", "net_amount": "9", "is_first_line": True},
        ),
        sample(AggCustomerMetrics, {"new_orders": 1}, {"customer_id": "b", "new_orders": 1}),
        sample(Attribution, *credits),
        sample(DailyMarketing, {"spend": "4"}, {"channel": "b", "spend": "6"}),
        days("2024-01-01"),
    )


def credit(model, **other):
    return {"model": model, "revenue": "50", "orders": "1", **other}


def test_all_revenue_stands_against_all_spend():
    day = made(*(credit(model) for model in MODELS))

    assert rows(day, "revenue", "orders", "spend", "reported_spend", "new_customers", "cac", "mer") == [
        (Decimal(50), 1, Decimal(10), Decimal(10), 2, 5.0, 5.0)
    ]
    assert rows(day, "least_attributed", "most_attributed") == [(Decimal(50), Decimal(50))]
    DailyAcquisition.validate(collected(day))


def test_a_day_of_refunds_alone_is_no_row():
    none = [sample(model) for model in (AdSpend, FactSales)]

    made = run(
        transform,
        *none,
        sample(AggCustomerMetrics, {"returns": "3"}),
        sample(Attribution),
        sample(DailyMarketing),
        days("2024-01-01"),
    )

    assert rows(made, "day") == []


@pytest.mark.parametrize(
    ("last", "broken"),
    [
        ([], [SHARED, SHARED_ORDERS]),
        ([credit("shapley", revenue="49")], [SHARED]),
        ([credit("shapley", orders="0.9999")], [SHARED_ORDERS]),
        ([credit("shapley"), credit("shapley", channel="b", revenue="0", orders="0.5")], [SHARED_ORDERS]),
    ],
)
def test_a_model_that_shares_less_or_more_than_the_orders_is_refused(last, broken):
    assert MODELS[-1] == "shapley"
    [day] = collected(made(*(credit(model) for model in MODELS[:-1]), *last)).iter_rows(named=True)

    assert broken_rules(DailyAcquisition, day) == broken


def test_a_day_on_which_spend_got_lost_is_refused():
    good = dict.fromkeys(("spend", "reported_spend"), "10")

    assert broken_rules(DailyAcquisition, good) == []
    assert broken_rules(DailyAcquisition, {**good, "reported_spend": "11"}) == [
        "The spend of all channels and campaigns is what was reported."
    ]
