"""Attribution: the orders and revenue of each channel and campaign, by eight models."""

import decimal
import math

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, contract, key, money, rule
from ecom_assets.days import trailing
from ecom_assets.expressions.channels import DIRECT, NO_CAMPAIGN
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import MONEY, no_amount, ratio, share_by_partial_sums, total, total_count
from ecom_assets.kpi._attribution import MODELS
from ecom_assets.table_asset import table_asset

DAYS_PER_WEEK = 7
HALF_LIFE_SECONDS = 7 * 86_400
FINENESS = 10**12
"""Factor by which weights are multiplied before they are rounded to whole numbers."""
PARTS = ["orders", "revenue"]
OF_VISIT = ["channel", "campaign", "campaign_id"]


class Attribution(Table, primary_key=("day", "channel", "campaign", "campaign_id", "model"), partition_column="day"):
    """One row per order day, channel, campaign and model, with the orders of the day attributed to them.

    Each order is shared among its touchpoints of the last 30 days: all to the first; all to the last; all to the last
    that is not direct, if there is one; in equal parts; 40 % to the first, 40 % to the last and 20 % to those between;
    half as much for each seven days before the order; by the removal effects of its channels (markov); in equal parts
    among its channels, which summed over orders are their Shapley values (shapley). In these last two, a channel's
    part is shared equally among its touchpoints.

    Removal effects are those of the last Sunday up to the day; before the first one, channels share equally. Credits
    sum to each order, so a channel gets parts only of orders in which it had a touchpoint: if the effects alone would
    share four orders as 2.4 and 1.6, an order with one channel is still wholly that channel's, and the result may be
    2.6 and 1.4. The parts of an order are rounded so that they sum to it to the last decimal.
    """

    day: Date = key("Business day on which the orders were placed")
    channel: str = key("Marketing channel of the sessions; unknown without a session")
    campaign: str = key("Campaign that brought the sessions; “none” without a campaign")
    campaign_id: str = key("Number of that campaign; “none” if it is not known")
    model: str = key("Attribution model", isin=MODELS)
    orders: Decimal = money("Orders attributed, fractions to four decimals", ge=0)
    revenue: Decimal = money("Gross sales less discounts of these orders")
    new_orders: Decimal = money("Orders attributed that are their customer's first", ge=0)
    new_revenue: Decimal = money("Gross sales less discounts of these new orders")

    @rule
    def new_orders_are_orders(cls) -> nw.Expr:
        """There are no more new orders than orders."""
        return nw.col("new_orders") <= nw.col("orders")


def _weight(value: nw.Expr) -> nw.Expr:
    """Returns a float as a whole number, so that sums of weights are exact."""
    return (value * FINENESS + 0.5).floor().cast(nw.Int64)


def _one_if(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(1).otherwise(0).cast(nw.Int64)


def weights() -> dict[str, nw.Expr]:
    """Returns the weight of one channel and campaign's touchpoints within their order, by model."""
    c = nw.col
    last_not_direct = nw.when(c("channel") != DIRECT).then(c("last_position")).max().over("order_id")
    of_channel = ratio(c("touches"), c("touches").sum().over("order_id", "channel"))
    has_effects = c("removal_effect").max().over("order_id").fill_null(0.0) > 0
    return {
        "first": _one_if(c("first_position") == 1),
        "last": _one_if(c("last_position") == c("touchpoints")),
        "last_non_direct": _one_if(c("last_position") == nw.coalesce(last_not_direct, c("touchpoints"))),
        "linear": c("touches"),
        "position_based": c("position_based"),
        "time_decay": c("time_decay"),
        "markov": _weight(nw.when(has_effects).then(c("removal_effect").fill_null(0.0)).otherwise(1.0) * of_channel),
        "shapley": _weight(of_channel),
    }


def credits(touchpoints: nw.LazyFrame) -> nw.LazyFrame:
    """Returns one row per order, channel and campaign with its credits, in columns such as "linear orders".

    Args:
        touchpoints: Rows of `fact_touchpoints`, with a campaign_id each and the `removal_effect` of their channel.
    """
    c = nw.col
    of_order = ["order_id", "ordered_on", "is_new", "revenue", "touchpoints"]
    is_end = (c("position") == 1) | (c("position") == c("touchpoints"))
    by_position = nw.when(is_end & (c("touchpoints") > 2)).then(2 * (c("touchpoints") - 2)).otherwise(1)
    seconds = (c("ordered_at") - c("touched_at")).dt.total_seconds().fill_null(0)
    age = nw.max_horizontal(seconds, nw.lit(0, nw.Int64)).cast(nw.Float64)
    parts = (
        touchpoints.with_columns(
            touches=nw.lit(1, nw.Int64),
            position_based=by_position.cast(nw.Int64),
            time_decay=_weight((age * (-math.log(2) / HALF_LIFE_SECONDS)).exp()),
        )
        .group_by(*of_order, *OF_VISIT)
        .agg(
            *map(total_count, ["touches", "position_based", "time_decay"]),
            c("position").min().alias("first_position"),
            c("position").max().alias("last_position"),
            c("removal_effect").max(),
        )
        .select(*of_order, *OF_VISIT, "first_position", **weights())
        .with_columns(orders=nw.lit(decimal.Decimal(1), MONEY))
    )
    return share_by_partial_sums(parts, PARTS, by=MODELS, within="order_id", order_by="first_position")


def transform(
    gold_fact_touchpoints: nw.LazyFrame, kpi_weekly_channel_weights: nw.LazyFrame, days: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    days_since = days_between(c("week_end"), c("ordered_on"))
    latest_effects = (
        days.select(ordered_on="day")
        .join(kpi_weekly_channel_weights, how="cross")
        .filter(days_since.is_between(0, DAYS_PER_WEEK - 1))
        .select("ordered_on", "channel", "removal_effect")
    )
    weighed = gold_fact_touchpoints.join(latest_effects, on=["ordered_on", "channel"], how="left").with_columns(
        c("campaign_id").fill_null(NO_CAMPAIGN)
    )
    credited = (
        credits(weighed)
        .rename({"ordered_on": "day"})
        .group_by("day", *OF_VISIT, "is_new")
        .agg(total(f"{model} {part}") for model in MODELS for part in PARTS)
    )
    models = nw.concat([days.select(model=nw.lit(model)) for model in MODELS]).unique()
    by_model = credited.join(models, how="cross").with_columns(
        nw.coalesce(*(nw.when(c("model") == model).then(c(f"{model} {part}")) for model in MODELS)).alias(part)
        for part in PARTS
    )
    of_new = {f"new_{part}": nw.when(c("is_new")).then(c(part)).otherwise(no_amount()) for part in PARTS}
    return (
        by_model.filter((c("orders") != 0) | (c("revenue") != 0))
        .with_columns(**of_new)
        .group_by("day", *OF_VISIT, "model")
        .agg(*map(total, [*PARTS, *of_new]))
        .select(*contract(Attribution).columns)
    )


def conserved(gold_fact_touchpoints: nw.LazyFrame) -> nw.LazyFrame:
    """Returns each order once for each model."""
    orders = gold_fact_touchpoints.filter(nw.col("position") == 1)
    one = orders.select("revenue", day="ordered_on", orders=nw.lit(decimal.Decimal(1), MONEY))
    return nw.concat([one] * len(MODELS))


asset = table_asset(
    Attribution, transform, reads={"kpi_weekly_channel_weights": trailing(DAYS_PER_WEEK)}, conserved=conserved
)
