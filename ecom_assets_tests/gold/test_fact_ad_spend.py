from decimal import Decimal

from ecom_assets.gold.dim_campaign_versions import DimCampaignVersions
from ecom_assets.gold.fact_ad_spend import transform
from ecom_assets.silver.ad_spend import AdSpend
from ecom_assets_tests.samples import rows, run, sample


def version(day, name, moment="12:00"):
    return {
        "campaign_key": f"{name}@{day}",
        "campaign_id": "K",
        "effective_from": f"{day} {moment}",
        "effective_on": day,
        "name": name,
        "channel": "email",
    }


def test_spend_has_the_name_that_the_campaign_had_on_the_day():
    spend = [{"campaign_id": "K", "shown_on": f"2024-01-0{day}", "spend": day} for day in (1, 2, 3)]
    campaigns = [version("2024-01-02", "old"), version("2024-01-02", "new", "13:00"), version("2024-01-04", "newest")]

    made = run(transform, sample(AdSpend, *spend), sample(DimCampaignVersions, *campaigns))

    assert rows(made, "spend", "channel", "campaign", "campaign_key") == [
        (Decimal(1), "unknown", "K", None),
        (Decimal(2), "email", "new", "new@2024-01-02"),
        (Decimal(3), "email", "new", "new@2024-01-02"),
    ]
