"""Events, as they arrived."""

from ecom_assets.feeds.events import Events
from ecom_assets.table_asset import bronze_asset

asset = bronze_asset(Events)
