"""Inventory movements: what comes into the stock and what leaves it."""

from ecom_assets.contract import Table, Timestamp, column, key

MOVEMENT_KINDS = ["opening", "receipt", "sale", "return", "adjustment"]


class InventoryMovements(Table, primary_key="movement_id", event_column="moved_at"):
    """One row per movement of a product."""

    movement_id: str = key("Number of the movement")
    product_id: str = column("What moved", references="silver.products")
    kind: str = column("Why it moved", isin=MOVEMENT_KINDS)
    quantity: int = column("Units that came; less than zero if they left")
    moved_at: Timestamp = column("When they came or left")
    document_id: str = column("The receipt, shipment or return that says so, if there is one", nullable=True)
