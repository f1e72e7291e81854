"""Inventory movements, cleaned: units that entered or left the stock, or were counted."""

import narwhals as nw

from ecom_assets.contract import Date, column, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.feeds import inventory_movements as feed
from ecom_assets.table_asset import table_asset

COMING = ["opening", "receipt", "return", feed.COUNT]


class InventoryMovements(feed.InventoryMovements, partition_column="moved_on"):
    """One row per movement or count of a product."""

    moved_on: Date = column("Business day on which it moved")
    extra: str = own_columns()

    @rule
    def sign_of_its_kind(cls) -> nw.Expr:
        """Openings, receipts and returns add units, sales take units away, adjustments do either, counts find some."""
        kind, quantity = nw.col("kind"), nw.col("quantity")
        return (~kind.is_in(COMING) | (quantity >= 0)) & ((kind != "sale") | (quantity <= 0))


def transform(bronze_inventory_movements: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_inventory_movements.with_columns(
        nw.col("kind").str.strip_chars().str.to_lowercase(), nw.col("location").str.strip_chars()
    )


asset = table_asset(InventoryMovements, transform, reads={"bronze_inventory_movements": by_event_day})
