"""What an order's lines come to, which payments settle it, and until when."""

import narwhals as nw

from ecom_assets.days import Reach, around
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import MONEY, extended, total

DAYS_TO_PAY, DAYS_TO_PAY_BACK = 7, 45
PAYMENTS_OF_ORDERS: Reach = around(1, DAYS_TO_PAY_BACK)


def amounts_of_lines(items: nw.LazyFrame) -> nw.LazyFrame:
    """One row per order with lines: `order_id`, and as `lines_amount` what these come to after line discounts."""
    amount = (extended("quantity", "unit_price") - nw.col("discount")).cast(MONEY)
    return items.select("order_id", lines_amount=amount).group_by("order_id").agg(total("lines_amount"))


def settles() -> nw.Expr:
    """Whether the payment of a row counts for the order of `ordered_on` and `status` that stands beside it.

    For a cancelled order that is all received and given back (`received`, `paid_on`) within 45 days, for another what
    is received within 7. A payment of the day before counts, since one clock may be behind the other at midnight.
    """
    age, is_cancelled = days_between(nw.col("ordered_on"), nw.col("paid_on")), nw.col("status") == "cancelled"
    pays = ~is_cancelled & (nw.col("received") > 0) & age.is_between(-1, DAYS_TO_PAY)
    return pays | (is_cancelled & age.is_between(-1, DAYS_TO_PAY_BACK))
