import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_assets.days import Window, trailing
from ecom_assets.gold.fact_authorisations import DAYS_OPEN, FactAuthorisations, transform
from ecom_assets.silver.payments import Payments
from ecom_assets_tests.samples import DAY, collected, days, rows, run, run_window, sample

START = dt.datetime.combine(DAY, dt.time(10))


def payment(number: str, status: str, amount: int, hours: int, order: str = "o1", method: str = "card"):
    at = START + dt.timedelta(hours=hours)
    return {
        "payment_id": number,
        "order_id": order,
        "method": method,
        "status": status,
        "amount": amount,
        "paid_at": f"{at}",
        "paid_on": f"{at.date()}",
    }


def test_a_capture_settles_the_authorisation_before_it_and_no_other_does():
    payments = sample(
        Payments,
        payment("a", "authorised", 10, 1),
        payment("a2", "captured", 6, 2),
        payment("a3", "voided", 3, 3),
        payment("b", "captured", 10, 0, "earlier"),
        payment("b2", "authorised", 10, 1, "earlier"),
        payment("c", "authorised", 10, 1, "by paypal"),
        payment("c2", "captured", 10, 2, "by paypal", "paypal"),
        payment("d", "authorised", 10, 1, "taken twice"),
        payment("d2", "captured", 10, 1, "taken twice"),
        payment("d3", "captured", 10, 2, "taken twice"),
        payment("e", "captured", 10, 1, "at once"),
        payment("f", "authorised", 10, 1, "next day"),
        payment("f2", "captured", 10, 20, "next day"),
    )

    made = run(transform, payments, days(DAY))

    assert rows(made, "payment_id", "settles", "open_amount") == [
        ("a", False, 1),
        ("a2", True, 0),
        ("a3", True, 0),
        ("b", False, 0),
        ("b2", False, 10),
        ("c", False, 10),
        ("d", False, 0),
        ("d2", True, 0),
        ("d3", False, 0),
        ("f", False, 10),
    ]
    FactAuthorisations.validate(collected(made))


STATUSES = st.sampled_from(["authorised", "authorised", "captured", "voided", "failed"])
STEPS = st.lists(st.tuples(STATUSES, st.integers(1, 9), st.integers(0, 40 * 24 // 6)), max_size=12)


def by_hand(payments: list[dict[str, object]], on: str) -> dict[object, tuple[bool, Decimal]]:
    """What is open at the end of a day, authorisation by authorisation, and what settles one: told as it happens."""
    told: dict[object, tuple[bool, Decimal]] = {}
    still_open: dict[object, int] = {}
    debt = 0
    first = f"{dt.date.fromisoformat(on) - dt.timedelta(days=DAYS_OPEN - 1)}"
    in_reach = [one for one in payments if first <= str(one["paid_on"]) <= on]
    for one in sorted(in_reach, key=lambda one: (one["paid_at"], one["status"] != "authorised", one["payment_id"])):
        number, amount = one["payment_id"], int(str(one["amount"]))
        if one["status"] == "authorised":
            paid_ahead = min(debt, amount)
            debt -= paid_ahead
            still_open[number] = amount - paid_ahead
        elif one["status"] in ("captured", "voided") and still_open:
            if one["paid_on"] == on:
                told[number] = (sum(still_open.values()) > 0, Decimal(0))
            for earlier in still_open:
                taken = min(still_open[earlier], amount)
                still_open[earlier] -= taken
                amount -= taken
            debt += amount
    opened = [one["payment_id"] for one in in_reach if one["status"] == "authorised" and one["paid_on"] == on]
    return told | {number: (False, Decimal(still_open[number])) for number in opened}


@pytest.mark.slow
@given(STEPS)
def test_each_day_tells_what_was_open_at_its_end(steps):
    payments = [payment(f"{n:02}", status, amount, 6 * at) for n, (status, amount, at) in enumerate(steps)]
    frame = sample(Payments, *payments)
    first, last = DAY, DAY + dt.timedelta(days=41)
    inputs = {"silver_payments": (frame, "paid_on"), "days": (days(first, last), "day")}
    reads = {"silver_payments": trailing(DAYS_OPEN)}

    at_once = run_window(transform, Window(first, last), inputs, reads, "paid_on")

    for on in sorted({str(one["paid_on"]) for one in payments}):
        expected = by_hand(payments, on)
        found = at_once.filter(at_once["paid_on"] == dt.date.fromisoformat(on))
        told = {row["payment_id"]: (row["settles"], row["open_amount"]) for row in found.iter_rows(named=True)}
        assert {number: told[number] for number in expected} == expected
        assert [row for number, row in told.items() if number not in expected and row != (False, Decimal(0))] == []
