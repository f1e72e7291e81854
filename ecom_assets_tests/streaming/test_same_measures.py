"""The measures of a shop whose events and marketplace sales come as a stream are those of its files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecom_assets import catalog
from ecom_assets.declaration import Catalog
from ecom_assets.landing.zone import Zone
from ecom_assets.shop.shop import Shop
from ecom_assets.streaming import producer
from ecom_assets.streaming.feeds import feed_facts
from ecom_assets.streaming.landing import Rotation
from ecom_assets_tests.streaming.broker import Broker
from ecom_assets_tests.streaming.consuming import job_of
from ecom_assets_tests.warehouses import SMALL, START, run_all, session_over, small_shop, upstream_of, window

DISORDER = producer.Disorder(late=0.05, doubled=0.05, poisoned=0.01)


def streamed(broker: Broker, root: Path, days: int) -> Zone:
    """The small shop's landing zone, of which events and marketplace sales have come by topics, in disorder."""
    zone = small_shop(root / "landing", days)
    sold = [path for feed in producer.SOLD for path in (zone.root / feed).rglob("*settlement*")]
    for path in [*sold, *(zone.root / producer.EVENTS).rglob("events-*")]:
        path.unlink()
    shop = Shop(START, seed=11, preset=SMALL)
    topics = {feed: f"{broker.topic(3)}.{feed}" for feed in (producer.EVENTS, *producer.SOLD)}
    sent = producer.disordered(producer.records(shop, window(days)), DISORDER)
    producer.play(sent, broker.settings, topics)
    facts = feed_facts()
    job = job_of(root, {name: facts[feed] for feed, name in topics.items()}, Rotation(0.1), until_end=True)
    broker.run(replace(job, calendar=window(days)))  # late ones arrive on the last day at the latest
    return zone


def rows_of(zone: Zone, days: int, tables: Catalog) -> dict[str, list[Any]]:
    """The rows of silver, gold and kpi, without what says which file they came in."""
    session = session_over(zone, tables=tables)
    with session.con as con:
        for _ in range(2):
            run_all(session, window(days))
        shown = [name for name in tables.names if name.startswith(("gold.", "kpi."))]
        return {name: con.execute(f"select * from {name} order by all").fetchall() for name in shown}


def same(broker: Broker, folder: Path, days: int, tables: Catalog) -> None:
    files = small_shop(folder / "files", days)
    found, wanted = rows_of(streamed(broker, folder / "stream", days), days, tables), rows_of(files, days, tables)
    assert [name for name in wanted if found[name] != wanted[name]] == []
    assert all(wanted[name] for name in ("kpi.daily_funnel", "gold.fact_sessions"))


@pytest.mark.slow
def test_measures_of_events_are_those_of_files(broker, tmp_path):
    same(broker, tmp_path, 3, upstream_of("kpi.daily_funnel", "kpi.daily_list_clicks"))


@pytest.mark.long
def test_all_measures_are_those_of_files(broker, tmp_path):
    same(broker, tmp_path, 5, catalog.tables())
