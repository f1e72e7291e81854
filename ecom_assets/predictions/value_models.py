"""Models of customers' purchases and their values, fitted every four weeks, and when customers have changed."""

import datetime as dt

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import trailing
from ecom_assets.expressions.known import PERIOD, cut_off_days
from ecom_assets.models import lifetime_value
from ecom_assets.predictions._curves import by_fit
from ecom_assets.predictions._fits import digest, fit_days
from ecom_assets.predictions._value import FEATURES, MODELS
from ecom_assets.table_asset import table_asset


class ValueModels(Table, primary_key=("cut_off", "model"), partition_column="cut_off"):
    """One row per day of a fit and model: the law of purchases, and Gamma-Gamma for their values.

    The models are the floors `steady_rate` (all customers order at the same rate) and `nbd` (nobody leaves), and
    `bg_nbd` and `pareto_nbd`. They are fitted at the end of each period of four weeks, and on a Sunday on which a
    feature differs from the last fit's by a population stability index above 0.2. The hash of their code is that of
    the day in the ledger.
    """

    cut_off: Date = key("Day to whose end the model was fitted")
    model: str = key("Name of the model", isin=list(MODELS))
    parameters: str = column("Laws and their parameters, as JSON; the law is simpler where there are few customers")
    customers: int = column("Customers to whom it was fitted", ge=0)
    trained_on: str = column("Fingerprint of the rows to which it was fitted")


def fitted(day: dt.date, customers: pl.DataFrame) -> pl.DataFrame:
    """Returns the models fitted to the customers of one day."""
    known = customers.sort("customer_id")
    fits = lifetime_value.fit_each(known, MODELS.values())
    return pl.DataFrame(
        {
            "cut_off": day,
            "model": list(MODELS),
            "parameters": [fits[law].to_json() for law in MODELS.values()],
            "customers": known.height,
            "trained_on": digest(known),
        },
        schema_overrides={"cut_off": pl.Date, "customers": pl.Int64},
    )


def transform(features_customer_histories: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    by_cut_off = {
        day: rows for (day,), rows in features_customer_histories.partition_by("cut_off", as_dict=True).items()
    }
    wanted = set(cut_off_days(days))
    fits = [day for day in fit_days(by_cut_off, FEATURES) if day in wanted]
    return frame_of(ValueModels, [fitted(day, by_cut_off[day]) for day in fits])


asset = table_asset(
    ValueModels,
    transform,
    reads={"features_customer_histories": trailing(PERIOD + 1)},
    plots=(by_fit("customers", "predictions.value_models", "customers"),),
)
