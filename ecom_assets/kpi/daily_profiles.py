"""What the rows of each feed look like on a day: how many, of which amounts, categories and hours."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.days import history, if_known
from ecom_assets.expressions.dates import days_between
from ecom_assets.kpi._profiles import (
    ALL,
    AMOUNT,
    CAMPAIGNS,
    DELAY,
    HOUR,
    LATEST,
    MEAN,
    MEASURES,
    NONE,
    ROWS,
    rounded,
)
from ecom_assets.table_asset import table_asset

LAST_TWENTIETH = 0.95
SECONDS_PER_HOUR = 3_600
LONGEST_CAMPAIGN = 60
"""Days; a campaign that goes on for longer is no event."""


class DailyProfiles(Table, primary_key=("day", "feed", "measure", "category"), partition_column="day"):
    """One row per day, feed, measure and category of its accepted rows. Hours count from the day's midnight in UTC.

    A feed whose day failed has no rows, and the others have theirs.
    """

    day: Date = key("Business day")
    feed: str = key("Feed; “campaigns” for campaigns with an end within 60 days that run on the day")
    measure: str = key("What is measured", isin=MEASURES)
    category: str = key("Column and value of the rows counted, such as channel=web; “(all)” for all rows")
    value: float = column("Rows, amount in the shop's currency, or hours")
    rows: int = column("Rows that the value is made of", ge=1)


DAY_AND_FEED = ["day", "feed", "measure", "category"]


def _profile(rows: nw.LazyFrame, feed: str, measure: str, value: nw.Expr) -> nw.LazyFrame:
    """Returns a measure of all rows of a feed by `day`."""
    return (
        rows.group_by("day")
        .agg(value=value, rows=nw.len().cast(nw.Int64))
        .select("day", "value", "rows", feed=nw.lit(feed), measure=nw.lit(measure), category=nw.lit(ALL))
    )


def _counts(rows: nw.LazyFrame, feed: str, *categories: str) -> list[nw.LazyFrame]:
    """Returns the numbers of rows of a feed by `day`, of all rows and of those of each value of columns."""
    found = [_profile(rows, feed, ROWS, nw.len().cast(nw.Float64))]
    for name in categories:
        value = nw.concat_str([nw.lit(f"{name}="), nw.col(name).fill_null(NONE)])
        counted = rows.select("day", category=value).group_by("day", "category").agg(rows=nw.len().cast(nw.Int64))
        as_value = nw.col("rows").cast(nw.Float64)
        found.append(counted.select("day", "category", "rows", value=as_value, feed=nw.lit(feed), measure=nw.lit(ROWS)))
    return found


def _times(rows: nw.LazyFrame, feed: str, moment: str) -> list[nw.LazyFrame]:
    """Returns the hours at which rows of a feed happen, by `day`."""
    hour = _hours(nw.col("day").cast(nw.Datetime("us")), nw.col(moment))
    hours = rows.select("day", hour=hour)
    last = nw.col("hour").quantile(LAST_TWENTIETH, interpolation="linear")
    return [_profile(hours, feed, HOUR, nw.col("hour").median()), _profile(hours, feed, LATEST, last)]


def _hours(earlier: nw.Expr, later: nw.Expr) -> nw.Expr:
    return (later - earlier).dt.total_seconds().cast(nw.Float64) / SECONDS_PER_HOUR


def _amounts(rows: nw.LazyFrame, feed: str, amount: str) -> list[nw.LazyFrame]:
    """Returns how large the amounts of a feed's rows are by `day`, of those that have one, in two ways.

    A median jumps between the prices of popular products, and a mean follows the price of a single one.
    """
    amounts = rows.select("day", amount=nw.col(amount).cast(nw.Float64).abs()).filter(nw.col("amount") > 0)
    sizes = amounts.select("day", size=nw.col("amount").log())
    ends = [
        nw.col("size").quantile(quarter, interpolation="linear").alias(name)
        for name, quarter in (("lowest", 0.25), ("highest", 0.75))
    ]
    limited = sizes.join(sizes.group_by("day").agg(*ends), on="day").with_columns(
        size=nw.min_horizontal(nw.max_horizontal("size", "lowest"), "highest")
    )
    mean = _profile(limited, feed, MEAN, nw.col("size").mean())
    return [
        _profile(amounts, feed, AMOUNT, nw.col("amount").median()),
        mean.with_columns(value=nw.col("value").exp()),
    ]


def _since_order(rows: nw.LazyFrame, orders: nw.LazyFrame, feed: str, moment: str) -> nw.LazyFrame:
    """Returns the median hours from an order to a feed's row about it, by `day`, of those on the same day."""
    both = rows.join(orders.select("day", "order_id", "ordered_at"), on=["day", "order_id"])
    delays = both.select("day", delay=_hours(nw.col("ordered_at"), nw.col(moment)))
    return _profile(delays, feed, DELAY, nw.col("delay").median())


