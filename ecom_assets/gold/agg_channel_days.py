"""Channels seen per day: the source of the list of channels."""

import narwhals as nw

from ecom_assets.contract import Date, Table, contract, key
from ecom_assets.expressions.channels import ANY_CHANNEL
from ecom_assets.table_asset import table_asset


class AggChannelDays(Table, primary_key=("day", "channel"), partition_column="day"):
    """One row per day and channel with a session, an order or spend."""

    day: Date = key("Business day")
    channel: str = key(ANY_CHANNEL)


def transform(
    gold_fact_sessions: nw.LazyFrame, gold_fact_touchpoints: nw.LazyFrame, gold_fact_ad_spend: nw.LazyFrame
) -> nw.LazyFrame:
    seen = [
        gold_fact_sessions.select("channel", day="started_on"),
        gold_fact_touchpoints.select("channel", day="ordered_on"),
        gold_fact_ad_spend.select("channel", day="spend_on"),
    ]
    return nw.concat(seen).unique().select(*contract(AggChannelDays).columns)


asset = table_asset(AggChannelDays, transform)
