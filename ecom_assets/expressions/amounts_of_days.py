"""The amounts of a day, from the facts: those of sales, and those of gift cards, which are none."""

import narwhals as nw

from ecom_assets.expressions import measures
from ecom_assets.expressions.money import MONEY, no_amount, total, total_count

_COUNTS = ["orders", "cancelled_orders"]
_SOLD = ["gross_sales", "discounts", "shipping", "tax", "gift_cards_sold"]
_REFUNDED = ["returns", "refunded_shipping", "refunded_tax"]


def sold_lines(sales: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the lines of orders that are sales, with `gift_cards_sold`: the amounts of gift cards move there.

    Args:
        sales: Rows of `fact_sales`.
    """
    is_gift_card = nw.col("is_gift_card")
    return sales.filter(nw.col("is_valid") | (is_gift_card & nw.col("voided_on").is_null())).with_columns(
        *(
            nw.when(~is_gift_card).then(nw.col(name)).otherwise(no_amount()).alias(name)
            for name in ("gross_sales", "discounts")
        ),
        gift_cards_sold=nw.when(is_gift_card).then(nw.col("net_amount")).otherwise(no_amount()),
    )


def refunded_lines(refunds: nw.LazyFrame, *keys: str) -> nw.LazyFrame:
    """Returns the amounts of each refund, named as the measures, with its day; of a gift card as less sold.

    Args:
        refunds: Rows of `fact_returns`.
        keys: Columns to keep next to the day.
    """
    is_gift_card = nw.col("is_gift_card")
    return refunds.select(
        *keys,
        day="returned_on",
        returns=nw.when(~is_gift_card).then(nw.col("amount")).otherwise(no_amount()),
        refunded_shipping="shipping",
        refunded_tax="tax",
        gift_cards_sold=nw.when(is_gift_card).then(-nw.col("amount")).otherwise(no_amount()).cast(MONEY),
    )


def sold_and_refunded(sales: nw.LazyFrame, refunds: nw.LazyFrame, *keys: str) -> nw.LazyFrame:
    """Returns the amounts of each line on its order day and of each refund on its own day, named as the measures.

    Args:
        sales: Rows of `fact_sales`.
        refunds: Rows of `fact_returns`.
        keys: Columns of both to keep next to the day.
    """
    sold = sold_lines(sales).select(*keys, *_SOLD, day="ordered_on")
    return nw.concat([sold, refunded_lines(refunds, *keys)], how="diagonal")


def sums_of_days(sales: nw.LazyFrame, refunds: nw.LazyFrame, key: str) -> nw.LazyFrame:
    """Returns the counts and amounts of sales and refunds by day and a key, named as the measures.

    Args:
        sales: Rows of `fact_sales`.
        refunds: Rows of `fact_returns`.
        key: Column of both, without null.
    """
    c = nw.col
    is_order = c("is_valid") & c("is_first_line")
    sold = sold_lines(sales).select(
        key,
        *_SOLD,
        day="ordered_on",
        orders=is_order.cast(nw.Int64),
        cancelled_orders=(is_order & (c("status") == "cancelled")).cast(nw.Int64),
        units=nw.when(c("is_valid")).then(c("quantity")).otherwise(no_amount()),
    )
    return (
        nw.concat([sold, refunded_lines(refunds, key)], how="diagonal")
        .group_by("day", key)
        .agg(*map(total_count, _COUNTS), *map(total, ("units", *_SOLD, *_REFUNDED)))
        .with_columns(net_sales=measures.net_sales(), total_sales=measures.total_sales())
    )
