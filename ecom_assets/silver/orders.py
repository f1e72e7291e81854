"""Orders, cleaned: one row each, in their latest valid state."""

import narwhals as nw

from ecom_assets.contract import Date, Timestamp, column, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.expressions.included_tax import includes_tax
from ecom_assets.feeds import orders as feed
from ecom_assets.table_asset import table_asset


class Orders(feed.Orders, partition_column="ordered_on"):
    """One row per order, in its latest valid state."""

    ordered_on: Date = column("Business day on which it was placed")
    updated_on: Date = column("Business day on which it last changed", day_of="updated_at")
    updated_until: Timestamp = column("Last moment that updated_at can mean", latest_of="updated_at")
    extra: str = own_columns()

    @rule
    def total_adds_up(cls) -> nw.Expr:
        """Subtotal less discount plus shipping, and tax that is not included, make the total, where both are given."""
        due = nw.col("subtotal") - nw.col("discount") + nw.col("shipping")
        adds_up = nw.when(includes_tax()).then(due == nw.col("total")).otherwise(due + nw.col("tax") == nw.col("total"))
        return nw.col("subtotal").is_null() | nw.col("total").is_null() | adds_up

    @rule
    def cancelled_for_a_reason(cls) -> nw.Expr:
        """A cancelled order has a reason, and no other order has one."""
        return (nw.col("status") == "cancelled") != nw.col("cancel_reason").is_null()

    @rule
    def updated_after_ordered(cls) -> nw.Expr:
        """An order does not change before it is placed."""
        return nw.col("updated_until") >= nw.col("ordered_at")


def transform(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_orders.with_columns(
        nw.col("status", "cancel_reason", "channel").str.strip_chars().str.to_lowercase(),
        nw.col("country", "region", "city", "shop_status").str.strip_chars(),
    )


asset = table_asset(Orders, transform, reads={"bronze_orders": by_event_day})
