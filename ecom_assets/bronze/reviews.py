"""Reviews, as they arrived."""

from ecom_assets.feeds.reviews import Reviews
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Reviews)
