import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.expressions.included_tax import includes_tax, refunded_without_tax
from ecom_assets.silver.orders import Orders
from ecom_assets.silver.returns import Returns
from ecom_assets_tests.samples import collected, run, sample

ORDER = {"subtotal": "119", "shipping": "5.95", "tax": "19.95", "total": "124.95"}


def said(order) -> bool:
    return bool(collected(sample(Orders, order).select(said=includes_tax()))["said"][0])


def test_an_order_says_itself_that_its_prices_include_the_tax():
    assert said(ORDER)
    assert said({**ORDER, "tax_included": True, "total": None})
    assert not said({**ORDER, "tax_included": False})
    assert not said({**ORDER, "total": "144.90"})
    assert not said({**ORDER, "total": None})
    assert not said({**ORDER, "tax": "0"})


AMOUNT = st.decimals(0, 300, places=2)


def as_said(returns):
    return refunded_without_tax(returns.with_columns(is_taxed="tax_included"))


@pytest.mark.slow
@settings(max_examples=50)
@given(AMOUNT, AMOUNT, AMOUNT, st.booleans())
def test_a_refund_includes_all_of_its_tax_or_none(amount, shipping, tax, is_taxed):
    sent = {"amount": amount, "shipping": shipping, "tax": tax, "tax_included": is_taxed}

    made = collected(
        run(lambda frame: refunded_without_tax(frame.with_columns(is_taxed="tax_included")), sample(Returns, sent))
    )

    included = made["amount_sent"][0] + made["shipping_sent"][0] - made["amount"][0] - made["shipping"][0]
    assert included == (tax if is_taxed and tax <= amount + shipping else 0)
    assert min(made["amount"][0], made["shipping"][0]) >= 0
