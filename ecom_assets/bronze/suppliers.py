"""Supplier profiles, as they arrived."""

from ecom_assets.landing.suppliers import Suppliers
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Suppliers)
