"""Campaigns whose spend meets no visit, beside paid visits that meet no spend."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, expectation, key, money
from ecom_assets.expressions import measures
from ecom_assets.expressions.channels import PAID_CHANNELS
from ecom_assets.expressions.money import total, total_count
from ecom_assets.table_asset import table_asset


class UnmatchedCampaigns(Table, primary_key=("day", "channel", "campaign"), partition_column="day", amount="spend"):
    """One row per day and campaign with spend but no visit, or with visits of a paid channel but no spend.

    Orders of such visits are not compared with what was spent for them. Where a link and a campaign have different
    names, a rule in feeds.toml brings them together. Days without any spend have no rows.
    """

    day: Date = key("Business day")
    channel: str = key("Marketing channel of the campaign, or of the visits")
    campaign: str = key("Name of the campaign, or as the visits have it")
    spend: Decimal = money(measures.SPEND, ge=0)
    clicks: int = column(measures.CLICKS, ge=0)
    sessions: int = column("Visits of a paid channel that meet no spend of the day", ge=0)

    @expectation
    def spend_meets_visits(cls) -> nw.Expr:
        """A campaign with spend has brought a visit on the day: otherwise its name in links may differ."""
        return nw.col("spend") == 0


COUNTS = ["clicks", "sessions"]


def transform(gold_fact_ad_spend: nw.LazyFrame, gold_fact_sessions: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    spent = gold_fact_ad_spend.select("channel", "campaign", "campaign_id", "spend", "clicks", day="spend_on")
    visits = gold_fact_sessions.select(
        "channel", "campaign", "campaign_id", day="started_on", sessions=nw.lit(1, nw.Int64)
    )
    named = ["day", "channel", "campaign"]
    met_ids = visits.select("day", "campaign_id").filter(~c("campaign_id").is_null())
    met = spent.join(met_ids, on=["day", "campaign_id"], how="semi").select(*named)
    no_visits = spent.join(met, on=named, how="anti").filter(c("spend") > 0).select(*named, "spend", "clicks")
    no_spend = (
        visits.filter(c("channel").is_in(PAID_CHANNELS))
        .join(spent.select("day"), on="day", how="semi")
        .join(spent.select("day", "campaign_id"), on=["day", "campaign_id"], how="anti")
        .select(*named, "sessions")
    )
    return (
        nw.concat([no_visits, no_spend], how="diagonal")
        .group_by(*named)
        .agg(total("spend"), *map(total_count, COUNTS))
        .select(*contract(UnmatchedCampaigns).columns)
    )


asset = table_asset(UnmatchedCampaigns, transform)
