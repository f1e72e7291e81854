"""The asset that lands what is new in the shop's own database. No job of the pipeline has it: it has its own."""

from pathlib import Path

import dagster as dg

from ecom_assets import settings
from ecom_assets.days import Window
from ecom_assets.errors import UserError
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration.assets import OWNERS
from ecom_assets.settings import Settings
from ecom_assets.sources.feed_map import Extract, FeedMap, extracted, land, load_map

DATABASE = dg.AssetKey(["extracts", "database"])


def extract_asset() -> dg.AssetsDefinition:
    """Returns the asset that lands rows of a database by a feed map."""

    @dg.asset(
        key=DATABASE,
        group_name="extracts",
        owners=OWNERS,
        kinds={"postgres", "landing", "extracts"},
        tags={"domain": "landing"},
    )
    def database(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """What is new in the shop's own PostgreSQL database, landed by the feed map that the setting `extract` names.

        docs/feed-maps.md says how such a map is written. The sensor of new files runs the days that it lands on.
        """
        known = settings.load()
        if known.extract is None:
            raise UserError("No map is set: give its path in ECOM_EXTRACT, or as extract in settings.toml.")
        if not settings.is_saved(known.data):
            raise UserError(f"Land it once by hand, which sets the calendar: ecom land {known.extract}")
        declared = load_map(known.extract)
        rows, is_resumed = 0, True
        while is_resumed:
            with extracted(declared, known.landing) as found:
                if found is None:
                    break
                context.log.info(str(found))
                _land(declared, found, known)
            rows, is_resumed = rows + sum(found.rows.values()), found.is_resumed
        return dg.MaterializeResult(metadata={"map": dg.MetadataValue.path(str(known.extract)), "rows": rows})

    return database


def _land(declared: FeedMap, found: Extract, known: Settings) -> None:
    def within_calendar(days: Window, staged: Zone) -> None:
        if days.first not in known.calendar or days.last not in known.calendar:
            raise UserError(f"{days} is not within the calendar, {known.calendar}.")

    land(
        declared,
        Path(found.folder),
        Zone(known.landing),
        within_calendar,
        other_currency=declared.other_currency(known.currency),
    )
