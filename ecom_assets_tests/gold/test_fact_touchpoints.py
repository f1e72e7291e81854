import datetime as dt
from decimal import Decimal

from polars.testing import assert_frame_equal

from ecom_assets.days import Window
from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.gold.fact_sessions import FactSessions
from ecom_assets.gold.fact_touchpoints import MAX_TOUCHPOINTS, REACH, FactTouchpoints, transform
from ecom_assets.silver.session_orders import SessionOrders
from ecom_assets_tests.samples import collected, rows, run, run_window, sample

DAY = "2024-03-10"


def sale(order_id, at=f"{DAY} 12:00", **facts):
    return {
        "order_id": order_id,
        "ordered_at": at,
        "ordered_on": at[:10],
        "customer_id": "C",
        "is_valid": True,
        **facts,
    }


def session(session_id, at, **facts):
    known = {"customer_id": "C", "campaign": "none"}
    return {"session_id": session_id, "started_at": at, "started_on": str(at)[:10], **known, **facts}


def touched(sales, sessions, metrics=(), completed=()):
    """`completed` are pairs of a session and an order."""
    return run(
        transform,
        sample(FactSales, *sales),
        sample(AggCustomerMetrics, *metrics),
        sample(FactSessions, *sessions),
        sample(
            SessionOrders, *({"session_id": session_id, "order_id": order_id} for session_id, order_id in completed)
        ),
    )


def test_the_sessions_of_thirty_days_before_an_order_are_its_touchpoints_in_order():
    sessions = [
        session("3", f"{DAY} 12:00", channel="direct"),
        session("2", "2024-02-10 00:00", channel="email", campaign="weekly"),
        session("too early", "2024-02-09 23:59"),
        session("too late", f"{DAY} 12:01"),
        session("somebody else's", f"{DAY} 10:00", customer_id="D"),
    ]

    made = touched([sale("O", net_amount="7"), sale("O", net_amount="3", line_number=2)], sessions)

    assert rows(made, "position", "touchpoints", "session_id", "channel", "campaign", "revenue") == [
        (1, 2, "2", "email", "weekly", Decimal(10)),
        (2, 2, "3", "direct", "none", Decimal(10)),
    ]


def test_a_session_leads_to_each_order_after_it():
    sessions = [session("1", f"{DAY} 09:00"), session("2", f"{DAY} 13:00")]

    made = touched([sale("A"), sale("B", f"{DAY} 14:00")], sessions)

    assert rows(made, "order_id", "session_id") == [("A", "1"), ("B", "1"), ("B", "2")]


def test_a_guest_is_known_by_the_session_that_completed_the_order():
    sessions = [
        session("1", f"{DAY} 11:00", customer_id=None, channel="paid social"),
        session("2", f"{DAY} 10:00", customer_id=None),
    ]

    made = touched([sale("O", customer_id=None)], sessions, completed=[("1", "O")])

    assert rows(made, "session_id", "channel") == [("1", "paid social")]


def test_a_session_that_completed_two_orders_leads_to_both():
    guest = session("1", f"{DAY} 11:00", customer_id=None, channel="paid social")

    made = touched([sale("A", customer_id=None), sale("B")], [guest], completed=[("1", "A"), ("1", "B")])

    assert rows(made, "order_id", "session_id") == [("A", "1"), ("B", "1")]


def test_a_session_known_both_ways_counts_once():
    made = touched([sale("O")], [session("1", f"{DAY} 11:00")], completed=[("1", "O")])

    assert rows(made, "session_id") == ["1"]


def test_the_session_that_completed_the_order_is_its_last_touchpoint_whatever_its_clock_says():
    sessions = [
        session("ahead", f"{DAY} 12:04", channel="paid search"),
        session("before", f"{DAY} 11:59", channel="direct"),
        session("not completing", f"{DAY} 12:03", channel="email"),
    ]

    made = touched([sale("O")], sessions, completed=[("ahead", "O")])

    assert rows(made, "position", "session_id") == [(1, "before"), (2, "ahead")]


def test_a_clock_may_be_ahead_over_midnight_for_a_quarter_of_an_hour():
    at = "2024-03-10 23:58"

    def sessions_of(*moments):
        sessions = [session(moment, moment, customer_id=None, channel="direct") for moment in moments]
        made = touched([sale("O", at)], sessions, completed=[(moment, "O") for moment in moments])
        FactTouchpoints.validate(collected(made))
        return rows(made, "session_id")

    assert sessions_of("2024-03-11 00:02") == ["2024-03-11 00:02"]
    assert sessions_of("2024-03-11 00:13", "2024-03-11 00:14") == ["2024-03-11 00:13"]


def test_an_order_with_a_bare_day_is_completed_by_a_session_of_that_day():
    evening = session("1", f"{DAY} 20:00", customer_id=None)

    made = touched([sale("O", f"{DAY} 00:00")], [evening], completed=[("1", "O")])

    assert rows(made, "session_id") == ["1"]


def test_an_order_without_a_known_session_has_one_touchpoint_of_an_unknown_channel():
    made = touched([sale("O"), sale("void", is_valid=False)], [])

    assert rows(made, "order_id", "position", "session_id", "channel", "campaign") == [
        ("O", 1, None, "unknown", "none")
    ]


def test_of_very_many_sessions_the_last_ones_count():
    start = dt.datetime.fromisoformat(f"{DAY} 00:00")
    sessions = [session(f"{n:03}", start + dt.timedelta(minutes=n)) for n in range(MAX_TOUCHPOINTS + 2)]

    made = touched([sale("O")], sessions)

    assert rows(made, "position") == list(range(1, MAX_TOUCHPOINTS + 1))
    assert rows(made, "session_id")[0] == "002"
    assert set(rows(made, "touchpoints")) == {MAX_TOUCHPOINTS}


def test_the_first_order_of_the_first_day_is_new():
    sales = [sale("A", f"{DAY} 12:00"), sale("B", f"{DAY} 11:00"), sale("C", customer_id="D")]
    metrics = [{"day": DAY, "customer_id": "C", "new_orders": 1}, {"day": DAY, "customer_id": "D", "new_orders": 0}]

    assert rows(touched(sales, [], metrics), "order_id", "is_new") == [("A", False), ("B", True), ("C", False)]


def test_days_run_alone_or_together_make_the_same_rows():
    moments = [dt.datetime.fromisoformat("2024-01-20 10:00") + dt.timedelta(days=7 * n, hours=n) for n in range(9)]
    sales = sample(FactSales, *(sale(f"O{n}", str(at)[:16]) for n, at in enumerate(moments)))
    sessions = sample(FactSessions, *(session(f"S{n}", at - dt.timedelta(hours=26)) for n, at in enumerate(moments)))
    all_days = Window(dt.date(2024, 1, 18), dt.date(2024, 3, 20))

    def stored(window):
        inputs = {
            "gold_fact_sales": (sales, "ordered_on"),
            "gold_agg_customer_metrics": (sample(AggCustomerMetrics), "day"),
            "gold_fact_sessions": (sessions, "started_on"),
            "silver_session_orders": (sample(SessionOrders), "started_on"),
        }
        reads = dict.fromkeys(["gold_fact_sessions", "silver_session_orders"], REACH)
        return run_window(transform, window, inputs, reads, "ordered_on").sort("order_id", "position")

    together = stored(all_days)
    assert together["touchpoints"].max() > 1
    for day in all_days:
        assert_frame_equal(stored(Window(day, day)), together.filter(together["ordered_on"] == day))
