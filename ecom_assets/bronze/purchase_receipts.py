"""Purchase receipts, as they arrived."""

from ecom_assets.feeds.purchase_receipts import PurchaseReceipts
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(PurchaseReceipts)
