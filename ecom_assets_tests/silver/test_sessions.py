import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ecom_assets.days import Window, around
from ecom_assets.feeds.events import EVENT_NAMES
from ecom_assets.landing.zone import Zone
from ecom_assets.silver.events import Events
from ecom_assets.silver.events import transform as silver_events
from ecom_assets.silver.order_completions import transform as completions
from ecom_assets.silver.purchases import transform as purchases
from ecom_assets.silver.sessions import FLAGS, FUNNEL, Sessions
from ecom_assets.silver.sessions import transform as sessions
from ecom_assets_tests.samples import collected, rows, run, run_window, sample
from ecom_assets_tests.warehouses import START, run_all, session_over, upstream_of, window

pytestmark = pytest.mark.slow

VIEW, CART, CHECKOUT, PAYMENT, PURCHASE = (
    "Product Viewed",
    "Product Added",
    "Checkout Started",
    "Payment Info Entered",
    "Order Completed",
)


def transform(events):
    return sessions(events, purchases(completions(events)))


def visit(*events):
    """Events of one visitor, numbered in order, each a moment and what else there is to say."""
    return sample(
        Events,
        *(
            {
                "event_id": f"{number:05}",
                "occurred_at": moment,
                "occurred_on": moment[:10],
                "anonymous_id": "a",
                **facts,
            }
            for number, (moment, facts) in enumerate(events)
        ),
    )


def dense(start: str, end: str, minutes: int):
    moment, last = dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end)
    count = (last - moment) // dt.timedelta(minutes=minutes) + 1
    return [(str(moment + n * dt.timedelta(minutes=minutes)), {}) for n in range(count)]


def starts(events):
    return [str(moment) for moment in rows(run(transform, events), "started_at")]


