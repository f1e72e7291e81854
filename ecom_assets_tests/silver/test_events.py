from ecom_assets.silver.events import Events, transform
from ecom_assets_tests.samples import broken_rules, rows, run, sample


def test_the_way_of_a_visit_is_read_in_any_case():
    events = sample(Events, {"utm_medium": "CPC", "device": "Mobile "})

    assert rows(run(transform, events), "utm_medium", "device") == [("cpc", "mobile")]


def test_an_event_that_completes_no_named_order_is_pointed_out():
    assert broken_rules(Events, {"event": "Order Completed"}) == ["An event that completes an order names it."]
