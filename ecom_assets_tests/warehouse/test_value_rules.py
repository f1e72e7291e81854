"""Rules of a shop in feeds.toml: values that its events get, and campaigns that its links mean."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets import catalog
from ecom_assets.engine.duckdb.parsing import _meets
from ecom_assets.landing.feed_settings import FeedSettings, FeedSettingsError, ValueRule
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import connect
from ecom_assets.warehouse.proof import verify
from ecom_assets_tests.warehouses import START, run_all, session_over, upstream_of, window

HEADER = "event_id,occurred_at,event,anonymous_id,utm_source,utm_medium,utm_campaign,campaign_id"
RULES = (
    ValueRule({"utm_source": "TikTok*", "utm_medium": ""}, {"channel": "paid social"}),
    ValueRule({"utm_source": "*"}, {"channel": "affiliates"}),
    ValueRule({"utm_campaign": "frühling 50%"}, {"campaign_id": "K1"}),
)
TABLES = catalog.tables()


@pytest.fixture
def zone(tmp_path):
    return Zone(tmp_path)


def land(zone, *links):
    lines = [f"e{n},{START}T10:00:00Z,Page Viewed,v{n},{link}\n" for n, link in enumerate(links)]
    zone.write("events", START, "events.csv", f"{HEADER}\n{''.join(lines)}".encode())
    campaign = f"campaign_id,name,channel,starts_on,updated_at\nK1,Spring,paid search,{START},{START}T00:00:00Z\n"
    zone.write("campaigns", START, "campaigns.csv", campaign.encode())


def session_of(zone):
    return session_over(zone, tables=upstream_of("gold.fact_sessions"))


def visits(session):
    query = "select channel, utm_campaign, campaign_id, campaign from gold.fact_sessions order by session_id"
    return session.con.execute(query).fetchall()


@pytest.mark.slow
def test_rules_come_before_what_a_link_says_and_give_numbers_to_links_without(zone):
    zone.save_settings("events", FeedSettings(rules=RULES))
    land(zone, "tiktok-ads,,,", "tiktok,cpc,fr%C3%BChling+50%25,", "tiktok,cpc,Frühling 50%,K2", ",email,,")
    session = session_of(zone)

    run_all(session, window(1))

    assert visits(session) == [
        ("paid social", None, None, "none"),
        ("affiliates", "frühling 50%", "K1", "spring"),
        ("affiliates", "frühling 50%", "K2", "frühling 50%"),
        ("affiliates", None, None, "none"),
    ]


@pytest.mark.slow
def test_changed_rules_make_events_stale(zone):
    land(zone, "google,cpc,spring,")
    session = session_of(zone)
    run_all(session, window(1))
    assert visits(session) == [("paid search", "spring", "K1", "spring")]

    zone.save_settings("events", FeedSettings(rules=RULES))
    session = dataclasses.replace(session)

    assert {day.table for day in session.stale()} == {"silver.events"}
    run_all(session, window(1))
    assert visits(session) == [("affiliates", "spring", None, "spring")]
    assert verify(session) is None


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (ValueRule({"utm_sorce": "x"}, {"channel": "sms"}), "unknown column 'utm_sorce'; did you mean 'utm_source'"),
        (ValueRule({"utm_source": "x"}, {"device": "sms"}), "cannot set 'device'"),
        (ValueRule({"utm_source": "x"}, {"channel": "paid sozial"}), "channel cannot be 'paid sozial'; did you mean"),
    ],
)
def test_a_rule_that_cannot_be_met_or_set_is_refused(zone, rule, told):
    zone.save_settings("events", FeedSettings(rules=(rule,)))

    with pytest.raises(FeedSettingsError, match=r"feeds\.toml: \[events\] rules: ") as refused:
        zone.check_settings(TABLES.feed_columns, by_rule=TABLES.set_by_rules)
    assert told in str(refused.value)


_texts = st.text("aB%_\\*é'", max_size=5)


@settings(max_examples=50)
@given(_texts, st.lists(_texts, max_size=3))
def test_a_pattern_meets_itself_and_any_text_at_its_stars(text, parts):
    pattern = text.replace("*", "")
    with connect() as con:

        def meets(value, pattern):
            query = f'select {_meets("x", pattern)} from (select ?::varchar as "typed x")'
            return con.execute(query, [value]).fetchone()[0]

        assert meets(pattern.upper(), pattern)
        assert meets(None, pattern) == (pattern == "")
        assert not meets(f"{pattern}!", pattern)
        assert meets("!".join(parts), "*".join(part.replace("*", "") for part in parts)) or any("*" in p for p in parts)
