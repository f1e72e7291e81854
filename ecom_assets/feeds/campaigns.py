"""Campaigns: a row each time a campaign is set up or changed."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Feed, Timestamp, column, currency, key, money, rule


class Campaigns(Feed, primary_key=("campaign_id", "updated_at"), event_column="updated_at"):
    """One row per campaign and change of it."""

    campaign_id: str = key("Campaign number issued by the advertiser")
    name: str = column("Name as in links, their utm_campaign; null if deleted", nullable=True, words_for_nothing=True)
    channel: str = column(
        "Marketing channel, named as in sessions: paid search, paid social, email, …; null if deleted", nullable=True
    )
    objective: str = column("Objective: awareness, acquisition, sales, retention, …", nullable=True)
    starts_on: Date = column("First day; null if deleted", nullable=True)
    ends_on: Date = column("Last day; null if no end is set", nullable=True)
    daily_budget: Decimal = money("Budget per day", nullable=True, ge=0)
    currency: str = currency()
    updated_at: Timestamp = key("Moment at which this version took effect")

    @rule
    def name_given(cls) -> nw.Expr:
        """A campaign has a name, unless it is deleted."""
        return ~nw.col("name").is_null() | nw.col("is_deleted")

    @rule
    def channel_given(cls) -> nw.Expr:
        """A campaign has a channel, unless it is deleted."""
        return ~nw.col("channel").is_null() | nw.col("is_deleted")

    @rule
    def start_given(cls) -> nw.Expr:
        """A campaign has a first day, unless it is deleted."""
        return ~nw.col("starts_on").is_null() | nw.col("is_deleted")
