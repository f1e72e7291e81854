"""Robots: agents on the list, and agents that say so; a phone is no robot whatever its maker is called."""

import narwhals as nw
import polars as pl
import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA, is_crawler
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.expressions.robots import is_robot
from ecom_assets_tests.samples import collected, run

PHONE = "Mozilla/5.0 (Linux; Android 9; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36"


def robots(*agents):
    """For each agent whether it is a robot's."""
    frame = nw.from_native(pl.LazyFrame({"n": range(len(agents)), "agent": agents}, schema_overrides={"agent": str}))
    found = run(lambda rows: rows.select("n", found=is_robot("agent")), frame)
    return collected(found).sort("n")["found"].to_list()


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "GoogleBot/2.1",
        "facebookexternalhit/1.1",
        "python-requests/2.31.0",
        "curl/8.5.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
        "NewBot/1.0",
        "Mozilla/5.0 (compatible; not listed; +https://example.com/about)",
        "our own crawler",
        "Robot",
    ],
)
def test_a_robot_is_known_by_the_list_or_by_its_own_words(agent):
    assert robots(agent) == [True]


@pytest.mark.parametrize(
    "agent",
    [
        None,
        "",
        PHONE.format("CUBOT_X19"),
        PHONE.format("CUBOT MAX 3 Build/RP1A"),
        PHONE.format("Panasonic ELUGA"),
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    ],
)
def test_a_browser_is_no_robot(agent):
    assert robots(agent) == [False]


@settings(max_examples=20)
@given(st.lists(st.from_regex(r"[A-Z]{1,6}(BOT|bot|CRAWLER|Spider)[A-Z0-9_]{0,5}", fullmatch=True), min_size=1))
def test_a_phone_is_a_robot_only_if_the_list_has_it(models):
    agents = [PHONE.format(model) for model in models]

    assert robots(*agents) == [is_crawler(agent) for agent in agents]


def test_every_agent_that_the_list_gives_as_an_example_is_a_robot():
    agents = sorted({agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry["instances"]})

    assert all(robots(*agents))
