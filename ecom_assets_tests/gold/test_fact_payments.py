from decimal import Decimal

from ecom_assets.gold.fact_payments import transform
from ecom_assets.silver.payments import Payments
from ecom_assets_tests.samples import rows, run, sample


def test_only_captured_and_refunded_money_moves():
    statuses = ["authorised", "captured", "failed", "refunded"]
    payments = sample(Payments, *({"status": status, "amount": "9.99"} for status in statuses))

    assert rows(run(transform, payments), "status", "received") == [
        ("authorised", 0),
        ("captured", Decimal("9.99")),
        ("failed", 0),
        ("refunded", Decimal("-9.99")),
    ]
