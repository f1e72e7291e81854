"""Whatever lands: no crash, no injection, and each record is a row or set aside with its reason."""

import gzip
import io
import json
import random
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from ecom_assets.days import Window
from ecom_assets.landing.provenance import LANDED, sql_types
from ecom_assets.landing.reading import Dialect, read
from ecom_assets.landing.reading.patient import patient_batches
from ecom_assets.landing.reading.records import batch_schema
from ecom_assets.landing.zone import LandedFile, Zone
from ecom_assets.sources.feed_map import FeedMapError, land, load_map
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import START, session_over

pytestmark = pytest.mark.slow

SEED = 20240301
COLUMNS = ("order_id", "note", "price")
HOSTILE = [
    "'; drop table bronze.orders; --",
    '"; drop schema silver cascade; --',
    "../../../etc/passwd",
    "$files",
    "{day}",
    "%s",
    "\\",
    "a\nb",
    "ünï 😀",
    "\u202etxt.exe",
    "arrived_on",
    "source_file",
    "record",
    "problem",
    "raw_record",
    "unknown_columns",
    "incoming",
    "file_index",
    "line",
    "_problem",
    "_raw",
    "",
    "NULL",
    "Order_ID",
]
CELLS = [*HOSTILE, "1", "1.50", "2024-03-01T10:00:00Z", "a,b", 'say ""hi""', "-0", "1e999", "\r", "é", "\x01", " "]
WRAPS = [*["{%s}"] * 12, "[%s]", "{%s,}", " {%s} ", "{%s}{}", "{%s", "", "5"]
Make = Callable[[random.Random, list[str]], tuple[str, bytes]]


def _csv(draw: random.Random, header: list[str]) -> tuple[str, bytes]:
    lines = [header] + [
        [draw.choice(CELLS) for _ in range(max(1, len(header) + draw.choice([0, 0, 0, 0, -1, 1])))]
        for _ in range(draw.randint(0, 6))
    ]
    quote = draw.choice(['"', '"', ""])
    end = draw.choice(["\n", "\r\n", "\n", "\r"])
    return "a.csv", end.join(",".join(f"{quote}{cell}{quote}" for cell in line) for line in lines).encode()


def _json(draw: random.Random, names: list[str]) -> tuple[str, bytes]:
    literals = ["1.50", "1e3", "-0", "0.00001", "true", "null", "NaN", "12345678901234567.10", '"\\u0000"', '"\\ud800"']
    literals += ["[1.0,{}]", '{"a":[1.50]}', "-Infinity", "01", '"a" :1', '"x",']

    def value() -> str:
        return draw.choice(literals) if draw.random() < 0.3 else json.dumps(draw.choice(CELLS))

    colon, comma = draw.choice([(":", ","), (": ", ", "), (" : ", " , "), ("\t:", ",\t")])
    lines = []
    for _ in range(draw.randint(0, 6)):
        if draw.random() < 0.2:
            names = draw.sample(names, len(names))
        pairs = comma.join(f"{json.dumps(name)}{colon}{value()}" for name in names)
        lines.append(
            draw.choice(["{%s}"] * 12 + ["[%s]", "{%s,}", " {%s} ", "{%s}{}", "{%s", "", "5"]).replace("%s", pairs)
        )
    return draw.choice(["a.jsonl", "a.ndjson"]), draw.choice(["\n", "\n", "\r\n"]).join(lines).encode()


def _parquet(draw: random.Random, names: list[str]) -> tuple[str, bytes]:
    held = io.BytesIO()
    pl.DataFrame({name: [draw.choice(CELLS) for _ in range(4)] for name in names}).write_parquet(held)
    return "a.parquet", held.getvalue()


def _noise(draw: random.Random, names: list[str]) -> tuple[str, bytes]:
    name = draw.choice(["a.csv", "a.jsonl", "a.ndjson", "a.parquet", "a.csv.gz", "a.jsonl.gz", "a.xlsx", "a"])
    return name, draw.randbytes(draw.randint(0, 200))


def _damage(draw: random.Random, content: bytes) -> bytes:
    place = draw.randint(0, len(content))
    piece = draw.choice([b"\0", b"\xff\xfe", b"\xe9", b'"', b"\n", b"\r", b"{", b"\xef\xbb\xbf", b"\\", b","])
    return draw.choice(
        [
            content[:place] + piece + content[place:],
            content[:place] + piece + content[place + 1 :],
            content[:place],
            content[place:],
            content + content[:place],
        ]
    )


