"""Jobs: the parts of the pipeline that can be started by name."""

import dagster as dg

from ecom_assets.contract import Layer
from ecom_assets.orchestration._dagster import UnresolvedAssetJobDefinition

RETRY_LOST_RUNS = {"dagster/max_retries": "2", "dagster/retry_on_asset_or_op_failure": "false"}
"""A run whose process died is retried twice.

A run with a failed step is not retried: the same files fail again.
"""


def _job(name: str, description: str, *groups: str) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        name,
        dg.AssetSelection.groups(*groups),
        description=description,
        tags=RETRY_LOST_RUNS,
    )


pipeline = _job(
    "pipeline",
    "All assets for the selected days, from landed files to measures.",
    *("landing", "quarantine", *Layer),
)
bronze_to_silver = _job(
    "bronze_to_silver", "Reads landed files and makes typed rows.", Layer.BRONZE, Layer.SILVER, "quarantine"
)
silver_to_gold = _job(
    "silver_to_gold", "The star schema and the measures, from the current silver.", Layer.GOLD, Layer.KPI
)
ml_feature_generation = _job("ml_feature_generation", "Inputs of models, from the current gold.", Layer.FEATURES)
data_quality = _job("data_quality", "Compares the quality of the published tables with the target.", "quality")

JOBS = [pipeline, bronze_to_silver, silver_to_gold, ml_feature_generation, data_quality]
