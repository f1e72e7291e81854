from ecom_assets.silver.payments import Payments
from ecom_assets_tests.samples import broken_rules


def test_a_fee_is_given_back_with_a_refund():
    assert broken_rules(Payments, {"status": "refunded", "amount": "11", "fee": "-1.20"}) == []
    assert broken_rules(Payments, {"status": "captured", "amount": "11", "fee": "-1.20"}) == [
        "A fee is given back with a refund or a charge-back."
    ]
