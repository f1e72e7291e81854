"""Feed maps: a TOML file that turns a foreign export into our feeds, without code. docs/feed-maps.md describes them.

`reader` reads and checks a map, `model` is the map, `query` parses a feed's SQL and finds where its rows come from,
`macros` are what it may call, `statements` binds and runs it, `landed` has what it may join of earlier landings,
`pieces` what it leaves of nested JSON. `sql` is the SQL of the map's own words, `tables` reads sources into DuckDB,
`landing` lands them, `extract` reads those that are tables of a database.
"""

from ecom_assets.sources.feed_map.draft import draft
from ecom_assets.sources.feed_map.extract import Extract, extracted
from ecom_assets.sources.feed_map.landing import WouldEmpty, land
from ecom_assets.sources.feed_map.model import FeedMap
from ecom_assets.sources.feed_map.preview import preview
from ecom_assets.sources.feed_map.reader import load_map
from ecom_assets.sources.feed_map.report import LandReport
from ecom_assets.sources.feed_map.sources import NothingToLand
from ecom_assets.sources.feed_map.toml_text import FeedMapError

__all__ = [
    "Extract",
    "FeedMap",
    "FeedMapError",
    "LandReport",
    "NothingToLand",
    "WouldEmpty",
    "draft",
    "extracted",
    "land",
    "load_map",
    "preview",
]
