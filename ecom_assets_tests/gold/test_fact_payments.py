from decimal import Decimal

from ecom_assets.gold.fact_authorisations import FactAuthorisations
from ecom_assets.gold.fact_payments import FactPayments, transform
from ecom_assets.silver.payments import Payments
from ecom_assets_tests.samples import collected, rows, run, sample


def test_only_captured_refunded_and_charged_back_money_moves():
    statuses = ["authorised", "captured", "charged_back", "failed", "refunded", "voided"]
    payments = sample(Payments, *({"status": status, "amount": "9.99"} for status in statuses))

    assert rows(run(transform, payments, sample(FactAuthorisations)), "status", "received") == [
        ("authorised", 0),
        ("captured", Decimal("9.99")),
        ("charged_back", Decimal("-9.99")),
        ("failed", 0),
        ("refunded", Decimal("-9.99")),
        ("voided", 0),
    ]


def test_the_capture_of_an_authorisation_is_no_attempt_of_its_own():
    payments = sample(
        Payments,
        {"payment_id": "held", "status": "authorised", "amount": "10"},
        {"payment_id": "taken", "status": "captured", "amount": "6"},
        {"payment_id": "at once", "status": "captured", "amount": "10"},
        {"payment_id": "refused", "status": "failed", "amount": "10"},
        {"payment_id": "back", "status": "charged_back", "amount": "10"},
    )
    authorisations = sample(
        FactAuthorisations,
        {"payment_id": "held", "open_amount": "4"},
        {"payment_id": "taken", "settles": True},
    )

    made = run(transform, payments, authorisations)

    assert rows(made, "payment_id", "is_attempt", "open_amount") == [
        ("at once", True, 0),
        ("back", False, 0),
        ("held", True, 4),
        ("refused", True, 0),
        ("taken", False, 0),
    ]
    FactPayments.validate(collected(made))
