"""Payments: each attempt to pay, each refund and each charge-back, with the amount received."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, own_columns, rule
from ecom_assets.expressions import measures
from ecom_assets.expressions.gift_cards import is_gift_card_method
from ecom_assets.expressions.measures import GIVEN_BACK
from ecom_assets.expressions.money import MONEY, no_amount
from ecom_assets.table_asset import table_asset

TRANSACTIONS = (
    "gold.transactions",
    """
WITH orders AS (
    SELECT
        order_id, customer_id, channel, country, status, ordered_on, bool_or(is_valid) AS is_valid,
        min(ordered_at) AS ordered_at,
        count(*) AS item_count, sum(quantity)::DECIMAL(18,4) AS units,
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
"""Orders with the method of their last payment (captured payments first) and the amount received less refunds and
charge-backs.

All orders are included; those that are not valid (void, test, or nothing but gift cards) do not count as
sales.
"""


class FactPayments(Table, primary_key="payment_id", partition_column="paid_on", amount="received"):
    """One row per payment, refund or charge-back."""

    payment_id: str = key("Payment number issued by the provider")
    order_id: str = column("Order that it pays")
    paid_on: Date = column("Business day of the attempt, the capture or the refund")
    paid_at: Timestamp = column("Moment of the attempt, the capture or the refund")
    method: str = column("Means of payment: card, paypal, …")
    instalments: int = column("Number of instalments; null or 1 if paid at once", nullable=True, ge=1)
    status: str = column("Outcome")
    is_attempt: bool = column(
        "Whether it is an attempt to pay: not a refund or charge-back, nor the capture or void of an authorisation "
        "that is a row of its own"
    )
    is_gift_card: bool = column("Whether it is paid with a gift card or store credit, by the means of payment")
    amount: Decimal = money("Amount, positive for refunds and charge-backs too", ge=0)
    received: Decimal = money(
        "Amount that the order is paid by: positive if captured, negative if refunded or charged back, otherwise zero"
    )
    open_amount: Decimal = money(
        "Amount authorised that is neither captured nor voided by the end of the day; zero for other payments", ge=0
    )
    fee: Decimal = money("Fee of the payment provider; negative if it was given back")
    currency: str = column("Currency in which it was made, if not the shop's", nullable=True)
    foreign_amount: Decimal = money("Amount in that currency", nullable=True, ge=0)
    extra: str = own_columns()

    @rule
    def received_within_amount(cls) -> nw.Expr:
        """What is received or given back is the amount, or nothing."""
        received, amount = nw.col("received"), nw.col("amount")
        return (received == 0) | (received == amount) | (received == -amount)

    @rule
    def open_if_authorised(cls) -> nw.Expr:
        """What is open is at most the amount, and of an authorisation."""
        open_amount = nw.col("open_amount")
        return (open_amount == 0) | ((nw.col("status") == "authorised") & (open_amount <= nw.col("amount")))


def transform(silver_payments: nw.LazyFrame, gold_fact_authorisations: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    of_authorisations = gold_fact_authorisations.select("payment_id", "settles", "open_amount")
    return (
        silver_payments.join(of_authorisations, on="payment_id", how="left")
        .with_columns(
            is_attempt=~c("status").is_in(GIVEN_BACK) & ~c("settles").fill_null(value=False),
            open_amount=nw.coalesce(c("open_amount"), no_amount()).cast(MONEY),
            received=measures.received(),
            is_gift_card=is_gift_card_method("method"),
        )
        .select(*contract(FactPayments).columns)
    )


def conserved(silver_payments: nw.LazyFrame) -> nw.LazyFrame:
    return silver_payments.select("paid_on", "amount", "fee")


asset = table_asset(FactPayments, transform, view=TRANSACTIONS, conserved=conserved)