def hostile_file(case: int, columns: Sequence[str]) -> tuple[str, bytes]:
    """Name and bytes of one landed file; the same number gives the same file. Neighbours share few headers: speed."""
    draw = random.Random(SEED * 1_000_003 + case)
    makes: list[Make] = [_csv, _csv, _csv, _json, _json, _json, _noise]
    make = _parquet if draw.random() < 0.02 else draw.choice(makes)
    alike = random.Random(SEED * 7 + case // 1_000 * 3 + draw.randrange(3))
    names = alike.sample([*columns, *alike.sample(HOSTILE, 3)], alike.randint(1, len(columns) + 3))
    name, content = make(draw, names)
    if draw.random() < 0.3:
        content = _damage(draw, content)
    if draw.random() < 0.05 and name.endswith((".csv", "json", "jsonl")):
        encoding = draw.choice(["utf-16", "utf-16-le", "cp1252", "utf-8-sig"])
        content = content.decode("latin-1").encode(encoding, errors="replace")
    if draw.random() < 0.05 and not name.endswith((".gz", ".parquet")):
        name, content = f"{name}.gz", gzip.compress(content, 1)
        if draw.random() < 0.5:
            content = _damage(draw, content)
    return name, content


def _lines_of(content: bytes) -> int:
    return sum(1 for line in content.splitlines() if line.strip(b" \t\r\n"))


def check_cases(folder: Path, cases: range, together: int = 500) -> None:
    """Read the files in one statement per batch, and compare with the record-by-record way, file by file."""
    with duckdb.connect() as con:
        for start in range(cases.start, cases.stop, together):
            files, contents = [], {}
            for case in range(start, min(start + together, cases.stop)):
                name, content = hostile_file(case, COLUMNS)
                path = folder / f"{case}-{name}"
                path.write_bytes(content)
                contents[path.name] = content
                files.append(LandedFile("orders", START, path.name, str(path), len(content), ""))
            found: dict[str, list[tuple[Any, ...]]] = {file.name: [] for file in files}
            for row in read(con, files, COLUMNS).order("source_file, record").fetchall():
                found[row[4]].append(row)
            for file in files:
                rows, content = found[file.name], contents[file.name]
                told = f"hostile_file({file.name.partition('-')[0]}, {COLUMNS}): {content!r}"
                assert [row[5] for row in rows] == list(range(1, len(rows) + 1)), told
                assert not any("\0" in text for row in rows for text in row if isinstance(text, str)), told
                if file.name.endswith((".csv", ".jsonl", ".ndjson")):
                    assert rows == patient_rows(file), told
                if file.name.endswith((".jsonl", ".ndjson")) and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
                    assert len(rows) == _lines_of(content.removeprefix(b"\xef\xbb\xbf")), told
                file.path.unlink()


def patient_rows(file: LandedFile) -> list[tuple[Any, ...]]:
    schema = batch_schema(COLUMNS)
    batches = patient_batches(file, COLUMNS, schema, Dialect())
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


def test_hostile_files_are_read_alike_by_both_ways(tmp_path: Path) -> None:
    check_cases(tmp_path, range(300))


@pytest.mark.long
@pytest.mark.parametrize("part", range(20))
def test_a_hundred_thousand_hostile_files_are_read_alike_by_both_ways(tmp_path: Path, part: int) -> None:
    check_cases(tmp_path, range(1_000 + part * 5_000, 1_000 + (part + 1) * 5_000))


def read_all(folder: Path, contents: dict[str, bytes]) -> list[tuple[Any, ...]]:
    files = []
    for name, content in contents.items():
        path = folder / name
        path.write_bytes(content)
        files.append(LandedFile("orders", START, name, str(path), len(content), ""))
    with duckdb.connect() as con:
        return read(con, files, COLUMNS).order("source_file, record").fetchall()


def test_a_quote_that_never_closes_is_seen_among_many_files(tmp_path: Path) -> None:
    good = {f"{n}.csv": b"order_id,note,price\n1,2,3\n" for n in range(6)}

    found = read_all(tmp_path, {**good, "7.csv": b'order_id,note,price\n1,2,"3\n'})

    assert [row[4] for row in found if row[7]] == ["7.csv"]
    assert len(found) == 7


def test_a_broken_last_line_without_end_is_seen_among_many_files(tmp_path: Path) -> None:
    ended, cut = b'{"order_id": "1"}\n', b'{"order_id": "1"}\n{"order_id": '

    found = read_all(tmp_path, {"1.jsonl": cut, "2.jsonl.gz": gzip.compress(cut), "3.jsonl": ended})

    assert [(row[4], row[5]) for row in found if row[7]] == [("1.jsonl", 2), ("2.jsonl.gz", 2)]
    assert len(found) == 5


def test_a_column_named_like_a_placeholder_is_only_a_column(tmp_path: Path) -> None:
    held = io.BytesIO()
    pl.DataFrame({"order_id": ["1"], "$files": ["2"]}).write_parquet(held)

    [row] = read_all(tmp_path, {"a.parquet": held.getvalue()})

    assert (row[0], row[6]) == ("1", '{"$files":"2"}')


def test_ten_thousand_columns_are_kept(tmp_path: Path) -> None:
    names = [f"column {n}" for n in range(10_000)]
    header, line = ",".join(["order_id", *names]), ",".join(["1", *("x" for _ in names)])

    [row] = read_all(tmp_path, {"a.csv": f"{header}\n{line}\n".encode()})

    assert row[0] == "1"
    assert json.loads(row[6]) == dict.fromkeys(names, "x")


@pytest.mark.parametrize("content", [b"0" * (64 << 20), b"\n" * (16 << 20)])
def test_a_gzip_bomb_costs_little_memory(tmp_path: Path, content: bytes) -> None:
    packed = gzip.compress(b"order_id,note,price\n" + content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = read_all(tmp_path, {"a.csv.gz": packed})
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10

    assert all(row[7] for row in found)
    assert grown < 64 << 20


def test_a_gzip_bomb_is_read_to_a_limit_and_the_rest_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecom_assets.landing.reading.lines.UNPACKED_LIMIT", 1 << 16)
    rows = b"1,x,2\n" * (1 << 17)

    found = read_all(tmp_path, {"a.csv.gz": gzip.compress(b"order_id,note,price\n" + rows)})

    *read, (*_, problem, _) = found
    assert 1 << 12 < len(read) < 1 << 17
    assert {row[7] for row in read} == {None}
    assert "more than 250 times its size" in problem


def check_warehouse(folder: Path, cases: range) -> None:
    """Land the files under hostile names, run bronze and silver, and find each record in exactly one place."""
    zone, day = Zone(folder / "landing"), START
    session = session_over(zone)
    columns = list(session.catalog["bronze.orders"].feed_contract.columns)
    draw = random.Random(cases.start)
    for case in cases:
        name, content = hostile_file(case, columns)
        label = draw.choice(HOSTILE).replace("/", "-")
        zone.write("orders", day, f"{case} {label} {name}", content)
    days = Window(day, day)
    for table in ("bronze.customers", "silver.customers", "bronze.orders", "silver.orders"):
        session.run(table, days)
    _each_record_is_in_one_place(session, zone, columns)
    assert session.stale(only=["bronze.orders", "silver.orders"]) == []


def _each_record_is_in_one_place(session: Session, zone: Zone, columns: Sequence[str]) -> None:
    con = session.con
    files = [file for file in zone.arrivals("orders", START, START)[START] if file.duplicate_of is None]
    landed = read(con, files, columns).aggregate("source_file, count(*)").order("all").fetchall()
    stored = con.execute("select source_file, count(*) from bronze.orders group by all order by all").fetchall()
    assert stored == landed
    state = con.execute("select state from ledger.days where table_name = 'silver.orders'").fetchall()
    placed = ["quarantine.orders", "superseded.orders", "silver.orders"]
    for (verdict,) in state:
        tables = placed if verdict in ("stored", "provisional") else placed[:1]
        union = " union all ".join(f"select arrived_on, source_file, record from {table}" for table in tables)
        twice = f"select 1 from ({union}) group by arrived_on, source_file, record having count(*) > 1"
        assert con.execute(twice).fetchall() == []
        if tables == placed:
            assert con.execute(f"select count(*) from ({union})").fetchall()[0][0] == sum(n for _, n in stored)


def test_hostile_files_go_through_bronze_and_silver(tmp_path: Path) -> None:
    check_warehouse(tmp_path, range(40))


@pytest.mark.long
@pytest.mark.parametrize("part", range(5))
def test_hundreds_of_hostile_files_go_through_bronze_and_silver(tmp_path: Path, part: int) -> None:
    check_warehouse(tmp_path, range(200_000 + part * 100, 200_000 + (part + 1) * 100))


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "..", ".a.csv", "_a.csv", "", "a/b.csv", "a\0.csv"])
def test_names_that_leave_their_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"name|null"):
        Zone(tmp_path).write("orders", START, name, b"")


@pytest.mark.parametrize("column", [name for name in HOSTILE if name])
def test_a_feed_map_takes_hostile_columns_as_names(tmp_path: Path, column: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(
        f"""
[source]
files = "*.jsonl"
arrival_day = {{ fixed = {START} }}
[feed.products.columns]
product_id = {json.dumps(column, ensure_ascii=False)}
changed_at = {{ constant = "2024-03-01T00:00:00Z" }}
name = {{ concat = [{json.dumps(column, ensure_ascii=False)}, {{ text = "'; drop table lines; --" }}] }}
category = {{ constant = "a" }}
price = {{ constant = "1" }}
cost = {{ constant = "1" }}
""",
        "utf-8",
    )
    (tmp_path / "a.jsonl").write_text(json.dumps({column: "P1"}) + "\n", "utf-8")
    zone = Zone(tmp_path / "landing")
    if column in sql_types(LANDED):
        with pytest.raises(FeedMapError, match=f"{column}.*rename"):
            load_map(path)
        return

    report = land(load_map(path), tmp_path, zone)

    [file] = zone.arrivals("products", START, START)[START]
    assert report.rows == {"products": 1}
    assert pl.read_parquet(file.path)["product_id"].to_list() == ["P1"]
