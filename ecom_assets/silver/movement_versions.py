"""Versions of movements of stock: what was known of one, by the day on which it became known."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, in_units, key
from ecom_assets.days import by_arrival_day
from ecom_assets.silver._versions import last_of_day
from ecom_assets.table_asset import table_asset


class MovementVersions(Table, primary_key=("arrived_on", "movement_id"), partition_column="arrived_on"):
    """One row per arrival day and movement of which a valid version arrived, whether or not its product is known."""

    arrived_on: Date = key("Day on which the version arrived")
    movement_id: str = key("Number of the movement")
    moved_on: Date = column("Business day on which it moved; the arrival day if not given")
    product_id: str = column("Product that moved", nullable=True)
    kind: str = column("Kind of movement", nullable=True)
    quantity: Decimal = in_units("Units that entered the stock, negative if they left", nullable=True)
    is_retracted: bool = column("Whether the movement was deleted")


def transform(bronze_inventory_movements: nw.LazyFrame) -> nw.LazyFrame:
    versions = last_of_day(bronze_inventory_movements, key=["movement_id"], order=[])
    return versions.with_columns(is_retracted="is_retraction").select(*contract(MovementVersions).columns)


asset = table_asset(MovementVersions, transform, reads={"bronze_inventory_movements": by_arrival_day})
