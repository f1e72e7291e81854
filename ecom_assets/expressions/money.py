"""Money, quantities and ratios, exact and equal on every engine.

Amounts in shop currency and quantities are DECIMAL(18,4) and never pass through a float. Ratios are floats.
Amounts and quantities of a row are less than ten billion, so that sums over many rows fit.
"""

import decimal
from collections.abc import Sequence

import narwhals as nw

from ecom_assets.contract import AMOUNT_DIGITS

MONEY = nw.Decimal(18, 4)
QUANTITY = nw.Decimal(18, 4)
ROUNDING_TOLERANCE = decimal.Decimal("0.05")
"""What a total may differ from its parts: shops that round tax, discounts or prices line by line are off by cents."""
_WIDE = nw.Decimal(38, 4)
_OF_PRODUCTS = nw.Decimal(38, 8)
_BELOW_PRODUCTS = decimal.Decimal("1e-9")
"""Smaller than any product; added to one it decides ties, which engines round differently."""
_UNITS_PER_CENT = 100
_UNITS_PER_AMOUNT = 10_000


def extended(quantity: str, price: str) -> nw.Expr:
    """Returns the column `quantity` times the column `price` (money), an amount.

    Exact for a whole quantity. Of a fraction of a unit, as of goods sold by weight, a shop charges whole cents: the
    product is rounded to the cent, half away from zero. Null if either is null, or if the product is ten billion or
    more, the limit of a row's amounts.
    """
    whole = nw.col(quantity).cast(nw.Int64)
    product = nw.col(quantity).cast(_WIDE) * nw.col(price).cast(_OF_PRODUCTS)
    away_from_zero = nw.when(product < 0).then(-_BELOW_PRODUCTS).otherwise(_BELOW_PRODUCTS)
    cents = (product + away_from_zero).cast(nw.Decimal(38, 2))
    return nw.when(nw.col(quantity) == whole).then(_of_a_row(whole * nw.col(price))).otherwise(_of_a_row(cents))


def _of_a_row(amount: nw.Expr) -> nw.Expr:
    """Returns the amount, null if a row may not have one as large."""
    return nw.when(amount.abs() < 10**AMOUNT_DIGITS).then(amount).cast(MONEY)


def total(column: str) -> nw.Expr:
    """Returns the sum of a column of amounts or quantities, as one. An engine alone would widen it to DECIMAL(38,4)."""
    return nw.col(column).sum().cast(MONEY)


def total_count(column: str) -> nw.Expr:
    """Returns the sum of a column of integers, as an integer. An engine alone would widen it to 128 bits."""
    return nw.col(column).sum().cast(nw.Int64)


def ratio(numerator: str | nw.Expr, denominator: str | nw.Expr) -> nw.Expr:
    """Returns one quantity over another, as a float; null if the denominator is zero or null."""
    upper, lower = (nw.col(side) if isinstance(side, str) else side for side in (numerator, denominator))
    return nw.when(lower != 0).then(upper.cast(nw.Float64) / lower.cast(nw.Float64))


def no_amount() -> nw.Expr:
    """Returns the amount or quantity zero, as a literal column."""
    return nw.lit(decimal.Decimal(0), MONEY)


def _units(column: str) -> nw.Expr:
    """Returns an amount or quantity as a whole number of ten-thousandths, in 128 bits: products of two fit."""
    return (nw.col(column).cast(_WIDE) * _UNITS_PER_AMOUNT).cast(nw.Int128)


def _amount(units: nw.Expr) -> nw.Expr:
    return (units.cast(nw.Decimal(18, 0)) * nw.lit(decimal.Decimal("0.0001"))).cast(MONEY)


