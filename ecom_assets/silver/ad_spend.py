"""Ad spend, cleaned: impressions, clicks and cost of each campaign and day, as last reported."""

import narwhals as nw

from ecom_assets.contract import Date, column, expectation, own_columns
from ecom_assets.days import by_event_day
from ecom_assets.feeds import ad_spend as feed
from ecom_assets.table_asset import table_asset


class AdSpend(feed.AdSpend, partition_column="shown_on", max_bad_share=0.25):
    """One row per campaign and day, as last reported."""

    shown_on: Date = column("Business day on which it was shown")
    reported_on: Date = column("Business day of the last report", day_of="updated_at")
    extra: str = own_columns()

    @expectation
    def clicked_when_shown(cls) -> nw.Expr:
        """There are no more clicks than impressions."""
        return nw.col("clicks") <= nw.col("impressions")

    @expectation
    def reported_after_shown(cls) -> nw.Expr:
        """A report does not come before its day."""
        return nw.col("reported_on") >= nw.col("shown_on")


def transform(bronze_ad_spend: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_ad_spend


asset = table_asset(AdSpend, transform, reads={"bronze_ad_spend": by_event_day})
