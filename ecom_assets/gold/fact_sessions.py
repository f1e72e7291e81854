"""Sessions: each visit with the funnel step that it reached."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, rule
from ecom_assets.table_asset import table_asset


class FactSessions(Table, primary_key="session_id", partition_column="started_on"):
    """One row per session."""

    session_id: str = key("Device and start of the session")
    started_on: Date = column("Business day on which it starts")
    started_at: Timestamp = column("When its first event happened")
    duration_seconds: int = column("Whole seconds from its first event to its last", ge=0, lt=86_400)
    anonymous_id: str = column("The visitor's device")
    customer_id: str = column("Last customer known in the session", nullable=True)
    channel: str = column("Marketing channel, as in `silver.sessions`")
    utm_source: str = column("Source of the visit", nullable=True)
    utm_medium: str = column("Medium: kind of link", nullable=True)
    utm_campaign: str = column("Campaign that brought the visit", nullable=True)
    device: str = column("Kind of device")
    event_count: int = column("Number of events", ge=1)
    has_view: bool = column("Whether a product was viewed")
    has_cart: bool = column("Whether a product was put into the cart")
    has_checkout: bool = column("Whether a checkout was started")
    has_payment: bool = column("Whether payment details were given")
    has_purchase: bool = column("Whether an order was completed")
    funnel_step: int = column(
        "Last step reached in the order view, cart, checkout, payment, purchase: 0 (no view) to 5", ge=0, le=5
    )
    order_id: str = column("First order completed in the session", nullable=True)
    order_value: Decimal = money("Total of that order, from the event", nullable=True, ge=0)

    @rule
    def order_of_a_purchase(cls) -> nw.Expr:
        """A session with an order has a purchase."""
        return nw.col("order_id").is_null() | nw.col("has_purchase")


def transform(silver_sessions: nw.LazyFrame) -> nw.LazyFrame:
    duration = (nw.col("ended_at") - nw.col("started_at")).dt.total_seconds()
    return silver_sessions.with_columns(duration_seconds=duration).select(*contract(FactSessions).columns)


asset = table_asset(FactSessions, transform)
