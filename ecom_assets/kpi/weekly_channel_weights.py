"""Weights of the channels in attribution, at the end of each week."""

import narwhals as nw
import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key, rule
from ecom_assets.expressions.channels import CONVERSION, START
from ecom_assets.kpi._attribution import removal_effects, shapley_values
from ecom_assets.table_asset import table_asset

DECIMALS = 9


class WeeklyChannelWeights(Table, primary_key=("week_end", "channel"), partition_column="week_end"):
    """One row per Sunday and channel with a touchpoint in the 30 days up to it.

    The weights are exact for the journeys of these days, including those without an order.
    """

    week_end: Date = key("Sunday that ends the week")
    channel: str = key("Marketing channel")
    journeys: int = column("Journeys with the channel", ge=1)
    converted_journeys: int = column("Journeys with the channel that ended in an order", ge=0)
    removal_effect: float = column("Share of the orders that a Markov chain would lose without the channel", ge=0, le=1)
    shapley_value: float = column("Shapley value of the channel: the orders attributed to it", ge=0)

    @rule
    def converted_journeys_are_journeys(cls) -> nw.Expr:
        """No more journeys end in an order than there are."""
        return nw.col("converted_journeys") <= nw.col("journeys")


def weights(steps: pl.DataFrame) -> pl.DataFrame:
    """Returns the weights of one week's channels."""
    taken = steps.group_by("step_from", "step_to").agg(pl.col("steps").sum())
    effects = removal_effects(
        {(origin, target): count for origin, target, count in taken.iter_rows()}, start=START, conversion=CONVERSION
    )
    by_set = steps.group_by("channels").agg(
        journeys=pl.col("steps").filter(pl.col("step_from") == START).sum(),
        converted_journeys=pl.col("steps").filter(pl.col("step_to") == CONVERSION).sum(),
    )
    values = shapley_values(
        {frozenset(channels.split(", ")): converted for channels, _, converted in by_set.iter_rows()}
    )
    return (
        by_set.with_columns(channel=pl.col("channels").str.split(", "))
        .explode("channel")
        .group_by("channel")
        .agg(pl.col("journeys", "converted_journeys").sum())
        .with_columns(
            removal_effect=pl.col("channel")
            .replace_strict(effects, return_dtype=pl.Float64)
            .clip(0, 1)
            .round(DECIMALS),
            shapley_value=pl.col("channel").replace_strict(values, return_dtype=pl.Float64).round(DECIMALS),
        )
    )


def transform(gold_agg_channel_steps: pl.DataFrame) -> pl.DataFrame:
    week_ends = gold_agg_channel_steps.partition_by("week_end", as_dict=True)
    made = [weights(steps).with_columns(week_end=pl.lit(day)) for (day,), steps in sorted(week_ends.items())]
    return frame_of(WeeklyChannelWeights, made)


asset = table_asset(WeeklyChannelWeights, transform)
