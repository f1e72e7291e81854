"""What a consumer has to know of feeds, without what tables are declared with."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from ecom_assets.streaming.records import FeedFacts


def feed_facts() -> dict[str, FeedFacts]:
    """Returns the facts of each feed by name, from the contracts of feeds."""
    from ecom_assets.feeds import feed_contracts

    found = {}
    for name, feed in feed_contracts().items():
        moment = feed.event_column if feed.is_versioned else feed.version_column
        ids = tuple(column for column in feed.primary_key if column != moment)
        found[name] = FeedFacts(name, ids, feed.event_column, moment)
    return found


def feed_facts_apart() -> dict[str, FeedFacts]:
    """Returns the same, found in another process: what that loads takes more memory than a consumer needs."""
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        return apart.submit(feed_facts).result()
