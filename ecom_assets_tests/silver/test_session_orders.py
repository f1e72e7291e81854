import datetime as dt

import pytest

from ecom_assets.silver.events import Events
from ecom_assets.silver.events import transform as silver_events
from ecom_assets.silver.order_completions import transform as completions
from ecom_assets.silver.purchases import transform as purchases
from ecom_assets.silver.session_orders import transform as session_orders
from ecom_assets.silver.sessions import transform as sessions
from ecom_assets_tests.samples import rows, run, sample

PURCHASE = "Order Completed"


def transform(events):
    return session_orders(events, purchases(completions(events)))


def event(moment, number, **facts):
    return {
        "event_id": f"{number:05}",
        "occurred_at": moment,
        "occurred_on": moment[:10],
        "anonymous_id": "a",
        **facts,
    }


@pytest.mark.slow
def test_a_session_has_each_order_that_was_completed_in_it_once():
    events = sample(
        Events,
        event("2024-01-01 23:50", 1, event="Product Viewed"),
        event("2024-01-02 00:10", 2, event=PURCHASE, order_id="A"),
        event("2024-01-02 00:11", 3, event=PURCHASE, order_id="A"),
        event("2024-01-02 00:12", 4, event=PURCHASE, order_id=None),
        event("2024-01-02 00:20", 5, event=PURCHASE, order_id="B"),
        event("2024-01-02 00:20", 6, event="Product Added", order_id="no purchase"),
        event("2024-01-02 02:00", 7, event=PURCHASE, order_id="C"),
    )

    made = run(transform, events)

    first, second = "@2024-01-01T23:50:00.000000", "@2024-01-02T02:00:00.000000"
    found = [(*row, str(at)) for *row, at in rows(made, "session_id", "order_id", "started_on", "completed_at")]
    visitor = found[0][0].partition("@")[0]
    assert found == [
        (f"{visitor}{first}", "A", dt.date(2024, 1, 1), "2024-01-02 00:10:00"),
        (f"{visitor}{first}", "B", dt.date(2024, 1, 1), "2024-01-02 00:20:00"),
        (f"{visitor}{second}", "C", dt.date(2024, 1, 2), "2024-01-02 02:00:00"),
    ]
    assert {row[0] for row in found} == set(
        rows(run(sessions, events, run(purchases, run(completions, events))), "session_id")
    )


def test_an_order_is_completed_in_one_session():
    events = sample(
        Events,
        event("2024-01-01 10:00", 1, event=PURCHASE, order_id="A", anonymous_id="b"),
        event("2024-01-01 09:59", 2, event=PURCHASE, order_id="A"),
        event("2024-01-03 10:00", 3, event=PURCHASE, order_id="A"),
    )

    assert rows(run(transform, events), "session_id") == ["a@2024-01-01T09:59:00.000000"]


@pytest.mark.parametrize("agent", ["a crawler", "Bot"])
def test_robots_order_nothing(agent):
    events = sample(Events, event("2024-01-01 10:00", 1, event=PURCHASE, order_id="A", user_agent=agent))

    assert rows(run(transform, run(silver_events, events)), "order_id") == []
