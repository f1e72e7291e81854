"""Shipments: each parcel with the milestones reached so far (an accumulating snapshot)."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, own_columns, rule
from ecom_assets.table_asset import table_asset


class FactShipments(Table, primary_key="shipment_id", partition_column="ordered_on"):
    """One row per shipment."""

    shipment_id: str = key("Shipment number issued by the warehouse")
    order_id: str = column("Order that it carries")
    ordered_on: Date = column("Business day on which the order was placed")
    ordered_at: Timestamp = column("When the order was placed")
    promised_on: Date = column("Day by which it must leave the warehouse", nullable=True)
    promised_delivery_on: Date = column("Day by which it must reach the customer", nullable=True)
    shipped_at: Timestamp = column("When it left the warehouse", nullable=True)
    delivered_at: Timestamp = column("When it was delivered to the customer", nullable=True)
    status: str = column("Status")
    carrier: str = column("Carrier", nullable=True)
    service: str = column("Service level: standard, express, …", nullable=True)
    is_on_time: bool = column(
        "Whether it was shipped by the promised day; false until shipped; null if cancelled or not promised",
        nullable=True,
    )
    hours_to_ship: float = column(
        "Hours from order to shipment; zero if shipped on the same day at an unknown time", nullable=True, ge=0
    )
    hours_to_deliver: float = column(
        "Hours from shipment to delivery; zero if delivered on the same day at an unknown time", nullable=True, ge=0
    )
    cost: Decimal = money("Fee of the carrier", ge=0)
    extra: str = own_columns()

    @rule
    def on_time_if_shipped(cls) -> nw.Expr:
        """A shipment that has not left is not on time."""
        return ~nw.col("shipped_at").is_null() | ~nw.col("is_on_time").fill_null(value=False)


def hours(earlier: str, later: str) -> nw.Expr:
    """Returns the hours from one timestamp to another, at least zero; null if either is null."""
    apart = (nw.col(later) - nw.col(earlier)).dt.total_seconds().cast(nw.Float64) / 3600
    return nw.when(apart < 0).then(nw.lit(0.0)).otherwise(apart)


def transform(silver_shipments: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    left_in_time = (c("shipped_on") <= c("promised_on")).fill_null(value=False)
    is_due = (c("status") != "cancelled") & ~c("promised_on").is_null()
    return silver_shipments.with_columns(
        is_on_time=nw.when(is_due).then(left_in_time),
        hours_to_ship=hours("ordered_at", "shipped_at"),
        hours_to_deliver=hours("shipped_at", "delivered_at"),
    ).select(*contract(FactShipments).columns)


def conserved(silver_shipments: nw.LazyFrame) -> nw.LazyFrame:
    return silver_shipments.select("ordered_on", "cost")


asset = table_asset(FactShipments, transform, conserved=conserved)
