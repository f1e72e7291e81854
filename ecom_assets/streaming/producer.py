"""The producer: plays what visitors of the synthetic shop do, and what a marketplace sells for it, into topics.

Each record is JSON with the columns of its feed, and has the schema's version in a header. Records of a visitor or of
an order have one key, so that they stay in order. The timestamp is the moment at which the shop sends it.
"""

import datetime as dt
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from confluent_kafka import KafkaException
from confluent_kafka import Producer as KafkaProducer

from ecom_assets.landing.reading import read
from ecom_assets.landing.zone import Zone
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.feed_map import land, load_map
from ecom_assets.sources.synthetic import MARKETPLACE, csv_of, json_lines
from ecom_assets.sql import connect
from ecom_assets.streaming.kafka import BrokerUnreachable, create_topics
from ecom_assets.streaming.records import SCHEMA_HEADER

EVENTS = "events"
SOLD = ("orders", "order_items", "payments", "returns")
"""The feeds of what the marketplace sells."""
_KEYS = {EVENTS: ("anonymous_id", "customer_id", "event_id")}
_MOMENTS = {EVENTS: "occurred_at", "orders": "updated_at", "order_items": "updated_at", "payments": "updated_at"}
LATE_HOURS = 48
_DAY_MS = 86_400_000
_POISON = (b"\xff\xfe{\x00", b"{broken", b'["no object"]', b'{"event_id":')
_HEADERS: list[tuple[str, str | bytes | None]] = [(SCHEMA_HEADER, b"1")]


class Sent(NamedTuple):
    """A record to be sent: the feed's topic, the moment in milliseconds since 1970, key and value."""

    feed: str
    at: int
    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]] = _HEADERS


@dataclass(frozen=True)
class Disorder:
    """Shares, 0 to 1, of records that are sent up to 48 hours late, sent twice, and followed by one that is none."""

    late: float = 0.0
    doubled: float = 0.0
    poisoned: float = 0.0
    seed: int = 7


def records(shop: Shop, days: Iterable[dt.date], feeds: Iterable[str] | None = None) -> Iterator[Sent]:
    """Yields what arrives on each day, in the order of moments.

    By default, events of the shop and what the marketplace sells; or all of the shop's own rows of some feeds.
    """
    for day in days:
        rows = shop.arrivals(day)
        if feeds is not None:
            found = {feed: [json.loads(line) for line in _lines(rows[feed])] for feed in feeds}
        else:
            found = {EVENTS: [json.loads(line) for line in _lines(rows[EVENTS])], **_sold(shop, day)}
        yield from sorted((_record(feed, row, day) for feed, some in found.items() for row in some), key=_at)


def disordered(sent: Iterable[Sent], how: Disorder) -> Iterator[Sent]:
    """Yields records of some days, some late, some twice, some followed by poison, as shares and seed say.

    The order is that of the moments at which they are sent.
    """
    rng = np.random.default_rng(how.seed)
    found = []
    for one in sent:
        is_late, is_doubled, is_poisoned = rng.random(3) < (how.late, how.doubled, how.poisoned)
        at = one.at + int(rng.integers(LATE_HOURS * 3_600_000)) * bool(is_late)
        found.append(one._replace(at=at))
        if is_doubled:
            found.append(one._replace(at=at + 1))
        if is_poisoned:
            found.append(one._replace(at=at + 1, value=_POISON[int(rng.integers(len(_POISON)))]))
    yield from sorted(found, key=_at)


def play(
    sent: Iterable[Sent],
    settings: Mapping[str, str],
    topics: Mapping[str, str],
    speed: float | None = None,
    rate: float | None = None,
    partitions: int = 3,
    told: Callable[[int], object] = lambda count: None,
) -> int:
    """Sends records to the topics of their feeds, and returns their number once the broker has them all.

    `speed` is how much faster than the shop's clock they are sent, `rate` how many per second; as fast as can be if
    neither is given. Raises BrokerUnreachable if one does not arrive.
    """
    create_topics(settings, topics.values(), partitions)
    producer = KafkaProducer({"linger.ms": 5, **settings, "enable.idempotence": True})
    failed: list[str] = []

    def arrived(error: Any, message: Any) -> None:
        if error is not None:
            failed.append(str(error))

    begun, count = time.monotonic(), 0
    first: int | None = None
    for one in sent:
        first = one.at if first is None else first
        due = (one.at - first) / 1_000 / speed if speed else count / rate if rate else 0.0
        while (wait := begun + due - time.monotonic()) > 0:
            producer.poll(min(wait, 0.1))
        while True:
            try:
                producer.produce(
                    topics[one.feed], one.value, one.key, timestamp=one.at, headers=one.headers, on_delivery=arrived
                )
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
        if count % 1_000 == 0:
            producer.poll(0)
            told(count)
    try:
        left = producer.flush(60)
    except KafkaException as error:
        raise BrokerUnreachable(f"Records cannot be sent: {error.args[0].str()}.") from error
    if failed or left:
        raise BrokerUnreachable(f"{len(failed) + left:,} records have not arrived{': ' + failed[0] if failed else ''}.")
    return count


def _record(feed: str, row: dict[str, Any], day: dt.date) -> Sent:
    key = next((row[name] for name in _KEYS.get(feed, ("order_id",)) if row.get(name)), "")
    moment = dt.datetime.fromisoformat(row[_MOMENTS.get(feed, "updated_at")])
    begins = dt.datetime.combine(day, dt.time(), dt.UTC)
    of_day = int(moment.timestamp() * 1_000) % _DAY_MS
    return Sent(feed, int(begins.timestamp() * 1_000) + of_day, str(key).encode(), json.dumps(row).encode())


def _at(sent: Sent) -> int:
    return sent.at


def _lines(rows: pl.DataFrame) -> list[bytes]:
    return json_lines(rows).splitlines()


def _sold(shop: Shop, day: dt.date) -> dict[str, list[dict[str, Any]]]:
    """Returns what the marketplace reports for a day, as rows of feeds: by its feed map, as if it had sent a file."""
    if not shop.scale.marketplace_share:
        return {}
    with TemporaryDirectory() as folder, connect() as con:
        exports, zone = Path(folder, "exports"), Zone(Path(folder, "landing"))
        exports.mkdir()
        Path(exports, f"settlement-{day}.csv").write_bytes(csv_of(shop.settlement(day)))
        land(load_map(MARKETPLACE), exports, zone)
        found = {}
        for feed in SOLD:
            if files := zone.arrivals(feed, day, day)[day]:
                names = pl.read_parquet_schema(files[0].path).keys()
                rows = read(con, files, list(names))
                found[feed] = [
                    {name: value for name, value in zip(names, values, strict=False) if value is not None}
                    for values in rows.fetchall()
                ]
        return found
