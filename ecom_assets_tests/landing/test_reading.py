"""Landed files become the same rows by either way of reading, and a broken record costs one row."""

import csv
import datetime as dt
import gzip
import io
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.landing.reading import RECORD_LIMIT, Dialect, quick, read
from ecom_assets.landing.reading.patient import patient_batches
from ecom_assets.landing.reading.quick import Stream
from ecom_assets.landing.reading.records import OURS, batch_schema
from ecom_assets.landing.zone import LandedFile

COLUMNS = ("order_id", "note", "price")
DAY = dt.date(2024, 1, 3)


def landed(path: Path, **facts: Any) -> LandedFile:
    return LandedFile("orders", facts.pop("day", DAY), path.name, str(path), path.stat().st_size, "", **facts)


def land(folder: Path, name: str, content: bytes) -> LandedFile:
    path = folder / name
    path.write_bytes(content)
    return landed(path)


def rows(*files: LandedFile, columns: tuple[str, ...] = COLUMNS) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        return read(con, files, columns).order("arrived_on, source_file, record").fetchall()


def values(*files: LandedFile) -> list[tuple[Any, ...]]:
    return [row[:3] for row in rows(*files) if row[7] is None]


def problems(*files: LandedFile) -> list[tuple[int, str, str]]:
    """Record, problem and raw record of what cannot be read."""
    return [(row[5], row[7], row[8]) for row in rows(*files) if row[7] is not None]


def patient_rows(file: LandedFile) -> list[tuple[Any, ...]]:
    schema = batch_schema(COLUMNS)
    batches = patient_batches(file, COLUMNS, schema, Dialect())
    return [tuple(row.values()) for row in pa.Table.from_batches(batches, schema).to_pylist()]


def quick_rows(file: LandedFile, scratch: Path) -> list[tuple[Any, ...]] | None:
    """The rows as DuckDB reads them, or None where it refuses the file."""
    schema = batch_schema(COLUMNS)
    source, shape = quick._prepare(file, COLUMNS, Dialect(), scratch)
    if shape is None:
        return None
    try:
        batches = list(quick._quick(shape, [source], COLUMNS, schema, quick._Progress()))
    except (duckdb.Error, OSError, pa.ArrowException):
        return None
    return [tuple(row.values()) for row in pa.Table.from_batches(batches, schema).to_pylist()]


TEXTS = st.text(st.sampled_from("ab1é€😀 ,\"'\n\r\\;{}[]:.0-"), max_size=8)
HEADERS = st.sampled_from(
    [("order_id", "note", "price"), ("price", "extra", " note "), ("note", "note", "order_id", "")]
)


@settings(max_examples=30, deadline=None)
@given(
    header=HEADERS,
    texts=st.lists(st.lists(TEXTS, min_size=4, max_size=4), max_size=6),
    end=st.sampled_from(["\n", "\r\n"]),
)
@pytest.mark.slow
def test_both_ways_read_a_csv_file_alike(
    tmp_path_factory: pytest.TempPathFactory, header: tuple[str, ...], texts: list[list[str]], end: str
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([header, *(line[: len(header)] for line in texts)])
    file = land(folder, "a.csv", text.getvalue().encode())

    assert quick_rows(file, folder / "unpacked") == patient_rows(file)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    TEXTS,
    st.sampled_from(
        ["1.50", "0", "-0", "1e3", "-0.00001", "12345678901234567.10", "9007199254740993", "1.0", "100"]
    ).map(lambda text: ("number", text)),
)


def dump(value: Any, spaced: bool) -> str:
    colon, comma = (": ", ", ") if spaced else (":", ",")
    if isinstance(value, tuple):
        return value[1]
    if isinstance(value, dict):
        return "{" + comma.join(f"{json.dumps(key)}{colon}{dump(inner, spaced)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + comma.join(dump(inner, spaced) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=spaced)


RECORDS = st.dictionaries(
    st.sampled_from([*COLUMNS, "extra", "price/vat"]),
    st.one_of(SCALARS, SCALARS, st.lists(SCALARS, max_size=2)),
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=4), spaced=st.booleans())
def test_both_ways_read_json_lines_alike(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], spaced: bool
) -> None:
    folder = tmp_path_factory.mktemp("json")
    file = land(folder, "a.jsonl", "\n".join(dump(record, spaced) for record in records).encode())

    assert quick_rows(file, folder / "unpacked") in (None, patient_rows(file))


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    lines=st.lists(
        st.sampled_from([b"1,a,2", b'1,"a\nb",2', b"1,2", b'"1,a,2', b"\xff,a,2", b"1,a,2,3", b""]), max_size=8
    ),
    packed=st.booleans(),
    cut=st.integers(0, 30),
)
def test_a_damaged_file_beside_good_ones_gives_what_it_gives_alone(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], packed: bool, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = b"\n".join([b"order_id,note,price", *lines])
    content = gzip.compress(content)[: -cut or None] if packed else content
    damaged = land(folder, "b.csv.gz" if packed else "b.csv", content)
    good = [land(folder, f"{name}.csv", b"order_id,note,price\n7,x,8\n") for name in "ac"]

    together = rows(good[0], damaged, good[1])

    assert [row for row in together if row[4] == damaged.name] == patient_rows(damaged)
    assert [row[:3] for row in together if row[4] != damaged.name] == [("7", "x", "8")] * 2


