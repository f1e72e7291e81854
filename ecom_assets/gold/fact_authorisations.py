"""Authorisations of payments, and the captures and voids that follow them: what is open at the end of each day."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.days import trailing
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import MONEY, no_amount, total
from ecom_assets.table_asset import table_asset

AUTHORISED = "authorised"
SETTLING = ["captured", "voided"]
"""Statuses of payments that end an authorisation."""
DAYS_OPEN = 30
"""Providers hold an amount for up to 30 days."""


class FactAuthorisations(Table, primary_key="payment_id", partition_column="paid_on"):
    """One row per authorisation, and per capture or void of one, among the payments that have a number of their own.

    The captures and voids of an order by the same means of payment settle its authorisations of 30 days, the earliest
    first; those before the first authorisation settle none. A day knows nothing of later ones.
    """

    payment_id: str = key("Payment number issued by the provider")
    paid_on: Date = column("Business day of the payment")
    settles: bool = column("Whether it is a capture or a void, and an amount was open before it")
    open_amount: Decimal = money(
        "Amount authorised that is neither captured nor voided by the end of the day; zero for captures and voids", ge=0
    )

    @rule
    def settles_or_opens(cls) -> nw.Expr:
        """A capture or a void opens no amount."""
        return ~nw.col("settles") | (nw.col("open_amount") == 0)


def transform(silver_payments: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    by_order = ["order_id", "method"]
    is_authorised = c("status") == AUTHORISED
    held = silver_payments.filter(is_authorised).select(*by_order).unique()
    steps = silver_payments.filter(is_authorised | c("status").is_in(SETTLING)).join(held, on=by_order, how="semi")
    steps = steps.select("payment_id", "paid_at", "paid_on", "amount", *by_order, is_authorised=is_authorised)
    others = steps.rename({name: f"other_{name}" for name in steps.collect_schema().names() if name not in by_order})
    of_days = steps.join(days, left_on="paid_on", right_on="day", how="semi")
    other_at, other_authorised = c("other_paid_at"), c("other_is_authorised")
    pairs = (
        of_days.join(others, on=by_order)
        .filter(days_between(c("other_paid_on"), c("paid_on")).is_between(0, DAYS_OPEN - 1))
        .with_columns(first_at=nw.when(other_authorised).then(other_at).min().over("payment_id"))
    )
    # Of payments at the same moment, authorisations are the first, and equal ones go by number.
    is_tie_before = (other_authorised & ~c("is_authorised")) | (
        (other_authorised == c("is_authorised")) & (c("other_payment_id") < c("payment_id"))
    )
    is_before = (other_at < c("paid_at")) | ((other_at == c("paid_at")) & is_tie_before)
    counts = ~other_authorised & (other_at >= c("first_at")) & (is_before | c("is_authorised"))
    sums = (
        pairs.with_columns(
            authorised_before=nw.when(other_authorised & is_before).then(c("other_amount")).otherwise(no_amount()),
            settled=nw.when(counts).then(c("other_amount")).otherwise(no_amount()),
        )
        .group_by("payment_id", "paid_on", "is_authorised", "amount")
        .agg(total("authorised_before"), total("settled"))
    )
    left = c("authorised_before") + c("amount") - c("settled")
    still_open = nw.when(left > c("amount")).then(c("amount")).when(left > 0).then(left).otherwise(no_amount())
    return sums.with_columns(
        settles=~c("is_authorised") & (c("authorised_before") > c("settled")),
        open_amount=nw.when(c("is_authorised")).then(still_open).otherwise(no_amount()).cast(MONEY),
    ).select(*contract(FactAuthorisations).columns)


asset = table_asset(FactAuthorisations, transform, reads={"silver_payments": trailing(DAYS_OPEN).by("order_id")})
