"""Campaigns: a row each time a campaign is set up or changed."""

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, key, money


class Campaigns(Table, primary_key=("campaign_id", "updated_at"), event_column="updated_at"):
    """One row per campaign and change of it."""

    campaign_id: str = key("Campaign number issued by whoever runs it")
    name: str = column("What links call it: their utm_campaign")
    channel: str = column("What it works through, as sessions call it: paid search, social, email, …")
    objective: str = column("What it is for: awareness, acquisition, sales, retention, …", nullable=True)
    starts_on: Date = column("Its first day")
    ends_on: Date = column("Its last day; null while no end is set", nullable=True)
    daily_budget: Decimal = money("What it may spend on a day", nullable=True, ge=0)
    updated_at: Timestamp = key("When the campaign became so")
