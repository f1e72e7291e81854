"""How far customers have changed since the models of their purchases were last fitted."""

import datetime as dt

import narwhals as nw
import polars as pl

from ecom_assets.contract import Date, Table, column, expectation, frame_of, key
from ecom_assets.days import trailing
from ecom_assets.expressions.known import PERIOD, cut_off_days
from ecom_assets.predictions._fits import CHANGED, drift
from ecom_assets.predictions._value import FEATURES
from ecom_assets.table_asset import table_asset


class CustomerDrift(Table, primary_key=("cut_off", "feature"), partition_column="cut_off"):
    """One row per Sunday and feature of customers' histories, compared with those of the last fit before the day.

    A fit at the end of a period comes every four weeks; a feature that has changed brings one forward.
    """

    cut_off: Date = key("Day at whose end it was known")
    feature: str = key("Column of features.customer_histories", isin=FEATURES)
    fitted_on: Date = column("Day to whose end the models had been fitted")
    population_stability: float = column("Population stability index: sum of changes of shares of tenths", ge=0)

    @expectation
    def customers_are_like_those_of_the_fit(cls) -> nw.Expr:
        """The population stability index is at most 0.2."""
        return nw.col("population_stability") <= CHANGED


def transform(
    features_customer_histories: pl.DataFrame, predictions_value_models: pl.DataFrame, days: pl.DataFrame
) -> pl.DataFrame:
    parts = []
    for day in cut_off_days(days):
        first = day - dt.timedelta(days=PERIOD)
        earlier = predictions_value_models.filter(pl.col("cut_off").is_between(first, day, closed="left"))
        if earlier.is_empty():
            continue
        fitted_on = earlier["cut_off"].max()
        before, after = (
            features_customer_histories.filter(pl.col("cut_off") == cut_off) for cut_off in (fitted_on, day)
        )
        if before.height and after.height:
            found = drift(before, after, FEATURES)
            rows = {"feature": list(found), "population_stability": list(found.values())}
            parts.append(pl.DataFrame(rows).with_columns(cut_off=pl.lit(day), fitted_on=pl.lit(fitted_on)))
    return frame_of(CustomerDrift, parts)


asset = table_asset(
    CustomerDrift,
    transform,
    reads={
        "features_customer_histories": trailing(PERIOD + 1),
        "predictions_value_models": trailing(PERIOD + 1),
    },
)