def test_numbers_keep_the_text_in_which_they_were_sent(tmp_path: Path) -> None:
    file = land(
        tmp_path, "a.jsonl", b'{"order_id":12345678901234567890,"price":1.50}\n{"order_id":true,"price":{"x":1.10}}'
    )

    assert values(file) == [("12345678901234567890", None, "1.50"), ("true", None, '{"x":1.10}')]


def test_an_empty_csv_field_is_null(tmp_path: Path) -> None:
    assert values(land(tmp_path, "a.csv", b'order_id,note,price\n1,,""\n')) == [("1", None, None)]


def test_a_missing_column_is_null_and_an_unknown_one_is_kept(tmp_path: Path) -> None:
    file = land(tmp_path, "a.csv", b"price,Order_ID,x';drop\n2,1,\n3,4,5\n")

    assert [row[:3] + row[6:7] for row in rows(file)] == [
        (None, None, "2", '{"Order_ID":"1"}'),
        (None, None, "3", '{"Order_ID":"4","x\';drop":"5"}'),
    ]


def test_a_file_without_any_known_column_is_one_unreadable_record(tmp_path: Path) -> None:
    [(record, problem, _)] = problems(land(tmp_path, "a.csv", b"p;q\n1;2\n3;4\n"))

    assert record == 1
    assert "none of the feed's columns" in problem


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1,2", "has 2 fields where the header has 3"),
        (b"1,a,2,3", "has 4 fields where the header has 3"),
        (b"1,\xe9,2", "byte 0xE9 at position 3 is not UTF-8"),
        (b'1,"a"b,2', "text follows a closing quote"),
        (b'"1,a,2', "a quote is opened and never closed"),
        (b"1,\0,2", "contains a NUL byte"),
        (b"1," + b"x" * RECORD_LIMIT + b",2", f"longer than {RECORD_LIMIT} bytes"),
    ],
)
def test_a_broken_csv_line_is_set_aside_and_the_others_go_on(tmp_path: Path, line: bytes, reason: str) -> None:
    file = land(tmp_path, "a.csv", b'order_id,note,price\n7,"x\ny",8\n' + line + b"\n9,z,10\n")

    [(record, problem, raw)] = problems(file)

    assert values(file) == [("7", "x\ny", "8"), ("9", "z", "10")]
    assert record == 2
    assert problem.startswith(f"line 4: {reason}")
    assert len(raw) < 10_100
    assert raw.startswith(line[:2].decode())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"order_id":', "is broken JSON"),
        (b"[1]", "is JSON but not an object"),
        (b'{"note":"\xe9"}', "byte 0xE9"),
        (b'{"note":NaN}', "is broken JSON"),
        (b'{"note":1,}', "is broken JSON"),
        (b'{"note":"\\ud800"}', "contains half a surrogate pair"),
        (b'{"note":"\\u0000"}', "contains a NUL character"),
        (b'{"note":' + b"[" * 100_000 + b"]" * 100_000 + b',"price":NaN}', "is broken JSON"),
    ],
)
def test_a_broken_json_line_is_set_aside_and_the_others_go_on(tmp_path: Path, line: bytes, reason: str) -> None:
    file = land(tmp_path, "a.ndjson", b'{"order_id":"7"}\n\n' + line + b'\n{"order_id":"9"}')

    [(record, problem, _)] = problems(file)

    assert values(file) == [("7", None, None), ("9", None, None)]
    assert record == 2
    assert problem.startswith(f"line 3: {reason}")


@pytest.mark.slow
def test_rows_before_the_cut_of_a_gzip_go_on_and_the_rest_is_one_record(tmp_path: Path) -> None:
    lines = b"".join(b"%d,%d,%d\n" % (n, n * 7919 % 10007, n) for n in range(50_000))
    file = land(tmp_path, "a.csv.gz", gzip.compress(b"order_id,note,price\n" + lines)[:-1000])

    read_rows, [(record, problem, _)] = values(file), problems(file)

    assert 40_000 < len(read_rows) == record - 1
    assert read_rows[-1][0] == str(record - 2)
    assert "cut off" in problem


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path, encoding: str) -> None:
    file = land(tmp_path, "a.csv", "order_id,note,price\n1,é,2\n".encode(encoding))

    assert values(file) == [("1", "é", "2")]


