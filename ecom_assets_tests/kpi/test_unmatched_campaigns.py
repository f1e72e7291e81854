from decimal import Decimal

from ecom_assets.gold.fact_ad_spend import FactAdSpend
from ecom_assets.gold.fact_sessions import FactSessions
from ecom_assets.kpi.unmatched_campaigns import UnmatchedCampaigns, transform
from ecom_assets_tests.samples import broken_rules, rows, run, sample

SEARCH = {"channel": "paid search"}


def spend(campaign_id, campaign, amount="5", **facts):
    return {**SEARCH, "campaign_id": campaign_id, "campaign": campaign, "spend": amount, "clicks": 2, **facts}


def visit(session_id, campaign, campaign_id=None, **facts):
    return {**SEARCH, "session_id": session_id, "campaign": campaign, "campaign_id": campaign_id, **facts}


def unmatched(spent, visits):
    made = run(transform, sample(FactAdSpend, *spent), sample(FactSessions, *visits))
    return rows(made, "channel", "campaign", "spend", "clicks", "sessions")


def test_spend_without_visits_is_listed_beside_paid_visits_without_spend():
    spent = [spend("K1", "Spring"), spend("K2", "Sale"), spend("K3", "Sale"), spend("K4", "free", "0")]
    visits = [
        visit("1", "frühling"),
        visit("2", "frühling"),
        visit("3", "Sale", "K2"),
        visit("4", "news", channel="email"),
    ]

    assert unmatched(spent, visits) == [
        ("paid search", "Spring", Decimal(5), 2, 0),
        ("paid search", "frühling", Decimal(0), 0, 2),
    ]


def test_a_day_without_spend_has_none():
    assert unmatched([], [visit("1", "spring")]) == []


def test_spend_that_meets_no_visit_is_pointed_out():
    told = ["A campaign with spend has brought a visit on the day: otherwise its name in links may differ."]

    assert broken_rules(UnmatchedCampaigns, {"spend": "5"}) == told
    assert broken_rules(UnmatchedCampaigns, {"spend": "0", "sessions": 3}) == []
