"""Orders, cleaned: one row each, in their latest valid state."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Timestamp, column, expectation, money, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.expressions.included_tax import includes_tax, tax_on_top
from ecom_assets.expressions.money import ROUNDING_TOLERANCE, no_amount
from ecom_assets.feeds import orders as feed
from ecom_assets.table_asset import table_asset


class Orders(feed.Orders, partition_column="ordered_on"):
    """One row per order, in its latest valid state."""

    ordered_on: Date = column("Business day on which it was placed")
    updated_on: Date = column("Business day on which it last changed", day_of="updated_at")
    updated_until: Timestamp = column("Last moment that updated_at can mean", latest_of="updated_at")
    foreign_total: Decimal = money(
        "Total in its own currency, if that is not the shop's", original_of="total", nullable=True
    )
    extra: str = own_columns()

    @rule
    def total_adds_up(cls) -> nw.Expr:
        """Subtotal less discount plus shipping, and tax that is not included, make the total, within 0.05."""
        return _off_by().abs() <= ROUNDING_TOLERANCE

    @expectation
    def total_is_not_off_by_rounding(cls) -> nw.Expr:
        """An accepted total is that of its parts exactly, not only within rounding."""
        return (_off_by() == 0) | (_off_by().abs() > ROUNDING_TOLERANCE)

    @rule
    def cancelled_for_a_reason(cls) -> nw.Expr:
        """A cancelled order has a reason, and no other order has one."""
        return (nw.col("status") == "cancelled") != nw.col("cancel_reason").is_null()

    @rule
    def updated_after_ordered(cls) -> nw.Expr:
        """An order does not change before it is placed."""
        return nw.col("updated_until") >= nw.col("ordered_at")


def _off_by() -> nw.Expr:
    """Returns the total less its parts; zero where the total or the subtotal is not given."""
    c = nw.col
    parts = c("subtotal") - c("discount") + c("shipping") + tax_on_top()
    return nw.coalesce(c("total") - parts, no_amount())


def transform(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_orders.with_columns(
        nw.col("status", "cancel_reason", "channel").str.strip_chars().str.to_lowercase(),
        nw.col("country", "region", "city", "shop_status", "coupon").str.strip_chars(),
        # Amounts that are converted and rounded do not say it any more.
        tax_included=nw.when(~nw.col("currency").is_null()).then(includes_tax()).otherwise(nw.col("tax_included")),
    )


asset = table_asset(Orders, transform, reads={"bronze_orders": by_event_day})
