"""Codes of coupons in orders, and lists of products and promotions in events: what a shop draws on demand.

They are drawn from the numbers of orders and events, so that nothing else of the shop changes.
"""

import polars as pl

COUPONS = ["WELCOME", "SPRING"]
LISTS = ["bestsellers", "new"]
PROMOTIONS = ["summer", "gifts"]
PAGE = "Page Viewed"
OF_LISTS = ["Product List Viewed", "Product List Viewed", "Product List Viewed", "Product Clicked"]
OF_PROMOTIONS = ["Promotion Viewed", "Promotion Viewed", "Promotion Clicked"]
"""Events in the place of the views of a page: a click for three views of a list, or two of a promotion."""


def with_coupon(orders: pl.DataFrame) -> pl.DataFrame:
    """Returns the orders, each with a discount with the code of its coupon."""
    code = _one_of(COUPONS, _number("order_id"))
    return orders.with_columns(coupon=pl.when(pl.col("discount") > 0).then(code))


def with_lists(events: pl.DataFrame) -> pl.DataFrame:
    """Returns the events; a third of the views of a page are of a list or a promotion, or a click in one."""
    names = [*OF_LISTS, *OF_PROMOTIONS]
    number = _number("event_id")
    about = (number % (3 * len(names))).cast(pl.Int64)
    is_shown = (pl.col("event") == PAGE) & (about < len(names))
    is_list = is_shown & (about < len(OF_LISTS))
    return events.with_columns(
        event=pl.when(is_shown).then(_one_of(names, about)).otherwise("event"),
        list_id=pl.when(is_list).then(_one_of(LISTS, number)),
        promotion_id=pl.when(is_shown & ~is_list).then(_one_of(PROMOTIONS, number)),
    )


def _number(column: str) -> pl.Expr:
    return pl.col(column).str.slice(1).cast(pl.Int64)


def _one_of(texts: list[str], number: pl.Expr) -> pl.Expr:
    return (number % len(texts)).replace_strict(dict(enumerate(texts)), return_dtype=pl.String)
