"""Everything Dagster can see."""

import dagster as dg

from ecom_assets import catalog
from ecom_assets.automation.executor import verdict_executor
from ecom_assets.automation.jobs import JOBS
from ecom_assets.automation.schedules import SCHEDULES
from ecom_assets.automation.sensors import SENSORS
from ecom_assets.checks.data_quality import data_quality
from ecom_assets.checks.detection import detection
from ecom_assets.landed import landing
from ecom_assets.warehouse import Warehouse

defs = dg.Definitions(
    assets=[landing, *catalog.assets(), data_quality, detection],
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=SENSORS,
    resources={"warehouse": Warehouse()},
    executor=verdict_executor,
)
