"""Sessions: the events of one visit, by people rather than robots."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, expectation, key, money, rule
from ecom_assets.days import around
from ecom_assets.expressions.channels import CHANNELS, channel
from ecom_assets.expressions.keys import key_at
from ecom_assets.silver._visits import IN_ORDER, PURCHASE, SESSION, by_devices, with_session
from ecom_assets.table_asset import table_asset

FUNNEL = ["Product Viewed", "Product Added", "Checkout Started", "Payment Info Entered", PURCHASE]
WAY = ["utm_source", "utm_medium", "utm_campaign", "campaign_id"]
"""What an event says about what brought the visit."""
FLAGS = ["has_view", "has_cart", "has_checkout", "has_payment", "has_purchase"]


class Sessions(Table, primary_key="session_id", partition_column="started_on"):
    """One row per session: the events of a device without a pause of more than 30 minutes.

    A session may cross midnight and belongs to the business day on which it starts. It is cut every
    24 hours after its start, and at midnight if it has been active for more than 22 hours of that
    day. The start of a session therefore depends only on events of its day and of the two adjacent
    days. Events of robots do not count, nor do events without a device. A session in which an order is completed that
    was completed before has no purchase by that.
    """

    session_id: str = key("Device and start of the session", personal=True)
    anonymous_id: str = column("The visitor's device", personal=True)
    customer_id: str = column("Last customer known in the session", nullable=True, personal=True)
    started_at: Timestamp = column("When its first event happened")
    ended_at: Timestamp = column("When its last event happened")
    started_on: Date = column("Business day on which it starts")
    channel: str = column(
        "Marketing channel, by the shop's own rules or else by source, medium and campaign: the default channel group "
        "of Google Analytics 4",
        isin=CHANNELS,
    )
    utm_source: str = column(
        "Source of the visit, from the first event of its first instant that has a source, medium or campaign",
        nullable=True,
    )
    utm_medium: str = column("Medium: kind of link, from the same event", nullable=True)
    utm_campaign: str = column("Campaign that brought the visit, from the same event", nullable=True)
    campaign_id: str = column("Number of that campaign, if the event or a rule of the shop has it", nullable=True)
    device: str = column("Kind of device, from the first event of its first instant that names one; otherwise unknown")
    event_count: int = column("Number of events", ge=1)
    has_view: bool = column("Whether a product was viewed")
    has_cart: bool = column("Whether a product was put into the cart")
    has_checkout: bool = column("Whether a checkout was started")
    has_payment: bool = column("Whether payment details were given")
    has_purchase: bool = column("Whether an order was completed")
    funnel_step: int = column(
        "Last step reached in the order view, cart, checkout, payment, purchase: 0 (no view) to 5", ge=0, le=5
    )
    order_id: str = column("First order completed in the session, if an event names one", nullable=True)
    order_value: Decimal = money("Total of that order, from the event", nullable=True, ge=0)

    @rule
    def ends_after_start(cls) -> nw.Expr:
        """A session does not end before it starts."""
        return nw.col("ended_at") >= nw.col("started_at")

    @rule
    def lasts_a_day_at_most(cls) -> nw.Expr:
        """A session lasts less than 24 hours."""
        return nw.col("ended_at") < nw.col("started_at").dt.offset_by("24h")

    @rule
    def closed_step_is_open_too(cls) -> nw.Expr:
        """A session that came to a step in order has that step."""
        step = nw.col("funnel_step")
        return nw.all_horizontal(
            *((step < number) | nw.col(flag) for number, flag in enumerate(FLAGS, start=1)), ignore_nulls=False
        )

    @rule
    def order_of_a_purchase(cls) -> nw.Expr:
        """A session with an order has a purchase."""
        return nw.col("order_id").is_null() | nw.col("has_purchase")

    @expectation
    def purchase_names_its_order(cls) -> nw.Expr:
        """A session with a purchase names the order."""
        return ~nw.col("has_purchase") | ~nw.col("order_id").is_null()


def funnel_steps(events: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the sessions with a view and the number of steps each took in order, each at or after the one before."""
    taken_at = nw.col("occurred_at").min().alias("taken_at")
    taken = events.filter(nw.col("event") == FUNNEL[0]).group_by(SESSION).agg(taken_at)
    steps = [taken]
    for step in FUNNEL[1:]:
        of_this_step = events.filter(nw.col("event") == step).join(taken, on=SESSION)
        taken = of_this_step.filter(nw.col("occurred_at") >= nw.col("taken_at")).group_by(SESSION).agg(taken_at)
        steps.append(taken)
    return nw.concat(steps).group_by(SESSION).agg(nw.len().cast(nw.Int64).alias("funnel_step"))


def transform(silver_events: nw.LazyFrame, silver_purchases: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    is_purchase = (c("event") == PURCHASE).fill_null(value=False)
    events = with_session(
        by_devices(silver_events, silver_purchases).select(
            "event_id",
            "anonymous_id",
            "occurred_at",
            "occurred_on",
            "event",
            "customer_id",
            "device",
            order_id=nw.when(is_purchase).then(c("order_id")),
            order_value=nw.when(is_purchase).then(c("value")),
            is_known=~c("customer_id").is_null(),
            names_no_device=c("device").is_null(),
            names_no_source=nw.all_horizontal(*(c(name).is_null() for name in WAY), ignore_nulls=False),
            is_no_purchase=~is_purchase,
        )
    ).with_columns(names_no_order=c("order_id").is_null())
    sessions = events.group_by(SESSION).agg(
        c("event_id").first(order_by=["occurred_at", "names_no_source", "event_id"]),
        c("device").first(order_by=["occurred_at", "names_no_device", "event_id"]),
        c("customer_id").last(order_by=["is_known", *IN_ORDER]),
        c("order_id", "order_value").first(order_by=["names_no_order", "is_no_purchase", *IN_ORDER]),
        c("occurred_at").min().alias("started_at"),
        c("occurred_at").max().alias("ended_at"),
        c("occurred_on").min().alias("started_on"),
        nw.len().cast(nw.Int64).alias("event_count"),
        *(
            (c("event") == step).fill_null(value=False).any().alias(flag)
            for flag, step in zip(FLAGS, FUNNEL, strict=True)
        ),
    )
    first_events = silver_events.select("event_id", *WAY, by_rule="channel")
    return (
        sessions.join(first_events, on="event_id")
        .join(funnel_steps(events), on=SESSION, how="left")
        .with_columns(
            session_id=key_at("anonymous_id", "started_at"),
            channel=nw.coalesce(c("by_rule"), channel()),
            device=c("device").fill_null("unknown"),
            funnel_step=c("funnel_step").fill_null(0),
        )
        .select(*contract(Sessions).columns)
    )


asset = table_asset(Sessions, transform, reads={"silver_events": around(1, 1), "silver_purchases": around(1, 1)})
