"""Shipments, as they arrived."""

from ecom_assets.landing.shipments import Shipments
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Shipments)
