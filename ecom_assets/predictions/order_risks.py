"""How likely each order is to be a fraud, on the day on which it becomes known."""

import datetime as dt

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history, trailing
from ecom_assets.models import fraud
from ecom_assets.models.fraud import FraudModel
from ecom_assets.predictions._fits import champion_at, last_fit
from ecom_assets.predictions._fraud import FLOOR, MODEL, RULES, YEAR, Orders, concerning, orders_at, without_amount
from ecom_assets.table_asset import table_asset


class OrderRisks(Table, primary_key=("known_on", "order_id"), partition_column="known_on"):
    """One row per day and order of which the first version arrived on it and is not cancelled.

    Predicted by the champion of the last period, as last fitted: the points of rules until another beats them. Of the
    same customer only the last year counts.
    """

    known_on: Date = key("Day on which the order became known")
    order_id: str = key("Order number issued by the shop")
    customer_id: str = column("Customer who placed it; null for guests", nullable=True, personal=True)
    ordered_on: Date = column("Business day on which it was placed")
    amount: float = column("Amount that the customer has to pay, in the order's currency")
    chance: float = column("Probability that it is a fraud", ge=0, le=1)
    rank: int = column("Place among the orders of the day, the most likely fraud first", ge=1)
    points: float = column("Points by the rules", ge=0)
    reasons: str = column("Rules that apply, separated by commas; empty if none does")
    model: str = column("Model that predicts", isin=[MODEL, RULES])


def predicted(day: dt.date, known: Orders, is_new: pl.DataFrame, model: FraudModel, name: str) -> pl.DataFrame:
    """Returns the risks of the orders that became known on a day; `is_new` has their numbers."""
    rows = known.rows.join(is_new, on="order_id", how="semi")
    features = known.features.join(is_new, on="order_id", how="semi")
    place = pl.struct(-pl.col("chance"), -pl.col("amount"), "order_id").rank("ordinal").cast(pl.Int64)
    return (
        rows.join(fraud.predict(model, features), on="order_id")
        .with_columns(known_on=pl.lit(day), model=pl.lit(name), rank=place)
        .sort("order_id")
    )


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    silver_payment_versions: pl.DataFrame,
    silver_customer_versions: pl.DataFrame,
    predictions_fraud_models: pl.DataFrame,
    predictions_fraud_scores: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    c = pl.col
    versions = silver_order_versions, silver_order_item_versions, silver_payment_versions, silver_customer_versions
    first = silver_order_versions.group_by("order_id").agg(c("arrived_on").min(), c("ordered_on").min())
    scores = without_amount(predictions_fraud_scores)
    parts = []
    for day in days["day"].sort():
        arrived = first.filter(c("arrived_on") == day, c("ordered_on") > day - dt.timedelta(days=YEAR))
        valid = silver_order_versions.filter(c("arrived_on") == day, ~c("is_retracted"), c("status") != "cancelled")
        is_new = arrived.join(valid, on="order_id", how="semi").select("order_id")
        if is_new.is_empty():
            continue
        name, _ = champion_at(day, scores, FLOOR)
        known_fit = last_fit(predictions_fraud_models, day, MODEL) if name == MODEL else None
        model = FraudModel.from_json(known_fit.parameters) if known_fit else FraudModel()
        parts.append(predicted(day, orders_at(day, *concerning(is_new, *versions)), is_new, model, name))
    return frame_of(OrderRisks, parts)


TO_REVIEW = """
SELECT *
FROM predictions.order_risks
WHERE known_on = (SELECT max(known_on) FROM predictions.order_risks) AND rank <= 100
"""

asset = table_asset(
    OrderRisks,
    transform,
    view=("predictions.orders_to_review", TO_REVIEW),
    reads={
        "silver_order_versions": trailing(YEAR + 1),
        "silver_order_item_versions": trailing(YEAR + 1),
        "silver_payment_versions": trailing(YEAR + 1),
        "silver_customer_versions": history,
        "predictions_fraud_models": history,
        "predictions_fraud_scores": history,
    },
)
