"""Models of fraud, fitted every four weeks."""

import datetime as dt

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history, trailing
from ecom_assets.models import fraud
from ecom_assets.predictions._curves import by_fit
from ecom_assets.predictions._fits import digest, is_period_end
from ecom_assets.predictions._fraud import MODEL, MODELS, YEAR, orders_at
from ecom_assets.table_asset import table_asset


class FraudModels(Table, primary_key=("cut_off", "model"), partition_column="cut_off"):
    """One row per end of a period of four weeks and model of which orders are fraud.

    `logistic_regression` learns from the orders of a year, by the frauds that were known on the day; without enough of
    them it is the rules. The floors are the points of `rules`, and the `amount` alone.
    """

    cut_off: Date = key("Last day of the period")
    model: str = key("Name of the model", isin=MODELS)
    parameters: str = column("Its parameters, as JSON")
    orders: int = column("Orders of the year that were known", ge=0)
    frauds: int = column("Orders among them that were known to be fraud", ge=0)
    trained_on: str = column("Fingerprint of features and labels")


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    silver_payment_versions: pl.DataFrame,
    silver_customer_versions: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    versions = silver_order_versions, silver_order_item_versions, silver_payment_versions, silver_customer_versions
    parts = []
    for day in filter(is_period_end, days["day"].sort()):
        known = orders_at(day, *versions)
        if known.rows.is_empty():
            continue
        model = fraud.fit(known.features, known.labels, dt.datetime.combine(day, dt.time.max))
        parameters = {MODEL: model.to_json()}
        parts.append(
            pl.DataFrame(
                {
                    "cut_off": day,
                    "model": MODELS,
                    "parameters": [parameters.get(name, "{}") for name in MODELS],
                    "orders": known.rows.height,
                    "frauds": int(known.labels["is_fraud"].sum()),
                    "trained_on": digest(known.features.join(known.labels, on="order_id")),
                },
                schema_overrides={"cut_off": pl.Date, "orders": pl.Int64, "frauds": pl.Int64},
            )
        )
    return frame_of(FraudModels, parts)


asset = table_asset(
    FraudModels,
    transform,
    reads={
        "silver_order_versions": trailing(YEAR + 1),
        "silver_order_item_versions": trailing(YEAR + 1),
        "silver_payment_versions": trailing(YEAR + 1),
        "silver_customer_versions": history,
    },
    plots=(by_fit("known frauds", "predictions.fraud_models", "frauds"),),
)
