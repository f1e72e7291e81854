"""The consumer, at a real broker: each record lands once, whatever happens in between."""

import datetime as dt
import errno
import json
import os
import sys
import threading
from itertools import pairwise

import pytest

from ecom_assets.errors import UserError
from ecom_assets.landing import files
from ecom_assets.landing.streamed import ASIDE, range_of
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.streaming import landing
from ecom_assets.streaming.consumer import AlreadyConsumed, stream_topics
from ecom_assets.streaming.dead_letters import kept, replay
from ecom_assets.streaming.kafka import Client
from ecom_assets.streaming.landing import TwoConsumers
from ecom_assets.streaming.records import SCHEMA_HEADER
from ecom_assets_tests.streaming.broker import CUSTOMERS, landed, order, wait_until
from ecom_assets_tests.streaming.consuming import ORDERS
from ecom_assets_tests.tiny_shop import days, open_shop

OF_LANDING = {files.__file__, landing.__file__}


def numbers(folder) -> list[str]:
    return [number for _, _, number in landed(folder)]


def test_each_record_lands_once_and_the_next_consumer_goes_on(broker, tmp_path):
    topic = broker.topic()
    broker.send(topic, [order(n) for n in range(5)])
    broker.consume(tmp_path, topic)
    broker.send(topic, [order(n) for n in range(5, 8)])
    broker.consume(tmp_path, topic)

    assert landed(tmp_path) == [(0, n, str(n)) for n in range(8)]
    files = sorted(path.name for path in (tmp_path / "landing" / "orders").rglob("*.jsonl"))
    found = [range_of(name) for name in files]
    assert all(before.last + 1 == after.first for before, after in pairwise(found))


def test_rows_of_a_stream_have_their_offsets_in_the_warehouse(broker, tmp_path):
    topic = broker.topic()
    broker.send(topic, [order(1), order(1, amount="12"), order(2, amount="many")])
    broker.send(topic, [order(3, day=1)], day=1)
    broker.consume(tmp_path, topic)

    with open_shop(tmp_path) as shop:
        shop.land_customers(0, "c1")
        shop.land_customers(1, "c2")
        shop.run(days(0, 1))

        source = f"kafka-{topic}.0-0"
        assert shop.rows("select distinct source_file from bronze.orders") == [(source,)]
        assert shop.rows("select record, order_id from bronze.orders order by all")[0] == (1, "1")
        assert shop.rows("select order_id, amount from silver.orders order by all") == [("1", 12), ("3", 10)]
        assert shop.rows("select record from quarantine.orders") == [(3,)]
        assert shop.rows("select record, by_record from superseded.orders") == [(1, 2)]


def test_an_arrival_day_is_that_of_the_record_and_never_goes_back(broker, tmp_path):
    topic = broker.topic()
    for number, some in enumerate([[0, 1, 0], [0], [2]]):
        for day in some:
            broker.send(topic, [order(number)], day=day)
        broker.consume(tmp_path, topic)

    found = [(path.parent.name, range_of(path.name)) for path in (tmp_path / "landing" / "orders").rglob("*.jsonl")]
    places = [(day, each.first, each.last) for day, each in sorted(found)]
    assert places == [("2024-03-01", 0, 0), ("2024-03-02", 1, 2), ("2024-03-02", 3, 3), ("2024-03-03", 4, 4)]


