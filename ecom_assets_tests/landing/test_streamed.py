"""Files of streams: what counts of those that overlap, and what changes when they are folded."""

import datetime as dt
import json
from pathlib import Path

import pytest

from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.reading import read
from ecom_assets.landing.streamed import ASIDE, FOLDED, REPLAYED, Progress, Stream, range_of, write_progress
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import connect
from ecom_assets_tests.tiny_shop import START, on

STREAM = Stream("shop.orders", "AbCdEfGhIjKlMnOpQrSt-_", 2)


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path)


def land(zone: Zone, *offsets: int, kind: str = "", stream: Stream = STREAM) -> Path:
    lines = [json.dumps({"_offset": offset, "order_id": str(offset)}) for offset in offsets]
    name = stream.file_name(min(offsets), max(offsets), kind)
    return zone.write("orders", START, name, "".join(f"{line}\n" for line in lines).encode())


def rows(zone: Zone) -> list[tuple[str, int, str]]:
    with connect() as con:
        found = read(con, zone.arrivals("orders", START, START)[START], ["order_id"]).fetchall()
    return sorted((row[2], row[3], row[0]) for row in found)


def fingerprint(zone: Zone) -> int:
    return zone.fingerprint("orders", START, START)[START]


@pytest.mark.parametrize("stream", [STREAM, Stream("a-b.c.0-1", "0", 12), Stream("a_b", "0", 0, 3)])
def test_a_stream_is_known_by_the_name_of_its_file(stream):
    found = range_of(stream.file_name(5, 70, REPLAYED))

    assert found == (stream.source, 5, 70, REPLAYED)
    assert Stream.of(found.source) == stream


def test_rows_of_a_stream_are_those_of_one_file_whatever_they_landed_in(zone):
    land(zone, 0, 1, 4)
    land(zone, 5, 6)

    assert rows(zone) == [(STREAM.source, offset + 1, str(offset)) for offset in (0, 1, 4, 5, 6)]


def test_an_offset_in_several_files_counts_once(zone):
    land(zone, 0, 1, 4, 5)
    land(zone, 1, 4)
    land(zone, 4, 5, 6)
    land(zone, 2, 3, kind=REPLAYED)

    assert [number for _, number, _ in rows(zone)] == [1, 2, 3, 4, 5, 6, 7]


def test_folding_changes_neither_rows_nor_the_fingerprint(zone):
    small = [land(zone, 0, 1, 4), land(zone, 5, 6)]
    before = rows(zone), fingerprint(zone)
    land(zone, 0, 1, 4, 5, 6, kind=FOLDED)

    assert len(zone.arrivals("orders", START, START)[START]) == 1
    assert (rows(zone), fingerprint(zone)) == before
    for path in small:
        path.unlink()
    assert (rows(zone), fingerprint(zone)) == before


def test_a_fingerprint_changes_with_what_lands(zone):
    seen = {fingerprint(zone)}
    for offsets, kind in (((0, 1), ""), ((3, 4), ""), ((2,), REPLAYED)):
        land(zone, *offsets, kind=kind)
        seen.add(fingerprint(zone))
    land(zone, 0, stream=Stream("shop.orders", "0", 3))

    assert len({*seen, fingerprint(zone)}) == 5


def test_events_are_complete_up_to_the_slowest_partition_less_the_lateness(zone):
    assert zone.watermarks() == {}
    noon = dt.datetime(2024, 3, 2, 12, tzinfo=dt.UTC)
    moments = {"a": ("events", noon), "b": ("events", noon + dt.timedelta(hours=3)), "c": ("orders", noon)}
    progress = {source: Progress(feed, int(at.timestamp() * 1_000)) for source, (feed, at) in moments.items()}
    write_progress(zone.root / ASIDE, progress)
    zone.save_settings("events", FeedSettings(lateness=120))

    assert zone.watermarks() == {"events": (2, noon - dt.timedelta(hours=2)), "orders": (1, noon)}
    (zone.root / ASIDE / "progress.json").write_text("{")
    assert zone.watermarks() == {}


def test_a_file_beside_streams_is_noticed(zone):
    land(zone, 0)
    zone.write("orders", START, "a.csv", b"order_id\n1\n")
    before = zone.fingerprint("orders", START, on(1))
    zone.write("orders", START, "b.csv", b"order_id\n2\n")

    assert zone.fingerprint("orders", START, on(1)) != before
