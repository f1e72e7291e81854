"""Carts: what brought each of them, and whether it was bought within a day."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key, rule
from ecom_assets.days import around
from ecom_assets.table_asset import table_asset


class FactCarts(Table, primary_key=("cart_id", "created_on"), partition_column="created_on"):
    """One row per cart, on the day on which the first product was put into it.

    A cart that rests for a whole business day counts as a new one when it is used again. Carts of bots do not count.
    A day is provisional until the next one is over.
    """

    cart_id: str = key("Number of the cart")
    created_on: Date = key("Business day on which the first product was put into it")
    created_at: Timestamp = column("When that was")
    session_id: str = column("The session in which that was")
    anonymous_id: str = column("The visitor's device")
    channel: str = column("What brought the session")
    device: str = column("Kind of device")
    purchased_at: Timestamp = column("When it was bought within 24 hours, if it was", nullable=True)
    is_purchased: bool = column("Whether it was bought within 24 hours; else it is abandoned")

    @rule
    def bought_within_a_day(cls) -> nw.Expr:
        """A purchase falls into the 24 hours after the cart was created."""
        purchased_at, created_at = nw.col("purchased_at"), nw.col("created_at")
        in_time = (purchased_at >= created_at) & (purchased_at < created_at.dt.offset_by("24h"))
        return purchased_at.is_null() | in_time

    @rule
    def bought_at_a_moment(cls) -> nw.Expr:
        """A cart that was bought says when, and no other does."""
        return nw.col("is_purchased") != nw.col("purchased_at").is_null()


def transform(silver_events: nw.LazyFrame, silver_sessions: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    events = silver_events.filter(~c("cart_id").is_null()).select(
        "cart_id", "event_id", "event", "anonymous_id", "occurred_at", "occurred_on"
    )
    used_before = events.select(
        "cart_id", occurred_on=c("occurred_on").cast(nw.Datetime("us")).dt.offset_by("1d").cast(nw.Date)
    )
    created = (
        events.filter(c("event") == "Product Added")
        .join(used_before, on=["cart_id", "occurred_on"], how="anti")
        .group_by("cart_id", "occurred_on")
        .agg(c("occurred_at", "anonymous_id").first(order_by=["occurred_at", "event_id"]))
        .rename({"occurred_at": "created_at", "occurred_on": "created_on"})
    )
    sessions = silver_sessions.select("session_id", "anonymous_id", "channel", "device", "started_at", "ended_at")
    in_session = created.join(sessions, on="anonymous_id").filter(
        c("created_at").is_between(c("started_at"), c("ended_at"))
    )
    purchases = (
        events.filter(c("event") == "Order Completed")
        .select("cart_id", bought_at="occurred_at")
        .join(created, on="cart_id")
        .filter(c("bought_at") >= c("created_at"), c("bought_at") < c("created_at").dt.offset_by("24h"))
        .group_by("cart_id", "created_on")
        .agg(c("bought_at").min().alias("purchased_at"))
    )
    return (
        in_session.join(purchases, on=["cart_id", "created_on"], how="left")
        .with_columns(is_purchased=~c("purchased_at").is_null())
        .select(*contract(FactCarts).columns)
    )


asset = table_asset(FactCarts, transform, reads={"silver_events": around(1, 1), "silver_sessions": around(1, 0)})
