"""Campaigns: a row each time a campaign is set up or changed."""

from ecom_assets.contract import Date, Decimal, Feed, Timestamp, column, key, money


class Campaigns(Feed, primary_key=("campaign_id", "updated_at"), event_column="updated_at"):
    """One row per campaign and change of it."""

    campaign_id: str = key("Campaign number issued by the advertiser")
    name: str = column("Name as in links, their utm_campaign", words_for_nothing=True)
    channel: str = column("Marketing channel, named as in sessions: paid search, paid social, email, …")
    objective: str = column("Objective: awareness, acquisition, sales, retention, …", nullable=True)
    starts_on: Date = column("First day")
    ends_on: Date = column("Last day; null if no end is set", nullable=True)
    daily_budget: Decimal = money("Budget per day", nullable=True, ge=0)
    updated_at: Timestamp = key("Moment at which this version took effect")
