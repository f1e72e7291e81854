from decimal import Decimal

from ecom_assets.gold.fact_payments import FactPayments
from ecom_assets.kpi.daily_payments import DailyPayments, transform
from ecom_assets_tests.samples import collected, rows, run, sample


def test_a_refund_is_no_attempt():
    payments = sample(
        FactPayments,
        *({"status": status, "amount": "2", "fee": "0.1", "is_attempt": True} for status in ("captured", "failed")),
        {"status": "failed", "amount": "2", "fee": "0.1", "is_attempt": True},
        {"status": "authorised", "amount": "2", "open_amount": "1.5", "is_attempt": True},
        {"status": "refunded", "amount": "2", "fee": "-0.1"},
        {"status": "charged_back", "amount": "2", "fee": "0.1"},
    )

    made = run(transform, payments)

    assert rows(made, "attempts", "payment_failure_rate", "refunded_count", "charged_back_count") == [(4, 0.5, 1, 1)]
    assert rows(made, "captured_amount", "failed_amount", "authorised_amount", "charged_back_amount", "fees") == [
        (Decimal(2), Decimal(4), Decimal("1.5"), Decimal(2), Decimal("0.3"))
    ]
    DailyPayments.validate(collected(made))


def test_a_gift_card_is_redeemed_and_not_captured():
    paid = {"method": "gift_card", "is_gift_card": True, "is_attempt": True, "amount": "50"}
    payments = sample(
        FactPayments,
        {**paid, "status": "captured", "received": "50"},
        {**paid, "status": "failed"},
        {**paid, "status": "refunded", "received": "-20", "amount": "20", "is_attempt": False},
    )

    made = run(transform, payments)

    assert rows(made, "attempts", "failed_count", "captured_count", "captured_amount", "refunded_amount") == [
        (2, 1, 0, 0, 0)
    ]
    assert rows(made, "gift_cards_redeemed") == [30]
    DailyPayments.validate(collected(made))
