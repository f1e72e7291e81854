"""Requests of the HTTP API by several clients at once."""

import http.client
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import quantiles
from typing import Any

from bench.child import free_port, memory
from ecom_assets import settings
from ecom_assets.serving.snapshot import open_snapshot

CLIENTS = 8
MAX_SECONDS = 30
WARM_UP = 2
"""Requests of each client before those that are measured."""
SETTLES_SECONDS = 3.0
TABLE = "gold.fact_sales"


def answers(home: Path, requests: int) -> dict[str, Any]:
    """Returns the 95th percentile, in milliseconds, of kinds of requests of CLIENTS at once, and what a CSV takes.

    That is the rows of the largest table, the milliseconds to its first byte, and by how many MB the server's memory
    grows at most, one at least.
    """
    with open_snapshot(settings.load().snapshot) as con:
        rows = con.execute(f"select order_id from {TABLE} using sample {requests} rows").fetchall()
        [(size,)] = con.execute(f"select count(*) from {TABLE}").fetchall()
    orders = [order for (order,) in rows]
    with served("api", "/healthz") as (port, process):
        tag = _got(http.client.HTTPConnection("127.0.0.1", port), "/tables/kpi.daily_sales", {})[1]["etag"]
        kinds: dict[str, Callable[[int], tuple[str, dict[str, str]]]] = {
            "the report": lambda n: ("/", {}),
            "first page of a table": lambda n: (f"/tables/kpi.daily_sales?sort=-net_sales&limit={100 - n % 50}", {}),
            "by number": lambda n: (f"/tables/{TABLE}/{orders[n % len(orders)]}", {}),
            "not changed": lambda n: ("/tables/kpi.daily_sales", {"If-None-Match": tag}),
        }
        found = {}
        for name, kind in kinds.items():
            _percentile(port, CLIENTS * WARM_UP, kind)
            time.sleep(SETTLES_SECONDS)  # an index is made beside, once per snapshot
            found[name] = _percentile(port, requests, kind)
        idle = memory(process.pid)
        first_byte = _read_csv(port)
        return {
            "ms": found,
            "csv": {"rows": size, "first_byte": first_byte, "grown": max(memory(process.pid) - idle, 1.0)},
        }


@contextmanager
def served(server: str, healthy: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Yields the port and the process of a server of ours, once it answers at an address."""
    port = free_port()
    command = [Path(sys.executable).with_name("ecom"), server, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + MAX_SECONDS
            while time.monotonic() < until:
                with suppress(OSError, RuntimeError):  # it does not listen yet, or is not ready
                    _got(http.client.HTTPConnection("127.0.0.1", port), healthy, {})
                    break
                time.sleep(0.1)
            yield port, process
        finally:
            process.kill()


def _percentile(port: int, requests: int, kind: Callable[[int], tuple[str, dict[str, str]]]) -> float:
    def ask(client: int) -> list[float]:
        connection, spent = http.client.HTTPConnection("127.0.0.1", port), []
        for n in range(requests // CLIENTS):
            address, headers = kind(client * requests + n)
            at = time.perf_counter()
            _got(connection, address, headers)
            spent.append(1000 * (time.perf_counter() - at))
        return spent

    with ThreadPoolExecutor(CLIENTS) as pool:
        return quantiles([ms for each in pool.map(ask, range(CLIENTS)) for ms in each], n=20)[-1]


def _got(connection: http.client.HTTPConnection, address: str, headers: dict[str, str]) -> tuple[bytes, Any]:
    connection.request("GET", address, headers=headers)
    response = connection.getresponse()
    body = response.read()
    if response.status not in (200, 304):
        raise RuntimeError(f"{address}: {response.status} {body[:300]!r}")
    return body, response.headers


def _read_csv(port: int) -> float:
    """Returns the milliseconds to the first byte of a table as CSV, once all has been read."""
    connection, at = http.client.HTTPConnection("127.0.0.1", port), time.perf_counter()
    connection.request("GET", f"/tables/{TABLE}?format=csv")
    response = connection.getresponse()
    response.read(1)
    first = 1000 * (time.perf_counter() - at)
    while response.read(1 << 16):
        pass
    return first
