"""The purchase funnel by day, channel and device: sessions that reached each step."""

import itertools

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key, rule
from ecom_assets.expressions.money import ratio, total_count
from ecom_assets.table_asset import table_asset

STEPS = ["view", "cart", "checkout", "payment", "purchase"]


class DailyFunnel(Table, primary_key=("day", "channel", "device"), partition_column="day"):
    """One row per day, channel and device with a session.

    Closed: the session took the step after all earlier steps, in order. Open: it took the step, in any order.
    """

    day: Date = key("Business day on which the sessions start")
    channel: str = key("Marketing channel of the sessions")
    device: str = key("Kind of device")
    sessions: int = column("Sessions", ge=1)
    closed_view: int = column("Sessions with a view", ge=0)
    closed_cart: int = column("Sessions with a view, then a cart", ge=0)
    closed_checkout: int = column("Sessions with a view, then a cart, then a checkout", ge=0)
    closed_payment: int = column("Sessions with a view, cart, checkout and then payment details", ge=0)
    closed_purchase: int = column("Sessions that took all five steps in order", ge=0)
    open_view: int = column("Sessions in which a product was viewed", ge=0)
    open_cart: int = column("Sessions in which a product was put into the cart", ge=0)
    open_checkout: int = column("Sessions in which a checkout was started", ge=0)
    open_payment: int = column("Sessions in which payment details were given", ge=0)
    open_purchase: int = column("Sessions in which an order was completed", ge=0)
    conversion_rate: float = column("Sessions with a purchase (open) per session", ge=0, le=1)

    @rule
    def closed_steps_shrink(cls) -> nw.Expr:
        """No more sessions come to a closed step than to the one before."""
        steps = [nw.col("sessions"), *(nw.col(f"closed_{step}") for step in STEPS)]
        return nw.all_horizontal(
            *(later <= earlier for earlier, later in itertools.pairwise(steps)), ignore_nulls=False
        )

    @rule
    def closed_steps_are_open_too(cls) -> nw.Expr:
        """No more sessions come to a step in order than come to it at all."""
        return nw.all_horizontal(
            *(nw.col(f"closed_{step}") <= nw.col(f"open_{step}") for step in STEPS), ignore_nulls=False
        )

    @rule
    def open_steps_within_sessions(cls) -> nw.Expr:
        """No more sessions come to a step than there are."""
        return nw.all_horizontal(*(nw.col(f"open_{step}") <= nw.col("sessions") for step in STEPS), ignore_nulls=False)


def transform(gold_fact_sessions: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    closed = {f"closed_{step}": c("funnel_step") >= number for number, step in enumerate(STEPS, start=1)}
    reached_in_any_order = {f"open_{step}": c(f"has_{step}") for step in STEPS}
    steps = {**closed, **reached_in_any_order}
    return (
        gold_fact_sessions.select(
            "channel",
            "device",
            day="started_on",
            sessions=nw.lit(1, nw.Int64),
            **{name: is_reached.cast(nw.Int64) for name, is_reached in steps.items()},
        )
        .group_by("day", "channel", "device")
        .agg(*map(total_count, ["sessions", *steps]))
        .with_columns(conversion_rate=ratio("open_purchase", "sessions"))
        .select(*contract(DailyFunnel).columns)
    )


asset = table_asset(DailyFunnel, transform)
