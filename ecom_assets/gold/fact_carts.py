"""Carts: the channel that brought each, and whether it was bought within a day."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key, rule
from ecom_assets.days import around
from ecom_assets.expressions.dates import CLOCK_TOLERANCE, days_later
from ecom_assets.table_asset import table_asset


class FactCarts(Table, primary_key=("cart_id", "created_on"), partition_column="created_on"):
    """One row per cart, on the day on which the first product was put into it.

    A cart to which nothing is added for a whole business day counts as a new one when something is added again.
    A completed order that does not name its cart buys the one to which the visitor last added a product; an order that
    was completed before buys nothing. An event without a device has the clock of the shop's server: it buys a cart that
    a device's clock, up to 15 minutes ahead, has created after it. Carts of robots do not count, nor do additions by
    events without a device. A day is provisional until the two days after it are over: when clocks go forward, 24 hours
    reach past the next day.
    """

    cart_id: str = key("Number of the cart")
    created_on: Date = key("Business day on which the first product was added")
    created_at: Timestamp = column("Moment at which the first product was added")
    session_id: str = column("Session in which it was created", personal=True)
    anonymous_id: str = column("The visitor's device", personal=True)
    channel: str = column("Marketing channel of the session")
    device: str = column("Kind of device")
    purchased_at: Timestamp = column("Moment of purchase, if within 24 hours", nullable=True)
    is_purchased: bool = column("Whether it was bought within 24 hours; otherwise it is abandoned")

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


ADDED, COMPLETED = "Product Added", "Order Completed"


def is_addition() -> nw.Expr:
    """Whether an event of a known device adds a product to a known cart."""
    return (nw.col("event") == ADDED) & ~nw.col("cart_id").is_null() & ~nw.col("anonymous_id").is_null()


def bought(events: nw.LazyFrame, purchases: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the purchases, each with the cart that it names, or else the visitor's last cart.

    `added_at` is the moment of the last addition to that cart; null if the purchase names its cart. `known_at` is the
    last moment, by the clock of a device, that may be before the purchase. An event that completes an order without a
    number is a purchase of its own.
    """
    c = nw.col
    known = purchases.select("event_id", named="cart_id", is_known=nw.lit(True))
    is_completion = (c("event") == COMPLETED) & (c("order_id").is_null() | ~c("is_known").is_null())
    visitor_last = {
        name: nw.when(~c("is_completion")).then(c(of_event)).fill_null(strategy="forward")
        for name, of_event in {"last_added_to": "cart_id", "last_added_at": "occurred_at"}.items()
    }
    in_order = ["occurred_at", "is_completion", "event_id"]
    return (
        events.join(known, on="event_id", how="left")
        .filter(is_completion | is_addition())
        .with_columns(is_completion=is_completion, named=nw.coalesce(c("cart_id"), c("named")))
        .with_columns(**{name: last.over("anonymous_id", order_by=in_order) for name, last in visitor_last.items()})
        .filter(c("is_completion"))
        .select(
            cart_id=nw.coalesce(c("named"), c("last_added_to")),
            bought_at="occurred_at",
            known_at=nw.when(c("anonymous_id").is_null())
            .then(c("occurred_at").dt.offset_by(CLOCK_TOLERANCE))
            .otherwise(c("occurred_at")),
            added_at=nw.when(c("named").is_null()).then(c("last_added_at")),
        )
    )


def transform(
    silver_events: nw.LazyFrame, silver_purchases: nw.LazyFrame, silver_sessions: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    events = silver_events.filter(~c("is_robot"))
    added = events.filter(is_addition())
    in_use_since_yesterday = added.select("cart_id", occurred_on=days_later(c("occurred_on"), 1))
    created = (
        added.join(in_use_since_yesterday, on=["cart_id", "occurred_on"], how="anti")
        .group_by("cart_id", "occurred_on")
        .agg(c("occurred_at", "anonymous_id").first(order_by=["occurred_at", "event_id"]))
        .rename({"occurred_at": "created_at", "occurred_on": "created_on"})
    )
    sessions = silver_sessions.select("session_id", "anonymous_id", "channel", "device", "started_at", "ended_at")
    in_session = created.join(sessions, on="anonymous_id").filter(
        c("created_at").is_between(c("started_at"), c("ended_at"))
    )
    purchases = (
        bought(events, silver_purchases)
        .join(created, on="cart_id")
        .filter(c("known_at") >= c("created_at"), c("bought_at") < c("created_at").dt.offset_by("24h"))
        # An addition to an older cart with this number does not buy the new one, however far back we read.
        .filter(c("added_at").is_null() | (c("added_at") >= c("created_at")))
        .with_columns(purchased_at=nw.max_horizontal("bought_at", "created_at"))
        .group_by("cart_id", "created_on")
        .agg(c("purchased_at").min())
    )
    return (
        in_session.join(purchases, on=["cart_id", "created_on"], how="left")
        .with_columns(is_purchased=~c("purchased_at").is_null())
        .select(*contract(FactCarts).columns)
    )


READS = {"silver_events": around(1, 2), "silver_purchases": around(1, 2), "silver_sessions": around(1, 0)}
asset = table_asset(FactCarts, transform, reads=READS)
