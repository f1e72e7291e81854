"""Sessions: each visit with the funnel step that it reached."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, rule
from ecom_assets.days import history
from ecom_assets.expressions.channels import CHANNELS, NO_CAMPAIGN, PAID_CHANNELS, campaign_key, named_channel
from ecom_assets.expressions.versions import with_version_of_day
from ecom_assets.table_asset import table_asset


class FactSessions(Table, primary_key="session_id", partition_column="started_on"):
    """One row per session.

    Its campaign is the one whose number the link or a rule of the shop has. Otherwise it is the one that the link names
    by number, or by a name that it had up to the day, in any case and spelling of spaces, if its channel is that of the
    session: names return in other channels. A campaign whose channel is none of ours is met by paid visits.
    """

    session_id: str = key("Device and start of the session", personal=True)
    started_on: Date = column("Business day on which it starts")
    started_at: Timestamp = column("When its first event happened")
    duration_seconds: int = column("Whole seconds from its first event to its last", ge=0, lt=86_400)
    anonymous_id: str = column("The visitor's device", personal=True)
    customer_id: str = column("Last customer known in the session", nullable=True, personal=True)
    channel: str = column("Marketing channel, as in `silver.sessions`")
    utm_source: str = column("Source of the visit", nullable=True)
    utm_medium: str = column("Medium: kind of link", nullable=True)
    utm_campaign: str = column("Campaign that brought the visit, as in the link", nullable=True)
    campaign_id: str = column("Number of the campaign that brought the visit, if it is known", nullable=True)
    campaign: str = column("Its name; otherwise utm_campaign, with simple spaces; “none” without a campaign")
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


def campaigns_met(sessions: nw.LazyFrame, versions: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the number of the known campaign of each session that has one, as `session_id` and `met_id`."""
    c = nw.col
    known = (
        versions.select(
            "effective_on",
            met_id="campaign_id",
            id_key=c("campaign_id").str.to_lowercase(),
            name_key=campaign_key("name"),
            of_channel=named_channel("channel"),
        )
        .group_by("met_id", "id_key", "name_key", "of_channel")
        .agg(c("effective_on").min())
    )
    linked = sessions.select(
        "session_id",
        "channel",
        "started_on",
        id_key=nw.coalesce(c("campaign_id"), c("utm_campaign")).str.to_lowercase(),
        name_key=nw.when(c("campaign_id").is_null()).then(campaign_key("utm_campaign")),
    )
    is_ours = c("of_channel").is_in(CHANNELS)
    meets_channel = (c("channel") == c("of_channel")) | (~is_ours & c("channel").is_in(PAID_CHANNELS))
    by_number = linked.join(known, on="id_key").with_columns(by_name=nw.lit(0, nw.Int64))
    by_name = linked.join(known, on="name_key").filter(meets_channel).with_columns(by_name=nw.lit(1, nw.Int64))
    met = ["session_id", "met_id", "by_name", "effective_on", "started_on"]
    return (
        nw.concat([by_number.select(*met), by_name.select(*met)])
        .filter(c("effective_on") <= c("started_on"))
        .group_by("session_id")
        .agg(c("met_id").first(order_by=["by_name", "met_id"]))
    )


def transform(silver_sessions: nw.LazyFrame, gold_dim_campaign_versions: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    sessions = silver_sessions.join(
        campaigns_met(silver_sessions, gold_dim_campaign_versions), on="session_id", how="left"
    ).with_columns(
        duration_seconds=(c("ended_at") - c("started_at")).dt.total_seconds(),
        campaign_id=nw.coalesce(c("met_id"), c("campaign_id")),
    )
    names = with_version_of_day(
        sessions.filter(~c("campaign_id").is_null()).select("campaign_id", "started_on").unique(),
        gold_dim_campaign_versions,
        identity="campaign_id",
        day="started_on",
        columns=["name"],
    )
    return (
        sessions.join(names, on=["campaign_id", "started_on"], how="left")
        .with_columns(campaign=nw.coalesce(c("name"), campaign_key("utm_campaign"), nw.lit(NO_CAMPAIGN)))
        .select(*contract(FactSessions).columns)
    )


asset = table_asset(FactSessions, transform, reads={"gold_dim_campaign_versions": history})