def test_what_cannot_be_read_is_a_dead_letter_and_lands_once_after_a_fix(broker, tmp_path, monkeypatch):
    monkeypatch.setattr("ecom_assets.streaming.records.MAX_BYTES", 1_000)
    topic = broker.topic()
    poison = [b"\xff\xfe", b"{", b"[1]", b'{"order_id":"a\\u0000b"}', b"x" * 2_000]
    broker.send(topic, [order(0), *poison, order(6)])
    broker.send(topic, [order(7)], headers={SCHEMA_HEADER: b"2"})
    broker.consume(tmp_path, topic)

    assert numbers(tmp_path) == ["0", "6"]
    letters = kept(tmp_path / "dead_letters")
    assert [offset for _, offset in letters] == [1, 2, 3, 4, 5, 7]
    reasons = [letter.reason for letter in letters.values()]
    for reason, word in zip(reasons, ["UTF-8", "JSON", "object", "NUL", "bytes", "schema version"], strict=True):
        assert word in reason

    broker.consume(tmp_path, topic)  # reads the last one again
    zone = broker.consumer(tmp_path, topic).job.zone
    monkeypatch.setattr("ecom_assets.streaming.records.SCHEMAS", {b"1", b"2"})
    first = replay(zone, tmp_path / "dead_letters", {"orders": ORDERS}, "2024-03-05")
    again = replay(zone, tmp_path / "dead_letters", {"orders": ORDERS}, "2024-03-06")

    assert (first.landed, len(first.left), again.landed) == (1, 5, 0)
    assert sorted(numbers(tmp_path)) == ["0", "6", "7"]
    assert landed(tmp_path)[-1] == (0, 7, "7")


def test_a_replay_that_was_interrupted_lands_nothing_twice(broker, tmp_path, monkeypatch):
    topic = broker.topic()
    broker.send(topic, [order(0)], headers={SCHEMA_HEADER: b"2"})
    broker.consume(tmp_path, topic)
    zone, folder = broker.consumer(tmp_path, topic).job.zone, tmp_path / "dead_letters"
    [letter] = folder.iterdir()
    before = letter.read_bytes()
    monkeypatch.setattr("ecom_assets.streaming.records.SCHEMAS", {b"2"})
    replay(zone, folder, {"orders": ORDERS}, "2024-03-05")
    letter.write_bytes(before)  # as if it had been killed before the letters were removed
    done = replay(zone, folder, {"orders": ORDERS}, "2024-03-06")

    assert (done.landed, done.landed_before) == (0, 1)
    assert numbers(tmp_path) == ["0"]
    assert not list(folder.iterdir())


def test_a_tombstone_retracts_its_key(broker, tmp_path):
    topic, of_pairs = broker.topic(), broker.topic()
    broker.send(topic, [order(1), order(2)])
    broker.send(topic, [None], key=b"1", day=1)
    broker.send(of_pairs, [None])
    broker.consume(tmp_path, topic)
    broker.consume(tmp_path, of_pairs, feed=ORDERS.__class__("orders", ("order_id", "line_number")))

    with open_shop(tmp_path) as shop:
        for day in (0, 1):
            shop.land_customers(day, f"c{day}")
        shop.run(days(0, 1))
        shop.run(days(0, 1))
        assert shop.orders() == [(0, 2)]
    [letter] = kept(tmp_path / "dead_letters").values()
    assert "tombstone" in letter.reason


def test_gaps_in_offsets_are_no_records(broker, tmp_path, monkeypatch):
    """Aborted transactions leave gaps, and so do the records that a compacted topic has dropped."""
    monkeypatch.setattr("ecom_assets.streaming.consumer.END_SECONDS", 1.0)
    topic = broker.topic()
    broker.send_in_transactions(topic, [(True, [order(0)]), (False, [order(1), order(2)]), (True, [order(3)])])
    broker.consume(tmp_path, topic)
    broker.send_in_transactions(topic, [(True, [order(4)])])
    broker.consume(tmp_path, topic)

    assert numbers(tmp_path) == ["0", "3", "4"]
    offsets = [offset for _, offset, _ in landed(tmp_path)]
    assert offsets == sorted(set(offsets))
    assert offsets[-1] > 4


def test_a_compacted_topic_lands_what_it_still_has(broker, tmp_path, monkeypatch):
    """Its log has lost records in the middle, at the end, and later the last one that had landed."""
    topic, dropped, take, notes = broker.topic(), {1, 2, 4}, Client.take, []
    monkeypatch.setattr("ecom_assets.streaming.consumer.END_SECONDS", 1.0)
    monkeypatch.setattr(
        Client, "take", lambda *given: [each for each in take(*given) if each.error() or each.offset() not in dropped]
    )
    broker.send(topic, [order(n) for n in range(5)])
    broker.consume(tmp_path, topic, told=lambda *told: notes.append(told))
    assert numbers(tmp_path) == [*"03"]
    dropped |= {0, 3, 5}
    broker.send(topic, [order(n) for n in range(5, 8)])
    broker.consume(tmp_path, topic, told=lambda *told: notes.append(told))

    assert numbers(tmp_path) == [*"0367"]
    assert notes == []


