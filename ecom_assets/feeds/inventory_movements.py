"""Inventory movements: units that enter or leave the stock."""

from ecom_assets.contract import Decimal, Feed, Timestamp, column, in_units, key

MOVEMENT_KINDS = ["opening", "receipt", "sale", "return", "adjustment"]


class InventoryMovements(Feed, primary_key="movement_id", event_column="moved_at"):
    """One row per movement of a product."""

    movement_id: str = key("Number of the movement")
    product_id: str = column("Product that moved", references="silver.products")
    kind: str = column("Kind of movement", isin=MOVEMENT_KINDS)
    quantity: Decimal = in_units("Units that entered the stock; negative if they left")
    moved_at: Timestamp = column("Moment of the movement")
    document_id: str = column(
        "Receipt, shipment or return that it belongs to, if any", nullable=True, words_for_nothing=True
    )
