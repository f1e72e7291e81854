"""Marketing channels, each stored on the day on which it is first seen."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.days import history
from ecom_assets.expressions.channels import ANY_CHANNEL
from ecom_assets.table_asset import table_asset


class DimChannel(Table, primary_key="channel", partition_column="first_seen_on"):
    """One row per marketing channel with a session, an order or spend."""

    channel: str = key(ANY_CHANNEL)
    first_seen_on: Date = column("Business day of its first session, order or spend")


def transform(gold_agg_channel_days: nw.LazyFrame) -> nw.LazyFrame:
    first_seen = gold_agg_channel_days.group_by("channel").agg(nw.col("day").min().alias("first_seen_on"))
    return first_seen.select(*contract(DimChannel).columns)


asset = table_asset(DimChannel, transform, reads={"gold_agg_channel_days": history.by("channel")})
