"""Jobs: the parts of the pipeline that people start by name."""

import dagster as dg

from ecom_assets.contract import Layer
from ecom_assets.orchestration._dagster import UnresolvedAssetJobDefinition

RETRY_LOST_RUNS = {"dagster/max_retries": "2", "dagster/retry_on_asset_or_op_failure": "false"}
"""A run whose process died is resumed twice.

A run in which a step failed is not started again: the same files give the same refusal.
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
    "Everything of the days given: from landed files to measures.",
    *("landing", "quarantine", *Layer),
)
bronze_to_silver = _job(
    "bronze_to_silver", "Read landed files, and make typed rows of them.", Layer.BRONZE, Layer.SILVER, "quarantine"
)
silver_to_gold = _job(
    "silver_to_gold", "The star schema and the measures, from silver as it stands.", Layer.GOLD, Layer.KPI
)
ml_feature_generation = _job("ml_feature_generation", "What models learn from, from gold as it stands.", Layer.FEATURES)
data_quality = _job("data_quality", "How good the published tables are, against the target.", "quality")

JOBS = [pipeline, bronze_to_silver, silver_to_gold, ml_feature_generation, data_quality]
