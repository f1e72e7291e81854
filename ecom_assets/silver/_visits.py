"""Which events form one visit: those of a device without a long pause, made by people rather than robots."""

import narwhals as nw

PURCHASE = "Order Completed"
VISITOR = "anonymous_id"
IN_ORDER = ["occurred_at", "event_id"]
SESSION = [VISITOR, "active_since", "day_number"]


def by_people(events: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the events of people rather than robots."""
    return events.filter(~nw.col("is_robot"))


def by_devices(events: nw.LazyFrame, purchases: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the events of people's devices; `event` is null if it completes an order that was completed before.

    An event that completes an order without a number is a purchase of its own.
    """
    c = nw.col
    known = purchases.select("event_id", is_purchase=nw.lit(True))
    is_repeated = (c("event") == PURCHASE) & ~c("order_id").is_null() & c("is_purchase").is_null()
    return (
        by_people(events)
        .filter(~c(VISITOR).is_null())
        .join(known, on="event_id", how="left")
        .with_columns(event=nw.when(~is_repeated).then(c("event")))
        .drop("is_purchase")
    )


def with_session(events: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the events with the columns that identify a session: device, start of activity, and its n-th 24 hours."""
    c = nw.col
    follows = events.with_columns(
        last_at=c("occurred_at").shift(1).over(VISITOR, order_by=IN_ORDER),
        last_on=c("occurred_on").shift(1).over(VISITOR, order_by=IN_ORDER),
    ).with_columns(
        is_connected=(c("last_at").dt.offset_by("30m") >= c("occurred_at")).fill_null(value=False),
        is_new_day=(c("last_on") != c("occurred_on")).fill_null(value=True),
    )
    active_today_since = nw.when(~c("is_connected") | c("is_new_day")).then(c("occurred_at"))
    today = follows.with_columns(
        today_since=active_today_since.fill_null(strategy="forward").over(VISITOR, order_by=IN_ORDER)
    ).with_columns(last_day_since=c("today_since").shift(1).over(VISITOR, order_by=IN_ORDER))
    # Even on a day of 23 hours, 22 hours before its last half hour is more than half an hour after its start: a session
    # active since then cannot continue one of the day before.
    crosses_midnight = c("last_day_since").dt.offset_by("22h") >= c("last_at")
    goes_on = c("is_connected") & (~c("is_new_day") | crosses_midnight)
    return today.with_columns(
        active_since=nw.when(~goes_on)
        .then(c("occurred_at"))
        .fill_null(strategy="forward")
        .over(VISITOR, order_by=IN_ORDER)
    ).with_columns(day_number=(c("occurred_at") - c("active_since")).dt.total_seconds() // 86_400)
