"""Definitions of the measures, shared by all tables that have them."""

from typing import Any

import narwhals as nw

from ecom_assets.contract import Table, column, rule
from ecom_assets.expressions.money import MONEY, extended, no_amount, ratio

VALID_ORDERS = "Orders with an accepted line that is no gift card, except those cancelled as void, test or unpaid"
UNITS = "Units on the lines of valid orders, without gift cards"
GROSS_SALES = "Quantity times unit price of valid orders, without gift cards, before discounts, on the order day"
DISCOUNTS = "Line discounts, lines of a negative price and shares of order discounts of valid orders, on the order day"
RETURNS = "Refunded merchandise value as sent, without gift cards, on the refund day, whatever the order's status"
NET_SALES = "Gross sales less discounts less returns"
SHIPPING = "Shipping fees of valid orders, on the order day"
TAX = "Tax of valid orders, on the order day"
REFUNDED_SHIPPING = "Refunded shipping fees, on the refund day"
REFUNDED_TAX = "Refunded tax, on the refund day"
TOTAL_SALES = "Net sales plus shipping and tax, less refunded shipping and tax"
GIFT_CARDS_SOLD = "Amount of gift cards after discounts, on the order day, less refunded, on the refund day; not sales"
CANCELLED_ORDERS = "Valid orders that were cancelled, counted on the order day"
NEW_ORDERS = "Orders that are their customer's first valid one by moment and number"
NEW_SALES = "Gross sales less discounts of new orders"
ASP = "Average selling price: gross sales less discounts, per unit; null without units"
REVENUE = "Gross sales less discounts of valid orders, on the order day"
SPEND = "Cost of advertising, as last reported"
IMPRESSIONS = "Number of times that advertisements were shown"
CLICKS = "Number of clicks on advertisements"
CAC = "Customer acquisition cost: spend per new customer; null without spend or new customers"

STOCK_OPENED = "Units on hand when the stock was first recorded, on that day"
STOCK_RECEIVED = "Units received from suppliers"
STOCK_SOLD = "Units that were shipped to customers"
STOCK_RETURNED = "Units restocked after a return"
STOCK_ADJUSTED = "Units found less units lost"

UNKNOWN_CATEGORY = "unknown"
"""The category of a product whose version has none, or that has no version yet, and of what has no product."""
NO_PRODUCT = "(none)"
"""In place of a stock code, what has no product. No product has this code, since feeds take it as missing."""

UNKNOWN_STORE = "unknown"
"""The store of orders and refunds that name none."""


NEVER_SOLD = ["void", "test"]
"""Cancellation reasons of orders that never were a sale."""


GIVEN_BACK = ["refunded", "charged_back"]
"""Statuses of payments that are money going back to the customer."""


def needs_returns(description: str, **checks: Any) -> Any:
    """Declares a measure of a day that is unknown, and null, if the returns of the day are."""
    return column(description, unknown_without="gold.fact_returns", **checks)


class SalesTable(Table):
    """Base of the tables with gross sales, discounts, returns and net sales."""

    @rule
    def net_sales_adds_up(cls) -> nw.Expr:
        """Gross sales less discounts less returns make the net sales."""
        return nw.col("net_sales") == nw.col("gross_sales") - nw.col("discounts") - nw.col("returns")


def is_valid_sale() -> nw.Expr:
    """Returns whether an order counts as a sale, from the column `cancel_reason`."""
    return ~nw.col("cancel_reason").is_in(NEVER_SOLD).fill_null(value=False)


def received() -> nw.Expr:
    """Returns the money that a payment brings, an amount, from its columns `status` and `amount`.

    Negative if it is refunded or charged back, zero unless it is one of these or captured.
    """
    given_back = nw.when(nw.col("status").is_in(GIVEN_BACK)).then(-nw.col("amount")).otherwise(no_amount())
    return nw.when(nw.col("status") == "captured").then(nw.col("amount")).otherwise(given_back).cast(MONEY)


def gross_of_line() -> nw.Expr:
    """Returns the gross sales of an order line, an amount, from `quantity` and `unit_price`.

    Zero if the price is negative: such a line is a discount.
    """
    return nw.when(nw.col("unit_price") < 0).then(no_amount()).otherwise(extended("quantity", "unit_price")).cast(MONEY)


def discount_of_line() -> nw.Expr:
    """Returns the discount on an order line, an amount, from `quantity`, `unit_price` and `discount`."""
    is_discount = nw.col("unit_price") < 0
    as_a_line = nw.when(is_discount).then(-extended("quantity", "unit_price")).otherwise(no_amount())
    return (nw.col("discount") + as_a_line).cast(MONEY)


def revenue() -> nw.Expr:
    """Returns gross sales less discounts, an amount, from the columns of these names."""
    return (nw.col("gross_sales") - nw.col("discounts")).cast(MONEY)


def is_first_order_of_day() -> nw.Expr:
    """Returns whether a valid order is its customer's first of the day, by moment and number."""
    first = nw.col("order_id").first().over("customer_id", "ordered_on", order_by=["ordered_at", "order_id"])
    return nw.col("order_id") == first


def net_sales() -> nw.Expr:
    """Returns gross sales less discounts less returns, an amount, from the columns of these names."""
    return (revenue() - nw.col("returns")).cast(MONEY)


def known_net_sales() -> nw.Expr:
    """Returns net sales without the returns of days on which these are unknown, for sums over many days."""
    return (revenue() - nw.coalesce(nw.col("returns"), no_amount())).cast(MONEY)


def cac() -> nw.Expr:
    """Returns spend per new customer, a float, from the columns of these names; null without spend."""
    return nw.when(nw.col("spend") > 0).then(ratio("spend", "new_customers"))


def total_sales() -> nw.Expr:
    """Returns net sales, shipping and tax, less refunds of these, an amount, from the columns of these names."""
    charged = net_sales() + nw.col("shipping") + nw.col("tax")
    return (charged - nw.col("refunded_shipping") - nw.col("refunded_tax")).cast(MONEY)
