"""Exchange rates, as they arrived."""

from ecom_assets.feeds.exchange_rates import ExchangeRates
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(ExchangeRates)
