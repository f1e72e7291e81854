import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.gold.dim_campaign_versions import DimCampaignVersions
from ecom_assets.gold.fact_sessions import transform
from ecom_assets.silver.sessions import Sessions
from ecom_assets_tests.samples import rows, run, sample


def version(campaign_id, name, channel="paid search", since="2024-01-01"):
    return {
        "campaign_key": f"{campaign_id}@{since}",
        "campaign_id": campaign_id,
        "name": name,
        "channel": channel,
        "effective_on": since,
        "effective_from": f"{since} 00:00",
    }


def visit(utm_campaign=None, campaign_id=None, channel="paid search", on="2024-01-01", session_id="S"):
    return {
        "session_id": session_id,
        "utm_campaign": utm_campaign,
        "campaign_id": campaign_id,
        "channel": channel,
        "started_on": on,
    }


def met(link, *versions):
    """Number and name of the campaign of a visit."""
    made = run(transform, sample(Sessions, link), sample(DimCampaignVersions, *versions))
    return rows(made, "campaign_id", "campaign")[0]


def test_a_session_lasts_from_its_first_event_to_its_last():
    sessions = sample(Sessions, {"started_at": "2024-01-01 23:59:30", "ended_at": "2024-01-02 00:01:00.9"})

    assert rows(run(transform, sessions, sample(DimCampaignVersions)), "duration_seconds") == [90]


def test_a_link_names_its_campaign_by_number_whatever_its_channel():
    spring, sale = version("K1", "Spring Sale"), version("K2", "Sale")

    assert met(visit("sale", "K1", channel="email"), spring, sale) == ("K1", "Spring Sale")
    assert met(visit("k1", channel="email"), spring) == ("K1", "Spring Sale")
    assert met(visit("sale", "unknown"), sale) == ("unknown", "sale")


@pytest.mark.slow
def test_a_link_names_its_campaign_in_any_case_and_spelling_of_spaces():
    spring = version("K1", "Spring  Sale")

    for name in ("spring sale", "spring+sale", "spring%20sale", " spring   sale"):
        assert met(visit(name), spring) == ("K1", "Spring  Sale")
    assert met(visit("spring-sale"), spring) == (None, "spring-sale")
    assert met(visit(None), spring) == (None, "none")


def test_a_name_meets_campaigns_of_the_visits_channel_only():
    search, email, own = version("K1", "spring"), version("K2", "spring", "E-Mail"), version("K3", "spring", "Ads")

    assert met(visit("spring", channel="paid search"), search, email) == ("K1", "spring")
    assert met(visit("spring", channel="email"), search, version("K2", "spring", "Email")) == ("K2", "spring")
    assert met(visit("spring", channel="email"), search, own) == (None, "spring")
    assert met(visit("spring", channel="paid social"), own) == ("K3", "spring")
    assert met(visit("spring", channel="paid search"), version("K1", "spring", "Paid_Search")) == ("K1", "spring")


def test_a_campaign_is_met_by_the_names_that_it_had_up_to_the_day():
    versions = [version("K1", "winter"), version("K1", "spring", since="2024-02-01")]

    assert met(visit("spring"), *versions) == (None, "spring")
    assert met(visit("winter", on="2024-02-02"), *versions) == ("K1", "spring")
    assert met(visit("winter"), *versions) == ("K1", "winter")


_names = st.lists(st.text("aBc ä", min_size=1, max_size=6), min_size=1, max_size=4)


@pytest.mark.slow
@settings(max_examples=30)
@given(_names, st.data())
def test_a_name_in_any_spelling_is_met_by_the_campaigns_that_have_it(names, data):
    named = data.draw(st.sampled_from(names))
    spelled = data.draw(st.sampled_from([named.lower(), named.replace(" ", "+").lower(), f" {named.lower()}  "]))
    plain = [" ".join(name.lower().split()) for name in names]

    found = met(visit(spelled), *(version(f"K{n}", name) for n, name in enumerate(names)))

    assert found[0] == f"K{plain.index(' '.join(named.lower().split()))}"
