"""The registry of models: what was fitted to which data, how it scored, and which one is the champion."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history
from ecom_assets.predictions._demand import FLOOR as DEMAND_FLOOR
from ecom_assets.predictions._fits import champion_at
from ecom_assets.predictions._fraud import FLOOR as FRAUD_FLOOR
from ecom_assets.predictions._fraud import without_amount
from ecom_assets.predictions._purchases import FLOOR as BASKET_FLOOR
from ecom_assets.predictions._value import FLOOR as VALUE_FLOOR
from ecom_assets.table_asset import table_asset


class Registry(Table, primary_key=("cut_off", "subject", "model"), partition_column="cut_off"):
    """One row per fitted model: a subject, a name and the day to whose end it was fitted.

    A challenger becomes champion only by beating the champion at 95 %, by a paired bootstrap on the period of four
    weeks before the day, which is held out: the models that are compared were fitted at its start.
    """

    cut_off: Date = key("Day to whose end it was fitted")
    subject: str = key("What it predicts: the table with its predictions")
    model: str = key("Name of the model")
    role: str = column(
        "Champion, challenger, or floor: a simple rule to beat", isin=["champion", "challenger", "floor"]
    )
    champion_since: Date = column(
        "End of the period from which on it is the champion; null if it has always been, or is not", nullable=True
    )
    parameters: str = column("Its parameters, as JSON")
    trained_on: str = column("Fingerprint of the rows to which it was fitted")
    measure: str = column("Measure of its scores that is shown")
    score: float = column("That measure of the last period held out; null before the first one", nullable=True)


def entries(
    subject: str, floor: str, measure: str, models: pl.DataFrame, scores: pl.DataFrame
) -> Iterator[dict[str, Any]]:
    """Yields the registry's rows about the models of a subject."""
    known = models.sort("cut_off", "model").select("cut_off", "model", "parameters", "trained_on")
    for cut_off, model, parameters, trained_on in known.iter_rows():
        champion, since = champion_at(cut_off, scores, floor)
        told = scores.filter(pl.col("model") == model, pl.col("period_end") <= cut_off).sort("period_end")[measure]
        yield {
            "cut_off": cut_off,
            "subject": subject,
            "model": model,
            "role": "champion" if model == champion else "floor" if model == floor else "challenger",
            "champion_since": since if model == champion else None,
            "parameters": parameters,
            "trained_on": trained_on,
            "measure": measure,
            "score": told[-1] if told.len() else None,
        }


def transform(
    predictions_value_models: pl.DataFrame,
    predictions_value_scores: pl.DataFrame,
    predictions_basket_models: pl.DataFrame,
    predictions_basket_scores: pl.DataFrame,
    predictions_demand_models: pl.DataFrame,
    predictions_demand_scores: pl.DataFrame,
    predictions_fraud_models: pl.DataFrame,
    predictions_fraud_scores: pl.DataFrame,
) -> pl.DataFrame:
    rows = [
        *entries("customer_value", VALUE_FLOOR, "rmse", predictions_value_models, predictions_value_scores),
        *entries(
            "customer_recommendations", BASKET_FLOOR, "ndcg", predictions_basket_models, predictions_basket_scores
        ),
        *entries("demand_forecasts", DEMAND_FLOOR, "rmsse", predictions_demand_models, predictions_demand_scores),
        *entries("order_risks", FRAUD_FLOOR, "auc", predictions_fraud_models, without_amount(predictions_fraud_scores)),
    ]
    schema = {"champion_since": pl.Date, "score": pl.Float64}
    return frame_of(Registry, [pl.DataFrame(rows, schema_overrides=schema)] if rows else [])


asset = table_asset(
    Registry,
    transform,
    reads={
        "predictions_value_scores": history,
        "predictions_basket_scores": history,
        "predictions_demand_scores": history,
        "predictions_fraud_scores": history,
    },
)
