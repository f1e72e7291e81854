"""Exchange rates, cleaned: one row per currency and day, as last sent."""

import narwhals as nw

from ecom_assets.contract import Date, column, own_columns
from ecom_assets.days import by_event_day
from ecom_assets.feeds import exchange_rates as feed
from ecom_assets.table_asset import table_asset


class ExchangeRates(feed.ExchangeRates, partition_column="known_on"):
    """One row per currency and day, as last sent."""

    known_on: Date = column("Business day of the rate; the first of the calendar for those from before")
    extra: str = own_columns()


def transform(bronze_exchange_rates: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_exchange_rates


asset = table_asset(ExchangeRates, transform, reads={"bronze_exchange_rates": by_event_day})
