"""The definitions that Dagster loads."""

from functools import cache

import dagster as dg

from ecom_assets import catalog, own, settings
from ecom_assets.orchestration.assets import partitions_of
from ecom_assets.orchestration.executor import verdict_executor
from ecom_assets.orchestration.export_asset import export_asset, postgres_asset
from ecom_assets.orchestration.extract_asset import extract_asset
from ecom_assets.orchestration.io_manager import Warehouse
from ecom_assets.orchestration.jobs import JOBS
from ecom_assets.orchestration.landing_assets import landing_asset
from ecom_assets.orchestration.quality_assets import quality_assets
from ecom_assets.orchestration.schedules import schedules
from ecom_assets.orchestration.sensors import sensors
from ecom_assets.settings import Settings


@cache
def build(known: Settings) -> dg.Definitions:
    """Returns the definitions of all tables, for these settings' calendar and time zone, and of the assets in `own`."""
    tables = catalog.tables()
    return dg.Definitions(
        assets=[
            landing_asset(tables, partitions_of(known.calendar, known.time_zone)),
            *catalog.assets(known.calendar, known.time_zone, known.catalogue),
            *quality_assets(tables),
            extract_asset(),
            export_asset(tables),
            postgres_asset(tables),
            *dg.load_assets_from_package_module(own),
        ],
        jobs=JOBS,
        schedules=schedules(known.time_zone),
        sensors=sensors(known, tables),
        resources={"warehouse": Warehouse()},
        executor=verdict_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Returns the definitions with the current settings; Dagster loads these."""
    return build(settings.load())
