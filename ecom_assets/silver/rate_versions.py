"""Versions of exchange rates: what was known of a rate, by the day on which it became known."""

import narwhals as nw

from ecom_assets.contract import Date, Rate, Table, column, contract, key
from ecom_assets.days import by_arrival_day
from ecom_assets.silver._versions import last_of_day
from ecom_assets.table_asset import table_asset


class RateVersions(Table, primary_key=("arrived_on", "currency", "rate_on"), partition_column="arrived_on"):
    """One row per arrival day, currency and day of a rate of which a valid version arrived."""

    arrived_on: Date = key("Day on which the version arrived")
    currency: str = key("The other currency, a code of three letters")
    rate_on: Date = key("Day of the rate")
    rate: Rate = column(
        "Units of the shop's currency per unit of the other; null if the rate was deleted", nullable=True
    )


def transform(bronze_exchange_rates: nw.LazyFrame) -> nw.LazyFrame:
    versions = last_of_day(bronze_exchange_rates, key=["currency", "rate_on"], order=[])
    rate = nw.when(~nw.col("is_deleted").fill_null(value=False)).then(nw.col("rate"))
    return versions.with_columns(rate=rate).select(*contract(RateVersions).columns)


asset = table_asset(RateVersions, transform, reads={"bronze_exchange_rates": by_arrival_day})
