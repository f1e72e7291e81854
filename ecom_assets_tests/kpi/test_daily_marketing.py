from decimal import Decimal

from ecom_assets.gold.dim_campaign_versions import DimCampaignVersions
from ecom_assets.gold.fact_ad_spend import FactAdSpend
from ecom_assets.kpi.attribution import Attribution
from ecom_assets.kpi.daily_marketing import MODEL, transform
from ecom_assets_tests.samples import rows, run, sample


def test_what_was_spent_meets_what_it_brought():
    email = {"channel": "email", "campaign": "weekly"}
    spend = [
        {**email, "campaign_id": "K1", "spend": "6", "clicks": 3, "impressions": 1_000},
        {**email, "campaign_id": "K2", "spend": "4", "clicks": 2, "impressions": 1_000},
    ]
    brought = {**email, "model": MODEL, "orders": "4", "revenue": "50", "new_orders": "2", "new_revenue": "20"}

    made = run(
        transform,
        sample(FactAdSpend, *spend),
        sample(Attribution, brought, {**brought, "model": "first"}),
        sample(DimCampaignVersions),
    )

    assert rows(made, "spend", "orders", "revenue", "new_customers") == [tuple(map(Decimal, (10, 4, 50, 2)))]
    assert rows(made, "ctr", "cpc", "cpm", "cac", "roas", "new_roas") == [(0.0025, 2.0, 5.0, 5.0, 5.0, 2.0)]


def test_spend_without_orders_and_orders_without_spend_are_rows_too():
    spend = {"channel": "social", "campaign": "birthday", "spend": "6"}
    brought = {
        "channel": "direct",
        "campaign": "none",
        "campaign_id": "none",
        "model": MODEL,
        "orders": "1",
        "revenue": "5",
    }

    made = run(transform, sample(FactAdSpend, spend), sample(Attribution, brought), sample(DimCampaignVersions))

    assert rows(made, "channel", "spend", "revenue", "cac", "roas") == [
        ("direct", Decimal(0), Decimal(5), None, None),
        ("social", Decimal(6), Decimal(0), None, 0.0),
    ]


def test_spend_meets_the_orders_of_its_campaign_by_number_under_whatever_channel_they_came():
    spend = {"channel": "Ads", "campaign": "Spring Sale", "campaign_id": "K1", "spend": "6"}
    brought = {
        "channel": "paid search",
        "campaign": "Spring Sale",
        "campaign_id": "K1",
        "model": MODEL,
        "revenue": "12",
    }
    known = {"campaign_id": "K1", "name": "Spring Sale", "channel": "Paid_Social"}

    def made(*spent):
        marketing = run(
            transform, sample(FactAdSpend, *spent), sample(Attribution, brought), sample(DimCampaignVersions, known)
        )
        return rows(marketing, "channel", "campaign", "spend", "revenue", "roas")

    assert made(spend) == [("Ads", "Spring Sale", Decimal(6), Decimal(12), 2.0)]
    assert made() == [("paid social", "Spring Sale", Decimal(0), Decimal(12), None)]
