"""What a consumer has to know of feeds, without what tables are declared with."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from ecom_assets.streaming.records import FeedFacts
from ecom_assets.streaming.rules import RuleFacts

Found = TypeVar("Found")


def feed_facts() -> dict[str, FeedFacts]:
    """Returns the facts of each feed by name, from the contracts of feeds."""
    from ecom_assets.feeds import feed_contracts

    return {
        name: FeedFacts(name, feed.id_columns, feed.event_column, feed.moment_column)
        for name, feed in feed_contracts().items()
    }


def rule_facts(snapshot: Path) -> RuleFacts:
    """Returns what rules have to know; without a snapshot, no units are on hand."""
    import duckdb

    from ecom_assets.errors import UserError
    from ecom_assets.models.fraud import HIGH_AMOUNT, NIGHT_HOURS, RULES
    from ecom_assets.serving.snapshot import open_snapshot

    points = {name: points for name, (points, _) in RULES.items()}
    found = RuleFacts(points, HIGH_AMOUNT, NIGHT_HOURS)
    with suppress(UserError, duckdb.Error), open_snapshot(snapshot) as con:
        rows = con.execute(f"select day, product_id, on_hand from {_STOCK} where day = (select max(day) from {_STOCK})")
        stock = rows.fetchall()
        on_hand = {product: Decimal(units) for _, product, units in stock}
        return RuleFacts(points, found.high_amount, found.night_hours, on_hand, stock[0][0])
    return found


def apart(made: Callable[..., Found], *of: Any) -> Found:
    """Returns what a function does in another process: what it loads takes more memory than a consumer needs."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(made, *of).result()


_STOCK = "gold.fact_inventory_daily"