@pytest.mark.parametrize("records", [1, 6])
def test_a_topic_that_was_made_anew_lands_whole(broker, tmp_path, records):
    """With fewer records than had landed, or more: then the last one that landed is another one now."""
    topic = broker.topic()
    broker.send(topic, [order(n) for n in range(4)])
    broker.consume(tmp_path, topic)
    broker.make_anew(topic)
    broker.send(topic, [order(100 + n) for n in range(records)])
    notes = []
    broker.consume(tmp_path, topic, told=lambda *told: notes.append(told))

    assert sorted(numbers(tmp_path)) == sorted([*"0123", *(str(100 + n) for n in range(records))])
    assert len(notes) == 1
    broker.consume(tmp_path, topic)
    assert len(numbers(tmp_path)) == 4 + records


def test_records_that_were_deleted_before_they_landed_are_told(broker, tmp_path):
    topic = broker.topic()
    broker.send(topic, [order(n) for n in range(2)])
    broker.consume(tmp_path, topic)
    broker.send(topic, [order(n) for n in range(2, 8)])
    broker.delete_before(topic, 5)
    notes = []
    broker.consume(tmp_path, topic, told=lambda *told: notes.append(told))

    assert numbers(tmp_path) == [*"01567"]
    [(_, _, note)] = notes
    assert note.startswith("3 records")


