"""Everything Dagster can see."""

import dagster as dg

from ecom_assets import catalog
from ecom_assets.orchestration.executor import verdict_executor
from ecom_assets.orchestration.io_manager import Warehouse
from ecom_assets.orchestration.jobs import JOBS
from ecom_assets.orchestration.landing_assets import landing
from ecom_assets.orchestration.schedules import SCHEDULES
from ecom_assets.orchestration.sensors import SENSORS
from ecom_assets.quality.data_quality import data_quality
from ecom_assets.quality.detection import detection

defs = dg.Definitions(
    assets=[landing, *catalog.assets(), data_quality, detection],
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=SENSORS,
    resources={"warehouse": Warehouse()},
    executor=verdict_executor,
)
