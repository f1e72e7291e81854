"""Channels: what holds of the default channel group for any link, beside the examples of `test_sessions`."""

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.expressions.channels import (
    CHANNELS,
    DIRECT,
    PAID_CHANNELS,
    REFERRAL,
    UNASSIGNED,
    campaign_key,
    channel,
    named_channel,
)
from ecom_assets_tests.samples import collected, run

PAID = ["cpc", "ppc", "cpm", "cpv", "cpa", "paid", "paid-social", "paid_social", "paidsearch", "retargeting"]
NETWORKS = ["google", "bing", "facebook", "instagram", "tiktok", "youtube", "amazon", "a-blog", "x", "t.co"]
MEDIA = [*PAID, "organic", "referral", "email", "newsletter", "affiliate", "sms", "push", "audio", "banner", "sticker"]
CAMPAIGNS = ["spring", "summer-shopping", "workshop", "cross-network-1"]
LINK = st.tuples(*(st.sampled_from([None, *some]) for some in (NETWORKS, MEDIA, CAMPAIGNS)))
TEXT = st.text("abcp%^$.*- shop", max_size=8)


def channels(*links):
    """The channel of each link, a source, medium and campaign."""
    names = ["utm_source", "utm_medium", "utm_campaign"]
    columns = {name: [link[n] for link in links] for n, name in enumerate(names)}
    frame = pl.LazyFrame({"n": range(len(links)), **columns}, schema_overrides=dict.fromkeys(names, pl.String))
    made = run(lambda rows: rows.with_columns(channel=channel()), nw.from_native(frame))
    return collected(made).sort("n")["channel"].to_list()


def texts(expression, *values):
    frame = pl.LazyFrame({"n": range(len(values)), "text": values}, schema_overrides={"text": pl.String})
    made = run(lambda rows: rows.select("n", found=expression("text")), nw.from_native(frame))
    return collected(made).sort("n")["found"].to_list()


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(LINK, min_size=1, max_size=20))
def test_a_link_belongs_to_the_kind_that_its_medium_says(links):
    for (source, medium, _), found in zip(links, channels(*links), strict=True):
        assert found in CHANNELS
        if medium in PAID:
            assert found in PAID_CHANNELS
        if found in (DIRECT, REFERRAL):
            assert medium in (None, "referral")
        assert (found == DIRECT) == (source is None and medium is None)


@pytest.mark.slow
@settings(max_examples=30)
@given(st.sampled_from(NETWORKS[:7]), st.sampled_from(["{}", "www.{}.com", "m.{}.com", "{}.co.uk", "{}_ads", "{}-ads"]))
def test_a_site_is_known_by_its_name_or_any_of_its_hosts(site, written):
    media = [None, "cpc", "referral", "organic"]
    spelled = channels(*((written.format(site), medium, None) for medium in media))

    assert spelled == channels(*((site, medium, None) for medium in media))
    assert REFERRAL not in spelled


@pytest.mark.slow
@settings(max_examples=50)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=10))
def test_any_text_has_one_channel(links):
    assert set(channels(*links)) <= set(CHANNELS)


def test_a_paid_medium_is_no_referral():
    links = [("a-blog", medium, None) for medium in ("paid-social", "sms", "cpm", "sticker")]

    assert channels(*links) == ["paid social", "sms", "display", UNASSIGNED]


@pytest.mark.slow
@settings(max_examples=20)
@given(st.sampled_from(CHANNELS), st.sampled_from(["{}", " {} "]), st.sampled_from(["-", "_", " ", "  "]))
def test_a_channel_is_known_in_any_case_and_spelling(name, around, space):
    written = around.format(name.replace(" ", space))

    assert texts(named_channel, written, written.upper(), "our own") == [name, name, "our own"]


def test_a_campaign_has_one_key_for_all_spellings():
    spellings = ["Spring Sale", "spring+sale", "spring%20sale", " SPRING   sale", "spring\tsale"]

    assert set(texts(campaign_key, *spellings)) == {"spring sale"}
    assert texts(campaign_key, None) == [None]
