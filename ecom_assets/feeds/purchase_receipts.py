"""Purchase receipts: goods that suppliers delivered."""

from ecom_assets.contract import Date, Decimal, Feed, Timestamp, column, currency, in_units, key, money


class PurchaseReceipts(Feed, primary_key="receipt_id", event_column="received_at"):
    """One row per product in a delivery."""

    receipt_id: str = key("Line number of the receipt")
    purchase_order_id: str = column("Order of the shop to the supplier", nullable=True, words_for_nothing=True)
    supplier_id: str = column("Supplier", references="silver.suppliers")
    product_id: str = column("Product received", references="silver.products")
    ordered_on: Date = column("Day of the order to the supplier", nullable=True)
    received_at: Timestamp = column("Moment of receipt")
    quantity: Decimal = in_units("Units received", gt=0)
    unit_cost: Decimal = money("Price of one unit, charged by the supplier", ge=0)
    currency: str = currency()
