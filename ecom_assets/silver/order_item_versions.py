"""Versions of order lines: what was known of a line, by the day on which it became known."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, in_units, key, money
from ecom_assets.days import by_arrival_day
from ecom_assets.silver._versions import last_of_day
from ecom_assets.table_asset import table_asset


class OrderItemVersions(Table, primary_key=("arrived_on", "order_id", "line_number"), partition_column="arrived_on"):
    """One row per arrival day and order line of which a valid version arrived, whether or not its order is known.

    The rows of the days up to d are what was known of lines at the end of d: what arrives later changes none of them.
    A version that deletes its line may leave out all but its key and when it changed.
    """

    arrived_on: Date = key("Day on which the version arrived")
    order_id: str = key("Order that it belongs to")
    line_number: int = key("Line number within the order")
    ordered_on: Date = column("Business day on which the order was placed; the arrival day if not given")
    updated_at: Timestamp = column("When the line had last changed")
    product_id: str = column("Product sold; null for a line outside the catalogue", nullable=True)
    quantity: Decimal = in_units("Units sold; zero for a line that was taken out", nullable=True)
    unit_price: Decimal = money("Price of one unit before discount, in the order's currency", nullable=True)
    discount: Decimal = money("Discount on the line, in the order's currency", nullable=True)
    is_retracted: bool = column("Whether the line was taken out of its order, or deleted")


def transform(bronze_order_items: nw.LazyFrame) -> nw.LazyFrame:
    versions = last_of_day(bronze_order_items, key=["order_id", "line_number"], order=["updated_at"])
    return versions.with_columns(is_retracted="is_retraction").select(*contract(OrderItemVersions).columns)


asset = table_asset(OrderItemVersions, transform, reads={"bronze_order_items": by_arrival_day})
