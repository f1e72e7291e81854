"""Holding records against rules as they come, with what had landed before as the rules' memory."""

import datetime as dt
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from ecom_assets.landing.streamed import Range, Stream, range_of
from ecom_assets.streaming.consumer import Job
from ecom_assets.streaming.records import FeedFacts
from ecom_assets.streaming.rules import FEEDS, Finding, RuleFacts, Seen, findings, rules

MOST_BYTES = 32 << 20
"""How much of what has landed of a feed is looked at when a consumer begins, the latest."""
_log = logging.getLogger(__name__)


def watching(job: Job, facts: RuleFacts, warn: Callable[[Finding, str], object]) -> Callable[[str, Seen], None]:
    """Returns what holds each record against all rules, and warns.

    The rules have seen what landed before. They know no more of what they warn of than the stream: an error in a rule
    stops no record from landing.
    """
    known = rules(facts)
    latest = [_latest(job, name, feed, facts) for name, feed in job.topics.items() if feed.name in FEEDS]
    for seen in sorted(chain.from_iterable(latest), key=_moment):
        for _ in findings(known, seen):
            pass

    def watch(topic: str, seen: Seen) -> None:
        if seen.feed in FEEDS:
            try:
                for found in findings(known, seen):
                    warn(found, topic)
            except Exception:
                _log.exception("A rule cannot judge a record of %s.", topic)

    return watch


def _moment(seen: Seen) -> int:
    return seen.at


def _latest(job: Job, topic: str, feed: FeedFacts, facts: RuleFacts) -> Iterator[Seen]:
    """Yields what has landed of a topic, but for what the snapshot has: all days after its, or the newest two."""
    days = job.zone.days(feed.name)
    days = [day for day in days if day > facts.stock_day] if feed.name == "inventory_movements" else days[-2:]
    room = MOST_BYTES
    for day in reversed(days):
        for path in _files(job.zone.root / feed.name / str(day), topic):
            room -= path.stat().st_size
            if room < 0 and feed.name != "inventory_movements":
                return
            for line in path.read_bytes().splitlines():
                values = json.loads(line)
                with suppress(ValueError, TypeError):
                    yield Seen(feed.name, _at(values, feed), values)


def _files(folder: Path, topic: str) -> list[Path]:
    """Returns the files of a topic in a folder, the latest first."""
    named: list[tuple[Range, Path]] = [(found, path) for path in folder.iterdir() if (found := range_of(path.name))]
    of_topic = [(found.last, path) for found, path in named if Stream.of(found.source).topic == topic]
    return [path for _, path in sorted(of_topic, reverse=True)]


def _at(values: Mapping[str, Any], feed: FeedFacts) -> int:
    moment = values.get(feed.moment_column or "") or values.get(feed.event_column or "")
    return int(dt.datetime.fromisoformat(str(moment)).timestamp() * 1_000)
