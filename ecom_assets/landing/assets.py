"""The landing zone as Dagster sees it: one asset per feed, and a shop that lands its files where there is one."""

from collections.abc import Iterator

import dagster as dg

from ecom_assets import settings
from ecom_assets.days import Window
from ecom_assets.landing.synthetic import land_shop, load_shop, write_truth
from ecom_assets.landing.zone import Zone
from ecom_assets.table_asset import OWNERS, partitions

FEEDS = (
    "customers",
    "products",
    "suppliers",
    "orders",
    "order_items",
    "payments",
    "shipments",
    "returns",
    "reviews",
    "purchase_receipts",
    "inventory_movements",
    "events",
    "campaigns",
    "ad_spend",
)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["landing", feed],
            description=f"Files of the feed {feed}, by the day on which they arrived.",
            group_name="landing",
            owners=OWNERS,
            kinds={"file", "landing"},
            tags={"feed": feed},
            skippable=True,
        )
        for feed in FEEDS
    ],
    name="landing",
    partitions_def=partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=True,
)
def landing(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """Land the synthetic shop's arrivals of the window; without a shop, say what others have landed."""
    keys = context.partition_key_range
    window = Window.parse(f"{keys.start}..{keys.end}")
    known = settings.load()
    zone = Zone(known.landing)
    if shop := load_shop(zone.root):
        land_shop(zone, shop, window)
        write_truth(known.truth, shop, window)
    for key in sorted(context.selected_asset_keys):
        arrivals = zone.arrivals(key.path[-1], window.first, window.last)
        files = [file for day in window for file in arrivals[day]]
        yield dg.MaterializeResult(key, metadata={"files": len(files), "bytes": sum(file.size for file in files)})
