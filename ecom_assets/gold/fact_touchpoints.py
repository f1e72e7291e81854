"""Touchpoints: the visits of a buyer before each order."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, rule
from ecom_assets.days import around
from ecom_assets.expressions import measures
from ecom_assets.expressions.channels import CHANNELS, NO_CAMPAIGN, UNKNOWN
from ecom_assets.expressions.dates import CLOCK_TOLERANCE, days_between
from ecom_assets.expressions.money import total
from ecom_assets.gold._devices import known_later
from ecom_assets.table_asset import table_asset

LOOK_BACK_DAYS = 30
MAX_TOUCHPOINTS = 30


class FactTouchpoints(Table, primary_key=("order_id", "position"), partition_column="ordered_on"):
    """One row per valid order and session of its buyer before it, in the 30 days up to and with the order's.

    A device is its buyer's before the login: a session without customer is that of the next one of its device in which
    a customer logs in, on the order's day at the latest, or in which the order is completed. If there are more than 30
    sessions, the last 30 count. A session that completed the order counts whoever its
    customer is; it is the only link to the buyer of a guest's order. It is the last touchpoint whatever its clock says,
    if it starts on the order's day or earlier, or at most 15 minutes after the order. An order without a known session
    is kept as one touchpoint with an unknown channel. A day is provisional until the next one is over: a clock may be
    ahead over midnight.
    """

    order_id: str = key("Order number")
    position: int = key("Position of the touchpoint, from 1, the earliest", ge=1)
    touchpoints: int = column("Number of touchpoints of the order", ge=1)
    ordered_on: Date = column("Business day on which the order was placed")
    ordered_at: Timestamp = column("When the order was placed")
    customer_id: str = column("Customer who placed it; null for guests", nullable=True, personal=True)
    is_new: bool = column("Whether the order is its customer's first valid one")
    revenue: Decimal = money(f"The order's whole revenue: {measures.REVENUE[0].lower()}{measures.REVENUE[1:]}")
    session_id: str = column("Session; null if unknown", nullable=True, personal=True)
    touched_at: Timestamp = column("When the session started, by the clock of its events", nullable=True)
    touched_on: Date = column("Business day on which the session started", nullable=True)
    channel: str = column("Marketing channel of the session; unknown without a session", isin=[UNKNOWN, *CHANNELS])
    campaign: str = column("Campaign that brought the session, as in `gold.fact_sessions`; “none” without a campaign")
    campaign_id: str = column("Number of that campaign, if it is known", nullable=True)

    @rule
    def within_the_touchpoints(cls) -> nw.Expr:
        """A touchpoint's place is not beyond the last one."""
        return nw.col("position") <= nw.col("touchpoints")

    @rule
    def unknown_without_session(cls) -> nw.Expr:
        """The channel is unknown where no session is known, and only there."""
        return nw.col("session_id").is_null() == (nw.col("channel") == UNKNOWN)

    @rule
    def touched_before_ordered(cls) -> nw.Expr:
        """A session starts on the day of the order it leads to or before it, or while a clock may be ahead of it."""
        touched_at, touched_on = nw.col("touched_at"), nw.col("touched_on")
        in_time = touched_at <= nw.col("ordered_at").dt.offset_by(CLOCK_TOLERANCE)
        return touched_at.is_null() | (touched_on <= nw.col("ordered_on")) | in_time


def orders(sales: nw.LazyFrame, customers: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the valid orders with their revenue, and whether each is its customer's first."""
    c = nw.col
    placed = (
        sales.filter(c("is_valid"))
        .group_by("order_id", "ordered_on", "customer_id")
        .agg(c("ordered_at").min(), total("net_amount").alias("revenue"))
    )
    on_first_day = customers.filter(c("new_orders") > 0).select("customer_id", ordered_on="day", has_new=nw.lit(True))
    return (
        placed.with_columns(is_first_of_day=measures.is_first_order_of_day())
        .join(on_first_day, on=["customer_id", "ordered_on"], how="left")
        .with_columns(is_new=(c("has_new") & c("is_first_of_day")).fill_null(value=False))
    )


def transform(
    gold_fact_sales: nw.LazyFrame,
    gold_agg_customer_metrics: nw.LazyFrame,
    gold_fact_sessions: nw.LazyFrame,
    silver_session_orders: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    placed = orders(gold_fact_sales, gold_agg_customer_metrics)
    called = {"touched_at": "started_at", "touched_on": "started_on"}
    of_visit = ["session_id", "channel", "campaign", "campaign_id"]
    sessions = gold_fact_sessions.select(*of_visit, "customer_id", **called)
    before_login = known_later(gold_fact_sessions).select(
        *of_visit, "by_session_id", "by_customer_id", "by_order_id", "by_started_on", **called
    )
    touch = ["order_id", *of_visit, *called]
    found = [*touch, "ordered_at", "ordered_on", "completes"]
    completing = sessions.drop("customer_id").join(
        silver_session_orders.select("session_id", "order_id"), on="session_id"
    )
    is_in_time = c("touched_at") <= c("ordered_at").dt.offset_by(CLOCK_TOLERANCE)
    by_order = (
        placed.join(completing, on="order_id")
        .filter((c("touched_on") <= c("ordered_on")) | is_in_time)
        .select(*found[:-1], "customer_id", completes=nw.lit(1, nw.Int64))
    )
    later = nw.lit(0, nw.Int64)
    by_customer = placed.join(sessions, on="customer_id").filter(c("touched_at") <= c("ordered_at"))
    by_login = placed.join(before_login, left_on="customer_id", right_on="by_customer_id").filter(
        c("touched_at") <= c("ordered_at"), c("by_started_on") <= c("ordered_on")
    )
    by_device = (
        by_order.select("order_id", "customer_id", "ordered_at", "ordered_on", by_session_id="session_id")
        .join(before_login, left_on=["by_session_id", "order_id"], right_on=["by_session_id", "by_order_id"])
        .filter(c("by_customer_id").is_null() | (c("by_customer_id") == c("customer_id")))
    )
    before = [frame.with_columns(completes=later).select(*found) for frame in (by_customer, by_login, by_device)]
    touched = (
        nw.concat([*before, by_order.select(*found)])
        .filter(days_between(c("touched_on"), c("ordered_on")) < LOOK_BACK_DAYS)
        .group_by(*touch)
        .agg(c("completes").max())
    )
    in_order = ["completes", "touched_at", "session_id"]
    return (
        placed.join(touched, on="order_id", how="left")
        .with_columns(
            channel=c("channel").fill_null(UNKNOWN),
            campaign=c("campaign").fill_null(NO_CAMPAIGN),
            sessions=nw.len().over("order_id").cast(nw.Int64),
            place=c("order_id").cum_count().over("order_id", order_by=in_order).cast(nw.Int64),
        )
        .with_columns(
            touchpoints=nw.min_horizontal("sessions", nw.lit(MAX_TOUCHPOINTS, nw.Int64)),
            position=c("place") - nw.max_horizontal(c("sessions") - MAX_TOUCHPOINTS, nw.lit(0, nw.Int64)),
        )
        .filter(c("position") > 0)
        .select(*contract(FactTouchpoints).columns)
    )


REACH = around(LOOK_BACK_DAYS - 1, 1)
asset = table_asset(FactTouchpoints, transform, reads={"gold_fact_sessions": REACH, "silver_session_orders": REACH})
