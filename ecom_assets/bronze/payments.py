"""Payments, as they arrived."""

from ecom_assets.feeds.payments import Payments
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Payments)