def test_other_encodings_and_delimiters_are_read_when_named(tmp_path: Path) -> None:
    file = land(tmp_path, "a.csv", 'order_id;note;price\n1;"é;x";2,50\n'.encode("cp1252"))

    with duckdb.connect() as con:
        relation = read(con, [file], COLUMNS, Dialect(";", "cp1252"))
        assert relation.fetchall()[0][:3] == ("1", "é;x", "2,50")


def test_a_byte_that_the_named_encoding_does_not_have_costs_its_line_only(tmp_path: Path) -> None:
    file = land(tmp_path, "a.csv", b"order_id,note,price\n1,\xe9,2\n3,\x81,4\n5,\xe9,6\n")

    with duckdb.connect() as con:
        found = read(con, [file], COLUMNS, Dialect(encoding="cp1252")).order("record").fetchall()

    assert [row[:3] for row in found] == [("1", "é", "2"), (None, None, None), ("5", "é", "6")]
    assert found[1][7].startswith("line 3: contains bytes that are not cp1252 text")


@pytest.mark.parametrize("content", [b"", b"order_id,note,price", b"\n\n"])
def test_a_file_without_rows_gives_none(tmp_path: Path, content: bytes) -> None:
    assert rows(land(tmp_path, "a.csv", content)) == []


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet", "a.parquet.gz"])
def test_a_file_of_no_known_kind_is_one_unreadable_record(tmp_path: Path, name: str) -> None:
    assert len(problems(land(tmp_path, name, b"PAR1 or not"))) == 1


def test_parquet_values_become_text_in_any_session(tmp_path: Path) -> None:
    moment = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
    table = pa.table(
        {"order_id": [moment], "note": [[1, 2]], "price": pa.array(["1.50"]).cast(pa.decimal128(5, 2)), "x": [True]}
    )
    pq.write_table(table, tmp_path / "a.parquet")

    with duckdb.connect() as con:
        con.execute("set timezone = 'Asia/Tokyo'")
        found = read(con, [landed(tmp_path / "a.parquet")], COLUMNS).fetchall()

    assert found == [("2024-01-01 12:00:00+00", "[1,2]", "1.50", DAY, "a.parquet", 1, '{"x":"true"}', None, None)]


def test_a_record_set_aside_upstream_stays_set_aside(tmp_path: Path) -> None:
    table = pa.table({"order_id": ["1", None], "_problem": [None, "line 3: broken"], "_raw": [None, "1;2"]})
    pq.write_table(table, tmp_path / "a.parquet")

    assert problems(landed(tmp_path / "a.parquet")) == [(2, "line 3: broken", "1;2")]


