"""Payments: each attempt to pay an order, each refund and each charge-back, with its outcome.

A provider sends an authorisation and its capture or void either as states of one payment, or as payments with numbers
of their own.
"""

from ecom_assets.contract import Decimal, Feed, Rate, Timestamp, column, currency, key, money, rate_of_currency, store

PAYMENT_STATUSES = ["authorised", "captured", "failed", "refunded", "voided", "charged_back"]


class Payments(
    Feed,
    primary_key="payment_id",
    event_column="paid_at",
    version_column="updated_at",
    identifying=("order_id", "paid_at"),
):
    """One row per payment and state of it."""

    payment_id: str = key("Payment number issued by the provider", of_store=True)
    order_id: str = column("Order that it pays", of_store=True, references="silver.orders", gives_currency=True)
    paid_at: Timestamp = column("Moment of the attempt, the capture or the refund")
    updated_at: Timestamp = column("When it last changed")
    instalments: int = column("Number of instalments; null or 1 if paid at once", nullable=True, ge=1)
    method: str = column("Means of payment: card, paypal, …")
    status: str = column("Outcome; charged_back if the bank took the amount back from the shop", isin=PAYMENT_STATUSES)
    amount: Decimal = money("Amount, positive for refunds and charge-backs too", ge=0)
    fee: Decimal = money("Fee of the payment provider; negative if it was given back")
    currency: str = currency("the order's")
    rate: Rate = rate_of_currency()
    store: str = store()
