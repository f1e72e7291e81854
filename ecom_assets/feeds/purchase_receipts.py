"""Purchase receipts: goods that suppliers delivered."""

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, key, money


class PurchaseReceipts(Table, primary_key="receipt_id", event_column="received_at"):
    """One row per product that came with a delivery."""

    receipt_id: str = key("Number of the receipt's line")
    purchase_order_id: str = column("The shop's order to the supplier", nullable=True)
    supplier_id: str = column("Who delivered it", references="silver.suppliers")
    product_id: str = column("What came", references="silver.products")
    ordered_on: Date = column("Day on which it was ordered", nullable=True)
    received_at: Timestamp = column("When it came")
    quantity: int = column("Units received", gt=0)
    unit_cost: Decimal = money("What the supplier charges for a unit", ge=0)
