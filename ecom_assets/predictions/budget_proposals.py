"""How the same advertising budget would bring more, by channel."""

import datetime as dt

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import trailing
from ecom_assets.models.budget import fit, in_proportion_to_roas, propose
from ecom_assets.predictions._fits import is_period_end
from ecom_assets.table_asset import table_asset

YEAR = 365


class BudgetProposals(Table, primary_key=("period_end", "channel"), partition_column="period_end"):
    """One row per end of a period of four weeks and channel with spend or attributed revenue in the year up to it.

    Curves of what a channel's spend brings are fitted to `kpi.daily_marketing`, and the budget of the last 28 days is
    divided so that a little more would bring the same everywhere, within 1.3 times what a channel has spent in a week.
    Amounts are those of a usual day. Revenue is the attributed one: a curve says as much of cause as attribution does.
    Unlike other predictions, these are made of the measures as they stand now, late rows included.
    """

    period_end: Date = key("Last day of the period")
    channel: str = key("Marketing channel")
    spend: float = column("Spend of a day, mean of the last 28", ge=0)
    proposed_spend: float = column("Spend proposed, of the same budget", ge=0)
    spend_by_roas: float = column("Spend in proportion to revenue per spend, to compare with", ge=0)
    value: float = column("Revenue that the spend brings, by the curve")
    proposed_value: float = column("Revenue that the spend proposed brings, by the curve")
    marginal_return: float = column("Revenue that one more unit of spend brings; null if not known", nullable=True)
    proposed_marginal_return: float = column("The same at the spend proposed", nullable=True)
    least_spend: float = column("Least spend that would be proposed", ge=0)
    most_spend: float = column("Most spend that would be proposed", ge=0)
    kept_because: str = column("Why the channel keeps its spend; null if it does not", nullable=True)
    gain: float = column("Revenue of a day that the proposal of all channels adds, less the optimism of the fit")
    gain_low: float = column("Lower end of its 95 % interval, by a block bootstrap")
    gain_high: float = column("Upper end of its 95 % interval")


def proposed(day: dt.date, marketing: pl.DataFrame) -> pl.DataFrame:
    """Returns the proposal of one day."""
    of_year = marketing.filter(pl.col("day").is_between(day - dt.timedelta(days=YEAR - 1), day))
    by_channel = of_year.group_by("day", "channel").agg(pl.col("spend").sum(), value=pl.col("revenue").sum())
    model = fit(by_channel.sort("day", "channel"))
    return propose(model).with_columns(
        period_end=pl.lit(day),
        spend_by_roas=pl.Series(in_proportion_to_roas(model), dtype=pl.Float64),
        gain=pl.lit(model.gain),
        gain_low=pl.lit(model.gain_low),
        gain_high=pl.lit(model.gain_high),
    )


def transform(kpi_daily_marketing: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    parts = [
        proposed(day, kpi_daily_marketing)
        for day in filter(is_period_end, days["day"].sort())
        if kpi_daily_marketing.filter(pl.col("day") <= day).height
    ]
    return frame_of(BudgetProposals, parts)


asset = table_asset(BudgetProposals, transform, reads={"kpi_daily_marketing": trailing(YEAR)})
