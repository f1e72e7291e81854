"""Payments: each attempt to pay, and each refund, with the amount received."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, own_columns, rule
from ecom_assets.expressions.money import MONEY, no_amount
from ecom_assets.table_asset import table_asset

TRANSACTIONS = (
    "gold.transactions",
    """
WITH orders AS (
    SELECT
        order_id, customer_id, channel, country, status, is_valid, ordered_on, min(ordered_at) AS ordered_at,
        count(*) AS item_count, sum(quantity)::BIGINT AS units,
        sum(gross_sales)::DECIMAL(18,4) AS subtotal, sum(discounts)::DECIMAL(18,4) AS discount,
        sum(shipping)::DECIMAL(18,4) AS shipping, sum(tax)::DECIMAL(18,4) AS tax,
        sum(net_amount + shipping + tax)::DECIMAL(18,4) AS total
    FROM gold.fact_sales
    GROUP BY ALL
), payments AS (
    SELECT
        order_id, arg_max(method, (received > 0, paid_at, payment_id)) AS payment_method,
        sum(received)::DECIMAL(18,4) AS received
    FROM gold.fact_payments
    GROUP BY order_id
)
SELECT
    order_id AS transaction_id, ordered_on AS transaction_date, ordered_at AS transaction_at, customer_id, channel,
    country, status, is_valid, payment_method, item_count, units, subtotal, discount, shipping, tax, total,
    coalesce(received, 0) AS received
FROM orders LEFT JOIN payments USING (order_id)
""",
)
"""Orders with the method of their last payment (captured payments first) and the amount received less refunds.

All orders are included; those that are not valid (void or test) do not count as sales.
"""


class FactPayments(Table, primary_key="payment_id", partition_column="paid_on", amount="received"):
    """One row per payment or refund."""

    payment_id: str = key("Payment number issued by the provider")
    order_id: str = column("Order that it pays")
    paid_on: Date = column("Business day of the attempt, or of the refund")
    paid_at: Timestamp = column("Moment of the attempt, or of the refund")
    method: str = column("Means of payment: card, paypal, …")
    instalments: int = column("Number of instalments; null or 1 if paid at once", nullable=True, ge=1)
    status: str = column("Outcome")
    amount: Decimal = money("Amount, positive for refunds too", ge=0)
    received: Decimal = money("Amount received: positive if captured, negative if refunded, otherwise zero")
    fee: Decimal = money("Fee of the payment provider; negative if it was given back")
    extra: str = own_columns()

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


def conserved(silver_payments: nw.LazyFrame) -> nw.LazyFrame:
    return silver_payments.select("paid_on", "amount", "fee")


asset = table_asset(FactPayments, transform, view=TRANSACTIONS, conserved=conserved)
