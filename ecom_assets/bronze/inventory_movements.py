"""Inventory movements, as they arrived."""

from ecom_assets.feeds.inventory_movements import InventoryMovements
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(InventoryMovements)
