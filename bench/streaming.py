"""Streams: how soon a warning is answered, and how many events land in a second."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import quantiles
from typing import Any

from confluent_kafka import Producer

from bench.broker import on_loopback
from bench.child import memory
from ecom_assets.streaming.kafka import create_topics

RATE, EACH_TELLS = 1_000, 100
"""Records a second, and how many of them there are for each that is warned of."""
BEGINS = 1_709_258_400_000
"""At night, which is one of the points of a likely fraud."""
_WAIT_SECONDS = 60


def warnings(folder: Path, records: int) -> dict[str, float]:
    """Returns percentiles in milliseconds from producing an order to the answer of the receiver of its warning."""
    sent: dict[str, float] = {}
    with on_loopback(folder / "broker") as address, _receiving() as (url, taken):
        topics = ["shop.orders", "shop.payments"]
        create_topics({"bootstrap.servers": address}, topics, 1)
        with _consumer(folder, address, topics, {"ECOM_WEBHOOK": url}):
            producer = Producer({"bootstrap.servers": address, "linger.ms": 1})
            begun = time.monotonic()
            for n in range(records):
                while (wait := begun + n / RATE - time.monotonic()) > 0:
                    producer.poll(wait)
                number = f"O{n}"
                is_fraud = n % EACH_TELLS == EACH_TELLS - 1
                order: dict[str, Any] = {"order_id": number, "customer_id": f"C{n}", "status": "paid", "total": "10"}
                if is_fraud:
                    order |= {"customer_id": None, "total": f"{500 + n}"}
                    for attempt in "ab":
                        failed = {"payment_id": f"{number}{attempt}", "order_id": number, "status": "failed"}
                        producer.produce(topics[1], json.dumps(failed), timestamp=BEGINS + n)
                    sent[number] = 0.0
                    producer.flush(10)
                    time.sleep(0.01)  # the order is what tells, after its payments
                    sent[number] = time.monotonic()
                producer.produce(topics[0], json.dumps(order), timestamp=BEGINS + n)
            producer.flush(10)
            until = time.monotonic() + _WAIT_SECONDS
            while len(taken) < len(sent) and time.monotonic() < until:
                time.sleep(0.05)
    found = sorted(1_000 * (taken[number] - at) for number, at in sent.items() if number in taken)
    cuts = quantiles(found, n=100)
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "told": len(found) / len(sent)}


def landed(folder: Path, seconds: float, rate: int) -> dict[str, float]:
    """Returns events landed per second while so many are produced for some seconds, and the consumer's memory in MB."""
    count, value = int(rate * seconds), _event()
    with on_loopback(folder / "broker") as address:
        create_topics({"bootstrap.servers": address}, ["shop.events"], 2)
        with _consumer(folder, address, ["shop.events"]) as process:
            producer = Producer({"bootstrap.servers": address, "linger.ms": 20, "compression.type": "lz4"})
            begun, used = time.monotonic(), _cpu_seconds(process.pid)
            for n in range(count):
                if n % 500 == 0:
                    while (wait := begun + n / rate - time.monotonic()) > 0:
                        producer.poll(wait)
                while True:
                    try:
                        producer.produce("shop.events", value % n, timestamp=BEGINS + n // 50)
                        break
                    except BufferError:
                        producer.poll(0.01)
            producer.flush(60)
            until = time.monotonic() + _WAIT_SECONDS
            while (read := _read(folder)) < count and time.monotonic() < until:
                time.sleep(0.05)
            took, used = time.monotonic() - begun, _cpu_seconds(process.pid) - used
            peak = memory(process.pid)
    return {"per_second": read / took, "megabytes": peak, "microseconds": 1e6 * used / max(read, 1)}


def _event() -> bytes:
    row = {
        "event_id": "E%d",
        "occurred_at": "2024-03-01T12:00:00.000Z",
        "event": "Page Viewed",
        "anonymous_id": "A0001234",
        "customer_id": None,
        "product_id": "P00012",
        "device": "mobile",
        "user_agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit",
        "utm_source": "google",
        "utm_medium": "cpc",
    }
    return json.dumps(row).encode()


@contextmanager
def _consumer(
    folder: Path, address: str, topics: list[str], more: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of `ecom stream` that has begun."""
    environment = {**os.environ, "ECOM_DATA": str(folder), "ECOM_KAFKA": address, **(more or {})}
    command = [Path(sys.executable).with_name("ecom"), "stream", *topics, "--seconds", "5"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + _WAIT_SECONDS
        while not _status(folder).exists() and time.monotonic() < until:
            time.sleep(0.05)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def _status(folder: Path) -> Path:
    return folder / "monitoring" / "stream.json"


def _read(folder: Path) -> int:
    return int(json.loads(_status(folder).read_text())["taken"])


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _receiving() -> Iterator[tuple[str, dict[str, float]]]:
    """Yields the address of a server, and the moment at which it has answered for each order."""
    taken: dict[str, float] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            taken.setdefault(self.headers["Idempotency-Key"].rpartition(":")[2], time.monotonic())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
