"""Ad spend: impressions, clicks and cost of each campaign and day, as the advertising platforms report them."""

from ecom_assets.contract import Date, Decimal, Feed, Timestamp, column, currency, key, money


class AdSpend(Feed, primary_key=("spend_on", "campaign_id"), event_column="spend_on", version_column="updated_at"):
    """One row per campaign and day, and restatement of it."""

    spend_on: Date = key("Day on which it was shown")
    campaign_id: str = key("Campaign that was shown", references="silver.campaigns")
    updated_at: Timestamp = column("When the platform reported it")
    impressions: int = column("Number of times it was shown", ge=0)
    clicks: int = column("Number of clicks", ge=0)
    spend: Decimal = money("Cost", ge=0)
    currency: str = currency()
