"""Customer profiles, as they arrived."""

from ecom_assets.feeds.customers import Customers
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Customers)
