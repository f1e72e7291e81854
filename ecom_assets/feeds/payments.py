"""Payments: each attempt to pay an order, and each refund, with what became of it."""

from ecom_assets.contract import Decimal, Table, Timestamp, column, key, money

PAYMENT_STATUSES = ["authorised", "captured", "failed", "refunded"]


class Payments(Table, primary_key="payment_id", event_column="paid_at", version_column="updated_at"):
    """One row per payment and state of it."""

    payment_id: str = key("Payment number issued by the provider")
    order_id: str = column("The order it pays", references="silver.orders")
    paid_at: Timestamp = column("When it was attempted, or refunded")
    updated_at: Timestamp = column("When it last changed")
    method: str = column("Means of payment: card, paypal, …")
    status: str = column("What became of it", isin=PAYMENT_STATUSES)
    amount: Decimal = money("Amount, positive for refunds too", ge=0)
    fee: Decimal = money("What the provider charges", ge=0)