def test_a_pause_of_more_than_half_an_hour_ends_a_session():
    events = visit(("2024-01-01 10:00:00", {}), ("2024-01-01 10:30:00", {}), ("2024-01-01 11:00:00.000001", {}))

    assert starts(events) == ["2024-01-01 10:00:00", "2024-01-01 11:00:00.000001"]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_a_visit_says_of_itself_what_any_event_of_its_first_instant_says(order: list[int]) -> None:
    at_once = [
        ("2024-01-01 10:00:00", {}),
        ("2024-01-01 10:00:00", {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring"}),
        ("2024-01-01 10:00:00", {"device": "mobile"}),
    ]
    later = ("2024-01-01 10:01:00", {"utm_source": "later", "utm_medium": "email", "device": "desktop"})

    made = run(transform, visit(*(at_once[n] for n in order), later))

    said = ["channel", "utm_source", "utm_medium", "utm_campaign", "device"]
    assert rows(made, *said) == [("paid search", "google", "cpc", "spring", "mobile")]


def test_devices_do_not_share_a_session():
    events = visit(("2024-01-01 10:00:00", {"anonymous_id": "a"}), ("2024-01-01 10:01:00", {"anonymous_id": "b"}))

    assert rows(run(transform, events), "session_id") == [
        "a@2024-01-01T10:00:00.000000",
        "b@2024-01-01T10:01:00.000000",
    ]


def test_a_session_across_midnight_belongs_to_the_day_on_which_it_starts():
    events = visit(("2024-01-01 23:50:00", {}), ("2024-01-02 00:10:00", {}))

    assert rows(run(transform, events), "started_on", "event_count") == [(dt.date(2024, 1, 1), 2)]


def test_a_session_is_cut_24_hours_after_its_start():
    events = visit(*dense("2024-01-01 12:00:00", "2024-01-02 13:00:00", minutes=30))

    assert starts(events) == ["2024-01-01 12:00:00", "2024-01-02 12:00:00"]


@pytest.mark.slow
def test_a_session_of_more_than_22_hours_is_cut_at_midnight():
    long = visit(*dense("2024-01-01 01:00:00", "2024-01-02 00:20:00", minutes=20))
    shorter = visit(*dense("2024-01-01 02:00:00", "2024-01-02 00:20:00", minutes=20))

    assert starts(long) == ["2024-01-01 01:00:00", "2024-01-02 00:00:00"]
    assert starts(shorter) == ["2024-01-01 02:00:00"]


def test_robots_have_no_sessions():
    agents = ["GoogleBot/2.1", "my-crawler", "SPIDER", "curl/8.5.0"]
    events = visit(*(("2024-01-01 10:00:00", {"user_agent": agent, "anonymous_id": agent}) for agent in agents))

    assert rows(run(transform, run(silver_events, events)), "session_id") == []


def test_events_without_a_device_are_no_session():
    events = visit(
        ("2024-01-01 10:00:00", {"anonymous_id": None}),
        ("2024-01-01 10:01:00", {"anonymous_id": "a"}),
        ("2024-01-01 10:02:00", {"anonymous_id": None}),
    )

    assert rows(run(transform, events), "anonymous_id", "event_count") == [("a", 1)]


@pytest.mark.slow
def test_the_campaign_tells_shopping_and_cross_network_ads():
    def of(campaign, medium):
        by = {"utm_source": "google", "utm_medium": medium, "utm_campaign": campaign}
        return rows(run(transform, visit(("2024-01-01 10:00:00", by))), "channel")

    assert of("summer-shopping", "cpc") == ["paid shopping"]
    assert of("e-shop", "ppc") == ["paid shopping"]
    assert of("workshop", "cpc") == ["paid search"]
    assert of("cross-network-1", "cpc") == ["cross-network"]
    assert of("brand", "cpc") == ["paid search"]


def test_the_first_event_says_which_channel_brought_the_visit():
    brought = [
        (None, None, "direct"),
        ("direct", None, "direct"),
        ("google", "organic", "organic search"),
        ("www.bing.com", "referral", "organic search"),
        ("google", "cpc", "paid search"),
        ("unheard-of", "paid-search", "paid search"),
        ("unheard-of", "cpc", "paid other"),
        ("facebook", "paid_social", "paid social"),
        ("facebook_ads", "cpc", "paid social"),
        ("unheard-of", "paid-social", "paid social"),
        ("m.facebook.com", "referral", "organic social"),
        ("instagram", None, "organic social"),
        ("club", "social", "organic social"),
        ("youtube", "cpm", "paid video"),
        ("dsp", "cpm", "display"),
        ("a-blog", "banner", "display"),
        ("spring", "newsletter", "email"),
        ("spring", "e-mail", "email"),
        ("partner", "affiliate", "affiliates"),
        ("shop", "sms", "sms"),
        ("shop", "web-push", "mobile push"),
        ("podcast", "audio", "audio"),
        ("a-blog", None, "referral"),
        ("a-blog", "referral", "referral"),
        ("a-blog", "sticker", "unassigned"),
    ]
    events = []
    for device, (source, medium, _) in enumerate(brought):
        by = {"anonymous_id": f"device {device}"}
        events.append(("2024-01-01 10:00:00", {"utm_source": source, "utm_medium": medium, **by}))
        events.append(("2024-01-01 10:01:00", {"utm_source": "other", "utm_medium": "other", **by}))

    found = dict(rows(run(transform, visit(*events)), "anonymous_id", "channel"))

    assert [found[f"device {device}"] for device in range(len(brought))] == [channel for *_, channel in brought]


@pytest.mark.slow
def test_the_closed_funnel_counts_steps_in_their_order_only():
    in_order = [VIEW, CART, CHECKOUT, PAYMENT, PURCHASE]
    detours = [CART, VIEW, VIEW, CHECKOUT, CART, PAYMENT, CHECKOUT]

    def step(names):
        moments = [(f"2024-01-01 10:{minute:02}:00", {"event": name}) for minute, name in enumerate(names)]
        return rows(run(transform, visit(*moments)), "funnel_step", "has_checkout", "has_payment")

    assert step(in_order) == [(5, True, True)]
    assert step(detours) == [(3, True, True)]
    assert step([PURCHASE]) == [(0, False, False)]


def test_events_beside_the_funnel_are_kept_and_take_no_step_of_it():
    beside = [name for name in EVENT_NAMES if name not in FUNNEL]
    moments = [f"2024-01-01 10:{minute:02}:00" for minute in range(len(beside))]

    made = run(transform, visit(*((moment, {"event": name}) for moment, name in zip(moments, beside, strict=True))))

    assert {"Product List Viewed", "Product Clicked", "Promotion Viewed", "Coupon Applied"} < set(beside)
    assert rows(made, "event_count", "funnel_step", *FLAGS) == [(len(beside), 0, False, False, False, False, False)]


def test_a_session_ends_with_the_customer_last_known_and_its_first_order():
    events = visit(
        ("2024-01-01 10:00:00", {"value": "1", "event": CART, "order_id": "no order yet"}),
        ("2024-01-01 10:01:00", {"customer_id": "C1", "event": PURCHASE, "order_id": "O1", "value": "9.99"}),
        ("2024-01-01 10:02:00", {"customer_id": "C2", "event": PURCHASE, "order_id": "O2", "value": "5"}),
        ("2024-01-01 10:03:00", {}),
    )

    ended = collected(run(transform, events)).row(0, named=True)

    assert (ended["customer_id"], ended["order_id"], str(ended["order_value"])) == ("C2", "O1", "9.9900")


def test_an_order_is_bought_in_the_first_session_that_completes_it():
    events = visit(
        ("2024-01-01 10:00:00", {"event": PURCHASE, "order_id": "O1", "value": "9"}),
        ("2024-01-01 10:01:00", {"event": PURCHASE, "order_id": "O1", "value": "9"}),
        ("2024-01-02 10:00:00", {"event": PURCHASE, "order_id": "O1", "value": "9"}),
        ("2024-01-03 10:00:00", {"event": PURCHASE, "order_id": "O1", "value": "9"}),
        ("2024-01-03 10:05:00", {"event": PURCHASE, "order_id": "O2", "value": "5"}),
    )

    said = ["order_id", "order_value", "has_purchase", "event_count"]
    assert [(str(on), *row) for on, *row in rows(run(transform, events), "started_on", *said)] == [
        ("2024-01-01", "O1", Decimal(9), True, 2),
        ("2024-01-02", None, None, False, 1),
        ("2024-01-03", "O2", Decimal(5), True, 2),
    ]


def test_an_order_without_a_number_does_not_hide_one_that_has_it():
    unnamed, named = {"event": PURCHASE, "value": "3"}, {"event": PURCHASE, "order_id": "O6", "value": "7"}

    def order(*purchases):
        events = visit(*((f"2024-01-01 10:0{n}:00", purchase) for n, purchase in enumerate(purchases)))
        return rows(run(transform, events), "order_id", "order_value")

    assert order(unnamed, named) == [("O6", Decimal(7))]
    assert order({"value": "9"}, unnamed) == [(None, Decimal(3))]


BERLIN = ZoneInfo("Europe/Berlin")
HALF_AN_HOUR, A_DAY = dt.timedelta(minutes=30), dt.timedelta(hours=24)


def local_day(moment: dt.datetime) -> dt.date:
    return moment.replace(tzinfo=dt.UTC).astimezone(BERLIN).date()


def starts_by_the_rule(moments: Sequence[dt.datetime]) -> list[dt.datetime]:
    """The rule read event by event: a pause, 22 hours of the day before at midnight, each 24 hours of activity."""
    found: list[dt.datetime] = []
    previous = active_since = active_today_since = None
    for moment in moments:
        is_connected = previous is not None and moment - previous <= HALF_AN_HOUR
        is_new_day = previous is None or local_day(moment) != local_day(previous)
        is_cut = is_connected and is_new_day and previous - active_today_since > dt.timedelta(hours=22)
        if not is_connected or is_cut:
            active_since = moment
            found.append(moment)
        elif (moment - active_since) // A_DAY > (previous - active_since) // A_DAY:
            found.append(moment)
        if not is_connected or is_new_day:
            active_today_since = moment
        previous = moment
    return found


pauses = st.tuples(st.sampled_from([5, 29, 30, 31, 400]), st.integers(1, 100))
# Around the nights on which the clock in Berlin changes: a day of 23 hours and one of 25.
evenings = st.sampled_from(["2024-03-29 22:10", "2024-03-30 23:00", "2024-10-25 21:40", "2024-10-26 22:00"])


@pytest.mark.slow
@settings(max_examples=8)
@given(evening=evenings, runs=st.lists(pauses, min_size=1, max_size=5), length=st.integers(2, 3))
@example(evening="2024-03-29 22:10", runs=[(30, 200)], length=2)
@example(evening="2024-10-25 21:40", runs=[(30, 100), (31, 1), (29, 100)], length=3)
def test_days_run_alone_or_in_windows_have_the_sessions_of_the_rule(evening, runs, length):
    moments = [dt.datetime.fromisoformat(evening)]
    for minutes, repeats in runs:
        moments += [moments[-1] + (n + 1) * dt.timedelta(minutes=minutes) for n in range(repeats)]
    events = sample(
        Events,
        *(
            {"event_id": f"{number:05}", "anonymous_id": "a", "occurred_at": moment, "occurred_on": local_day(moment)}
            for number, moment in enumerate(moments)
        ),
    )
    first, last = local_day(moments[0]), local_day(moments[-1])

    def stored(window):
        made = run_window(
            transform, window, {"events": (events, "occurred_on")}, {"events": around(1, 1)}, "started_on"
        )
        return made.sort("session_id")

    whole = stored(Window(first, last))
    assert whole["started_at"].to_list() == starts_by_the_rule(moments)
    assert whole["event_count"].sum() == len(moments)
    for day in Window(first, last):
        several = stored(Window(day, day + dt.timedelta(days=length - 1)))
        alone = stored(Window(day, day))
        assert_frame_equal(alone, whole.filter(whole["started_on"] == day))
        assert_frame_equal(alone, several.filter(several["started_on"] == day))
    Sessions.validate(whole)


@pytest.mark.parametrize(
    ("way", "channel"),
    [
        ("(direct),(none),(not set)", "direct"),
        ("(Direct), (None) ,", "direct"),
        ("(not set),(not set),(not set)", "direct"),
        ("undefined,null,NaN", "direct"),
        ("news,email,(not set)", "email"),
        ("partner,(none),", "referral"),
    ],
)
def test_a_visit_that_names_nothing_in_words_is_direct(tmp_path, way, channel):
    session = session_over(Zone(tmp_path), tables=upstream_of("silver.sessions"))
    header = "event_id,occurred_at,event,anonymous_id,customer_id,device,utm_source,utm_medium,utm_campaign"
    event = f"e1,{START}T10:00:00Z,Page Viewed,v1,undefined,n/a,{way}"
    session.zone.write("events", START, "events.csv", f"{header}\n{event}\n".encode())

    run_all(session, window(1))

    found = session.con.execute("select channel, customer_id, device, utm_campaign from silver.sessions").fetchall()
    assert found == [(channel, None, "unknown", None)]
