from ecom_assets.silver.returns import Returns
from ecom_assets_tests.samples import broken_rules


def test_a_refund_needs_no_product_and_no_units():
    assert broken_rules(Returns, {"shipping": "5"}) == []
    assert broken_rules(Returns, {"amount": "3", "quantity": 0}) == []
    assert broken_rules(Returns, {"amount": "3", "quantity": 1}) == ["A return of units names their product."]
    assert broken_rules(Returns, {"amount": "3", "quantity": -1}) == ["quantity is at least 0"]
