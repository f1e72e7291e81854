"""Versions of orders: what was known of an order, by the day on which it became known."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Rate, Table, Timestamp, column, contract, key, money
from ecom_assets.days import by_arrival_day
from ecom_assets.expressions.included_tax import includes_tax
from ecom_assets.silver._versions import last_of_day
from ecom_assets.table_asset import table_asset


class OrderVersions(Table, primary_key=("arrived_on", "order_id"), partition_column="arrived_on"):
    """One row per arrival day and order of which a valid version arrived, whether or not its customer is known.

    The rows of the days up to d are what was known of orders at the end of d: what arrives later changes none of them.
    A version that deletes its order may leave out all but its number and when it changed.
    """

    arrived_on: Date = key("Day on which the version arrived")
    order_id: str = key("Order number issued by the shop")
    ordered_at: Timestamp = column("When the order was placed", nullable=True)
    ordered_on: Date = column("Business day on which it was placed; the arrival day if not given")
    updated_at: Timestamp = column("When it had last changed")
    customer_id: str = column("Customer who placed it; null for guests", nullable=True, personal=True)
    channel: str = column("Sales channel", nullable=True)
    country: str = column("Destination country", nullable=True)
    status: str = column("Status", nullable=True)
    cancel_reason: str = column("Reason of cancellation", nullable=True)
    subtotal: Decimal = money("Sum of its lines after line discounts", nullable=True)
    discount: Decimal = money("Discount on the whole order", nullable=True)
    shipping: Decimal = money("Shipping fee", nullable=True)
    tax: Decimal = money("Tax", nullable=True)
    total: Decimal = money("Amount that the customer has to pay", nullable=True)
    is_retracted: bool = column("Whether the order was deleted")
    is_taxed: bool = column("Whether its amounts include the tax")
    currency: str = column("Currency of the amounts; null if it is the shop's", nullable=True)
    rate: Rate = column("The order's own rate, if it names one", nullable=True)


def transform(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
    versions = last_of_day(bronze_orders, key=["order_id"], order=["updated_at"])
    return versions.with_columns(is_retracted="is_retraction", is_taxed=includes_tax()).select(
        *contract(OrderVersions).columns
    )


asset = table_asset(OrderVersions, transform, reads={"bronze_orders": by_arrival_day})
