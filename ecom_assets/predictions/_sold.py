"""Lines of products sold, as known at a cut-off day."""

import datetime as dt

import polars as pl

from ecom_assets.expressions.known import versions_at


def sold_at(cut_off: dt.date, orders: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Returns the lines with a product, of orders up to a day that were not cancelled, as known at its end.

    Columns: `order_id`, `customer_id` (null for guests), `product_id`, `day` of the order, `quantity`.

    Args:
        cut_off: The day.
        orders: Versions of orders, as in `silver.order_versions`.
        lines: Versions of lines, as in `silver.order_item_versions`.
    """
    c = pl.col
    valid = versions_at(cut_off, orders, "order_id", order=("updated_at",)).filter(
        ~c("is_retracted"), c("status") != "cancelled", c("ordered_on") <= cut_off
    )
    return (
        versions_at(cut_off, lines, "order_id", "line_number", order=("updated_at",))
        .filter(~c("is_retracted"), c("product_id").is_not_null(), c("quantity") > 0)
        .select("order_id", "product_id", "quantity")
        .join(valid.select("order_id", "customer_id", day="ordered_on"), on="order_id")
    )
