"""Orders, as they arrived."""

from ecom_assets.feeds.orders import Orders
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Orders)
