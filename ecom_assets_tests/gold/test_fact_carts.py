import datetime as dt

from ecom_assets.gold.fact_carts import FactCarts
from ecom_assets.gold.fact_carts import transform as carts
from ecom_assets.silver.events import Events
from ecom_assets.silver.order_completions import transform as completions
from ecom_assets.silver.purchases import transform as purchases
from ecom_assets.silver.sessions import Sessions
from ecom_assets_tests.samples import collected, rows, run, sample

DAY = dt.date(2024, 1, 1)


def transform(silver_events, silver_sessions):
    return carts(silver_events, purchases(completions(silver_events)), silver_sessions)


def event(number: int, moment: str, name: str = "Product Added", **facts):
    return {
        "event_id": str(number),
        "event": name,
        "occurred_at": moment,
        "occurred_on": moment[:10],
        "cart_id": "B",
        "anonymous_id": "V",
        **facts,
    }


SESSION = {"anonymous_id": "V", "started_at": "2024-01-01 09:00", "ended_at": "2024-01-01 11:00", "channel": "email"}


def test_a_cart_bought_within_24_hours_is_not_abandoned():
    events = sample(
        Events,
        event(1, "2024-01-01 10:00"),
        event(2, "2024-01-01 10:30"),
        event(3, "2024-01-02 09:59:59", "Order Completed"),
        event(4, "2024-01-01 10:00", cart_id="late"),
        event(5, "2024-01-02 10:00", "Order Completed", cart_id="late"),
        event(6, "2024-01-01 10:00", "Product Viewed", cart_id="seen"),
    )

    made = run(transform, events, sample(Sessions, SESSION))

    assert rows(made, "cart_id", "created_at", "channel", "is_purchased") == [
        ("B", dt.datetime.fromisoformat("2024-01-01 10:00"), "email", True),
        ("late", dt.datetime.fromisoformat("2024-01-01 10:00"), "email", False),
    ]
    FactCarts.validate(collected(made))


def test_a_cart_in_use_the_day_before_is_no_new_one():
    events = sample(
        Events,
        event(1, "2023-12-31 23:50"),
        event(2, "2024-01-01 10:00"),
        event(3, "2024-01-01 10:00", cart_id="rested"),
        event(4, "2023-12-30 10:00", cart_id="rested"),
    )

    made = run(transform, events, sample(Sessions, SESSION))

    assert [key for key in rows(made, "created_on", "cart_id") if key[0] == DAY] == [(DAY, "rested")]


def test_a_cart_that_is_only_looked_at_before_midnight_is_created_by_what_is_put_into_it():
    events = sample(Events, event(1, "2023-12-31 23:58", "Cart Viewed"), event(2, "2024-01-01 10:00"))

    made = run(transform, events, sample(Sessions, SESSION))

    assert rows(made, "cart_id", "created_on") == [("B", DAY)]


def test_an_order_that_names_no_cart_buys_the_one_its_visitor_last_put_something_into():
    events = sample(
        Events,
        event(1, "2024-01-01 10:00", cart_id="left"),
        event(2, "2024-01-01 10:10", cart_id="bought"),
        event(3, "2024-01-01 10:20", cart_id=None),
        event(4, "2024-01-01 10:20", cart_id="another's", anonymous_id="W"),
        event(5, "2024-01-01 10:30", "Order Completed", cart_id=None),
        event(6, "2024-01-01 10:40", cart_id="later"),
    )

    made = run(transform, events, sample(Sessions, SESSION, {**SESSION, "anonymous_id": "W"}))

    assert rows(made, "cart_id", "is_purchased") == [
        ("another's", False),
        ("bought", True),
        ("later", False),
        ("left", False),
    ]


def test_an_order_completed_before_buys_no_cart():
    events = sample(
        Events,
        event(1, "2024-01-01 09:10", cart_id="bought"),
        event(2, "2024-01-01 09:20", "Order Completed", cart_id=None, order_id="O1"),
        event(3, "2024-01-01 09:30", cart_id="left"),
        event(4, "2024-01-01 09:40", "Order Completed", cart_id=None, order_id="O1"),
        event(5, "2024-01-01 09:50", cart_id="named"),
        event(6, "2024-01-01 10:00", "Order Completed", cart_id="named", order_id="O1"),
    )

    made = run(transform, events, sample(Sessions, SESSION))

    assert rows(made, "cart_id", "is_purchased") == [("bought", True), ("left", False), ("named", False)]


def test_a_purchase_by_the_servers_clock_buys_a_cart_of_a_clock_that_is_ahead():
    def is_bought(at, **facts):
        events = sample(Events, event(1, "2024-01-01 10:00"), event(2, at, "Order Completed", **facts))
        made = run(transform, events, sample(Sessions, SESSION))
        FactCarts.validate(collected(made))
        return rows(made, "is_purchased")

    assert is_bought("2024-01-01 09:45", anonymous_id=None) == [True]
    assert is_bought("2024-01-01 09:44", anonymous_id=None) == [False]
    assert is_bought("2024-01-01 09:59") == [False]


def test_robots_have_no_cart_and_buy_none():
    events = sample(
        Events,
        event(1, "2024-01-01 10:00"),
        event(2, "2024-01-01 10:01", cart_id="robot's", is_robot=True),
        event(3, "2024-01-01 10:02", "Order Completed", is_robot=True),
        event(4, "2024-01-01 10:03", cart_id="without session", anonymous_id="W"),
    )

    made = run(transform, events, sample(Sessions, SESSION))

    assert rows(made, "cart_id", "is_purchased") == [("B", False)]


def test_an_order_does_not_buy_a_cart_made_by_another_after_its_visitor_left_the_older_one_of_that_number():
    events = sample(
        Events,
        event(1, "2023-12-29 10:00", anonymous_id="W"),
        event(2, "2024-01-01 10:00"),
        event(3, "2024-01-01 10:30", "Order Completed", cart_id=None, anonymous_id="W"),
    )

    made = run(transform, events, sample(Sessions, SESSION))

    assert rows(made, "created_on", "is_purchased") == [(DAY, False)]


def test_an_event_without_a_device_buys_only_the_cart_that_it_names_and_creates_none():
    unknown = {"anonymous_id": None}
    events = sample(
        Events,
        event(1, "2024-01-01 09:10", cart_id="named"),
        event(2, "2024-01-01 09:20", cart_id="last"),
        event(3, "2024-01-01 09:30", cart_id="of nobody", **unknown),
        event(4, "2024-01-01 09:40", "Order Completed", cart_id="named", **unknown),
        event(5, "2024-01-01 09:50", "Order Completed", cart_id=None, **unknown),
    )

    made = run(transform, events, sample(Sessions, SESSION))

    assert rows(made, "cart_id", "is_purchased") == [("last", False), ("named", True)]
