"""The currencies that landed rows name."""

from collections import Counter
from collections.abc import Iterator

import polars as pl

from ecom_assets.contract import CURRENCY, CURRENCY_CODE, RATE
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.zone import Zone


def own_currency(staged: Zone) -> str | None:
    """Returns the currency that most rows of orders name, else of the first other feed with one; None if none does."""
    for feed in sorted(staged.feeds(), key=lambda feed: feed != "orders"):
        if named := _named(staged, feed):
            return min(named, key=lambda code: (-named[code], code))
    return None


def without_rate(staged: Zone, currency: str) -> Iterator[str]:
    """Yields what rows name another currency than the shop's, and no rate, by feed and currency."""
    for feed in staged.feeds():
        for code, rows in sorted(_named(staged, feed, has_rate=False).items()):
            if code != currency:
                yield f"{rows:,} {'row' if rows == 1 else 'rows'} of {feed} in {code}"


def _named(staged: Zone, feed: str, *, has_rate: bool = True) -> Counter[str]:
    """Returns how many rows name each currency; without `has_rate`, those alone that name no rate."""
    named = Counter[str]()
    for path in sorted((staged.root / feed).glob("*/*.parquet")) if feed_contracts()[feed].converted else ():
        rows = pl.read_parquet(path)
        if CURRENCY in rows.columns:
            kept = rows if has_rate or RATE not in rows.columns else rows.filter(pl.col(RATE).is_null())
            codes = kept[CURRENCY].str.strip_chars().str.to_uppercase()
            named.update(codes.filter(codes.str.contains(CURRENCY_CODE)).to_list())
    return named
