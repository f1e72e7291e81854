from ecom_assets.silver.ad_spend import AdSpend
from ecom_assets_tests.samples import broken_rules


def test_more_clicks_than_impressions_are_warned_about():
    assert broken_rules(AdSpend, {"clicks": 2, "impressions": 1}) == ["There are no more clicks than impressions."]
