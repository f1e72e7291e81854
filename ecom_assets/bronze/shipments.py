"""Shipments, as they arrived."""

from ecom_assets.feeds.shipments import Shipments
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Shipments)
