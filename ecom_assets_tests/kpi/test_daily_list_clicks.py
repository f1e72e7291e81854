from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.feeds.events import EVENT_NAMES
from ecom_assets.kpi.daily_list_clicks import transform
from ecom_assets.silver.events import Events
from ecom_assets_tests.samples import rows, run, sample


def test_lists_and_promotions_are_seen_and_clicked():
    events = [
        {"event": "Product List Viewed", "list_id": "lamps"},
        {"event": "Product List Viewed", "list_id": "lamps"},
        {"event": "Product List Viewed", "list_id": "lamps", "is_robot": True},
        {"event": "Product Clicked", "list_id": "lamps", "promotion_id": "sale"},
        {"event": "Promotion Viewed", "promotion_id": "sale", "list_id": "lamps"},
        {"event": "Promotion Clicked", "promotion_id": None},
        {"event": "Product Viewed", "list_id": "lamps"},
    ]

    made = run(transform, sample(Events, *({"event_id": str(n), **event} for n, event in enumerate(events))))

    assert rows(made, "kind", "list_id", "views", "clicks", "click_through_rate") == [
        ("list", "lamps", 2, 1, 0.5),
        ("promotion", "(none)", 0, 1, None),
        ("promotion", "sale", 1, 0, 0.0),
    ]


events = st.fixed_dictionaries(
    {"event": st.sampled_from(EVENT_NAMES), "is_robot": st.booleans(), "list_id": st.sampled_from([None, "A", "B"])}
)


@settings(max_examples=20, deadline=None)
@given(st.lists(events, max_size=30))
def test_every_view_and_click_of_a_person_is_counted_once(given_):
    made = run(transform, sample(Events, *({"event_id": str(n), **event} for n, event in enumerate(given_))))

    seen = Counter(event["event"] for event in given_ if not event["is_robot"])
    assert sum(rows(made, "views")) == seen["Product List Viewed"] + seen["Promotion Viewed"]
    assert sum(rows(made, "clicks")) == seen["Product Clicked"] + seen["Promotion Clicked"]
