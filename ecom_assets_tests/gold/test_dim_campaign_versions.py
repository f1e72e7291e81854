from ecom_assets.gold.dim_campaign_versions import transform
from ecom_assets.silver.campaigns import Campaigns
from ecom_assets_tests.samples import days, rows, run, sample


def test_a_changed_budget_makes_a_version_and_a_repeated_report_does_not():
    changes = [
        {
            "campaign_id": "K",
            "updated_at": f"2024-01-0{day} 12:00",
            "updated_on": f"2024-01-0{day}",
            "daily_budget": budget,
        }
        for day, budget in ((1, 5), (2, 5), (3, 6))
    ]

    made = run(transform, sample(Campaigns, *changes), days("2024-01-01", "2024-01-03"))

    assert rows(made, "campaign_key") == ["K@2024-01-01T12:00:00.000000", "K@2024-01-03T12:00:00.000000"]
