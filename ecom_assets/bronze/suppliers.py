"""Supplier profiles, as they arrived."""

from ecom_assets.feeds.suppliers import Suppliers
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Suppliers)
