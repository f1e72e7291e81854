"""Marketing channels: each stands on the day on which it is first seen."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.days import history
from ecom_assets.table_asset import table_asset


class DimChannel(Table, primary_key="channel", partition_column="first_seen_on"):
    """One row per marketing channel with a session, an order or spend."""

    channel: str = key("What brings visits: direct, organic, paid search, social, email, affiliate, referral, unknown")
    first_seen_on: Date = column("Business day of its first session, order or spend")


def transform(
    gold_fact_sessions: nw.LazyFrame, gold_fact_touchpoints: nw.LazyFrame, gold_fact_ad_spend: nw.LazyFrame
) -> nw.LazyFrame:
    seen = [
        gold_fact_sessions.select("channel", day="started_on"),
        gold_fact_touchpoints.select("channel", day="ordered_on"),
        gold_fact_ad_spend.select("channel", day="spend_on"),
    ]
    first_seen = (each.group_by("channel").agg(nw.col("day").min()) for each in seen)
    return (
        nw.concat(list(first_seen))
        .group_by("channel")
        .agg(nw.col("day").min().alias("first_seen_on"))
        .select(*contract(DimChannel).columns)
    )


asset = table_asset(
    DimChannel,
    transform,
    reads={"gold_fact_sessions": history, "gold_fact_touchpoints": history, "gold_fact_ad_spend": history},
)
