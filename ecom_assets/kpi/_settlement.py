"""The amount of an order's lines, the payments that settle it, and which difference is one."""

import narwhals as nw

from ecom_assets.days import Reach, around
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import MONEY, extended, no_amount, total

DAYS_TO_PAY, DAYS_TO_PAY_BACK = 7, 45
PAYMENTS_OF_ORDERS: Reach = around(1, DAYS_TO_PAY_BACK)


_WIDE = nw.Decimal(38, 4)


def amounts_of_lines(items: nw.LazyFrame) -> nw.LazyFrame:
    """Returns per order with lines `lines_amount`, their sum after line discounts, `line_count` and `units`."""
    amount = (extended("quantity", "unit_price") - nw.col("discount")).cast(MONEY)
    return (
        items.select("order_id", "quantity", lines_amount=amount)
        .group_by("order_id")
        .agg(total("lines_amount"), line_count=nw.len().cast(nw.Int64), units=total("quantity"))
    )


def is_no_rounding(difference: str) -> nw.Expr:
    """Returns whether a difference between amounts of an order is more than conversion can make of equal ones.

    That is a cent, or a cent per line and 0.0001 per unit, since prices are rounded once converted. The row has the
    order's `currency`, and `line_count` and `units` of its lines, null without lines.
    """
    c = nw.col
    amount, is_converted = c(difference).abs(), ~c("currency").is_null()
    rounding = nw.coalesce(c("line_count"), nw.lit(1)) * 100 + nw.coalesce(c("units"), no_amount())
    return (amount > 0) & (~is_converted | (amount.cast(_WIDE) * 10_000 > rounding.cast(_WIDE)))


def settles() -> nw.Expr:
    """Returns whether the payment of a row counts for the order joined to it.

    `received`, `paid_on` and `is_charged_back` are columns of the payment, `ordered_on` and `status` are those of the
    order. For a cancelled order all payments and refunds within 45 days count, for any other order the payments
    received within 7, and for both the charge-backs within 45. A payment on the day before the order counts too, since
    one clock may be behind the other at midnight.
    """
    age, is_cancelled = days_between(nw.col("ordered_on"), nw.col("paid_on")), nw.col("status") == "cancelled"
    pays = ~is_cancelled & (nw.col("received") > 0) & age.is_between(-1, DAYS_TO_PAY)
    is_given_back = is_cancelled | nw.col("is_charged_back")
    return pays | (is_given_back & age.is_between(-1, DAYS_TO_PAY_BACK))
