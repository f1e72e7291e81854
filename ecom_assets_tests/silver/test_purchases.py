"""Purchases: which of the events that complete an order is the one by which it was bought."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ecom_assets.days import Window, history
from ecom_assets.silver.events import Events
from ecom_assets.silver.order_completions import OrderCompletions
from ecom_assets.silver.order_completions import transform as completions
from ecom_assets.silver.purchases import Purchases, transform
from ecom_assets_tests.samples import collected, rows, run, run_window, sample

FIRST = dt.date(2024, 1, 1)


def completion(event_id, moment, order_id="O", **facts):
    at = {"occurred_at": moment, "occurred_on": str(moment)[:10]}
    return {"event_id": event_id, "event": "Order Completed", "order_id": order_id, "anonymous_id": "a", **at, **facts}


def bought(*events):
    return rows(run(transform, run(completions, sample(Events, *events))), "order_id", "event_id", "cart_id")


def test_the_first_event_that_completes_an_order_is_its_purchase():
    events = [
        completion("3", "2024-01-01 10:00"),
        completion("2", "2024-01-01 10:00"),
        completion("1", "2024-01-01 10:01"),
        completion("0", "2024-01-02 09:00"),
        completion("of a cart", "2023-12-31 09:00", event="Product Added"),
        completion("without a number", "2023-12-31 09:00", order_id=None),
        completion("robot", "2023-12-31 09:00", is_robot=True),
    ]

    assert bought(*events) == [("O", "2", None)]


def test_what_the_server_reports_gives_way_to_an_event_of_the_day_with_a_device():
    by_server = completion("1", "2024-01-01 10:00", anonymous_id=None, cart_id="K")

    assert bought(by_server, completion("2", "2024-01-01 10:05")) == [("O", "2", "K")]
    assert bought(by_server, completion("2", "2024-01-02 10:05")) == [("O", "1", "K")]


_completions = st.builds(
    lambda day, hour, order, device: (
        dt.datetime.combine(FIRST, dt.time(hour)) + dt.timedelta(days=day),
        order,
        device,
    ),
    st.integers(0, 4),
    st.integers(8, 10),
    st.sampled_from(["O1", "O2"]),
    st.sampled_from(["a", "b", None]),
)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.lists(_completions, max_size=8))
def test_an_order_is_bought_once_whether_days_run_alone_or_together(drawn):
    events = sample(
        Events,
        *(completion(str(n), at, order, anonymous_id=device) for n, (at, order, device) in enumerate(drawn)),
    )
    by_day = completions(events)
    inputs = {"silver_order_completions": (by_day, "occurred_on")}

    def stored(window):
        reads = {"silver_order_completions": history}
        return run_window(transform, window, inputs, reads, "occurred_on").sort("order_id")

    together = stored(Window(FIRST, FIRST + dt.timedelta(days=4)))

    OrderCompletions.validate(collected(by_day))
    Purchases.validate(together)
    assert together["order_id"].to_list() == sorted({order for _, order, _ in drawn})
    for order, on in zip(together["order_id"], together["occurred_on"], strict=True):
        assert on == min(at.date() for at, of, _ in drawn if of == order)
    for day in Window(FIRST, FIRST + dt.timedelta(days=4)):
        assert_frame_equal(stored(Window(day, day)), together.filter(together["occurred_on"] == day))
