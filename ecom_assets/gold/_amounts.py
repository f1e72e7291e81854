"""The amounts of a day, as the facts hold them: what tables made of sales and refunds have to come to."""

import narwhals as nw


def sold_and_refunded(sales: nw.LazyFrame, refunds: nw.LazyFrame, *keys: str) -> nw.LazyFrame:
    """The amounts of each valid line on the day of its order and of each refund on its own, named as the measures.

    Args:
        sales: Rows of `fact_sales`.
        refunds: Rows of `fact_returns`.
        keys: Columns of both that stay beside the day.
    """
    sold = sales.filter(nw.col("is_valid")).select(
        *keys, "gross_sales", "discounts", "shipping", "tax", day="ordered_on"
    )
    refunded = refunds.select(
        *keys, day="returned_on", returns="amount", refunded_shipping="shipping", refunded_tax="tax"
    )
    return nw.concat([sold, refunded], how="diagonal")
