"""The synthetic shop's rows as landed files, and the record of which shop it is."""

import dataclasses
import datetime as dt
import gzip
import logging
import tomllib
from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import polars.selectors as cs

from ecom_assets.days import Window
from ecom_assets.errors import UserError
from ecom_assets.landing.files import replace_file, replace_toml
from ecom_assets.landing.zone import Zone
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.feed_map import land, load_map

MARKETPLACE = Path(__file__).parent / "maps" / "marketplace.toml"
SHOP_FILE = "shop.toml"
DEFECTS = "defects"
DAYS_AT_ONCE = 10
_ISO = "%Y-%m-%dT%H:%M:%S%.fZ"

_log = logging.getLogger(__name__)


class ShopFileError(UserError, ValueError):
    """The file shop.toml is invalid."""


def land_shop(zone: Zone, shop: Shop, days: Iterable[dt.date], *, keep_changed: bool = False) -> None:
    """Lands the rows that arrive on the given days, one file per feed and day. The same day has the same bytes again.

    A feed without rows on a day lands a file with a header only, or an empty one if the format has no header. Sales of
    a marketplace land in additional files, through its own feed map.

    With `keep_changed`, a feed's file that is there with other bytes stays as it is: somebody has changed it.
    """
    days = list(days)
    for day in days:
        for feed, rows in shop.arrivals(day).items():
            data, place = encoded(feed, rows), zone.root / feed / str(day) / file_name(feed, day)
            if keep_changed and place.exists() and place.read_bytes() != data:
                _log.warning("%s has been changed, and stays as it is. To land it anew, delete it first.", place)
                continue
            zone.write(feed, day, place.name, data)
    if shop.scale.marketplace_share and days:
        with TemporaryDirectory() as folder:
            for day in days:
                Path(folder, f"settlement-{day}.csv").write_bytes(csv_of(shop.settlement(day)))
            land(load_map(MARKETPLACE), Path(folder), zone)


def land_window(
    zone: Zone,
    truth: Path,
    shop: Shop,
    window: Window,
    told: Callable[[str, float], object] = lambda step, share: None,
) -> None:
    """Lands the rows of a window of arrival days, and writes the truth about them, some days at once.

    Files that somebody has changed since stay as they are.

    `told` gets, before each step, its days and the share of the window that has landed, 0 to 1.
    """
    days = list(window)
    for n in range(0, len(days), DAYS_AT_ONCE):
        now = days[n : n + DAYS_AT_ONCE]
        told(f"landing {Window(now[0], now[-1])}", n / len(days))
        land_shop(zone, shop, now, keep_changed=True)
        write_truth(truth, shop, now)
        _log.info("landing %s: the synthetic shop's files", Window(now[0], now[-1]))


def write_truth(folder: Path, shop: Shop, days: Iterable[dt.date]) -> None:
    """Writes the truth about the shop, which its feeds do not contain, one Parquet file per kind and day.

    No pipeline reads it. The kind `defects` is by arrival day, and identifies records as landed: feed, arrived_on,
    source_file, record.
    """
    for day in days:
        for kind, rows in {**shop.truth(day), DEFECTS: _landed_defects(shop, day)}.items():
            replace_file(folder / kind / f"{day}.parquet", rows.write_parquet)


def encoded(feed: str, rows: pl.DataFrame) -> bytes:
    """Returns rows of a feed as a file."""
    _, encode = _FORMATS[feed]
    return encode(rows)


def file_name(feed: str, day: dt.date) -> str:
    """Returns the name of the file of a feed that arrives on a day."""
    suffix, _ = _FORMATS[feed]
    return f"{feed}-{day}{suffix}"


def _landed_defects(shop: Shop, day: dt.date) -> pl.DataFrame:
    """Returns the defects among a day's arrivals, with the records that have them."""
    files = {feed: file_name(feed, day) for feed in _FORMATS}
    source_file = pl.col("feed").replace_strict(files, return_dtype=pl.String)
    return (
        shop.defects(day)
        .select("feed", "record", "kind", arrived_on=pl.lit(day), source_file=source_file)
        .select("feed", "arrived_on", "source_file", "record", "kind")
    )


def save_shop(zone_root: Path, shop: Shop) -> None:
    """Saves which shop lands its files below the root."""
    values: dict[str, Any] = {"seed": shop.seed, "start": shop.start}
    if isinstance(shop.preset, str):
        values["preset"] = shop.preset
    else:
        scale = dataclasses.asdict(shop.preset)
        values["scale"] = {name: value for name, value in scale.items() if value is not None}
    replace_toml(zone_root / SHOP_FILE, values)


def load_shop(zone_root: Path) -> Shop | None:
    """Returns the shop that lands its files below the root, or None. Raises ShopFileError."""
    path = zone_root / SHOP_FILE
    if not path.exists():
        return None
    try:
        given = tomllib.loads(path.read_text("utf-8"))
        scale = given.get("scale")
        if scale is None:
            return Shop(given["start"], given["seed"], given["preset"])
        days = {name: tuple(scale[name]) for name in ("quiet_days", "slow_days") if name in scale}
        return Shop(given["start"], given["seed"], Scale(**{**scale, **days}))
    except (ValueError, TypeError, KeyError) as error:
        raise ShopFileError(f"{path} cannot be used: {error}") from error


def csv_of(rows: pl.DataFrame) -> bytes:
    """Returns rows as CSV."""
    return rows.with_columns(cs.datetime().dt.strftime(_ISO)).write_csv().encode()


def json_lines(rows: pl.DataFrame) -> bytes:
    """Returns rows as JSON Lines; amounts are texts."""
    return rows.with_columns(cs.datetime().dt.strftime(_ISO), cs.decimal().cast(pl.String)).write_ndjson().encode()


def _parquet(rows: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    rows.with_columns(cs.datetime().dt.replace_time_zone("UTC")).write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _gzipped(encode: Callable[[pl.DataFrame], bytes], rows: pl.DataFrame) -> bytes:
    return gzip.compress(encode(rows), compresslevel=6, mtime=0)


_FORMATS: dict[str, tuple[str, Callable[[pl.DataFrame], bytes]]] = {
    "customers": (".jsonl", json_lines),
    "customer_merges": (".csv", csv_of),
    "products": (".csv", csv_of),
    "suppliers": (".jsonl", json_lines),
    "orders": (".csv", csv_of),
    "order_items": (".csv.gz", partial(_gzipped, csv_of)),
    "payments": (".jsonl.gz", partial(_gzipped, json_lines)),
    "shipments": (".csv.gz", partial(_gzipped, csv_of)),
    "returns": (".csv", csv_of),
    "reviews": (".jsonl.gz", partial(_gzipped, json_lines)),
    "purchase_receipts": (".csv", csv_of),
    "inventory_movements": (".parquet", _parquet),
    "events": (".parquet", _parquet),
    "campaigns": (".jsonl", json_lines),
    "ad_spend": (".csv", csv_of),
    "exchange_rates": (".csv", csv_of),
}
