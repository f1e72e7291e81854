import datetime as dt

from ecom_assets.gold.dim_channel import transform
from ecom_assets.gold.fact_ad_spend import FactAdSpend
from ecom_assets.gold.fact_sessions import FactSessions
from ecom_assets.gold.fact_touchpoints import FactTouchpoints
from ecom_assets_tests.samples import rows, run, sample


def test_a_channel_stands_on_the_day_of_its_first_session_order_or_spend():
    sessions = sample(FactSessions, {"channel": "email", "started_on": "2024-01-02"})
    orders = sample(FactTouchpoints, {"channel": "unknown", "ordered_on": "2024-01-03"})
    spend = sample(FactAdSpend, {"channel": "email", "spend_on": "2024-01-01"})

    made = run(transform, sessions, orders, spend)

    assert rows(made, "channel", "first_seen_on") == [("email", dt.date(2024, 1, 1)), ("unknown", dt.date(2024, 1, 3))]
