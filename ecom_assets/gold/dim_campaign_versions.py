"""Campaigns through time: a version each time something about a campaign changes."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, own_columns
from ecom_assets.days import history
from ecom_assets.expressions.keys import key_at
from ecom_assets.expressions.versions import versions, view_of
from ecom_assets.table_asset import table_asset

ATTRIBUTES = ["name", "channel", "objective", "starts_on", "ends_on", "daily_budget", "extra"]
VIEW = ("gold.dim_campaign", view_of("gold.dim_campaign_versions", "campaign_id", ["gold.fact_ad_spend"]))


class DimCampaignVersions(Table, primary_key="campaign_key", partition_column="effective_on"):
    """One row per campaign and version, stored on the day on which the version starts."""

    campaign_key: str = key("The campaign and the start of the version")
    campaign_id: str = column("Campaign number issued by the advertiser")
    effective_from: Timestamp = column("Start of validity")
    effective_on: Date = column("Business day on which validity starts")
    name: str = column("Name as in links, their utm_campaign")
    channel: str = column("Marketing channel: paid search, paid social, email, …")
    objective: str = column("Objective", nullable=True)
    starts_on: Date = column("First day")
    ends_on: Date = column("Last day; null if no end is set", nullable=True)
    daily_budget: Decimal = money("Budget per day", nullable=True, ge=0)
    extra: str = own_columns()
    is_deleted: bool = column("Whether the campaign was deleted; the other columns are as last known")


def transform(silver_campaigns: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    changes = silver_campaigns.rename({"updated_at": "changed_at", "updated_on": "changed_on"})
    return (
        versions(changes, days, identity="campaign_id", attributes=ATTRIBUTES)
        .with_columns(
            campaign_key=key_at("campaign_id", "changed_at"), effective_from="changed_at", effective_on="changed_on"
        )
        .select(*contract(DimCampaignVersions).columns)
    )


asset = table_asset(DimCampaignVersions, transform, reads={"silver_campaigns": history.by("campaign_id")}, view=VIEW)
