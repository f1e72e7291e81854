"""Scores of the models of fraud, once it is known which orders were."""

import datetime as dt

import numpy as np
import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history, trailing
from ecom_assets.expressions.known import PERIOD
from ecom_assets.models import evaluation, fraud
from ecom_assets.models.fitting import Floats
from ecom_assets.models.fraud import REVIEWED, FraudModel, places, recall
from ecom_assets.predictions._curves import (
    IDEAL,
    TENTHS,
    as_text,
    by_period,
    calibration_of_last_period,
    of_last_period,
    points,
    tenths,
)
from ecom_assets.predictions._fits import beaten, is_period_end
from ecom_assets.predictions._fraud import AMOUNT, MODEL, MODELS, RULES, YEAR, orders_at
from ecom_assets.table_asset import Plot, table_asset

SETTLED = 5 * PERIOD
"""Days until charge-backs of orders have come: the first end of a period after `fraud.SETTLED_DAYS`."""
DEPTHS = (1, 2, 5, 10, 20, 50, REVIEWED)


class FraudScores(Table, primary_key=("period_end", "model"), partition_column="period_end"):
    """One row per period and model, of the orders of the four weeks that ended 20 weeks before.

    The models were fitted before these orders; which of them were fraud is known by the end of the period.
    """

    period_end: Date = key("Last day of the period")
    model: str = key("Name of the model", isin=MODELS)
    orders: int = column("Orders that are scored", ge=0)
    frauds: int = column("Orders among them that were fraud", ge=0)
    auc: float = column("Probability that a fraud was scored above a good order", ge=0, le=1)
    recall: float = column("Share of frauds above all but 1 % of the good orders", ge=0, le=1)
    precision: float = column("Share of frauds among the 100 orders of each day with the highest scores", ge=0, le=1)
    amount_found: float = column("Share of the amount of frauds that is in these", ge=0, le=1)
    by_depth: str = column("Precision and recall of the 1 to 100 orders of each day with the highest scores, as JSON")
    tenths: str = column(
        "Mean probability and share of frauds of tenths of the orders, as JSON; null without probabilities",
        nullable=True,
    )
    calibration_error: float = column("Mean distance of shares from probabilities; null without these", nullable=True)
    beats: str = column("Models that rank frauds lower at 95 % by a paired bootstrap, separated by semicolons")


def scored(day: dt.date, model: FraudModel, features: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """Returns the scores of a period's models: `orders` has `order_id`, `ordered_on`, `amount` and `is_fraud`."""
    is_fraud = orders["is_fraud"].to_numpy().astype(bool)
    predicted = fraud.predict(model, features)
    chances = {MODEL: predicted["chance"].to_numpy(), RULES: fraud.of_points(predicted["points"].to_numpy())}
    scores = {**chances, AMOUNT: orders["amount"].to_numpy()}
    losses = {name: -_ranks(of, is_fraud) for name, of in scores.items()}
    rows = []
    for name in MODELS:
        found = scores[name]
        place = places(orders["ordered_on"], orders["order_id"], found)
        review = place <= REVIEWED
        amounts = orders["amount"].to_numpy()
        chance = chances.get(name)
        error = curve = None
        if chance is not None:
            error = evaluation.expected_calibration_error(chance, is_fraud.astype(np.float64))
            curve = tenths(chance, is_fraud.astype(np.float64))
        rows.append(
            {
                "period_end": day,
                "model": name,
                "orders": orders.height,
                "frauds": int(is_fraud.sum()),
                "auc": evaluation.auc(found, is_fraud),
                "recall": recall(found, is_fraud),
                "precision": float(is_fraud[review].mean()) if review.any() else 0.0,
                "amount_found": _share(amounts[review & is_fraud].sum(), amounts[is_fraud].sum()),
                "by_depth": as_text(_by_depth(place, is_fraud)),
                "tenths": curve,
                "calibration_error": error,
                "beats": beaten(name, losses),
            }
        )
    return pl.DataFrame(rows, schema_overrides={"tenths": pl.String, "calibration_error": pl.Float64})


def _ranks(scores: Floats, is_fraud: np.ndarray) -> Floats:
    """Returns, for each fraud, the share of good orders that are scored below it, ties half."""
    good = np.sort(scores[~is_fraud])
    below, up_to = (np.searchsorted(good, scores[is_fraud], side=side) for side in ("left", "right"))
    return np.asarray((below + up_to) / (2 * max(len(good), 1)))


def _by_depth(place: np.ndarray, is_fraud: np.ndarray) -> pl.DataFrame:
    """Returns the shares of frauds among the orders reviewed, and of those found, if so many of a day are reviewed."""
    rows = []
    for depth in DEPTHS:
        review = place <= depth
        found = int(is_fraud[review].sum())
        shares = {"precision": _share(found, int(review.sum())), "recall": _share(found, int(is_fraud.sum()))}
        rows.append({"reviewed": depth, **shares})
    return pl.DataFrame(rows)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    silver_payment_versions: pl.DataFrame,
    silver_customer_versions: pl.DataFrame,
    predictions_fraud_models: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    versions = silver_order_versions, silver_order_item_versions, silver_payment_versions, silver_customer_versions
    parts = []
    for day in filter(is_period_end, days["day"].sort()):
        last = day - dt.timedelta(days=SETTLED)
        fit_day = last - dt.timedelta(days=PERIOD)
        fits = predictions_fraud_models.filter(pl.col("cut_off") == fit_day, pl.col("model") == MODEL)
        if fits.is_empty():
            continue
        then, now = orders_at(last, *versions), orders_at(day, *versions)
        orders = then.rows.filter(pl.col("ordered_on") > fit_day).join(now.labels, on="order_id")
        if orders.height:
            features = then.features.join(orders.select("order_id"), on="order_id", how="semi")
            parts.append(scored(day, FraudModel.from_json(fits["parameters"][0]), features, orders.sort("order_id")))
    return frame_of(FraudScores, parts)


BY_DEPTH = points(
    "predictions.fraud_scores", "by_depth", {"reviewed": "BIGINT", "precision": "DOUBLE", "recall": "DOUBLE"}
)
CALIBRATION = points("predictions.fraud_scores", "tenths", TENTHS)
_REACH = trailing(YEAR + SETTLED + 1)
asset = table_asset(
    FraudScores,
    transform,
    reads={
        "silver_order_versions": _REACH,
        "silver_order_item_versions": _REACH,
        "silver_payment_versions": _REACH,
        "silver_customer_versions": history,
        "predictions_fraud_models": trailing(SETTLED + PERIOD + 1),
    },
    view=("predictions.reviews_by_depth", BY_DEPTH),
    plots=(
        Plot(
            "precision and recall of 1 to 100 orders reviewed a day",
            "recall",
            "precision",
            of_last_period(BY_DEPTH, "recall", "precision"),
        ),
        Plot(
            "calibration: frauds of tenths of the orders",
            "probability",
            "share of frauds",
            calibration_of_last_period(CALIBRATION),
            dashed=(IDEAL,),
        ),
        by_period("ranking", "AUC", "predictions.fraud_scores", "auc"),
    ),
)
