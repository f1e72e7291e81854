import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from ecom_assets.models.bg_nbd import BGNBD
from ecom_assets.models.evaluation import calibration
from ecom_assets.models.fitting import Floats
from ecom_assets.models.gamma_gamma import GammaGamma
from ecom_assets.models.histories import Histories
from ecom_assets.models.pareto_nbd import ParetoNBD
from ecom_assets.models.staying import NBD, SteadyRate, as_in_the_past, none_at_all

Law = ParetoNBD | BGNBD | NBD | SteadyRate
AGE, DAYS = 200.0, 90.0


def histories(*rows: tuple[float, float, float]) -> Histories:
    """Histories of repeat orders, age at the last order, age."""
    return Histories(*np.array(rows, dtype=float).T)


def simulated(law: Law, customers: int) -> tuple[Histories, Floats]:
    """Customers of a law at an age, drawn order by order; and how often they order in the days after it."""
    draws = np.random.default_rng(1)
    rates = draws.gamma(law.r, 1 / law.alpha, customers) if not isinstance(law, SteadyRate) else law.rate
    ends = draws.exponential(1 / draws.gamma(law.s, 1 / law.beta, customers)) if isinstance(law, ParetoNBD) else np.inf
    leaving = draws.beta(law.a, law.b, customers) if isinstance(law, BGNBD) else 0.0
    now, last, before, after = (np.zeros(customers) for _ in range(4))
    active = np.ones(customers, dtype=bool)
    while active.any():
        now += draws.exponential(1 / np.maximum(rates, 1e-12), customers)
        active &= now <= np.minimum(ends, AGE + DAYS)
        is_known = active & (now <= AGE)
        last[is_known] = now[is_known]
        before += is_known
        after += active & (now > AGE)
        active &= draws.random(customers) >= leaving
    return Histories(before, last, np.full(customers, AGE)), after


LAWS = [ParetoNBD(0.6, 40, 0.5, 60), ParetoNBD(1.5, 60, 1.0, 20), BGNBD(0.5, 30, 0.8, 2.4), NBD(0.6, 40)]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_what_is_expected_happens_to_customers_who_live_by_the_law(law: Law) -> None:
    known, after = simulated(law, 40_000)

    for predicted, actual in (
        (law.expected_orders(known, DAYS), after),
        (law.chance_of_order(known, DAYS), (after > 0).astype(float)),
    ):
        for group in calibration(predicted, actual, 5).iter_rows(named=True):
            spread = max(float(actual.std()), 0.1) * math.sqrt(max(group["predicted"], 0.05))
            assert group["actual"] == pytest.approx(
                group["predicted"], abs=4 * spread / math.sqrt(group["count"]) + 0.01
            )


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_a_fit_finds_the_law_by_which_customers_live(law: Law) -> None:
    known, _ = simulated(law, 2_000)

    fitted = type(law).fit(known)

    assert fitted.log_likelihoods(known).sum() >= law.log_likelihoods(known).sum()
    assert fitted.expected_orders(known, DAYS) == pytest.approx(law.expected_orders(known, DAYS), rel=0.2, abs=0.05)


@pytest.mark.parametrize(
    "law", [ParetoNBD(0.6, 40, 0.5, 60), ParetoNBD(0.6, 60, 1.3, 2), ParetoNBD(3, 7, 1, 7)], ids=str
)
@pytest.mark.parametrize("orders", [0, 2, 300])
def test_the_likelihood_is_that_of_being_active_and_of_having_left_at_any_moment(law: ParetoNBD, orders: int) -> None:
    shape, start, end = law.r + orders, 30.0, 200.0
    left, _ = quad(
        lambda u: ((law.alpha + u) / (law.alpha + start)) ** -shape * (law.beta + u) ** (-law.s - 1), start, end
    )
    active = ((law.alpha + end) / (law.alpha + start)) ** -shape * (law.beta + end) ** -law.s
    of_rates = (
        math.lgamma(shape) - math.lgamma(law.r) - shape * math.log(law.alpha + start) + law.r * math.log(law.alpha)
    )
    expected = of_rates + law.s * math.log(law.beta) + math.log(active + law.s * left)

    assert law.log_likelihoods(histories((orders, start, end))) == pytest.approx(expected, rel=1e-9)