def in_proportion(amount: str, part: str, whole: str) -> nw.Expr:
    """Returns the amount times part per whole, three columns of money, rounded down to the last decimal.

    Exact, for amounts of at least zero; null if the whole is zero.
    """
    of_whole = nw.when(nw.col(whole) > 0).then(_units(whole))
    return _amount(_units(amount) * _units(part) // of_whole)


def share_by_largest_remainder(
    lines: nw.LazyFrame,
    amount: str,
    *,
    by: str,
    within: str | Sequence[str],
    order_by: str,
    name: str,
    step: int = _UNITS_PER_CENT,
) -> nw.LazyFrame:
    """Returns the lines with the column `name`: the line's share of its group's `amount`, in proportion to `by`.

    The shares of a group sum to its amount exactly, and each is within a cent of the exact one.
    Each line first gets its share rounded down to the cent; the remaining cents go one each to the
    lines with the largest remainders (Hamilton's method), ties in the order of `order_by`. Fractions
    of a cent go to the line with the largest `by`. If all of a group's `by` are zero, the lines
    share equally.

    Args:
        lines: One row per line.
        amount: Money, at least zero, the same on all lines of a group.
        by: Money, at least zero: the weight of the line.
        within: The column or columns of the group.
        order_by: Decides ties; unique in its group.
        name: The new column, money.
        step: What is shared in whole pieces, in ten-thousandths: a cent by default.
    """
    c = nw.col
    weighed = lines.with_columns(_cents=_units(amount) // step, _weight=_units(by)).with_columns(
        _all=c("_weight").sum().over(within), _lines=nw.len().over(within)
    )
    weightless = c("_all") == 0
    rounded_down = weighed.with_columns(
        _weight=nw.when(weightless).then(nw.lit(1, nw.Int128)).otherwise(c("_weight")),
        _all=nw.when(weightless).then(c("_lines").cast(nw.Int128)).otherwise(c("_all").cast(nw.Int128)),
    ).with_columns(
        _share=c("_cents") * c("_weight") // c("_all"),
        _to_next_cent=c("_all") - c("_cents") * c("_weight") % c("_all"),
        _lightness=c("_all") - c("_weight"),
    )
    ranked = rounded_down.with_columns(
        _left=c("_cents") - c("_share").sum().over(within).cast(nw.Int128),
        _turn=c(order_by).cum_count().over(within, order_by=["_to_next_cent", order_by]),
        _heaviest=c(order_by).cum_count().over(within, order_by=["_lightness", order_by]) == 1,
    )
    cent = nw.when(c("_turn").cast(nw.Int128) <= c("_left")).then(1).otherwise(0)
    below_the_cent = nw.when(c("_heaviest")).then(_units(amount) % step).otherwise(0)
    shared = ranked.with_columns(_amount((c("_share") + cent) * step + below_the_cent).alias(name))
    return shared.drop(
        "_cents", "_weight", "_all", "_lines", "_share", "_to_next_cent", "_lightness", "_left", "_turn", "_heaviest"
    )


def share_by_partial_sums(
    lines: nw.LazyFrame, amounts: Sequence[str], *, by: Sequence[str], within: str, order_by: str
) -> nw.LazyFrame:
    """Returns the lines with a column per weight and amount, "weight amount": the share of the group's amount.

    A share is the difference of two rounded partial sums (Knuth 1995, Two-way rounding, SIAM Journal on Discrete
    Mathematics 8), so that the shares of a group sum to its amount exactly. A float only decides where an amount
    is cut: within 0.0001 of the exact place, for amounts below a hundred billion. Many times cheaper than the method of
    largest remainders, which yields whole cents.

    Args:
        lines: One row per line.
        amounts: Money, the same on all lines of a group.
        by: Integers, at least zero and not all zero in a group: the weights of the line.
        within: The column of the group.
        order_by: The order of the partial sums; unique in its group.
    """
    c = nw.col
    with_sums = lines.with_columns(
        *(_units(amount).cast(nw.Int64).alias(f"_units {amount}") for amount in amounts),
        *(c(weight).cum_sum().over(within, order_by=order_by).cast(nw.Int64).alias(f"_to {weight}") for weight in by),
        *(c(weight).sum().over(within).cast(nw.Int64).alias(f"_all {weight}") for weight in by),
    )

    def share(amount: str, weight: str) -> nw.Expr:
        units, to, whole = c(f"_units {amount}"), c(f"_to {weight}"), c(f"_all {weight}")

        def up_to(partial_sum: nw.Expr) -> nw.Expr:
            return (units * ratio(partial_sum, whole) + 0.5).floor().cast(nw.Int64)

        return _amount(nw.when(to == whole).then(units).otherwise(up_to(to)) - up_to(to - c(weight)))

    shares = (share(amount, weight).alias(f"{weight} {amount}") for weight in by for amount in amounts)
    return with_sums.select(*lines.collect_schema().names(), *shares)
