"""Many writers while the server is killed, and many readers while snapshots are replaced."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from ecom_assets.settings import Settings
from ecom_assets_tests.api.serving import Client, republish
from ecom_assets_tests.tiny_shop import on, open_shop, order

SERVER = """
import datetime as dt, sys
from pathlib import Path
import uvicorn
from ecom_assets.api.app import application
from ecom_assets.settings import Settings
from ecom_assets_tests.tiny_shop import on, tables
known = Settings(Path(sys.argv[1]), start=on(0), end=on(5))
uvicorn.run(application(known, tables()), fd=int(sys.argv[2]), log_level="error")
"""
WRITERS, ROWS, KILLS = 8, 10_000, 20
READERS, SWAPS, SECONDS = 20, 100, 120


class Server:
    """A server in a process of its own, on a port that stays open while it is killed and started again."""

    def __init__(self, folder: Path) -> None:
        import socket

        self.folder = folder
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.set_inheritable(True)
        self.start()

    def start(self) -> None:
        handle = self.socket.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self.folder), str(handle)], pass_fds=[handle], env=os.environ
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def server(folder: Path) -> Iterator[tuple[Server, Client]]:
    running = Server(folder)
    try:
        yield running, Client(running.socket.getsockname()[1], Settings(folder, start=on(0), end=on(5)))
    finally:
        running.kill()
        running.socket.close()


@pytest.mark.long
def test_each_write_that_was_acknowledged_is_there_exactly_once(tmp_path):
    acknowledged: dict[str, str] = {}

    def write(number: int) -> None:
        row = {"customer_id": f"c{number}", "joined_at": f"{on(number % 5)}T10:00:00Z"}
        while True:
            try:
                found = client.send("POST", "/customers", row, Idempotency_Key=f"k{number}")
            except (OSError, http.client.HTTPException, urllib.error.URLError):
                continue  # it was killed: the client does not know, and sends it again
            if found.status == 201:
                acknowledged[row["customer_id"]] = found.headers["Sync-Token"]
                return
            assert found.status == 503, found.body

    with server(tmp_path) as (running, client):
        with ThreadPoolExecutor(WRITERS) as pool:
            done = [pool.submit(write, number) for number in range(ROWS)]
            for kill in range(1, KILLS + 1):
                while len(acknowledged) < kill * ROWS // (KILLS + 1):
                    time.sleep(0.01)
                running.kill()
                running.start()
            for each in done:
                each.result()
        token = acknowledged["c0"]
        assert client.get("/customers/c0", Sync_Token=token).json["row"]["customer_id"] == "c0"

    with open_shop(tmp_path, warehouse=tmp_path / "warehouse.duckdb") as shop:
        republish(shop, client)
        landed = shop.rows("select customer_id, count(*) from bronze.customers group by 1")
        kept = shop.rows(
            "select customer_id from silver.customers union all from (select customer_id from quarantine.customers)"
        )
    assert dict(landed) == dict.fromkeys(acknowledged, 1)
    assert sorted(number for (number,) in kept) == sorted(acknowledged)


@pytest.mark.long
def test_readers_see_whole_snapshots_while_they_are_replaced(tmp_path):
    expected: dict[str, int] = {}
    is_over = threading.Event()
    pages = []

    def read(number: int) -> None:
        while not is_over.is_set():
            address, rows, seen = "/tables/gold.sales?limit=17", 0, set()
            while address:
                found = client.get(address)
                if found.status == 410:
                    break
                assert found.status == 200, found.body
                seen.add(found.json["snapshot"])
                rows += len(found.json["rows"])
                address = found.json["next"]
            else:
                [snapshot] = seen
                pages.append((snapshot, rows))

    with open_shop(tmp_path, warehouse=tmp_path / "warehouse.duckdb") as shop:
        shop.land_customers(0, "c1")
        shop.land_orders(0, *(order(number, 0, customer="c1") for number in range(100)))
        with server(tmp_path) as (_, client):
            republish(shop, client)
            until = time.monotonic() + SECONDS
            while client.get("/healthz").status != 200:
                time.sleep(0.1)
            expected[client.get("/healthz").json["snapshot"]] = 100
            with ThreadPoolExecutor(READERS) as pool:
                reading = [pool.submit(read, number) for number in range(READERS)]
                try:
                    for swap in range(1, SWAPS + 1):
                        time.sleep(max(0, (until - time.monotonic()) / (SWAPS + 1 - swap) - 0.5))
                        shop.land_orders(0, order(1000 + swap, 0, customer="c1"), file=f"{swap}.csv")
                        republish(shop, client)
                        expected[client.get("/healthz").json["snapshot"]] = 100 + swap
                finally:
                    is_over.set()
                for each in reading:
                    each.result()

    assert len(expected) == SWAPS + 1
    assert pages
    assert {(snapshot, rows) for snapshot, rows in pages} <= set(expected.items())
