"""Feed maps: a TOML file says how a foreign export becomes our feeds."""

from ecom_assets.landing.feed_map.reader import (
    FeedMap,
    FeedMapError,
    LandReport,
    NothingToLand,
    feed_contracts,
    land,
    load_map,
)

__all__ = ["FeedMap", "FeedMapError", "LandReport", "NothingToLand", "feed_contracts", "land", "load_map"]
