"""A broker of Kafka's protocol, and what tests do with it."""

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.broker import on_loopback
from ecom_assets.landing.zone import Zone
from ecom_assets.settings import PROJECT
from ecom_assets.streaming.consumer import Consumer, Job
from ecom_assets.streaming.kafka import Client
from ecom_assets.streaming.landing import Rotation
from ecom_assets.streaming.records import FeedFacts
from ecom_assets_tests.streaming import consuming
from ecom_assets_tests.streaming.consuming import ORDERS, READY, START, job_of

CUSTOMERS = FeedFacts("customers", ("customer_id",), "joined_at", "joined_at")
NOON = dt.datetime.combine(START, dt.time(12), dt.UTC)
_numbers = count(time.time_ns() // 1_000_000)


def order(number: int, day: int = 0, amount: str = "10", **more: Any) -> dict[str, Any]:
    """A row of orders."""
    at = f"{START + dt.timedelta(days=day)}T12:00:00Z"
    return {"order_id": f"{number}", "customer_id": None, "ordered_at": at, "updated_at": at, "amount": amount, **more}


@dataclass
class Broker:
    """A broker, with topics of the test's own."""

    address: str
    settings: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.settings = {"bootstrap.servers": self.address}
        self.admin = AdminClient(self.settings)
        self.producer = Producer({**self.settings, "linger.ms": 1, "message.max.bytes": 2 << 20})

    def topic(self, partitions: int = 1, name: str = "") -> str:
        """Creates a topic of orders."""
        name = name or f"t{next(_numbers)}.orders"
        topic = NewTopic(name, partitions, 1, config={"retention.ms": "-1"})
        self.admin.create_topics([topic])[name].result(10)
        return name

    def make_anew(self, topic: str) -> None:
        """Deletes a topic, and creates it again."""
        self.admin.delete_topics([topic])[topic].result(10)
        self.topic(name=topic)

    def delete_before(self, topic: str, offset: int) -> None:
        """Deletes the first records of a partition, as retention does."""
        place = TopicPartition(topic, 0, offset)
        [done] = self.admin.delete_records([place]).values()
        done.result(10)

    def send(self, topic: str, rows: Iterable[dict[str, Any] | bytes | None], day: int = 0, **more: Any) -> None:
        """Sends rows, or bytes as they are, at noon of a day."""
        producer = self.producer
        at = int((NOON + dt.timedelta(days=day)).timestamp() * 1_000)
        for row in rows:
            value = json.dumps(row).encode() if isinstance(row, dict) else row
            producer.produce(topic, value, **{"timestamp": at, "key": b"k", "partition": 0, **more})
        assert producer.flush(10) == 0

    def send_in_transactions(self, topic: str, parts: Sequence[tuple[bool, Sequence[dict[str, Any]]]]) -> None:
        """Sends rows in transactions, each committed or aborted."""
        at = int(NOON.timestamp() * 1_000)
        for is_committed, rows in parts:
            producer = Producer({**self.settings, "transactional.id": f"{topic} {next(_numbers)}"})
            producer.init_transactions(10)
            producer.begin_transaction()
            for row in rows:
                producer.produce(topic, json.dumps(row).encode(), partition=0, timestamp=at)
            producer.flush(10)
            (producer.commit_transaction if is_committed else producer.abort_transaction)(10)

    def consumer(self, folder: Path, *topics: str, feed: FeedFacts = ORDERS, **more: Any) -> Consumer:
        """A consumer of topics into the landing zone of a folder, which ends at their end."""
        told = more.pop("told", lambda *_: None)
        rotation = Rotation(**{name: more.pop(name) for name in ("seconds", "bytes", "records") if name in more})
        job = job_of(folder, dict.fromkeys(topics, feed), rotation, **{"until_end": True, **more})
        return Consumer(job, Client(self.settings), told)

    @contextmanager
    def process(self, folder: Path, topic: str, seconds: float = 0.02) -> Iterator[subprocess.Popen[str]]:
        """A consumer in a process of its own, which has begun."""
        command = [sys.executable, consuming.__file__, self.address, folder, topic, str(seconds)]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == READY
            try:
                yield process
            finally:
                process.kill()

    def run(self, job: Job) -> None:
        """Does what a job says."""
        Consumer(job, Client(self.settings)).run()

    def consume(self, folder: Path, *topics: str, **more: Any) -> Consumer:
        """Consumes topics to their end."""
        consumer = self.consumer(folder, *topics, **more)
        consumer.run()
        return consumer


@contextmanager
def started(folder: Path) -> Iterator[Broker]:
    """A broker on loopback, or the one that the environment names."""
    with on_loopback(folder) as address:
        yield Broker(address)


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def landed(folder: Path, feed: str = "orders") -> list[tuple[int, int, str]]:
    """Partition, offset and order number of each line that has landed, in the order of files and lines."""
    zone, found = Zone(folder / "landing"), []
    arrived = zone.arrivals(feed, START, START + dt.timedelta(days=30))
    for path in [file.path for files in arrived.values() for file in files if file.offsets]:
        partition = int(path.name.split("-")[2].partition(".")[0])
        for line in path.read_text().splitlines():
            row = json.loads(line)
            found.append((partition, row["_offset"], row.get("order_id", "")))
    return found