def test_a_damaged_parquet_file_gives_the_rows_before_the_damage_and_one_record(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"order_id": [str(n) for n in range(30_000)]})
    pq.write_table(table, path, row_group_size=10_000, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(content)

    read_rows, [(record, problem, _)] = values(landed(path)), problems(landed(path))

    assert read_rows == [(str(n), None, None) for n in range(record - 1)]
    assert 10_000 <= len(read_rows) < 20_000
    assert "damaged" in problem


@pytest.mark.slow
def test_records_are_numbered_per_file_in_its_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.csv" for n in range(3)] + [tmp_path / f"{n}.parquet" for n in range(2)]
    with duckdb.connect() as con:
        for path in paths:
            con.execute(f"""copy (select i + 1 as order_id, 'a,"b' as note, repeat('x', i % 40) as price
                from range(150_000) t(i)) to '{path}'""")
        relation = read(con, [landed(path) for path in paths], COLUMNS)
        wrong = relation.filter("record <> order_id::BIGINT").aggregate("count(*)").fetchall()
        counted = relation.aggregate("source_file, count(*), count(distinct record), max(record)").fetchall()

    assert wrong == [(0,)]
    assert sorted(counted) == sorted((path.name, 150_000, 150_000, 150_000) for path in paths)


def test_files_keep_their_own_day_and_name(tmp_path: Path) -> None:
    land(tmp_path, "a.csv", b"order_id,note,price\n1,,\n")
    land(tmp_path, "b.csv", b"order_id,note,price\n2,,\n")
    files = [landed(tmp_path / "a.csv"), landed(tmp_path / "b.csv", day=dt.date(2024, 1, 4))]

    assert [row[:1] + row[3:6] for row in rows(*files)] == [
        ("1", DAY, "a.csv", 1),
        ("2", dt.date(2024, 1, 4), "b.csv", 1),
    ]


def test_a_file_that_repeats_another_is_left_out(tmp_path: Path) -> None:
    land(tmp_path, "a.csv", b"order_id,note,price\n1,,\n")

    assert rows(landed(tmp_path / "a.csv", duplicate_of="2024-01-02/a.csv")) == []


def test_a_broken_file_leaves_the_open_transaction_alone(tmp_path: Path) -> None:
    files = [land(tmp_path, "a.csv", b"order_id,note,price\n1,2\n3,4,5\n"), land(tmp_path, "b.parquet", b"PAR1")]
    with duckdb.connect() as con:
        con.execute("create table kept (a integer); begin; insert into kept values (1)")
        read(con, files, COLUMNS).create("bronze")
        con.execute("commit")

        assert con.execute("select count(*) from bronze").fetchall() == [(3,)]
        assert con.execute("select count(*) from kept").fetchall() == [(1,)]


def test_the_relation_can_be_evaluated_again(tmp_path: Path) -> None:
    with duckdb.connect() as con:
        relation = read(con, [land(tmp_path, "a.csv", b"order_id,note,price\n1,,\n")], COLUMNS)

        assert relation.fetchall() == relation.fetchall() != []


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    name = "a'; drop table x; --$files.csv"
    columns = ('order"id', "no'te; --")
    file = land(tmp_path, name, b'"order""id",no\'te; --\n1,2\n')
    table = pa.table({columns[0]: ["3"], columns[1]: ["4"]})
    pq.write_table(table, tmp_path / "b'.parquet")
    line = land(tmp_path, "c.jsonl", json.dumps({columns[0]: "5", columns[1]: "6"}).encode())

    found = rows(file, landed(tmp_path / "b'.parquet"), line, columns=columns)

    assert [row[:2] for row in found] == [("1", "2"), ("3", "4"), ("5", "6")]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_names_that_look_like_patterns_are_only_names(tmp_path: Path, suffix: str) -> None:
    names = [f"{stem}{suffix}" for stem in ("a1", "a[1]", "a*", "a?", "[!b]", "a\\1", "a\\*")]
    for name in names:
        table = pa.table({"order_id": [name], "note": ["x"]})
        content = io.BytesIO()
        if suffix == ".parquet":
            pq.write_table(table, content)
        else:
            frame = pl.DataFrame(table)
            content.write((frame.write_ndjson() if suffix == ".jsonl" else frame.write_csv()).encode())
        land(tmp_path, name, content.getvalue())

    found = rows(*(landed(tmp_path / name) for name in names))

    assert [(row[0], row[4], row[7]) for row in found] == [(name, name, None) for name in sorted(names)]


def test_a_file_that_is_gone_is_no_broken_file(tmp_path: Path) -> None:
    file = land(tmp_path, "a.csv", b"order_id,note,price\n")
    file.path.unlink()

    with duckdb.connect() as con, pytest.raises(FileNotFoundError, match=r"a\.csv"):
        read(con, [file], COLUMNS)


@pytest.mark.parametrize(
    "content", [b"order_id,note\n1,a\n2,b\n", b"order_id,note\n1,a\n2,\xff\n"], ids=["quick", "patient"]
)
def test_what_is_read_is_freed_without_python(tmp_path: Path, content: bytes) -> None:
    """Threads of Arrow free rows while a process ends, and Python aborts the process where they need it for that."""
    file = land(tmp_path, "a.csv", content)
    stream = Stream([file], COLUMNS, OURS)
    of_numpy = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)

    tracemalloc.start()
    try:
        batches = list(pa.RecordBatchReader.from_stream(stream))
        held = tracemalloc.take_snapshot().filter_traces([of_numpy]).traces
    finally:
        tracemalloc.stop()

    assert sum(len(batch) for batch in batches) == 2
    assert [str(trace) for trace in held] == []


MEMORY_FOR_READING = """
import resource, sys
from pathlib import Path
import duckdb
from ecom_assets.landing.reading import read
from ecom_assets_tests.landing.test_reading import COLUMNS, landed

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

few, many = (landed(Path(name)) for name in sys.argv[1:])
with duckdb.connect() as con:
    read(con, [few], COLUMNS).query("landed", "select max(note) from landed").fetchall()
    before = peak()
    read(con, [many], COLUMNS).query("landed", "select max(note) from landed").fetchall()
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "head", "record"),
    [
        ("many.csv", b"order_id,note,price\n", b"1,a note that takes some room in memory,2.50\n"),
        ("many.jsonl", b"", b'{"order_id":"1","note":"a note that takes some room in memory","price":"2.55"}\n'),
    ],
    ids=["csv", "json"],
)
def test_a_large_file_is_read_in_little_memory(tmp_path: Path, name: str, head: bytes, record: bytes) -> None:
    few, many = land(tmp_path, f"few-{name}", head + record), land(tmp_path, name, head + record * (1 << 20))
    words = [sys.executable, "-c", MEMORY_FOR_READING, str(few.path), str(many.path)]

    grown = int(subprocess.run(words, capture_output=True, check=True, text=True).stdout.split()[-1])

    assert grown < 100 << 20
