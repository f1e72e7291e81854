"""What lands as a line is read from its file as it was sent."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.landing.reading import read
from ecom_assets.landing.streamed import Stream
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import connect
from ecom_assets.streaming.records import Record, Unreadable, read_record, retraction
from ecom_assets_tests.examples import examples
from ecom_assets_tests.streaming.broker import CUSTOMERS
from ecom_assets_tests.streaming.consuming import ORDERS
from ecom_assets_tests.tiny_shop import START

COLUMNS = ["order_id", "amount"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
ROWS = st.dictionaries(st.sampled_from([*COLUMNS, "more", "_offset"]), VALUES, max_size=3)
SENT = st.tuples(ROWS, st.booleans(), st.sampled_from([None, 1])).map(
    lambda made: json.dumps(made[0], ensure_ascii=made[1], indent=made[2]).encode(errors="surrogatepass")
)


@settings(max_examples=examples(60))
@given(values=st.lists(SENT | st.binary(max_size=8), min_size=1, max_size=8))
def test_every_line_is_read_with_its_offset(values, tmp_path_factory):
    zone, stream = Zone(tmp_path_factory.mktemp("landing")), Stream("shop.orders", "0", 3)
    lines = {}
    for offset, value in enumerate(values):
        with suppress(Unreadable):
            lines[offset], _ = read_record(Record(offset, 0, None, value), ORDERS)
    zone.write("orders", START, stream.file_name(0, len(values)), b"".join(lines.values()))

    files = zone.arrivals("orders", START, START)[START]
    with connect() as con:
        found = read(con, files, COLUMNS).fetchall()

    assert {row[4]: row[6:] for row in found} == {offset + 1: (None, None) for offset in lines}
    assert {row[3] for row in found} <= {"kafka-shop.orders.0-3"}


def test_a_line_has_the_bytes_that_were_sent():
    line, values = read_record(Record(7, 0, None, b' {"amount": 1.10,\n "order_id":"a"}\n'), ORDERS)

    assert line == b'{"_offset":7,"amount": 1.10,  "order_id":"a"}\n'
    assert values == {"amount": 1.1, "order_id": "a"}


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"null",
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\u0000"}',
        '{"a":1}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_no_table_can_store_does_not_land(value):
    with pytest.raises(Unreadable):
        read_record(Record(0, 0, None, value), ORDERS)


def test_a_backslash_before_u0000_is_text():
    line, _ = read_record(Record(0, 0, None, b'{"a":"\\\\u0000"}'), ORDERS)

    assert json.loads(line)["a"] == "\\u0000"


def test_a_tombstone_is_a_retraction_at_its_moment():
    found = retraction(Record(0, 1_709_290_000_000, b"7", None), CUSTOMERS)

    assert found == {"customer_id": "7", "joined_at": "2024-03-01T10:46:40+00:00", "is_deleted": True}
    with pytest.raises(Unreadable, match="customer_id"):
        retraction(Record(0, 0, None, None), CUSTOMERS)


def test_a_damaged_line_keeps_the_others(tmp_path):
    zone, name = Zone(tmp_path), Stream("shop.orders", "0", 0).file_name(5, 8)
    zone.write("orders", START, name, b'{"_offset":5,"order_id":"a"}\n{"_offs\n{"_offset":8,"order_id":"b"}\n')

    files = zone.arrivals("orders", START, START)[START]
    with connect() as con:
        found = read(con, files, COLUMNS).fetchall()
    assert sorted((row[4], row[0]) for row in found if row[6] is None) == [(6, "a"), (9, "b")]
    assert [row[4] < 0 for row in found if row[6]] == [True]
