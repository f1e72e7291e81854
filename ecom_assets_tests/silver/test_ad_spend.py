from ecom_assets.silver.ad_spend import AdSpend
from ecom_assets_tests.samples import broken_rules


def test_a_report_of_the_evening_before_its_business_day_is_warned_about():
    early = {"updated_at": "2024-01-02 01:00", "reported_on": "2024-01-01", "shown_on": "2024-01-02"}

    assert broken_rules(AdSpend, early) == ["A report does not come before its day."]


def test_more_clicks_than_impressions_are_warned_about():
    assert broken_rules(AdSpend, {"clicks": 2, "impressions": 1}) == ["There are no more clicks than impressions."]
