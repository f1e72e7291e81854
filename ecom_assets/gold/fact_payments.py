"""Payments: each attempt to pay, and each refund, with what it brought."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, rule
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
"""Orders with the means of their last payment, the captured ones first, and what was received less refunds.

All orders are there; those that are not valid, void or tests, count as no sales.
"""


class FactPayments(Table, primary_key="payment_id", partition_column="paid_on", amount="received"):
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


def conserved(silver_payments: nw.LazyFrame) -> nw.LazyFrame:
    return silver_payments.select("paid_on", "amount", "fee")


asset = table_asset(FactPayments, transform, view=TRANSACTIONS, conserved=conserved)
