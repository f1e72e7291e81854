from ecom_assets.gold.fact_sessions import FactSessions
from ecom_assets.kpi.daily_funnel import DailyFunnel, transform
from ecom_assets_tests.samples import collected, rows, run, sample


def test_the_open_funnel_counts_steps_that_the_closed_one_leaves_out():
    sessions = sample(
        FactSessions,
        {"has_view": True, "has_cart": True, "funnel_step": 2},
        {"has_cart": True, "has_purchase": True},
        {},
        {"device": "mobile"},
    )

    made = run(transform, sessions)

    assert rows(made, "device", "sessions", "conversion_rate") == [("a", 3, 1 / 3), ("mobile", 1, 0.0)]
    assert rows(made, "closed_view", "closed_cart", "open_cart", "open_purchase") == [(0, 0, 0, 0), (1, 1, 2, 1)]
    DailyFunnel.validate(collected(made))
