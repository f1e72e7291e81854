"""A device is its buyer's before the login: touchpoints of random visits, against the rule read visit by visit."""

import datetime as dt
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ecom_assets.days import Window
from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.gold.fact_sessions import FactSessions
from ecom_assets.gold.fact_touchpoints import LOOK_BACK_DAYS, REACH, transform
from ecom_assets.silver.session_orders import SessionOrders
from ecom_assets_tests.samples import rows, run, run_window, sample

FIRST = dt.datetime.fromisoformat("2024-01-20")
MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Visit:
    number: str
    at: dt.datetime
    device: str
    customer: str | None
    order: str | None = None

    @property
    def is_known(self) -> bool:
        return bool(self.customer or self.order)

    def row(self):
        return {
            "session_id": self.number,
            "started_at": self.at,
            "started_on": self.at.date(),
            "anonymous_id": self.device,
            "customer_id": self.customer,
            "order_id": self.order,
            "has_purchase": bool(self.order),
            "channel": "email",
        }


@dataclass(frozen=True)
class Order:
    number: str
    at: dt.datetime
    customer: str | None

    def row(self):
        at = {"ordered_at": self.at, "ordered_on": self.at.date()}
        return {"order_id": self.number, "customer_id": self.customer, "is_valid": True, **at}


def inputs_of(visits, orders):
    completed = [v for v in visits if v.order]
    return {
        "gold_fact_sales": (sample(FactSales, *(order.row() for order in orders)), "ordered_on"),
        "gold_agg_customer_metrics": (sample(AggCustomerMetrics), "day"),
        "gold_fact_sessions": (sample(FactSessions, *(visit.row() for visit in visits)), "started_on"),
        "silver_session_orders": (
            sample(
                SessionOrders,
                *({"session_id": v.number, "order_id": v.order, "started_on": v.at.date()} for v in completed),
            ),
            "started_on",
        ),
    }


def touchpoints(visits, orders):
    """For each order the visits that lead to it, the last one last."""
    made = run(transform, *(frame for frame, _ in inputs_of(visits, orders).values()))
    found = {order.number: [] for order in orders}
    for order, _, visit in rows(made, "order_id", "position", "session_id"):
        found[order] += [visit] if visit else []
    return found


def leads_to(visit: Visit, order: Order, visits: list[Visit]) -> bool:
    """The rule, read for one visit and one order."""
    if (order.at.date() - visit.at.date()).days >= LOOK_BACK_DAYS:
        return False
    if completes(visit, order) or (visit.customer and visit.customer == order.customer and visit.at <= order.at):
        return True
    if visit.is_known:
        return False
    later = [
        v for v in visits if v.device == visit.device and v.is_known and (v.at, v.number) > (visit.at, visit.number)
    ]
    if not later:
        return False
    known = min(later, key=lambda v: (v.at, v.number))
    if completes(known, order) and known.customer in (None, order.customer):
        return True
    is_login = known.customer is not None and known.customer == order.customer
    return is_login and visit.at <= order.at and known.at.date() <= order.at.date()


def completes(visit: Visit, order: Order) -> bool:
    in_time = visit.at.date() <= order.at.date() or visit.at <= order.at + 15 * MINUTE
    return visit.order == order.number and in_time


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"2024-03-{text}")


def test_visits_before_a_login_are_of_the_next_customer_of_the_device_alone():
    visits = [
        Visit("ad", at("01 09:00"), "phone", None),
        Visit("login", at("01 15:00"), "phone", "C"),
        Visit("between", at("02 09:00"), "phone", None),
        Visit("other login", at("03 09:00"), "phone", "D"),
        Visit("never known", at("04 09:00"), "phone", None),
    ]
    orders = [Order("of C", at("04 10:00"), "C"), Order("of D", at("04 11:00"), "D")]

    assert touchpoints(visits, orders) == {"of C": ["ad", "login"], "of D": ["between", "other login"]}


def test_a_login_counts_as_of_the_day_of_the_order():
    visits = [Visit("ad", at("01 09:00"), "phone", None), Visit("login", at("02 09:00"), "phone", "C")]
    orders = [Order("before it was known", at("01 20:00"), "C"), Order("after", at("02 20:00"), "C")]

    assert touchpoints(visits, orders) == {"before it was known": [], "after": ["ad", "login"]}


def test_a_guest_is_known_by_the_device_that_completes_the_order():
    visits = [Visit("ad", at("01 09:00"), "phone", None), Visit("bought", at("02 09:00"), "phone", None, "O")]

    assert touchpoints(visits, [Order("O", at("02 09:10"), None)]) == {"O": ["ad", "bought"]}


_moments = st.builds(
    lambda day, minutes: FIRST + dt.timedelta(days=day) + minutes * MINUTE,
    st.sampled_from([0, 1, 2, 30, 31]),
    st.sampled_from([0, 5, 600, 610, 620, 1430, 1435]),
)
_customers = st.sampled_from([None, "C", "D"])
_devices, _buys = st.sampled_from(["phone", "phone", "desk"]), st.sampled_from([False, False, False, True])
_visits = st.lists(st.tuples(_moments, _devices, _customers, _buys), min_size=3, max_size=6)


@pytest.mark.slow
@settings(max_examples=60)
@given(_visits, st.lists(st.tuples(_moments, _customers), min_size=2, max_size=3))
def test_touchpoints_are_those_of_the_rule_in_any_window(drawn, ordered):
    orders = [Order(f"O{n}", moment, customer) for n, (moment, customer) in enumerate(ordered)]
    open_orders = [order.number for order in orders]
    visits = [
        Visit(f"S{n}", moment, device, customer, open_orders.pop() if buys and open_orders else None)
        for n, (moment, device, customer, buys) in enumerate(drawn)
    ]

    found = touchpoints(visits, orders)

    for order in orders:
        assert set(found[order.number]) == {v.number for v in visits if leads_to(v, order, visits)}
        completed = [v.number for v in visits if v.number in found[order.number] and v.order == order.number]
        assert found[order.number][-1:] == completed or not completed
    for visit in visits:
        if not visit.is_known:
            assert len({order.customer for order in orders if visit.number in found[order.number]}) <= 1
    inputs, reads = inputs_of(visits, orders), {"gold_fact_sessions": REACH, "silver_session_orders": REACH}
    days = [order.at.date() for order in orders]

    def stored(window):
        return run_window(transform, window, inputs, reads, "ordered_on").sort("order_id", "position")

    together = stored(Window(min(days), max(days)))
    for day in days:
        assert_frame_equal(stored(Window(day, day)), together.filter(together["ordered_on"] == day))
