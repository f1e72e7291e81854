"""A consumer of orders, also as a process of its own: `consuming.py ADDRESS FOLDER TOPIC SECONDS`."""

import datetime as dt
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.streaming.consumer import Consumer, Job
from ecom_assets.streaming.kafka import Client
from ecom_assets.streaming.landing import Rotation
from ecom_assets.streaming.records import FeedFacts

START = dt.date(2024, 3, 1)
ORDERS = FeedFacts("orders", ("order_id",), "ordered_at", "updated_at")
READY = "ready"


def job_of(folder: Path, topics: dict[str, FeedFacts], rotation: Rotation, **more: Any) -> Job:
    """What a consumer into the landing zone of a folder does."""
    calendar = Window(START, START + dt.timedelta(days=30))
    zone, letters, status = Zone(folder / "landing"), folder / "dead_letters", folder / "stream.json"
    return Job(topics, zone, letters, status, calendar, "UTC", rotation, **more)


if __name__ == "__main__":
    address, folder, topic, seconds = sys.argv[1:]
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    job = job_of(Path(folder), {topic: ORDERS}, Rotation(float(seconds)))
    consumer = Consumer(job, Client({"bootstrap.servers": address}), stopping=stopping)
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    consumer.run()
