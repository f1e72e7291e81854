from decimal import Decimal

import narwhals as nw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.gold.fact_touchpoints import FactTouchpoints
from ecom_assets.kpi._attribution import MODELS
from ecom_assets.kpi.attribution import credits, transform
from ecom_assets.kpi.weekly_channel_weights import WeeklyChannelWeights
from ecom_assets_tests.samples import collected, days, rows, run, sample

DAY = "2024-03-10"


def touchpoints(*channels, order_id="O", revenue="100", moments=None, **facts):
    """The touchpoints of an order, by channel; the last one at the moment of the order."""
    return [
        {
            "order_id": order_id,
            "position": position,
            "touchpoints": len(channels),
            "ordered_on": DAY,
            "ordered_at": f"{DAY} 12:00",
            "touched_at": moments[position - 1] if moments else f"{DAY} 12:00",
            "session_id": f"{order_id}{position}",
            "revenue": revenue,
            "channel": channel,
            "campaign": "none",
            **facts,
        }
        for position, channel in enumerate(channels, start=1)
    ]


def weight(channel, removal_effect, shapley_value=0.0, week_end=DAY):
    return {
        "week_end": week_end,
        "channel": channel,
        "removal_effect": removal_effect,
        "shapley_value": shapley_value,
    }


def attributed(touched, weights=()):
    return run(transform, sample(FactTouchpoints, *touched), sample(WeeklyChannelWeights, *weights), days(DAY))


def revenue(made, model):
    return {
        channel: amount for of, channel, amount in rows(made, "model", "channel", "revenue") if of == model and amount
    }


PATH = ["paid social", "organic search", "email", "direct"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "shares"),
    [
        ("first", {"paid social": "100"}),
        ("last", {"direct": "100"}),
        ("last_non_direct", {"email": "100"}),
        ("linear", {"paid social": "25", "organic search": "25", "email": "25", "direct": "25"}),
        ("position_based", {"paid social": "40", "organic search": "10", "email": "10", "direct": "40"}),
    ],
)
def test_four_touchpoints_share_as_the_rule_says(model, shares):
    assert revenue(attributed(touchpoints(*PATH)), model) == {name: Decimal(share) for name, share in shares.items()}


@pytest.mark.parametrize(
    ("path", "shares"),
    [
        (["email"], {"email": 100}),
        (["email", "direct"], {"email": 50, "direct": 50}),
        (["email", "paid social", "direct"], {"email": 40, "paid social": 20, "direct": 40}),
    ],
)
def test_up_to_three_touchpoints_share_by_their_position(path, shares):
    assert revenue(attributed(touchpoints(*path)), "position_based") == shares


@pytest.mark.slow
def test_each_week_before_the_order_halves_the_weight():
    moments = [f"{day} 12:00" for day in ("2024-02-25", "2024-03-03", "2024-03-10")]

    made = attributed(touchpoints("paid social", "email", "direct", revenue="70", moments=moments))

    assert revenue(made, "time_decay") == {"paid social": 10, "email": 20, "direct": 40}


JOURNEYS = [["paid search"], ["paid search"], ["email"], ["paid search", "email"]]
"""Puzyrov (2019), as in test_weekly_channel_weights; without the journey that ends in no order."""


def test_shapley_credits_of_all_orders_sum_to_the_shapley_values():
    orders = [touchpoints(*path, order_id=str(n), revenue="1") for n, path in enumerate(JOURNEYS)]
    weights = [weight("paid search", 0.75, 2.5), weight("email", 0.5, 1.5)]

    made = attributed([touch for order in orders for touch in order], weights)

    assert revenue(made, "shapley") == {"paid search": Decimal("2.5"), "email": Decimal("1.5")}
    assert revenue(made, "markov") == {"paid search": Decimal("2.6"), "email": Decimal("1.4")}


def test_a_channel_does_not_gain_by_coming_twice():
    made = attributed(
        touchpoints("email", "email", "paid social", revenue="3"), [weight("email", 0.4), weight("paid social", 0.2)]
    )

    assert revenue(made, "markov") == {"email": 2, "paid social": 1}


@pytest.mark.slow
def test_the_weights_of_the_last_sunday_count():
    weights = [weight("email", 0.9), weight("paid social", 0.1), weight("email", 0.1, week_end="2024-03-03")]

    assert revenue(attributed(touchpoints("email", "paid social"), weights), "markov") == {
        "email": 90,
        "paid social": 10,
    }


@pytest.mark.parametrize("model", ["markov", "shapley"])
def test_without_weights_channels_share_equally_however_many_campaigns_they_have(model):
    first, second, social = touchpoints("email", "email", "paid social", revenue="6")

    made = attributed([{**first, "campaign": "a"}, {**second, "campaign": "b"}, social])

    shares = [row[1:] for row in rows(made, "model", "channel", "campaign", "revenue") if row[0] == model]
    assert shares == [("email", "a", Decimal("1.5")), ("email", "b", Decimal("1.5")), ("paid social", "none", 3)]


def test_only_direct_visits_and_unknown_ones_keep_their_order_in_every_model():
    orders = touchpoints("direct", "direct") + touchpoints("unknown", order_id="P", revenue="7")

    made = attributed(orders)

    for model in MODELS:
        assert revenue(made, model) == {"direct": 100, "unknown": 7}


def test_orders_of_new_customers_are_counted_apart():
    orders = touchpoints("email", "direct", is_new=True) + touchpoints("email", order_id="P", revenue="7")

    made = attributed(orders)

    columns = ["model", "channel", "orders", "new_orders", "new_revenue"]
    linear = [row[1:] for row in rows(made, *columns) if row[0] == "linear"]
    half = Decimal("0.5")
    assert linear == [("direct", half, half, Decimal(50)), ("email", 1 + half, half, Decimal(50))]


channels = st.sampled_from(["direct", "email", "paid social"])
paths = st.lists(
    st.tuples(st.lists(channels, min_size=1, max_size=6), st.integers(-999, 99_999)),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=15)
@given(paths)
def test_the_credits_of_each_order_sum_to_it_in_every_model(given_paths):
    orders = [
        touchpoints(*path, order_id=str(number), revenue=Decimal(cents) / 100, is_new=number == 0)
        for number, (path, cents) in enumerate(given_paths)
    ]
    touched = sample(FactTouchpoints, *(touch for order in orders for touch in order))
    effect = nw.when(nw.col("channel") != "paid social").then(1 / 3)

    made = collected(run(credits, touched.with_columns(removal_effect=effect)))

    for order in made.partition_by("order_id"):
        for model in MODELS:
            assert order[f"{model} orders"].sum() == 1
            assert order[f"{model} revenue"].sum() == order["revenue"][0]
