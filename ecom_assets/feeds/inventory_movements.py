"""Inventory movements: units that enter or leave the stock, and counts of what is there."""

from ecom_assets.contract import Decimal, Feed, Timestamp, column, in_units, key

COUNT = "count"
"""The kind of a row that moves nothing: units that were found on hand."""
MOVEMENT_KINDS = ["opening", "receipt", "sale", "return", "adjustment", COUNT]


class InventoryMovements(Feed, primary_key="movement_id", event_column="moved_at"):
    """One row per movement or count of a product. A transfer between locations is two adjustments."""

    movement_id: str = key("Number of the movement")
    product_id: str = column("Product that moved", references="silver.products")
    kind: str = column("Kind of movement", isin=MOVEMENT_KINDS)
    quantity: Decimal = in_units("Units that entered the stock, negative if they left; of a count, units found")
    location: str = column(
        "Warehouse or store in which the stock lies, if there are several", nullable=True, words_for_nothing=True
    )
    moved_at: Timestamp = column("Moment of the movement")
    document_id: str = column(
        "Receipt, shipment or return that it belongs to, if any", nullable=True, words_for_nothing=True
    )
