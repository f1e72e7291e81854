"""Ad spend: what each campaign showed and cost on a day, as the advertising platforms report it."""

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, key, money


class AdSpend(Table, primary_key=("spend_on", "campaign_id"), event_column="spend_on", version_column="updated_at"):
    """One row per campaign and day, and restatement of it."""

    spend_on: Date = key("The day on which it was shown")
    campaign_id: str = key("The campaign that was shown", references="silver.campaigns")
    updated_at: Timestamp = column("When the platform reported it")
    impressions: int = column("How often it was shown", ge=0)
    clicks: int = column("How often it was clicked", ge=0)
    spend: Decimal = money("What it cost", ge=0)
