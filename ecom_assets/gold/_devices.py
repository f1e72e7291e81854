"""Whose the sessions of a device are before its visitor is known."""

import narwhals as nw

BY = ["session_id", "customer_id", "order_id", "started_on"]
"""What is told of the session by which a device becomes known, as `by_session_id`, …"""


def known_later(sessions: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the sessions without a known visitor, with the next one of their device that has one.

    A session knows its visitor if a customer logs in or an order is completed in it. Each session has at most one that
    makes it known, so it never becomes two customers'.

    Args:
        sessions: Rows of `fact_sessions`. The next session is found if it is among them.
    """
    c = nw.col
    in_order = ["started_at", "session_id"]
    marked = sessions.with_columns(is_known=~c("customer_id").is_null() | ~c("order_id").is_null())
    known = marked.filter(c("is_known")).select(*BY, "anonymous_id")
    unknown_devices = marked.filter(~c("is_known")).select("anonymous_id")
    return (
        marked.join(known.select("anonymous_id"), on="anonymous_id", how="semi")
        .join(unknown_devices, on="anonymous_id", how="semi")
        .with_columns(
            by_session_id=nw.when(c("is_known"))
            .then(c("session_id"))
            .fill_null(strategy="backward")
            .over("anonymous_id", order_by=in_order)
        )
        .filter(~c("is_known"), ~c("by_session_id").is_null())
        .drop("is_known", "customer_id", "order_id")
        .join(known.select(**{f"by_{name}": name for name in BY}), on="by_session_id")
    )
