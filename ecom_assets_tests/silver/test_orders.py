from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.expressions.money import ROUNDING_TOLERANCE
from ecom_assets.silver.orders import Orders, transform
from ecom_assets_tests.samples import broken_rules, rows, run, sample

SENTENCE = "Subtotal less discount plus shipping, and tax that is not included, make the total, within 0.05."
ROUNDED = "An accepted total is that of its parts exactly, not only within rounding."
PRICED = {"subtotal": "10.00", "discount": "1.00", "shipping": "2.50", "tax": "0.99"}


def test_a_status_is_read_in_any_case():
    orders = sample(Orders, {"status": " PAID"}, {"status": "Cancelled", "cancel_reason": "Void"})

    assert rows(run(transform, orders), "status", "cancel_reason") == [("cancelled", "void"), ("paid", None)]


def test_a_country_keeps_its_case():
    orders = sample(Orders, {"country": " United Kingdom "})

    assert rows(run(transform, orders), "country") == ["United Kingdom"]


def test_a_total_is_held_to_its_parts_only_where_both_ends_are_given():
    assert broken_rules(Orders, {**PRICED, "total": "12.49"}) == []
    assert broken_rules(Orders, {**PRICED, "total": "12.50"}) == [ROUNDED]
    assert broken_rules(Orders, {**PRICED, "total": "12.55"}) == [SENTENCE]
    assert broken_rules(Orders, {**PRICED, "total": None}) == []
    assert broken_rules(Orders, {**PRICED, "subtotal": None, "total": "99"}) == []


AMOUNT = st.decimals(0, 100, places=4)


@settings(max_examples=30, deadline=None)
@given(AMOUNT, AMOUNT, AMOUNT, AMOUNT, st.booleans(), st.decimals("-0.1", "0.1", places=4))
def test_a_total_off_by_rounding_is_accepted_and_listed_and_one_further_off_is_neither(
    subtotal, discount, shipping, tax, included, off_by
):
    parts = subtotal - discount + shipping + (0 if included else tax)
    order = {"subtotal": subtotal, "discount": discount, "shipping": shipping, "tax": tax, "tax_included": included}
    broken = broken_rules(Orders, {**order, "total": parts + off_by})

    assert str(ROUNDING_TOLERANCE) in SENTENCE
    assert (SENTENCE in broken) == (abs(off_by) > ROUNDING_TOLERANCE)
    assert (ROUNDED in broken) == (0 < abs(off_by) <= ROUNDING_TOLERANCE)


def test_a_total_with_rounded_tax_still_says_whether_the_tax_is_included():
    assert broken_rules(Orders, {**PRICED, "total": "11.51"}) == [ROUNDED]
    assert broken_rules(Orders, {**PRICED, "total": "11.51", "tax_included": True}) == [ROUNDED]
    assert broken_rules(Orders, {**PRICED, "tax": "0.04", "total": "11.53"}) == [ROUNDED]
    assert broken_rules(Orders, {**PRICED, "tax": "0.04", "total": "11.54"}) == []


def test_a_total_may_include_the_tax_and_has_to_where_the_order_says_so():
    included = {**PRICED, "total": "11.50"}

    assert broken_rules(Orders, included) == []
    assert broken_rules(Orders, {**included, "tax_included": True}) == []
    assert broken_rules(Orders, {**included, "tax_included": False}) == [SENTENCE]
    assert broken_rules(Orders, {**PRICED, "total": "12.49", "tax_included": True}) == [SENTENCE]


def test_a_change_on_a_bare_day_is_not_before_an_order_of_that_day():
    order = {"ordered_at": "2024-01-02 10:00", "updated_at": "2024-01-02", "updated_until": "2024-01-02 23:59:59"}

    assert broken_rules(Orders, order) == []
    assert broken_rules(Orders, {**order, "updated_until": "2024-01-02"}) == [
        "An order does not change before it is placed."
    ]


def test_an_order_is_cancelled_for_a_reason_and_no_other_has_one():
    sentence = "A cancelled order has a reason, and no other order has one."

    assert broken_rules(Orders, {"status": "cancelled", "cancel_reason": "fraud"}) == []
    assert broken_rules(Orders, {"status": "cancelled"}) == [sentence]
    assert broken_rules(Orders, {"status": "paid", "cancel_reason": "fraud"}) == [sentence]