def test_a_landing_zone_that_cannot_be_written_pauses_and_loses_nothing(broker, tmp_path):
    topic = broker.topic()
    broker.send(topic, [order(n) for n in range(3)])
    blocked = tmp_path / "landing" / "orders"
    blocked.parent.mkdir()
    blocked.write_text("a file where the folder should be")
    notes = []
    consumer = broker.consumer(tmp_path, topic, seconds=0.0, told=lambda *told: notes.append(told))
    consumer.job.zone.days = lambda feed: []
    thread = threading.Thread(target=consumer.run)
    thread.start()
    status = tmp_path / "stream.json"
    wait_until(lambda: status.exists() and json.loads(status.read_text())["state"] == "paused")
    blocked.unlink()
    thread.join(20)

    assert numbers(tmp_path) == [*"012"]
    assert [note is None for _, about, note in notes if about == "paused"] == [False, True]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_full_disk_pauses_and_loses_nothing(broker, tmp_path, monkeypatch, call):
    """It is full three times in a row: half of what is written is there, or none of it is certain to be."""
    topic, works, left, notes = broker.topic(), getattr(os, call), [1, 1, 1], []
    monkeypatch.setattr("ecom_assets.streaming.consumer.FIRST_PAUSE", 0.01)
    status = tmp_path / "stream.json"

    def full(*given, **more):
        is_ours = sys._getframe(1).f_code.co_filename in OF_LANDING
        if is_ours and left and (call != "replace" or f"{given[1]}".endswith(".jsonl")):
            left.pop()
            if call == "write":
                works(given[0], given[1][: len(given[1]) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return works(*given, **more)

    def told(*about):
        notes.append(about)
        if about[-1]:
            paused.append(json.loads(status.read_text()) if status.exists() else None)

    paused = []
    broker.send(topic, [order(n) for n in range(3)])
    consumer = broker.consumer(tmp_path, topic, seconds=0.0, told=told)
    thread = threading.Thread(target=consumer.run)
    monkeypatch.setattr(os, call, full)
    thread.start()
    thread.join(20)

    assert not left
    assert numbers(tmp_path) == [*"012"]
    assert [note is None for _, about, note in notes if about == "paused"] == [False, False, False, True]
    assert {one["state"] for one in paused[1:]} == {"paused"}
    assert [row["landed"] for one in paused[1:] for row in one["partitions"]] == [0, 0]


def test_the_snapshot_says_up_to_when_a_stream_is_complete(broker, tmp_path):
    topic = broker.topic(partitions=2)
    broker.send(topic, [order(1)], partition=1)
    with broker.process(tmp_path, topic, seconds=600) as process:
        wait_until(lambda: any((tmp_path / "landing" / ASIDE).glob("*.part")))
        process.kill()
    waiting = broker.consumer(tmp_path, topic).job.zone.watermarks().get("orders")
    assert waiting is None or waiting.complete_until.year < 2024

    broker.consume(tmp_path, topic)  # all has landed, and there is no other
    with open_shop(tmp_path, warehouse=tmp_path / "warehouse.duckdb") as shop:
        shop.land_customers(0, "c1")
        shop.run(days(0))
        publish(shop.session, tmp_path / "snapshot.duckdb")
    with open_snapshot(tmp_path / "snapshot.duckdb") as con:
        [(feed, partitions, until, day)] = con.execute("from ledger.watermarks").fetchall()

    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    assert (feed, partitions, day) == ("orders", 2, until.date() - dt.timedelta(days=1))
    assert dt.timedelta() <= now - until < dt.timedelta(minutes=5)


def test_a_second_consumer_does_not_begin(broker, tmp_path):
    topic = broker.topic()
    consumer = broker.consumer(tmp_path, topic, until_end=False)
    thread = threading.Thread(target=consumer.run)
    thread.start()
    wait_until((tmp_path / "stream.json").exists)
    try:
        with pytest.raises(AlreadyConsumed):
            broker.consume(tmp_path, topic)
    finally:
        consumer.stopping.set()
        thread.join()


def test_the_signal_to_end_lands_what_was_read(broker, tmp_path):
    topic = broker.topic()
    broker.send(topic, [order(n) for n in range(3)])
    with broker.process(tmp_path, topic, seconds=600) as process:
        unfinished = tmp_path / "landing" / ASIDE
        wait_until(lambda: any(unfinished.glob("*.part")))
        assert numbers(tmp_path) == []
        process.terminate()
        assert process.wait(20) == 0

    assert numbers(tmp_path) == [*"012"]
    assert not list(unfinished.glob("*.part"))
    assert json.loads((tmp_path / "stream.json").read_text())["state"] == "ended"


def test_files_of_two_consumers_never_double_a_row(broker, tmp_path):
    """As if another machine had landed the same records meanwhile, in files of other sizes."""
    topic, elsewhere = broker.topic(), tmp_path / "elsewhere"
    for some in (range(4), range(4, 6)):
        broker.send(topic, [order(n) for n in some])
        broker.consume(elsewhere, topic)
    consumer = broker.consumer(tmp_path, topic)
    consumer._look()
    for path in (elsewhere / "landing" / "orders").rglob("*.jsonl"):
        consumer.job.zone.write("orders", days(0).first, path.name, path.read_bytes())
    consumer.partitions[topic, 0].lander.landed = -1
    with pytest.raises(TwoConsumers):
        consumer.run()
    assert not list((tmp_path / "landing" / ASIDE).glob("*.part"))

    whole = (tmp_path / "landing" / "orders").rglob("*.jsonl")
    data = b"".join(path.read_bytes() for path in sorted(whole))
    consumer.job.zone.write("orders", days(0).first, f"kafka-{topic}.0-0-{0:019}-{5:019}.jsonl", data)
    with open_shop(tmp_path) as shop:
        shop.land_customers(0, "c1")
        [result] = shop.run(days(0))["bronze.orders"]
        assert shop.orders() == [(0, n) for n in range(6)]
        assert shop.rows("select count(*) from superseded.orders") == [(0,)]
    assert result.warned == {"Every record of a stream lands once.": 6}
    assert "landed twice" in result.note


def test_topics_are_of_the_feed_that_their_last_part_names():
    feeds = {"orders": ORDERS, "customers": CUSTOMERS}
    assert stream_topics(["shop.orders", "people=customers"], feeds) == {"shop.orders": ORDERS, "people": CUSTOMERS}
    with pytest.raises(UserError, match="no feed 'visits'"):
        stream_topics(["shop.visits"], feeds)
