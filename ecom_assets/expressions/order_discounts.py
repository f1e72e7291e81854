"""Discounts on whole orders, shared over their lines."""

import narwhals as nw

from ecom_assets.expressions.measures import discount_of_line, gross_of_line
from ecom_assets.expressions.money import MONEY, no_amount, share_by_largest_remainder

LINE = ["order_id", "line_number"]


def order_discounts(items: nw.LazyFrame, orders: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the lines of the orders that have a discount, with their share of it."""
    discounted = orders.filter(nw.col("discount") > 0).select("order_id", discount_of_order="discount")
    after_discount = gross_of_line() - discount_of_line()
    lines = items.join(discounted, on="order_id").select(
        *LINE,
        "discount_of_order",
        after_discount=nw.when(after_discount > 0).then(after_discount).otherwise(no_amount()).cast(MONEY),
    )
    shared = share_by_largest_remainder(
        lines,
        "discount_of_order",
        by="after_discount",
        within="order_id",
        order_by="line_number",
        name="order_discount",
    )
    return shared.select(*LINE, "order_discount")
