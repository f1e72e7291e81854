"""Order lines, as they arrived."""

from ecom_assets.feeds.order_items import OrderItems
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(OrderItems)
