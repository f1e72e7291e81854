from ecom_assets.silver.events import Events, transform
from ecom_assets_tests.samples import broken_rules, rows, run, sample


def test_the_way_of_a_visit_is_read_in_any_case():
    events = sample(Events, {"utm_medium": "CPC", "device": "Mobile "})

    assert rows(run(transform, events), "utm_medium", "device") == [("cpc", "mobile")]


def test_an_event_that_completes_no_named_order_is_pointed_out():
    assert broken_rules(Events, {"event": "Order Completed"}) == ["An event that completes an order names it."]


def test_each_event_says_whether_its_agent_is_a_robot():
    agents = ["Googlebot/2.1", "Googlebot/2.1", "Mozilla/5.0 (Linux; Android 9; CUBOT_X19)", None]
    events = sample(Events, *({"event_id": str(n), "user_agent": agent} for n, agent in enumerate(agents)))

    assert rows(run(transform, events), "event_id", "is_robot") == [
        ("0", True),
        ("1", True),
        ("2", False),
        ("3", False),
    ]
