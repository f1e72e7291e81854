"""The landing zone in Dagster: one asset per feed. A synthetic shop, if there is one, lands its files there."""

from collections.abc import Iterator

import dagster as dg

from ecom_assets import settings
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration import metadata
from ecom_assets.orchestration._dagster import without_beta_warnings
from ecom_assets.orchestration.assets import OWNERS, code_version, domain_of
from ecom_assets.orchestration.following import LANDING, tell_part
from ecom_assets.sources.synthetic import land_shop, land_window, load_shop


@without_beta_warnings()
def landing_asset(tables: Catalog, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Returns the assets of all feeds' landed files, by arrival day."""

    @dg.multi_asset(
        specs=[_spec(declaration) for declaration in tables if declaration.is_bronze],
        name=LANDING,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
    )
    def landing(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        """Lands the synthetic shop's files for the window; without a shop, counts the landed files."""
        keys = context.partition_key_range
        window = Window.parse(f"{keys.start}..{keys.end}")
        known = settings.load()
        zone = Zone(known.landing)
        if shop := load_shop(zone.root):
            land_window(zone, known.truth, shop, window, tell_part)
        for key in sorted(context.selected_asset_keys):
            arrivals = zone.arrivals(key.path[-1], window.first, window.last, since=window.first)
            for day in window:
                about = {"files": len(arrivals[day]), "bytes": sum(file.size for file in arrivals[day])}
                context.add_asset_metadata(about, key, str(day))
            yield dg.MaterializeResult(key)

    return landing


def _spec(bronze: Declaration) -> dg.AssetSpec:
    feed = bronze.feed_name
    return dg.AssetSpec(
        ["landing", feed],
        description=f"Files of the feed {feed}, by the day on which they arrived.",
        group_name="landing",
        owners=OWNERS,
        kinds={"file", "landing"},
        tags={"feed": feed, "domain": domain_of(bronze.name)},
        code_version=code_version(land_shop),
        metadata=metadata.about_landed(bronze, land_shop),
        skippable=True,
    )
