"""The ways of customers from channel to channel, at the end of each week."""

import narwhals as nw

from ecom_assets.channels import CHANNELS, CONVERSION, NO_CONVERSION, START, UNKNOWN
from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.dates import days_between, is_week_end
from ecom_assets.days import trailing
from ecom_assets.table_asset import table_asset

WINDOW_DAYS = 30


class AggChannelSteps(Table, primary_key=("week_end", "channels", "step_from", "step_to"), partition_column="week_end"):
    """One row per Sunday, set of channels and step between two of them, with the journeys of the 30 days up to it.

    An order of these days has the journey of its touchpoints and ends in a conversion. The sessions of a customer in
    these days that no order has followed yet are a journey without one.
    """

    week_end: Date = key("The Sunday")
    channels: str = key("The channels of the whole journey, in a fixed order")
    step_from: str = key("A channel, or the start")
    step_to: str = key("A channel, or the end: conversion or no conversion")
    steps: int = column("How often journeys take it", ge=1)


JOURNEY = ["week_end", "ending", "journey"]
IN_ORDER = ["touched_at", "session_id"]


def journeys(touchpoints: nw.LazyFrame, sessions: nw.LazyFrame, week_ends: nw.LazyFrame) -> nw.LazyFrame:
    """Every touch of the journeys of each week end's window."""
    c = nw.col
    touch = [*JOURNEY, *IN_ORDER, "channel"]

    def within(frame: nw.LazyFrame, day: str) -> nw.LazyFrame:
        return frame.join(week_ends, how="cross").filter(
            days_between(c(day), c("week_end")) >= 0, days_between(c(day), c("week_end")) < WINDOW_DAYS
        )

    orders = within(touchpoints, "ordered_on")
    converted = orders.filter(c("channel") != UNKNOWN).with_columns(ending=nw.lit(CONVERSION), journey="order_id")
    last_orders = orders.group_by("week_end", "customer_id").agg(c("ordered_at").max().alias("last_ordered_at"))
    known = within(sessions.filter(~c("customer_id").is_null()), "started_on")
    no_order_since = c("last_ordered_at").is_null() | (c("started_at") > c("last_ordered_at"))
    open_ended = (
        known.join(last_orders, on=["week_end", "customer_id"], how="left")
        .filter(no_order_since)
        .with_columns(ending=nw.lit(NO_CONVERSION), journey="customer_id", touched_at="started_at")
    )
    return nw.concat([converted.select(*touch), open_ended.select(*touch)])


def transform(
    gold_fact_touchpoints: nw.LazyFrame, gold_fact_sessions: nw.LazyFrame, days: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    week_ends = days.filter(is_week_end(c("day"))).select(week_end="day")
    touches = journeys(gold_fact_touchpoints, gold_fact_sessions, week_ends)
    sets = touches.group_by(JOURNEY).agg((c("channel") == name).any().alias(name) for name in CHANNELS)
    named = nw.concat_str([nw.when(c(name)).then(nw.lit(name)) for name in CHANNELS], separator=", ", ignore_nulls=True)
    steps = touches.with_columns(
        step_from=c("channel").shift(1).over(*JOURNEY, order_by=IN_ORDER).fill_null(START),
        is_last=c("session_id").shift(-1).over(*JOURNEY, order_by=IN_ORDER).is_null(),
    )
    between = steps.select(*JOURNEY, "step_from", step_to="channel")
    ends = steps.filter(c("is_last")).select(*JOURNEY, step_from="channel", step_to="ending")
    return (
        nw.concat([between, ends])
        .join(sets.select(*JOURNEY, channels=named), on=JOURNEY)
        .group_by("week_end", "channels", "step_from", "step_to")
        .agg(nw.len().cast(nw.Int64).alias("steps"))
        .select(*contract(AggChannelSteps).columns)
    )


asset = table_asset(
    AggChannelSteps,
    transform,
    reads={"gold_fact_touchpoints": trailing(WINDOW_DAYS), "gold_fact_sessions": trailing(WINDOW_DAYS)},
)
