"""Shipments, cleaned: the parcels of the orders, in their latest valid state."""

import narwhals as nw

from ecom_assets.contract import Date, Timestamp, column, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.feeds import shipments as feed
from ecom_assets.table_asset import table_asset

NOT_SENT = ["open", "cancelled"]


class Shipments(feed.Shipments, partition_column="ordered_on"):
    """One row per shipment, in its latest valid state."""

    ordered_on: Date = column("Business day on which the order was placed")
    shipped_on: Date = column("Business day on which it left the warehouse", day_of="shipped_at", nullable=True)
    shipped_until: Timestamp = column("Last moment that shipped_at can mean", latest_of="shipped_at", nullable=True)
    delivered_until: Timestamp = column(
        "Last moment that delivered_at can mean", latest_of="delivered_at", nullable=True
    )
    extra: str = own_columns()

    @rule
    def shipped_if_it_says_so(cls) -> nw.Expr:
        """A shipment that is shipped or delivered says when it was shipped, and no other does."""
        return nw.col("status").is_in(NOT_SENT) == nw.col("shipped_at").is_null()

    @rule
    def delivered_if_it_says_so(cls) -> nw.Expr:
        """A shipment that is delivered says when, and no other does."""
        return (nw.col("status") == "delivered") != nw.col("delivered_at").is_null()

    @rule
    def milestones_in_order(cls) -> nw.Expr:
        """A shipment is not shipped before it is ordered, nor delivered before it is shipped."""
        shipped, delivered = nw.col("shipped_until"), nw.col("delivered_until")
        is_shipped_later = shipped.is_null() | (shipped >= nw.col("ordered_at"))
        return is_shipped_later & (delivered.is_null() | (delivered >= nw.col("shipped_at")))

    @rule
    def promised_after_ordered(cls) -> nw.Expr:
        """A shipment is not promised for a day before it is ordered."""
        return nw.col("promised_on").is_null() | (nw.col("promised_on") >= nw.col("ordered_on"))


def transform(bronze_shipments: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_shipments.with_columns(nw.col("status", "carrier", "service").str.strip_chars().str.to_lowercase())


asset = table_asset(Shipments, transform, reads={"bronze_shipments": by_event_day})
