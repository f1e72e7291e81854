"""Suppliers, cleaned: a row each time a profile is made or changed."""

import narwhals as nw

from ecom_assets.contract import Date, column, own_columns
from ecom_assets.days import by_event_day
from ecom_assets.feeds import suppliers as feed
from ecom_assets.table_asset import table_asset


class Suppliers(feed.Suppliers, partition_column="changed_on", max_bad_share=0.5):
    """One row per supplier and change of profile."""

    changed_on: Date = column("Business day on which this version took effect")
    extra: str = own_columns()


def transform(bronze_suppliers: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_suppliers.with_columns(nw.col("name", "city", "country").str.strip_chars())


asset = table_asset(Suppliers, transform, reads={"bronze_suppliers": by_event_day})
