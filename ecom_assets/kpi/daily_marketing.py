"""Marketing by day, channel and campaign: spend, and the orders and revenue attributed to it."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.days import history
from ecom_assets.expressions import measures
from ecom_assets.expressions.channels import named_channel
from ecom_assets.expressions.money import ratio, total, total_count
from ecom_assets.expressions.versions import with_version_of_day
from ecom_assets.table_asset import table_asset

MODEL = "last_non_direct"


class DailyMarketing(Table, primary_key=("day", "channel", "campaign"), partition_column="day", amount="spend"):
    """One row per day, channel and campaign with spend or an order.

    An order is attributed to the last touchpoint that is not direct. `kpi.attribution` has the other models. Orders of
    a known campaign have the channel and name of the campaign, as its spend has them.
    """

    day: Date = key("Business day")
    channel: str = key("Marketing channel; unknown without a session")
    campaign: str = key("Name of the campaign; “none” without a campaign")
    spend: Decimal = money(measures.SPEND, ge=0)
    impressions: int = column(measures.IMPRESSIONS, ge=0)
    clicks: int = column(measures.CLICKS, ge=0)
    ctr: float = column("Click-through rate: clicks per impression; null without impressions", nullable=True, ge=0)
    cpc: float = column("Cost per click; null without clicks", nullable=True, ge=0)
    cpm: float = column("Cost per thousand impressions; null without impressions", nullable=True, ge=0)
    orders: Decimal = money("Orders attributed", ge=0)
    revenue: Decimal = money("Attributed revenue: gross sales less discounts of the orders attributed")
    new_customers: Decimal = money("Customers whose first order is attributed", ge=0)
    new_revenue: Decimal = money("Attributed revenue of first orders")
    cac: float = column(measures.CAC, nullable=True, ge=0)
    roas: float = column("Return on advertising spend: attributed revenue per spend; null without spend", nullable=True)
    new_roas: float = column("The same for the revenue of first orders", nullable=True)

    @rule
    def new_customers_are_orders(cls) -> nw.Expr:
        """There are no more new customers than orders."""
        return nw.col("new_customers") <= nw.col("orders")


COUNTS = ["impressions", "clicks"]
AMOUNTS = ["spend", "orders", "revenue", "new_customers", "new_revenue"]


def of_their_campaign(brought: nw.LazyFrame, spent: nw.LazyFrame, versions: nw.LazyFrame) -> nw.LazyFrame:
    """Returns what visits brought under channel and name of their campaign, as its spend has them, if it is known."""
    c = nw.col
    on_day = ["day", "campaign_id"]
    as_spent = spent.select(*on_day, spent_channel="channel", spent_campaign="campaign")
    known = versions.with_columns(of_channel=named_channel("channel"))
    as_known = with_version_of_day(
        brought.select(*on_day).unique(), known, identity="campaign_id", day="day", columns=["of_channel", "name"]
    )
    return (
        brought.join(as_spent, on=on_day, how="left")
        .join(as_known, on=on_day, how="left")
        .with_columns(
            channel=nw.coalesce(c("spent_channel"), c("of_channel"), c("channel")),
            campaign=nw.coalesce(c("spent_campaign"), c("name"), c("campaign")),
        )
    )


def transform(
    gold_fact_ad_spend: nw.LazyFrame, kpi_attribution: nw.LazyFrame, gold_dim_campaign_versions: nw.LazyFrame
) -> nw.LazyFrame:
    spent = gold_fact_ad_spend.select(
        "channel", "campaign", "campaign_id", "spend", "impressions", "clicks", day="spend_on"
    )
    measured = ["day", "channel", "campaign", "orders", "revenue", "new_customers", "new_revenue"]
    brought = kpi_attribution.filter(nw.col("model") == MODEL).with_columns(new_customers="new_orders")
    met = of_their_campaign(brought, spent, gold_dim_campaign_versions).select(*measured)
    return (
        nw.concat([spent.drop("campaign_id"), met], how="diagonal")
        .group_by("day", "channel", "campaign")
        .agg(*map(total_count, COUNTS), *map(total, AMOUNTS))
        .with_columns(
            ctr=ratio("clicks", "impressions"),
            cpc=ratio("spend", "clicks"),
            cpm=ratio("spend", "impressions") * 1_000,
            cac=measures.cac(),
            roas=ratio("revenue", "spend"),
            new_roas=ratio("new_revenue", "spend"),
        )
        .select(*contract(DailyMarketing).columns)
    )


def conserved(gold_fact_ad_spend: nw.LazyFrame, kpi_attribution: nw.LazyFrame) -> nw.LazyFrame:
    spent = gold_fact_ad_spend.select("spend", day="spend_on")
    brought = kpi_attribution.filter(nw.col("model") == MODEL).select("day", "orders", "revenue")
    return nw.concat([spent, brought], how="diagonal")


asset = table_asset(DailyMarketing, transform, reads={"gold_dim_campaign_versions": history}, conserved=conserved)