def transform(
    silver_orders: nw.LazyFrame,
    silver_order_items: nw.LazyFrame,
    silver_payments: nw.LazyFrame,
    silver_shipments: nw.LazyFrame,
    silver_returns: nw.LazyFrame,
    silver_reviews: nw.LazyFrame,
    silver_events: nw.LazyFrame,
    silver_order_completions: nw.LazyFrame,
    gold_dim_campaign_versions: nw.LazyFrame,
    days: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    orders = silver_orders.with_columns(day="ordered_on")
    lines = silver_order_items.with_columns(day="ordered_on")
    payments = silver_payments.with_columns(day="paid_on")
    shipments = silver_shipments.with_columns(day="ordered_on")
    returns = silver_returns.with_columns(day="returned_on")
    reviews = silver_reviews.with_columns(day="reviewed_on")
    events = silver_events.with_columns(day="occurred_on")
    completed = silver_order_completions.with_columns(day="occurred_on")
    ends = days_between(c("starts_on"), c("ends_on")) <= LONGEST_CAMPAIGN
    running = (
        days.join(gold_dim_campaign_versions.filter(ends), how="cross")
        .filter(c("starts_on") <= c("day"), c("day") <= c("ends_on"), c("effective_on") <= c("day"))
        .select("day", "campaign_id")
        .unique()
    )
    parts = [
        *_counts(orders, "orders", "channel", "country", "store", "currency"),
        *_counts(lines, "order_items"),
        *_counts(payments, "payments", "method"),
        *_counts(shipments, "shipments", "carrier"),
        *_counts(returns, "returns"),
        *_counts(reviews, "reviews"),
        *_counts(events, "events", "event", "device"),
        *_amounts(orders, "orders", "total"),
        *_amounts(lines, "order_items", "unit_price"),
        *_amounts(payments, "payments", "amount"),
        *_amounts(shipments, "shipments", "cost"),
        *_amounts(returns, "returns", "amount"),
        *_amounts(events, "events", "value"),
        *_times(orders, "orders", "ordered_at"),
        *_times(payments, "payments", "paid_at"),
        *_times(events, "events", "occurred_at"),
        _since_order(payments, orders, "payments", "paid_at"),
        _since_order(completed, orders, "events", "completed_at"),
        _profile(running, CAMPAIGNS, ROWS, nw.len().cast(nw.Float64)),
    ]
    return (
        nw.concat([part.select(*DAY_AND_FEED, "value", "rows") for part in parts])
        .with_columns(value=rounded(c("value")))
        .select(*contract(DailyProfiles).columns)
    )


FEEDS = ["orders", "order_items", "payments", "shipments", "returns", "reviews", "events", "order_completions"]
asset = table_asset(
    DailyProfiles,
    transform,
    reads={**{f"silver_{feed}": if_known for feed in FEEDS}, "gold_dim_campaign_versions": history},
)
