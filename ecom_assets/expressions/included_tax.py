"""Whether the prices of orders include their tax, and what refunds are without it."""

import narwhals as nw

from ecom_assets.expressions.money import MONEY, ROUNDING_TOLERANCE, in_proportion, no_amount


def includes_tax() -> nw.Expr:
    """Returns whether an order's prices, discounts and shipping include its tax.

    Where `tax_included` is not given, they do if the total is subtotal less discount plus shipping, but for rounding,
    and is nearer to it than with the tax; not if one of these is not given.
    """
    c = nw.col
    rounding = c("total") - (c("subtotal") - c("discount") + c("shipping"))
    adds_up_without = (rounding.abs() <= ROUNDING_TOLERANCE) & (rounding.abs() < (rounding - c("tax")).abs())
    return nw.coalesce(c("tax_included"), adds_up_without).fill_null(value=False)


def tax_on_top() -> nw.Expr:
    """Returns the tax of an order that its prices do not include, an amount."""
    return nw.when(includes_tax()).then(no_amount()).otherwise(nw.col("tax")).cast(MONEY)


def refunded_without_tax(returns: nw.LazyFrame) -> nw.LazyFrame:
    """Returns refunds with their `amount` and `shipping` without included tax, and `amount_sent` and `shipping_sent`.

    They include the tax if `is_taxed`, unless it is more than both.
    """
    c = nw.col
    sent = returns.with_columns(
        amount_sent="amount", shipping_sent="shipping", charged=(c("amount") + c("shipping")).cast(MONEY)
    )
    included = nw.when(c("is_taxed") & (c("tax") <= c("charged"))).then(c("tax")).otherwise(no_amount())
    of_amount = nw.coalesce(in_proportion("included", "amount", "charged"), no_amount())
    shares = sent.with_columns(included=included.cast(MONEY)).with_columns(amount_tax=of_amount)
    return shares.with_columns(
        amount=(c("amount") - c("amount_tax")).cast(MONEY),
        shipping=(c("shipping") - (c("included") - c("amount_tax"))).cast(MONEY),
    )
