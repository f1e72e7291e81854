"""What each customer is likely to order next, and who is overdue."""

import datetime as dt

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history
from ecom_assets.expressions.known import cut_off_days
from ecom_assets.models import lifetime_value
from ecom_assets.models.lifetime_value import LifetimeValue
from ecom_assets.predictions._fits import champion_at, last_fit
from ecom_assets.predictions._value import FLOOR, MODELS
from ecom_assets.table_asset import table_asset


class CustomerValue(Table, primary_key=("cut_off", "customer_id"), partition_column="cut_off"):
    """One row per Sunday, and customer with an order by then.

    Predicted by the champion of the last period, as last fitted. Before the first fit all customers are expected to
    order at the same rate. Orders are days with an order, values are without tax.
    """

    cut_off: Date = key("Day at whose end it was predicted")
    customer_id: str = key("Customer number issued by the shop", personal=True)
    model: str = column("Model that predicts", isin=list(MODELS))
    fitted_on: Date = column("Day to whose end the model was fitted")
    expected_orders_7d: float = column("Orders expected in the next 7 days", ge=0)
    expected_orders_30d: float = column("Orders expected in the next 30 days", ge=0)
    expected_orders_90d: float = column("Orders expected in the next 90 days", ge=0)
    expected_orders_365d: float = column("Orders expected in the next 365 days", ge=0)
    chance_of_order_30d: float = column("Probability of an order in the next 30 days", ge=0, le=1)
    chance_of_order_90d: float = column("Probability of an order in the next 90 days", ge=0, le=1)
    chance_active: float = column(
        "Probability that the customer has not left; to find who orders again, chance_of_order_90d is better",
        ge=0,
        le=1,
    )
    days_until_overdue: int = column(
        "Days until the silence exceeds 95 % of the waits of such a customer; below 0 for one who is overdue"
    )
    expected_order_value: float = column("Value expected of an order", ge=0)
    expected_value_365d: float = column("Value expected of the next 365 days, not discounted", ge=0)


def predicted(day: dt.date, customers: pl.DataFrame, models: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Returns the predictions of one day, from the models fitted and the scores known by then."""
    name, _ = champion_at(day, scores, FLOOR)
    if fit := last_fit(models, day, name):
        fitted_on, fitted = fit.fitted_on, LifetimeValue.from_json(fit.parameters)
    else:
        name, fitted_on, fitted = FLOOR, day, lifetime_value.fit(customers, MODELS[FLOOR])
    return lifetime_value.predict(fitted, customers).with_columns(
        cut_off=pl.lit(day), model=pl.lit(name), fitted_on=pl.lit(fitted_on)
    )


def transform(
    features_customer_histories: pl.DataFrame,
    predictions_value_models: pl.DataFrame,
    predictions_value_scores: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    parts = []
    for day in cut_off_days(days):
        customers = features_customer_histories.filter(pl.col("cut_off") == day).sort("customer_id")
        if customers.height:
            parts.append(predicted(day, customers, predictions_value_models, predictions_value_scores))
    return frame_of(CustomerValue, parts)


AT_RISK = """
SELECT *
FROM predictions.customer_value
WHERE cut_off = (SELECT max(cut_off) FROM predictions.customer_value) AND days_until_overdue < 0
"""

asset = table_asset(
    CustomerValue,
    transform,
    reads={"predictions_value_models": history, "predictions_value_scores": history},
    view=("predictions.customers_at_risk", AT_RISK),
)
