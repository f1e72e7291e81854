"""A consumer that is killed again and again lands what one lands that never is, and so do files without a stream."""

import json
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ecom_assets_tests.streaming.broker import Broker, landed, order, wait_until
from ecom_assets_tests.tiny_shop import TinyShop, days, open_shop

DAYS = 3
JUDGED = ("silver.orders", "quarantine.orders", "superseded.orders")


def sent_rows(number: int, seed: int) -> list[tuple[int, dict[str, Any]]]:
    """Rows of orders with their arrival days: some sent twice, some late, some corrected, some bad."""
    rng = random.Random(seed)
    rows: list[tuple[int, dict[str, Any]]] = []
    for n in range(number):
        day = n * DAYS // number
        if rows and rng.random() < 0.05:
            row = rng.choice(rows)[1]
        elif rows and rng.random() < 0.05:
            row = {**rng.choice(rows)[1], "amount": "7.5", "updated_at": f"2024-04-01T00:00:00.{n:06}Z"}
        else:
            row = order(n, max(day - rng.choice([0, 0, 0, 1]), 0), amount=rng.choice(["1.25", "20", "300"]))
            if rng.random() < 0.02:
                row["amount"] = "-1"
        rows.append((day, row))
    return rows


def counted(shop: TinyShop) -> list[int]:
    """How many rows are accepted, quarantined and superseded."""
    shop.run(days(0, DAYS - 1))
    shop.run(days(0, DAYS - 1))
    return [shop.rows(f"select count(*) from {table}")[0][0] for table in JUDGED]


def measures(shop: TinyShop) -> list[list[Any]]:
    return [shop.rows(f"select * from {table} order by all") for table in ("kpi.daily", "gold.to_date")]


def killed(broker: Broker, folder: Path, rows: Sequence[tuple[int, dict[str, Any]]], kills: int, seed: int) -> str:
    """Sends rows to two partitions while a consumer is killed that many times, then lands the rest."""
    topic, rng = broker.topic(partitions=2), random.Random(seed)
    each = len(rows) // kills
    for n in range(kills):
        some = rows[n * each : (n + 1) * each if n < kills - 1 else len(rows)]
        sending = threading.Thread(target=send, args=(broker, topic, some))
        with broker.process(folder, topic) as process:
            before = files(folder)
            sending.start()
            wait_until(lambda before=before: files(folder) > before, seconds=60)
            time.sleep(rng.random() / 20)
            assert process.poll() is None
            process.kill()
            process.wait()
        sending.join()
    broker.consume(folder, topic)
    return topic


def files(folder: Path) -> int:
    return sum(1 for _ in (folder / "landing").rglob("kafka-*.jsonl"))


def send(broker: Broker, topic: str, rows: Sequence[tuple[int, dict[str, Any]]]) -> None:
    for day in range(DAYS):
        for partition in range(2):
            some = [row for on, row in rows if on == day and hash_of(row) == partition]
            broker.send(topic, some, day=day, partition=partition)


def hash_of(row: dict[str, Any]) -> int:
    return int(row["order_id"]) % 2


def prove(broker: Broker, folder: Path, number: int, kills: int, seed: int) -> None:
    rows = sent_rows(number, seed)
    killed(broker, folder / "stream", rows, kills, seed)
    places = [(partition, offset) for partition, offset, _ in landed(folder / "stream")]
    assert len(places) == len(set(places)) == number
    for partition in range(2):
        of_partition = sorted(offset for at, offset in places if at == partition)
        assert of_partition == list(range(len(of_partition)))

    with open_shop(folder / "stream") as streamed, open_shop(folder / "files") as filed:
        for day in range(DAYS):
            lines = "".join(f"{json.dumps(row)}\n" for on, row in rows if on == day)
            filed.session.zone.write("orders", days(day).first, "orders.jsonl", lines.encode())
            for shop in (streamed, filed):
                shop.land_customers(day, f"c{day}")
        assert counted(streamed) == counted(filed)
        assert sum(counted(streamed)) == number
        assert measures(streamed) == measures(filed)


@pytest.mark.slow
def test_kills_lose_and_double_nothing(broker, tmp_path):
    prove(broker, tmp_path, 6_000, kills=5, seed=1)


@pytest.mark.long
def test_two_hundred_kills_over_a_million_events(broker, tmp_path):
    prove(broker, tmp_path, 1_000_000, kills=200, seed=2)
