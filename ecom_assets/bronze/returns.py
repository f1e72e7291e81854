"""Returns, as they arrived."""

from ecom_assets.feeds.returns import Returns
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Returns)
