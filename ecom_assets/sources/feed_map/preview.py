"""What a map makes of a folder, without landing it."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.sources.feed_map.landing import land
from ecom_assets.sources.feed_map.model import FeedMap
from ecom_assets.sources.feed_map.report import LandReport

ROWS = 10


def preview(
    feed_map: FeedMap,
    folder: Path,
    before: Zone,
    check: Callable[[Window, Zone], object] = lambda days, staged: None,
    *,
    other_currency: str | None = None,
    told: Callable[[str, float], object] = lambda step, share: None,
) -> tuple[LandReport, dict[str, pl.DataFrame]]:
    """Returns the report of landing a folder as if nothing had landed before, and the first rows of each feed.

    Statements that join what has landed find it in the zone `before`; `check` and `told` are those of `land`. Columns
    without values in these rows are left out. Raises what `land` does.
    """
    with TemporaryDirectory(prefix="feed-map-") as scratch:
        zone = Zone(Path(scratch))
        report = land(feed_map, folder, zone, check, before=before, other_currency=other_currency, told=told)
        return report, {feed: _first_rows(zone, feed) for feed in feed_map.names}


def _first_rows(zone: Zone, feed: str) -> pl.DataFrame:
    rows = pl.DataFrame()
    for path in sorted((zone.root / feed).glob("*/*.parquet")):
        more = pl.read_parquet(path, n_rows=ROWS - len(rows)).insert_column(0, pl.lit(path.parent.name).alias("day"))
        rows = pl.concat([rows, more], how="diagonal") if len(more) else rows
        if len(rows) >= ROWS:
            break
    return rows.select(column for column in rows.iter_columns() if column.null_count() < len(rows))
