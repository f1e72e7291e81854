"""Shipments: a row when an order is handed to the warehouse, and at each later milestone of its parcel."""

from ecom_assets.contract import Date, Decimal, Feed, Timestamp, column, currency, key, money, store

SHIPMENT_STATUSES = ["open", "shipped", "delivered", "cancelled"]


class Shipments(
    Feed,
    primary_key="shipment_id",
    event_column="ordered_at",
    version_column="updated_at",
    identifying=("order_id", "ordered_at"),
):
    """One row per shipment and state of it."""

    shipment_id: str = key("Shipment number issued by the warehouse", of_store=True)
    order_id: str = column("Order that it carries", of_store=True, references="silver.orders")
    ordered_at: Timestamp = column("When the order was placed")
    updated_at: Timestamp = column("When the row last changed")
    status: str = column("Status", isin=SHIPMENT_STATUSES)
    carrier: str = column("Carrier", nullable=True)
    service: str = column("Service level: standard, express, …", nullable=True)
    promised_on: Date = column("Day by which it must leave the warehouse", nullable=True)
    promised_delivery_on: Date = column("Day by which it must reach the customer", nullable=True)
    shipped_at: Timestamp = column("When it left the warehouse", nullable=True)
    delivered_at: Timestamp = column("When it was delivered to the customer", nullable=True)
    cost: Decimal = money("Fee of the carrier", ge=0)
    currency: str = currency()
    store: str = store()
