"""Scores of the models of customers' purchases: what they predicted of the four weeks that have ended."""

import datetime as dt

import numpy as np
import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import trailing
from ecom_assets.expressions.known import PERIOD
from ecom_assets.models import evaluation, lifetime_value
from ecom_assets.models.histories import Histories
from ecom_assets.models.lifetime_value import LifetimeValue
from ecom_assets.predictions._curves import (
    IDEAL,
    TENTHS,
    by_period,
    calibration_of_last_period,
    of_last_period,
    points,
    tenths,
)
from ecom_assets.predictions._fits import beaten, is_period_end, last_period_end
from ecom_assets.predictions._value import MODELS
from ecom_assets.table_asset import Plot, table_asset


class ValueScores(Table, primary_key=("period_end", "model"), partition_column="period_end"):
    """One row per period of four weeks and model that was fitted at its start: the period was held out.

    Predicted are the days with an order of each customer known at the fit, and the value of the orders; both are
    compared with what was known at its end.
    """

    period_end: Date = key("Last day of the period")
    model: str = key("Name of the model", isin=list(MODELS))
    customers: int = column("Customers known at the fit", ge=0)
    rmse: float = column("Root of the mean squared error of the number of orders", ge=0)
    mae: float = column("Mean absolute error of the number of orders", ge=0)
    bias: float = column("Orders predicted above those that came, as a share of these; 0 if none came")
    correlation: float = column("Correlation of predicted and actual orders; 0 if either are all equal", ge=-1, le=1)
    auc: float = column("Probability that a customer who ordered was predicted above one who did not", ge=0, le=1)
    calibration_slope: float = column("Slope of actual over predicted orders, by tenths of the customers")
    tenths: str = column("Mean orders predicted and come of tenths of the customers, lowest prediction first, as JSON")
    value_rmse: float = column("Root of the mean squared error of the value", ge=0)
    value_bias: float = column("Value predicted above that which came, as a share of it; 0 if none came")
    beats: str = column("Models with a larger squared error at 95 % by a paired bootstrap, separated by semicolons")


def scored(day: dt.date, models: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Returns the scores of a period's models: fitted to the customers `before` it, compared with those `after` it."""
    came = before.select("customer_id").join(
        after.select("customer_id", "orders_in_period", value="value_in_period"), on="customer_id", how="left"
    )
    orders = came["orders_in_period"].fill_null(0).cast(pl.Float64).to_numpy()
    value = came["value"].fill_null(0).cast(pl.Float64).to_numpy()
    predicted = {model: _period(parameters, before) for model, parameters in models.iter_rows()}
    losses = {model: np.square(expected["orders"].to_numpy() - orders) for model, expected in predicted.items()}
    rows = []
    for model, expected in predicted.items():
        of_orders, of_value = expected["orders"].to_numpy(), expected["value"].to_numpy()
        rows.append(
            {
                "period_end": day,
                "model": model,
                "customers": before.height,
                "rmse": evaluation.rmse(of_orders, orders),
                "mae": evaluation.mae(of_orders, orders),
                "bias": evaluation.bias(of_orders, orders),
                "correlation": evaluation.correlation(of_orders, orders),
                "auc": evaluation.auc(of_orders, orders > 0),
                "calibration_slope": evaluation.calibration_slope(of_orders, orders),
                "tenths": tenths(of_orders, orders),
                "value_rmse": evaluation.rmse(of_value, value),
                "value_bias": evaluation.bias(of_value, value),
                "beats": beaten(model, losses),
            }
        )
    return pl.DataFrame(rows)


def _period(parameters: str, customers: pl.DataFrame) -> pl.DataFrame:
    """Returns the orders and their value that a model expects of each customer in the next four weeks."""
    fitted = LifetimeValue.from_json(parameters)
    orders = fitted.orders.expected_orders(Histories.of(customers), PERIOD)
    value = lifetime_value.predict(fitted, customers)["expected_order_value"]
    return pl.DataFrame({"orders": orders, "value": orders * value.to_numpy()})


def transform(
    features_customer_histories: pl.DataFrame, predictions_value_models: pl.DataFrame, days: pl.DataFrame
) -> pl.DataFrame:
    scores = []
    for day in filter(is_period_end, days["day"].sort()):
        fit_day = last_period_end(day)
        before, after = (
            features_customer_histories.filter(pl.col("cut_off") == cut_off).sort("customer_id")
            for cut_off in (fit_day, day)
        )
        models = predictions_value_models.filter(pl.col("cut_off") == fit_day).select("model", "parameters")
        if before.height and models.height:
            scores.append(scored(day, models.sort("model"), before, after))
    return frame_of(ValueScores, scores)


CALIBRATION = points("predictions.value_scores", "tenths", TENTHS)
GAIN = f"""
    SELECT period_end, model,
        sum(count) OVER so_far / sum(count) OVER whole AS customers,
        sum(count * actual) OVER so_far / nullif(sum(count * actual) OVER whole, 0) AS orders
    FROM ({CALIBRATION})
    WINDOW whole AS (PARTITION BY period_end, model), so_far AS (PARTITION BY period_end, model ORDER BY tenth DESC)"""

asset = table_asset(
    ValueScores,
    transform,
    reads={
        "features_customer_histories": trailing(PERIOD + 1),
        "predictions_value_models": trailing(PERIOD + 1),
    },
    view=("predictions.value_calibration", CALIBRATION),
    plots=(
        Plot(
            "calibration: orders of tenths of the customers",
            "orders predicted of a customer",
            "orders that came",
            calibration_of_last_period(CALIBRATION),
            dashed=(IDEAL,),
        ),
        Plot(
            "gain: orders of the customers predicted highest",
            "share of customers",
            "share of orders",
            of_last_period(GAIN, "customers", "orders"),
        ),
        by_period("error", "RMSE", "predictions.value_scores", "rmse"),
    ),
)
