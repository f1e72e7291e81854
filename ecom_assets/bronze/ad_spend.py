"""Ad spend, as reported."""

from ecom_assets.feeds.ad_spend import AdSpend
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(AdSpend)
