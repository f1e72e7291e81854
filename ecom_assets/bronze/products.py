"""Catalogue entries, as they arrived."""

from ecom_assets.feeds.products import Products
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Products)
