"""Campaigns, cleaned: a row each time a campaign is set up or changed."""

import narwhals as nw

from ecom_assets.contract import Date, column, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.feeds import campaigns as feed
from ecom_assets.table_asset import table_asset


class Campaigns(feed.Campaigns, partition_column="updated_on", max_bad_share=0.5):
    """One row per campaign and change of it; name, channel and objective are in lower case."""

    updated_on: Date = column("Business day on which this version took effect")
    extra: str = own_columns()

    @rule
    def ends_after_start(cls) -> nw.Expr:
        """A campaign does not end before it starts."""
        return nw.col("ends_on").is_null() | (nw.col("ends_on") >= nw.col("starts_on"))


def transform(bronze_campaigns: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_campaigns.with_columns(nw.col("name", "channel", "objective").str.strip_chars().str.to_lowercase())


asset = table_asset(Campaigns, transform, reads={"bronze_campaigns": by_event_day})
