"""Attribution: which channel and campaign brings what, as eight models see it."""

import math

import narwhals as nw

from ecom_assets.channels import DIRECT
from ecom_assets.contract import Date, Decimal, Table, contract, key, money, rule
from ecom_assets.dates import days_between
from ecom_assets.days import trailing
from ecom_assets.money import MONEY, no_amount, ratio, share_by_largest_remainder, total
from ecom_assets.table_asset import table_asset

MODELS = ["first", "last", "last_non_direct", "linear", "position_based", "time_decay", "markov", "shapley"]
DAYS_PER_WEEK = 7
HALF_LIFE_SECONDS = 7 * 86_400
FINENESS = 10_000
"""By how much weights are multiplied before they are kept with four decimals."""


class Attribution(Table, primary_key=("day", "channel", "campaign", "model"), partition_column="day"):
    """One row per order day, channel, campaign and model, with the orders of the day that fall to them.

    Each order is shared over its touchpoints of the last 30 days: all to the first; all to the last; all to the last
    that is not direct, if there is one; in equal parts; 40 % to the first, 40 % to the last and 20 % to those between;
    half as much for each seven days before the order; by the channels' removal effects; by their Shapley values.
    The last two are those of the last Sunday up to the day; before the first one, all parts are equal. A channel's
    part falls to its touchpoints equally. Revenue is shared by the largest remainder, so that the parts of an order sum
    to its revenue to the cent.
    """

    day: Date = key("Business day on which the orders were placed")
    channel: str = key("What brought the sessions; unknown where none is known")
    campaign: str = key("The campaign that brought them; none where there is none")
    model: str = key("How orders are shared", isin=MODELS)
    orders: Decimal = money("Orders; of shared ones the part, to four decimals", ge=0)
    revenue: Decimal = money("Their gross sales less discounts")
    new_orders: Decimal = money("Those of them that are their customer's first", ge=0)
    new_revenue: Decimal = money("Gross sales less discounts of these")

    @rule
    def new_orders_are_orders(cls) -> nw.Expr:
        """There are no more new orders than orders."""
        return nw.col("new_orders") <= nw.col("orders")


def _weight(value: nw.Expr) -> nw.Expr:
    """A float as an exact weight."""
    return (value * FINENESS).round(4).cast(MONEY)


def _one_if(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(1).otherwise(0).cast(MONEY)


def weights() -> dict[str, nw.Expr]:
    """What a touchpoint weighs among its order's, by model."""
    c = nw.col
    position, count = c("position"), c("touchpoints")
    is_end = (position == 1) | (position == count)
    last_not_direct = nw.when(c("channel") != DIRECT).then(position).max().over("order_id")
    age = (c("ordered_at") - c("touched_at")).dt.total_seconds().fill_null(0).cast(nw.Float64)
    of_channel = nw.len().over("order_id", "channel").cast(nw.Float64)
    return {
        "first": _one_if(position == 1),
        "last": _one_if(position == count),
        "last_non_direct": _one_if(position == nw.coalesce(last_not_direct, count)),
        "linear": _one_if(position >= 1),
        "position_based": nw.when(is_end & (count > 2)).then(2 * (count - 2)).otherwise(1).cast(MONEY),
        "time_decay": _weight((age * (-math.log(2) / HALF_LIFE_SECONDS)).exp()),
        "markov": _weight(c("removal_effect").fill_null(0.0) / of_channel),
        "shapley": _weight(c("shapley_value").fill_null(0.0) / of_channel),
    }


def credits(touchpoints: nw.LazyFrame, models: nw.LazyFrame) -> nw.LazyFrame:
    """The part of each order that falls to a channel and campaign, by model: in `orders` and `credited`.

    Args:
        touchpoints: Those of `fact_touchpoints`, with `removal_effect` and `shapley_value` of their channel.
        models: One row per model.
    """
    c = nw.col
    facts = ["order_id", "ordered_on", "is_new", "revenue", "channel", "campaign"]
    of_order = ["order_id", "model"]
    weighed = (
        touchpoints.select(*facts, "position", **weights())
        .group_by(facts)
        .agg(*map(total, MODELS), c("position").min().alias("first_position"))
    )
    by_model = (
        weighed.join(models, how="cross")
        .with_columns(weight=nw.coalesce(*(nw.when(c("model") == model).then(c(model)) for model in MODELS)))
        .drop(*MODELS)
        .with_columns(all_weights=c("weight").sum().over(*of_order), parts=nw.len().over(*of_order))
        .filter((c("weight") > 0) | (c("all_weights") == 0))
    )
    part = nw.coalesce(ratio("weight", "all_weights"), 1 / c("parts").cast(nw.Float64))
    return share_by_largest_remainder(
        by_model.with_columns(orders=part.round(4).cast(MONEY)),
        "revenue",
        by="weight",
        within=of_order,
        order_by="first_position",
        name="credited",
    )


def transform(
    gold_fact_touchpoints: nw.LazyFrame, kpi_weekly_channel_weights: nw.LazyFrame, days: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    models = nw.concat([days.select(model=nw.lit(model)) for model in MODELS]).unique()
    days_since = days_between(c("week_end"), c("ordered_on"))
    latest_weights = (
        days.select(ordered_on="day")
        .join(kpi_weekly_channel_weights, how="cross")
        .filter(days_since.is_between(0, DAYS_PER_WEEK - 1))
        .select("ordered_on", "channel", "removal_effect", "shapley_value")
    )
    weighed = gold_fact_touchpoints.join(latest_weights, on=["ordered_on", "channel"], how="left")
    parts = credits(weighed, models).select(
        "channel", "campaign", "model", "orders", "is_new", day="ordered_on", revenue="credited"
    )
    of_new = {
        f"new_{name}": nw.when(c("is_new")).then(c(name)).otherwise(no_amount()) for name in ("orders", "revenue")
    }
    return (
        parts.with_columns(**of_new)
        .group_by("day", "channel", "campaign", "model")
        .agg(*map(total, ["orders", "revenue", "new_orders", "new_revenue"]))
        .select(*contract(Attribution).columns)
    )


asset = table_asset(Attribution, transform, reads={"kpi_weekly_channel_weights": trailing(DAYS_PER_WEEK)})
