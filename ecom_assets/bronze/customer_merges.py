"""Merges of customers, as they arrived."""

from ecom_assets.feeds.customer_merges import CustomerMerges
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(CustomerMerges)
