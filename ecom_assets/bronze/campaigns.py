"""Campaigns, as they arrived."""

from ecom_assets.feeds.campaigns import Campaigns
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Campaigns)
