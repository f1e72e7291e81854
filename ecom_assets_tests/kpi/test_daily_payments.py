from decimal import Decimal

from ecom_assets.gold.fact_payments import FactPayments
from ecom_assets.kpi.daily_payments import DailyPayments, transform
from ecom_assets_tests.samples import collected, rows, run, sample


def test_a_refund_is_no_attempt():
    statuses = ["captured", "failed", "failed", "authorised", "refunded"]
    payments = sample(FactPayments, *({"status": status, "amount": "2", "fee": "0.1"} for status in statuses))

    made = run(transform, payments)

    assert rows(made, "attempts", "payment_failure_rate", "refunded_count") == [(4, 0.5, 1)]
    assert rows(made, "captured_amount", "failed_amount", "fees") == [(Decimal(2), Decimal(4), Decimal("0.5"))]
    DailyPayments.validate(collected(made))
