import datetime as dt

from ecom_assets.gold.agg_channel_days import transform
from ecom_assets.gold.fact_ad_spend import FactAdSpend
from ecom_assets.gold.fact_sessions import FactSessions
from ecom_assets.gold.fact_touchpoints import FactTouchpoints
from ecom_assets_tests.samples import rows, run, sample


def test_a_session_an_order_or_spend_puts_a_channel_on_a_day_once():
    sessions = sample(FactSessions, *[{"channel": "email", "started_on": "2024-01-02"}] * 2)
    orders = sample(FactTouchpoints, {"channel": "unknown", "ordered_on": "2024-01-03"})
    spend = sample(
        FactAdSpend, *({"channel": "email", "spend_on": f"2024-01-0{day}", "campaign_id": f"{day}"} for day in (1, 2))
    )

    made = run(transform, sessions, orders, spend)

    assert rows(made, "day", "channel") == [
        (dt.date(2024, 1, 1), "email"),
        (dt.date(2024, 1, 2), "email"),
        (dt.date(2024, 1, 3), "unknown"),
    ]
