"""The amounts of a day, from the facts: the control totals of tables made from sales and refunds."""

import narwhals as nw


def sold_and_refunded(sales: nw.LazyFrame, refunds: nw.LazyFrame, *keys: str) -> nw.LazyFrame:
    """Returns the amounts of each valid line on its order day and of each refund on its own day, named as the measures.

    Args:
        sales: Rows of `fact_sales`.
        refunds: Rows of `fact_returns`.
        keys: Columns of both to keep next to the day.
    """
    sold = sales.filter(nw.col("is_valid")).select(
        *keys, "gross_sales", "discounts", "shipping", "tax", day="ordered_on"
    )
    refunded = refunds.select(
        *keys, day="returned_on", returns="amount", refunded_shipping="shipping", refunded_tax="tax"
    )
    return nw.concat([sold, refunded], how="diagonal")
