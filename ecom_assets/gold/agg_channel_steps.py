"""Customer journeys as steps from channel to channel, at the end of each week."""

from collections.abc import Sequence

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.days import trailing
from ecom_assets.expressions.channels import CHANNELS, CONVERSION, NO_CONVERSION, START, UNKNOWN
from ecom_assets.expressions.dates import days_between, is_week_end
from ecom_assets.expressions.money import total_count
from ecom_assets.gold._devices import known_later
from ecom_assets.table_asset import table_asset

WINDOW_DAYS = 30


class AggChannelSteps(Table, primary_key=("week_end", "channels", "step_from", "step_to"), partition_column="week_end"):
    """One row per Sunday, set of channels and step between two of them, with the journeys of the 30 days up to it.

    The touchpoints of an order of these days are a journey that ends in a conversion. The sessions of a customer in
    these days that no order has followed yet are a journey without a conversion.
    """

    week_end: Date = key("Sunday that ends the week")
    channels: str = key("Channels of the whole journey, in a fixed order")
    step_from: str = key("A channel, or the start")
    step_to: str = key("A channel, or the end: conversion or no conversion")
    steps: int = column("Number of times that journeys take this step", ge=1)


STEP = ["channels", "step_from", "step_to"]


def within(rows: nw.LazyFrame, day: str, week_ends: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the rows whose day is one of the 30 up to a week's end, once for each such end."""
    age = days_between(nw.col(day), nw.col("week_end"))
    return rows.join(week_ends, how="cross").filter(age >= 0, age < WINDOW_DAYS)


def steps(touches: nw.LazyFrame, journey: Sequence[str], order: Sequence[str], ending: str) -> nw.LazyFrame:
    """Returns every step of the journeys, with the channels of the whole journey.

    `journey` are the columns that identify one, `order` those by which its touches follow each other.
    """
    c = nw.col
    sets = touches.group_by(*journey).agg((c("channel") == name).any().alias(name) for name in CHANNELS)
    named = nw.concat_str([nw.when(c(name)).then(nw.lit(name)) for name in CHANNELS], separator=", ", ignore_nulls=True)
    taken = touches.with_columns(
        step_from=c("channel").shift(1).over(*journey, order_by=order).fill_null(START),
        is_last=c("session_id").shift(-1).over(*journey, order_by=order).is_null(),
    )
    between = taken.select(*journey, "step_from", step_to="channel")
    ends = taken.filter(c("is_last")).select(*journey, step_from="channel", step_to=nw.lit(ending))
    return nw.concat([between, ends]).join(sets.select(*journey, channels=named), on=list(journey))


def open_ended(touchpoints: nw.LazyFrame, sessions: nw.LazyFrame, week_ends: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the sessions of customers within each week end's days that no order has followed yet.

    A session that completed a guest's order is a touchpoint of that order, so it is followed by one. A session before a
    customer's login on the same device is the customer's, once the login is known.
    """
    c = nw.col
    orders = within(
        touchpoints.select("customer_id", "session_id", "ordered_on", "ordered_at"), "ordered_on", week_ends
    )
    last_orders = orders.group_by("week_end", "customer_id").agg(c("ordered_at").max().alias("last_ordered_at"))
    touch = ["session_id", "customer_id", "started_at", "channel", "week_end"]
    by_customer = within(sessions.filter(~c("customer_id").is_null()), "started_on", week_ends)
    before_login = known_later(sessions).with_columns(customer_id=c("by_customer_id"))
    by_login = within(before_login.filter(~c("customer_id").is_null()), "started_on", week_ends).filter(
        c("by_started_on") <= c("week_end")
    )
    known = nw.concat([by_customer.select(*touch), by_login.select(*touch)]).join(
        orders.select("week_end", "session_id"), on=["week_end", "session_id"], how="anti"
    )
    no_order_since = c("last_ordered_at").is_null() | (c("started_at") > c("last_ordered_at"))
    return (
        known.join(last_orders, on=["week_end", "customer_id"], how="left")
        .filter(no_order_since)
        .select("week_end", "customer_id", "session_id", "channel", touched_at="started_at")
    )


def transform(
    gold_fact_touchpoints: nw.LazyFrame, gold_fact_sessions: nw.LazyFrame, days: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    week_ends = days.filter(is_week_end(c("day"))).select(week_end="day")
    order_days = within(gold_fact_touchpoints.select("ordered_on").unique(), "ordered_on", week_ends)
    touched = gold_fact_touchpoints.filter(c("channel") != UNKNOWN).join(order_days, on="ordered_on", how="semi")
    # An order's journey is the same at each week's end, so its steps are counted by day first.
    converted = (
        steps(
            touched.select("ordered_on", "order_id", "channel", "position", "session_id"),
            journey=["ordered_on", "order_id"],
            order=["position"],
            ending=CONVERSION,
        )
        .group_by("ordered_on", *STEP)
        .agg(nw.len().cast(nw.Int64).alias("steps"))
    )
    unconverted = steps(
        open_ended(gold_fact_touchpoints, gold_fact_sessions, week_ends),
        journey=["week_end", "customer_id"],
        order=["touched_at", "session_id"],
        ending=NO_CONVERSION,
    )
    counted = [
        within(converted, "ordered_on", week_ends).select("week_end", *STEP, "steps"),
        unconverted.select("week_end", *STEP, steps=nw.lit(1, nw.Int64)),
    ]
    return (
        nw.concat(counted)
        .group_by("week_end", *STEP)
        .agg(total_count("steps"))
        .select(*contract(AggChannelSteps).columns)
    )


asset = table_asset(
    AggChannelSteps,
    transform,
    reads={"gold_fact_touchpoints": trailing(WINDOW_DAYS), "gold_fact_sessions": trailing(WINDOW_DAYS)},
)
