from ecom_assets.silver.campaigns import Campaigns, transform
from ecom_assets_tests.samples import broken_rules, rows, run, sample


def test_names_are_spelled_as_links_are_once_cleaned():
    campaigns = sample(Campaigns, {"name": " Birthday-Week", "channel": "Email"})

    assert rows(run(transform, campaigns), "name", "channel") == [("birthday-week", "email")]


def test_a_campaign_does_not_end_before_it_starts():
    backwards = {"starts_on": "2024-01-02", "ends_on": "2024-01-01"}

    assert broken_rules(Campaigns, backwards) == ["A campaign does not end before it starts."]
