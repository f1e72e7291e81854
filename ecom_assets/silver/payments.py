"""Payments, cleaned: each attempt to pay and each refund, in its latest valid state."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Timestamp, column, expectation, money, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.expressions.measures import GIVEN_BACK
from ecom_assets.feeds import payments as feed
from ecom_assets.table_asset import table_asset


class Payments(feed.Payments, partition_column="paid_on"):
    """One row per payment, in its latest valid state."""

    paid_on: Date = column("Business day of the attempt, the capture or the refund")
    updated_until: Timestamp = column("Last moment that updated_at can mean", latest_of="updated_at")
    foreign_amount: Decimal = money(
        "Amount in its own currency, if that is not the shop's", original_of="amount", nullable=True
    )
    extra: str = own_columns()

    @rule
    def updated_after_paid(cls) -> nw.Expr:
        """A payment does not change before it is attempted."""
        return nw.col("updated_until") >= nw.col("paid_at")

    @expectation
    def fee_within_amount(cls) -> nw.Expr:
        """The provider's fee does not exceed the amount."""
        return nw.col("fee") <= nw.col("amount")

    @expectation
    def fee_given_back_with_money(cls) -> nw.Expr:
        """A fee is given back with a refund or a charge-back."""
        return (nw.col("fee") >= 0) | nw.col("status").is_in(GIVEN_BACK)


def transform(bronze_payments: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_payments.with_columns(nw.col("method", "status").str.strip_chars().str.to_lowercase())


asset = table_asset(Payments, transform, reads={"bronze_payments": by_event_day})
