"""Jobs: the parts of the pipeline that can be started by name."""

import re

import dagster as dg

from ecom_assets import catalog
from ecom_assets.contract import Layer
from ecom_assets.orchestration._dagster import UnresolvedAssetJobDefinition, without_beta_warnings
from ecom_assets.orchestration.export_asset import FILES, POSTGRES
from ecom_assets.orchestration.extract_asset import DATABASE

WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING)
RUNNING = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
UNFINISHED = (*WAITING, *RUNNING)
ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
"""Statuses of runs."""
RETRY_LOST_RUNS = {"dagster/max_retries": "2", "dagster/retry_on_asset_or_op_failure": "false"}
"""A run whose process died is retried twice.

A run with a failed step is not retried: the same files fail again.
"""


def _job(name: str, description: str, selection: dg.AssetSelection) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(name, selection, description=description, tags=RETRY_LOST_RUNS)


_groups = dg.AssetSelection.groups


def _predictions(*, of_models: bool) -> dg.AssetSelection:
    """Returns the tables of predictions with a row per model, or the others."""
    tables = [
        table.name
        for table in catalog.tables()
        if table.contract.layer is Layer.PREDICTIONS and ("model" in table.contract.primary_key) == of_models
    ]
    return dg.AssetSelection.assets(*(name.split(".") for name in tables))


pipeline = _job(
    "pipeline",
    "All assets for the selected days, from landed files to measures.",
    _groups("landing", "quarantine", *Layer),
)
bronze_to_silver = _job(
    "bronze_to_silver",
    "Reads landed files and makes typed rows.",
    _groups(Layer.BRONZE, Layer.SILVER, "quarantine"),
)
silver_to_gold = _job(
    "silver_to_gold", "The star schema and the measures, from the current silver.", _groups(Layer.GOLD, Layer.KPI)
)
ml_feature_generation = _job(
    "ml_feature_generation", "Inputs of models, from the current gold and silver.", _groups(Layer.FEATURES)
)
ml_training = _job(
    "ml_training",
    "Fits models to the current features, scores them and chooses champions.",
    _predictions(of_models=True),
)
ml_scoring = _job("ml_scoring", "Predicts by the current champions.", _predictions(of_models=False))
data_quality = _job(
    "data_quality",
    "Compares the quality of the published tables with the target, and profiles them.",
    _groups("quality"),
)
export = _job(
    "export", "Writes the star schema and the measures to files in data/exports.", dg.AssetSelection.assets(FILES)
)
publish_to_postgres = _job(
    "publish_to_postgres",
    "Brings the star schema and the measures of a PostgreSQL database up to date.",
    dg.AssetSelection.assets(POSTGRES),
)
extract = _job(
    "extract",
    "Lands what is new in the shop's own database.",
    dg.AssetSelection.assets(DATABASE),
)

JOBS = [
    pipeline,
    bronze_to_silver,
    silver_to_gold,
    ml_feature_generation,
    ml_training,
    ml_scoring,
    data_quality,
    export,
    publish_to_postgres,
    extract,
]


@without_beta_warnings()
def selected(text: str) -> dg.AssetSelection:
    """Returns the assets that a text selects. Raises DagsterError.

    In Dagster's syntax of lists, `+` before a bare key goes one level up, and `++` two. In that of the UI, `+` goes all
    levels and `1+` one. This is the UI's, with `*` as the older spelling of all levels and bare keys without `key:`.
    """
    return dg.AssetSelection.from_string(" or ".join(f"({_as_in_the_ui(part)})" for part in text.split(",")))


def _as_in_the_ui(part: str) -> str:
    bare = re.fullmatch(r"\s*(\*|\d*\+)?([\w/]+)(\*|\+\d*)?\s*", part)
    if not bare:
        return part
    above, key, below = (found or "" for found in bare.groups())
    return f'{above.replace("*", "+")}key:"{key}"{below.replace("*", "+")}'
