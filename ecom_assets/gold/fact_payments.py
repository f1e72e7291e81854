"""Payments: each attempt to pay, and each refund, with what it brought."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, rule
from ecom_assets.money import MONEY, no_amount
from ecom_assets.table_asset import table_asset


class FactPayments(Table, primary_key="payment_id", partition_column="paid_on"):
    """One row per payment or refund."""

    payment_id: str = key("Payment number issued by the provider")
    order_id: str = column("The order it pays")
    paid_on: Date = column("Business day on which it was attempted, or refunded")
    paid_at: Timestamp = column("When it was attempted, or refunded")
    method: str = column("Means of payment: card, paypal, …")
    status: str = column("What became of it")
    amount: Decimal = money("Amount, positive for refunds too", ge=0)
    received: Decimal = money("What the shop got: the amount if captured, less than zero if refunded, else zero")
    fee: Decimal = money("What the provider charges", ge=0)

    @rule
    def received_within_amount(cls) -> nw.Expr:
        """What is received or given back is the amount, or nothing."""
        received, amount = nw.col("received"), nw.col("amount")
        return (received == 0) | (received == amount) | (received == -amount)


def transform(silver_payments: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    refunded = nw.when(c("status") == "refunded").then(-c("amount")).otherwise(no_amount())
    received = nw.when(c("status") == "captured").then(c("amount")).otherwise(refunded)
    return silver_payments.with_columns(received=received.cast(MONEY)).select(*contract(FactPayments).columns)


asset = table_asset(FactPayments, transform)
