import datetime as dt

from ecom_assets.gold.agg_channel_steps import transform
from ecom_assets.gold.fact_sessions import FactSessions
from ecom_assets.gold.fact_touchpoints import FactTouchpoints
from ecom_assets_tests.samples import days, rows, run, sample

SUNDAY = dt.date(2024, 3, 10)
STEPS = ["channels", "step_from", "step_to", "steps"]


def touch(position, channel, ordered_on="2024-03-10", order_id="O"):
    return {
        "order_id": order_id,
        "position": position,
        "ordered_on": ordered_on,
        "ordered_at": f"{ordered_on} 12:00",
        "customer_id": "C",
        "session_id": f"{order_id}{position}" if channel != "unknown" else None,
        "touched_at": f"2024-03-01 0{position}:00",
        "channel": channel,
    }


def session(session_id, at, channel="direct", customer_id="C", device=None):
    return {
        "anonymous_id": device or session_id,
        "session_id": session_id,
        "started_at": at,
        "started_on": at[:10],
        "customer_id": customer_id,
        "channel": channel,
    }


def steps(touchpoints, sessions, first="2024-03-04", last="2024-03-10"):
    return run(transform, sample(FactTouchpoints, *touchpoints), sample(FactSessions, *sessions), days(first, last))


def test_an_order_has_the_journey_of_its_touchpoints():
    made = steps([touch(1, "email"), touch(2, "direct"), touch(3, "email"), touch(1, "unknown", order_id="P")], [])

    assert rows(made, "week_end", *STEPS) == [
        (SUNDAY, "direct, email", "direct", "email", 1),
        (SUNDAY, "direct, email", "email", "conversion", 1),
        (SUNDAY, "direct, email", "email", "direct", 1),
        (SUNDAY, "direct, email", "start", "email", 1),
    ]


def test_sessions_that_no_order_has_followed_yet_are_a_journey_without_conversion():
    sessions = [
        session("1", "2024-03-10 11:00"),
        session("2", "2024-03-10 13:00", "email"),
        session("3", "2024-03-09 10:00", "paid social", customer_id="D"),
        session("4", "2024-03-09 10:00", "paid social", customer_id=None),
        session("too early", "2024-02-09 10:00", "paid social", customer_id="D"),
    ]

    made = steps([touch(1, "unknown")], sessions)

    assert rows(made, *STEPS) == [
        ("email", "email", "no conversion", 1),
        ("email", "start", "email", 1),
        ("paid social", "paid social", "no conversion", 1),
        ("paid social", "start", "paid social", 1),
    ]


def test_sessions_before_a_login_are_part_of_the_customers_journey():
    sessions = [
        session("1", "2024-03-08 11:00", "paid search", customer_id=None, device="phone"),
        session("2", "2024-03-10 13:00", "direct", device="phone"),
        session("3", "2024-03-10 14:00", "email", customer_id=None, device="phone"),
        session("4", "2024-03-11 14:00", "direct", customer_id="D", device="phone"),
    ]

    assert rows(steps([], sessions), "channels", "step_from", "step_to", "steps") == [
        ("direct, paid search", "direct", "no conversion", 1),
        ("direct, paid search", "paid search", "direct", 1),
        ("direct, paid search", "start", "paid search", 1),
    ]


def test_a_session_that_completed_an_order_of_nobody_is_no_journey_of_its_own():
    made = steps([{**touch(1, "email"), "customer_id": None}], [session("O1", "2024-03-10 11:00", "email")])

    assert rows(made, "step_to", "steps") == [("conversion", 1), ("email", 1)]


def test_orders_of_the_thirty_days_up_to_a_sunday_count_and_no_others():
    ordered = [touch(1, "email", day, day) for day in ("2024-02-09", "2024-02-10", "2024-03-10", "2024-03-11")]

    assert rows(steps(ordered, []), "step_from", "steps") == [("email", 2), ("start", 2)]


def test_other_days_than_sundays_have_none():
    assert rows(steps([touch(1, "email")], [], "2024-03-11", "2024-03-16"), "steps") == []
