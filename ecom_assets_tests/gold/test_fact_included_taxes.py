from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.gold.fact_included_taxes import FactIncludedTaxes, transform
from ecom_assets.silver.order_items import OrderItems
from ecom_assets.silver.orders import Orders
from ecom_assets_tests.samples import collected, rows, run, sample


def shared(lines, order):
    items = [
        {"line_number": n, "quantity": quantity, "unit_price": price, "discount": discount}
        for n, (quantity, price, discount) in enumerate(lines, start=1)
    ]
    return run(transform, sample(OrderItems, *items), sample(Orders, {"tax_included": True, **order}))


def test_included_tax_is_shared_over_lines_and_shipping_in_proportion():
    made = shared([(1, "119", "0")], {"shipping": "5.95", "tax": "19.95"})
    assert rows(made, "line_number", "tax") == [(0, Decimal("0.95")), (1, 19)]

    made = shared([(2, "119", "0"), (1, "47.60", "23.80")], {"tax": "41.80"})
    assert rows(made, "line_number", "tax", "gross_tax", "line_discount_tax") == [
        (0, 0, 0, 0),
        (1, 38, 38, 0),
        (2, Decimal("3.8"), Decimal("7.6"), Decimal("3.8")),
    ]


def test_an_order_of_other_prices_has_no_row_and_one_of_too_much_tax_none_to_share():
    assert rows(shared([(1, "10", "0")], {"tax": "1", "tax_included": False}), "tax") == []
    assert rows(shared([(1, "10", "0")], {"shipping": "2", "tax": "13"}), "tax") == [0, 0]


AMOUNT = st.decimals(0, 300, places=2)
LINES = st.lists(st.tuples(st.integers(1, 4), st.decimals(-20, 300, places=4), AMOUNT), max_size=5)


@pytest.mark.slow
@settings(max_examples=50)
@given(LINES, AMOUNT, AMOUNT, st.decimals(0, 100, places=4))
def test_tax_is_shared_exactly_and_as_closely_as_it_can_be(lines, discount, shipping, tax):
    made = collected(shared(lines, {"discount": discount, "shipping": shipping, "tax": tax})).sort("line_number")

    FactIncludedTaxes.validate(made)
    if not discount:
        nets = [shipping, *(max(quantity * price - less, Decimal(0)) for quantity, price, less in lines)]
        fits = tax <= sum(nets)
        assert made["tax"].sum() == (tax if fits else 0)
        for net, share in zip(nets, made["tax"], strict=True):
            exact = tax * net / sum(nets) if fits and tax else 0
            assert abs(share - exact) < Decimal("0.0001")
            assert share <= net