def test_a_customer_without_a_repeat_order_has_not_left_by_bg_nbd() -> None:
    assert BGNBD(0.5, 30, 0.8, 2.4).chance_active(histories((0, 0, 5_000))) == [1]


def test_a_longer_silence_says_that_a_customer_has_left() -> None:
    for law in (ParetoNBD(0.6, 40, 0.5, 60), BGNBD(0.5, 30, 0.8, 2.4)):
        soon, late = law.chance_active(histories((5, 100, 110), (5, 100, 300)))
        assert soon > 0.8
        assert late < 0.2


positive = st.floats(math.exp(-7), math.exp(7))
known_customers = st.lists(
    st.tuples(st.integers(0, 5_000), st.floats(0, 1), st.floats(0, 10_000)), min_size=1, max_size=5
).map(lambda rows: histories(*((orders, share * age, age) for orders, share, age in rows)))


@settings(max_examples=40)
@given(known=known_customers, parameters=st.tuples(*[positive] * 4), days=st.floats(1, 1_000))
def test_predictions_of_any_parameters_are_finite(known, parameters, days) -> None:
    r, alpha, a, b = parameters
    for law in (ParetoNBD(r, alpha, a, b), BGNBD(r, alpha, a, b), NBD(r, alpha), SteadyRate(r)):
        orders, chance = law.expected_orders(known, days), law.chance_of_order(known, days)
        active = law.chance_active(known)
        assert np.isfinite(orders).all()
        assert (orders >= 0).all()
        for probability in (chance, active):
            assert ((probability >= 0) & (probability <= 1)).all()
        assert (chance <= active + 1e-12).all()
        assert (chance <= orders * (1 + 1e-6) + 1e-12).all()


def test_floors_repeat_the_past_or_expect_nothing() -> None:
    known = histories((4, 90, 100), (0, 0, 0))

    assert list(as_in_the_past(known, 50)) == [2, 0]
    assert list(none_at_all(known, 50)) == [0, 0]


def test_values_are_drawn_to_the_mean_the_more_the_fewer_orders_there_are() -> None:
    law = GammaGamma(p=4, q=3, gamma=20)
    population = 4 * 20 / (3 - 1)

    none, one, many = law.expected_value(np.array([0.0, 1.0, 1_000.0]), np.array([0.0, 100.0, 100.0]))

    assert none == population
    assert population < one < many < 100
    assert many == pytest.approx(100, rel=0.01)


def test_a_fit_finds_the_law_of_values() -> None:
    draws = np.random.default_rng(3)
    orders = draws.integers(1, 9, 4_000).astype(float)
    means = draws.gamma(4 * orders, 1 / (draws.gamma(5, 1 / 30, orders.size) * orders))

    fitted = GammaGamma.fit(orders, means)

    assert fitted.expected_value(orders, means) == pytest.approx(
        GammaGamma(4, 5, 30).expected_value(orders, means), rel=0.1
    )


def test_histories_repair_what_cannot_be() -> None:
    customers = pl.DataFrame(
        {"repeat_orders": [None, -1, 2], "last_order_age": [1.0, math.nan, 50.0], "age": [-3, 9, 40]}
    )

    known = Histories.of(customers)

    assert list(known.repeat_orders) == [0, 0, 2]
    assert list(known.last_order_age) == [0, 0, 40]
    assert list(known.age) == [0, 9, 40]


def test_equal_histories_are_one_with_a_weight_in_the_order_of_their_values() -> None:
    groups, weights = histories((2, 9, 30), (0, 0, 40), (2, 9, 30), *((1, n, 50) for n in range(40, 0, -1))).grouped()

    assert list(groups.repeat_orders) == [0, *[1] * 40, 2]
    assert list(groups.last_order_age) == [0, *range(1, 41), 9]
    assert list(weights) == [1, *[1] * 40, 2]
