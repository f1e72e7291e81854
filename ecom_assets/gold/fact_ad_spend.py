"""Ad spend: impressions, clicks and cost of each campaign and day, with its name and channel."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, own_columns
from ecom_assets.days import history
from ecom_assets.expressions import measures
from ecom_assets.expressions.channels import UNKNOWN, named_channel
from ecom_assets.table_asset import table_asset


class FactAdSpend(Table, primary_key=("spend_on", "campaign_id"), partition_column="spend_on", amount="spend"):
    """One row per day and campaign that was shown.

    Name and channel are those of the campaign's latest version up to the day. If the campaign has no version yet, its
    number is the name, and the channel is unknown. A channel of ours is recognized in any case, with - or _ for spaces.
    """

    spend_on: Date = key("Business day on which it was shown")
    campaign_id: str = key("Campaign number issued by the advertiser")
    campaign_key: str = column("Version of the campaign on that day, if any", nullable=True)
    channel: str = column("Marketing channel of the campaign; unknown if not given")
    campaign: str = column("Name of the campaign, as in links")
    impressions: int = column(measures.IMPRESSIONS, ge=0)
    clicks: int = column(measures.CLICKS, ge=0)
    spend: Decimal = money(measures.SPEND, ge=0)
    extra: str = own_columns()


def transform(silver_ad_spend: nw.LazyFrame, gold_dim_campaign_versions: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    spend = silver_ad_spend.select("campaign_id", "impressions", "clicks", "spend", "extra", spend_on="shown_on")
    in_force = (
        spend.select("spend_on", "campaign_id")
        .join(gold_dim_campaign_versions, on="campaign_id")
        .filter(c("effective_on") <= c("spend_on"))
        .group_by("spend_on", "campaign_id")
        .agg(c("campaign_key", "channel", "name").last(order_by=["effective_from"]))
    )
    return (
        spend.join(in_force, on=["spend_on", "campaign_id"], how="left")
        .with_columns(
            channel=named_channel("channel").fill_null(UNKNOWN),
            campaign=nw.coalesce(c("name"), c("campaign_id")),
        )
        .select(*contract(FactAdSpend).columns)
    )


def conserved(silver_ad_spend: nw.LazyFrame) -> nw.LazyFrame:
    return silver_ad_spend.select("spend", "impressions", "clicks", spend_on="shown_on")


asset = table_asset(
    FactAdSpend, transform, reads={"gold_dim_campaign_versions": history.by("campaign_id")}, conserved=conserved
)
