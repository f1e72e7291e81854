"""The orders of each session: which visits completed which orders."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key
from ecom_assets.days import around
from ecom_assets.expressions.keys import key_at
from ecom_assets.silver._visits import PURCHASE, SESSION, VISITOR, by_devices, with_session
from ecom_assets.table_asset import table_asset


class SessionOrders(Table, primary_key=("session_id", "order_id"), partition_column="started_on"):
    """One row per session and order completed in it; an order that was completed before is completed in no other."""

    session_id: str = key("Device and start of the session, as in `silver.sessions`", personal=True)
    order_id: str = key("Order number in the event")
    started_on: Date = column("Business day on which the session starts")
    completed_at: Timestamp = column("Moment of its first completion in the session")


def transform(silver_events: nw.LazyFrame, silver_purchases: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    events = by_devices(silver_events, silver_purchases).with_columns(
        completed=nw.when(c("event") == PURCHASE).then(c("order_id")),
    )
    buyers = events.filter(~c("completed").is_null()).select(VISITOR)
    of_buyers = events.join(buyers, on=VISITOR, how="semi").select(
        "event_id", VISITOR, "occurred_at", "occurred_on", "completed"
    )
    return (
        with_session(of_buyers)
        .with_columns(started_at=c("occurred_at").min().over(SESSION), started_on=c("occurred_on").min().over(SESSION))
        .filter(~c("completed").is_null())
        .with_columns(session_id=key_at(VISITOR, "started_at"), order_id="completed")
        .group_by("session_id", "order_id", "started_on")
        .agg(c("occurred_at").min().alias("completed_at"))
        .select(*contract(SessionOrders).columns)
    )


asset = table_asset(SessionOrders, transform, reads={"silver_events": around(1, 1), "silver_purchases": around(1, 1)})
