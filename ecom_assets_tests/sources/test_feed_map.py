"""A feed map turns a foreign export into feeds, exactly, and its mistakes are told by line."""

import datetime as dt
import gzip
import os
import sys
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.cli.land import MAPS
from ecom_assets.days import Window
from ecom_assets.errors import UserError
from ecom_assets.landing.feed_settings import FeedSettings, FeedSettingsError
from ecom_assets.landing.zone import Zone
from ecom_assets.sources.feed_map import FeedMapError, LandReport, WouldEmpty, land, load_map
from ecom_assets_tests.examples import examples
from ecom_assets_tests.real_data import only_with, source
from ecom_assets_tests.sources.landing import land_text, rows

MAP = MAPS / "online_retail.toml"
EXPORT = source("online_retail")

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
EXCERPT = """\
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:27:00,2.55,17850.0,United Kingdom
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
C536379,D,Discount,-3,2010-12-01 09:41:00,27.505,14527.0,France
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
A563186,B,Adjust bad debt,1,2010-12-01 14:51:00,-11062.06,,United Kingdom
"""

NEW_YEAR = dt.datetime.fromisoformat("2024-01-01")

SMALL = """\
[source]
files = "*.csv"
arrival_day = { file_name = "{day}.csv" }

[feed.customers]
[feed.customers.columns]
customer_id = "id"
changed_at = "at"
name = NAME
"""


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path / "landing")


def land_excerpt(tmp_path: Path, zone: Zone, lines: str = EXCERPT) -> LandReport:
    folder = tmp_path / "export"
    folder.mkdir(exist_ok=True)
    (folder / "2010-12-01.csv.gz").write_bytes(gzip.compress((HEADER + lines).encode(), mtime=0))
    return land(load_map(MAP), folder, zone)


def land_names(tmp_path: Path, zone: Zone, name: str, lines: str, header: str = "id,at,first,second") -> list[Any]:
    """What a map's expression makes of some lines, as the customers' name."""
    (tmp_path / "map.toml").write_text(SMALL.replace("NAME", name))
    (tmp_path / "2024-01-03.csv").write_text(f"{header}\n{lines}\n")
    land(load_map(tmp_path / "map.toml"), tmp_path, zone)
    return [row[0] for row in rows(zone, "customers", "name")]


def mistake(tmp_path: Path, text: str) -> str:
    (tmp_path / "map.toml").write_text(text)
    with pytest.raises(FeedMapError) as caught:
        load_map(tmp_path / "map.toml")
    return str(caught.value).removeprefix(f"{tmp_path / 'map.toml'}, ")


def test_every_line_of_the_excerpt_becomes_an_item_or_a_return(tmp_path: Path, zone: Zone) -> None:
    report = land_excerpt(tmp_path, zone)

    assert report.rows == {"customers": 2, "products": 3, "orders": 3, "order_items": 4, "returns": 1}
    assert (report.lines, report.unreadable, report.unused) == (5, 0, 0)
    assert "5 lines in 1 files" in str(report)


def test_equal_lines_are_items_of_their_own(tmp_path: Path, zone: Zone) -> None:
    land_excerpt(tmp_path, zone)

    assert rows(zone, "order_items", "order_id", "line_number", "ordered_at", "quantity", "unit_price")[:2] == [
        ("536365", "1", "2010-12-01 08:27:00+00", "6", "2.55"),
        ("536365", "2", "2010-12-01 08:26:00+00", "6", "2.55"),
    ]


def test_an_order_comes_from_its_lines_and_is_of_their_earliest_time(tmp_path: Path, zone: Zone) -> None:
    land_excerpt(tmp_path, zone)

    assert rows(zone, "orders", "order_id", "customer_id", "ordered_at", "status", "cancel_reason", "subtotal") == [
        ("536365", "17850", "2010-12-01 08:26:00+00", "paid", None, None),
        ("536414", None, "2010-12-01 11:52:00+00", "paid", None, None),
        ("A563186", None, "2010-12-01 14:51:00+00", "cancelled", "void", None),
    ]


def test_a_return_has_positive_and_exact_amounts(tmp_path: Path, zone: Zone) -> None:
    land_excerpt(tmp_path, zone)

    assert rows(zone, "returns", "return_id", "customer_id", "quantity", "amount", "order_id") == [
        ("C536379-1", "14527", "3", "82.515", None)
    ]


def test_lines_that_cannot_be_read_are_landed_with_their_reason(tmp_path: Path, zone: Zone) -> None:
    report = land_excerpt(tmp_path, zone, EXCERPT + "536365,only two\n")

    assert (report.lines, report.unreadable) == (6, 1)
    assert report.rows["order_items"] == 4
    [(order_id, problem)] = [row for row in rows(zone, "order_items", "order_id") if len(row) > 1]
    assert order_id is None
    assert problem.startswith("line 7: has 2 fields where the header has 8")


def test_landing_again_changes_nothing(tmp_path: Path, zone: Zone) -> None:
    land_excerpt(tmp_path, zone)
    before = {path: path.stat().st_mtime_ns for path in zone.root.rglob("*.parquet")}
    land_excerpt(tmp_path, zone)

    assert len(before) == 5
    assert {path: path.stat().st_mtime_ns for path in zone.root.rglob("*.parquet")} == before


def test_a_day_without_returns_is_a_quiet_day(tmp_path: Path, zone: Zone) -> None:
    land_excerpt(tmp_path, zone, EXCERPT.splitlines()[0])

    assert zone.days("returns") == [dt.date(2010, 12, 1)]
    assert rows(zone, "returns", "return_id") == []


def test_moments_land_in_utc_so_that_exports_of_several_zones_share_a_feed(tmp_path: Path, zone: Zone) -> None:
    sent = ["2024-03-31 00:30", "2024-07-01T00:30:00", "2024-07-01 00:30:00+03:00", "2024-07-01", "soon"]
    for name, time_zone in (("b", "Europe/Berlin"), ("n", "America/New_York")):
        text = SMALL.replace("[source]", f'[source]\ntime_zone = "{time_zone}"').replace("{day}", f"{name}-{{day}}")
        (tmp_path / "map.toml").write_text(text.replace("NAME", '"at"'))
        lines = "".join(f"{name}{number},{at}\n" for number, at in enumerate(sent))
        (tmp_path / f"{name}-2024-07-02.csv").write_text(f"id,at\n{lines}")
        land(load_map(tmp_path / "map.toml"), tmp_path, zone)

    landed = rows(zone, "customers", "customer_id", "changed_at", "name")

    assert [changed_at for _, changed_at, _ in landed] == [
        *("2024-03-30 23:30:00+00", "2024-06-30 22:30:00+00", "2024-06-30 21:30:00+00"),
        *("2024-07-01 00:00:00 Europe/Berlin", "soon"),
        *("2024-03-31 04:30:00+00", "2024-07-01 04:30:00+00", "2024-06-30 21:30:00+00"),
        *("2024-07-01 00:00:00 America/New_York", "soon"),
    ]
    assert [name for *_, name in landed] == sent * 2
    assert not zone.has_settings("customers")


@pytest.mark.parametrize(
    "columns",
    [
        "[feed.customers.columns]\ncustomer_id = 'id'\nchanged_at = 'at'\n",
        '[feed.customers]\nsql = """select id as customer_id, "at" as changed_at from lines"""\n',
        '[feed.customers]\nsql = """select id as customer_id, moment("at") as changed_at from lines"""\n',
    ],
    ids=["words", "text", "moment"],
)
def test_a_bare_day_lands_as_one(tmp_path: Path, zone: Zone, columns: str) -> None:
    head = '[source]\nfiles = "*.csv"\narrival_day = { fixed = 2024-04-01 }\ntime_zone = "Asia/Tokyo"\n'
    days = "id,at\n1,2024-03-31\n2,2024-03-31 00:00:00\n3,2024-03-31 00:01\n"
    land_text(tmp_path, zone, head + columns, **{"a.csv": days})

    assert rows(zone, "customers", "changed_at") == [
        ("2024-03-31 00:00:00 Asia/Tokyo",),
        ("2024-03-31 00:00:00 Asia/Tokyo",),
        ("2024-03-30 15:01:00+00",),
    ]


def test_the_first_map_says_when_a_feed_is_due_and_feeds_toml_from_then_on(tmp_path: Path, zone: Zone) -> None:
    zone.save_settings("orders", FeedSettings("Asia/Tokyo", frozenset({0})))

    report = land_excerpt(tmp_path, zone)

    assert zone.settings("customers") == FeedSettings("UTC", frozenset())
    assert zone.settings("orders") == FeedSettings("Asia/Tokyo", frozenset({0}))
    assert report.due_otherwise == ("orders",)
    assert "orders stays due on the days in feeds.toml" in str(report)


def test_a_map_may_tell_the_first_and_last_day() -> None:
    assert (load_map(MAP).start, load_map(MAP).end) == (dt.date(2010, 12, 1), dt.date(2011, 12, 9))


@pytest.mark.long
@only_with("online_retail")
def test_every_line_of_online_retail_becomes_an_item_or_a_return(tmp_path: Path) -> None:
    zone = Zone(tmp_path)

    report = land(load_map(MAP), EXPORT, zone)

    assert report.rows == {
        "customers": 19_296,
        "products": 280_451,
        "orders": 25_900 - 3_836,
        "order_items": 541_909 - 9_288,
        "returns": 9_288,
    }
    assert (report.lines, report.unreadable, report.unused, len(report.files)) == (541_909, 0, 0, 305)
    with duckdb.connect() as con:
        items, returns = (f"read_parquet('{zone.root}/{feed}/*/*.parquet')" for feed in ("order_items", "returns"))
        assert con.execute(f"""
            select count(distinct (order_id, line_number)), sum(quantity::int)::int,
                sum(quantity::int * unit_price::decimal(18, 4))::varchar from {items}""").fetchall() == [
            (532_621, 5_454_024, "10644560.4240")
        ]
        assert con.execute(f"""
            select count(distinct return_id), sum(quantity::int)::int, sum(amount::decimal(18, 4))::varchar
            from {returns}""").fetchall() == [(9_288, 277_574, "896812.4900")]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ('{ constant = "it\'s" }', ["it's", "it's"]),
        ('{ multiply = ["first", "second"] }', ["0.3", "many * 3"]),
        ('{ from = "first", negate = true }', ["-0.1", "many"]),
        ('{ from = "second", abs = true }', ["3", "3"]),
        ('{ concat = ["id", { text = ":" }, { ordinal = ["at"] }] }', ["a:1", "b:2"]),
        ('{ from = "first", values = { many = "1000" } }', ["0.1", "1000"]),
        ('{ from = "at", time_format = "%d.%m.%Y" }', ["2024-01-02 00:00:00", "2024-01-02 00:00:00"]),
        ('{ from = "at", time_format = ["%Y-%m-%d", "%d.%m.%Y"] }', ["2024-01-02 00:00:00", "2024-01-02 00:00:00"]),
        ('{ from = "second", time_format = "epoch" }', ["1970-01-01 00:00:03+00", "1970-01-01 00:00:03+00"]),
        ('{ from = "second", time_format = "epoch_ms" }', ["1970-01-01 00:00:00.003+00"] * 2),
        ('{ from = "second", take = "sum", over = ["at"] }', ["6", "6"]),
        ('{ from = "second", take = "count", over = ["id"] }', ["1", "1"]),
        ('{ from = "id", take = "max", over = ["at"] }', ["b", "b"]),
        ('{ from = "id", when = [{ column = "first", greater = 0, then = "more" }] }', ["more", "b"]),
        ('{ when = [{ column = "id", matches = "[b-z]", then = "late" }] }', [None, "late"]),
    ],
)
def test_values_are_derived(tmp_path: Path, zone: Zone, name: str, made: list[str | None]) -> None:
    assert land_names(tmp_path, zone, name, "a,02.01.2024,0.1,3\nb,02.01.2024,many,3") == made


@pytest.mark.parametrize("units", list(permutations(["epoch", "epoch_ms", "epoch_us"])))
def test_units_since_1970_are_told_apart_by_size_in_any_order(
    tmp_path: Path, zone: Zone, units: tuple[str, ...]
) -> None:
    name = f'{{ from = "second", time_format = {list(units)} }}'
    sent = "\n".join(f"a{n},02.01.2024,0.1,{n}" for n in (1709978400, 1709978400000, 1709978400000000, 3))
    made = land_names(tmp_path, zone, name, sent)
    assert made == ["2024-03-09 10:00:00+00"] * 3 + ["3"]


GERMAN = 'decimal = ","\nthousands = "."'


@pytest.mark.parametrize(
    ("marks", "sent", "made"),
    [
        (GERMAN, "1.234,50", "1234.50"),
        (GERMAN, "-4,9", "-4.9"),
        (GERMAN, "1.234", "1234"),
        (GERMAN, "7", "7"),
        (GERMAN, "12.50", "12.50 (the decimal separator is ,)"),
        (GERMAN, "1.23,4", "1.23,4 (the decimal separator is ,)"),
        ('decimal = ","', "1.234", "1.234 (the decimal separator is ,)"),
        ('decimal = ","', "4,90", "4.90"),
        ('thousands = "\'"', "1'234.50", "1234.50"),
        ('thousands = " "', "1 234", "1234"),
        ('thousands = ","', "1,234.50", "1234.50"),
        ('thousands = ","', "12,50", "12,50"),
    ],
)
def test_numbers_are_written_as_the_map_says(tmp_path: Path, zone: Zone, marks: str, sent: str, made: str) -> None:
    (tmp_path / "2024-01-01.csv").write_text(f'sku;at;price\nA.1;2024-01-01;"{sent}"\n')
    (tmp_path / "map.toml").write_text(f"""
[source]
files = "*.csv"
delimiter = ";"
{marks}
arrival_day = {{ file_name = "{{day}}.csv" }}
[feed.products.columns]
product_id = "sku"
changed_at = "at"
price = "price"
""")

    land(load_map(tmp_path / "map.toml"), tmp_path, zone)

    assert rows(zone, "products", "product_id", "price") == [("A.1", made)]


def test_numbers_are_compared_as_numbers(tmp_path: Path, zone: Zone) -> None:
    assert land_names(tmp_path, zone, '{ from = "first", take = "max", over = ["at"] }', "a,x,9,\nb,x,10.50,") == [
        "10.50",
        "10.50",
    ]


@pytest.mark.parametrize(
    ("take", "sent", "made"),
    [
        ("sum", ["5.00", '"1,234.50"'], "1,234.50"),
        ("min", ["5.00", '"1,234.50"'], "1,234.50"),
        ("max", ["5.00", "many", "few"], "many"),
        ("sum", ["5.00", "", " ", "1"], "6"),
        ("max", ["5.00", "", " ", "10"], "10"),
        ("min", ["2024-01-03", "2024-01-02"], "2024-01-02"),
    ],
)
def test_what_is_no_number_is_not_passed_over(
    tmp_path: Path, zone: Zone, take: str, sent: list[str], made: str
) -> None:
    lines = "\n".join(f"{number},x,{text}," for number, text in enumerate(sent))

    assert set(land_names(tmp_path, zone, f'{{ from = "first", take = "{take}", over = ["at"] }}', lines)) == {made}


@pytest.mark.parametrize(
    ("arrival_day", "days"),
    [
        ('{ column = "at" }', [dt.date(2024, 1, 5), dt.date(2024, 1, 6)]),
        ('{ first = "at" }', [dt.date(2024, 1, 5)]),
        ("{ fixed = 2024-02-01 }", [dt.date(2024, 2, 1)]),
        ('{ file_name = "{day}.csv" }', [dt.date(2024, 1, 3)]),
    ],
)
def test_the_arrival_day_is_told_by_name_or_lines(
    tmp_path: Path, zone: Zone, arrival_day: str, days: list[dt.date]
) -> None:
    text = SMALL.replace('{ file_name = "{day}.csv" }', arrival_day).replace("NAME", '"id"')
    (tmp_path / "map.toml").write_text(text)
    (tmp_path / "2024-01-03.csv").write_text("id,at\na,2024-01-06 10:00\nb,2024-01-05 11:00\nc,sometime\n")

    report = land(load_map(tmp_path / "map.toml"), tmp_path, zone)

    assert zone.days("customers") == days
    assert report.rows == {"customers": 3}


@pytest.mark.parametrize("arrival_day", ['{ column = "at" }', '{ first = "at" }'])
def test_a_file_none_of_whose_lines_tells_a_day_is_said_to_be_skipped(
    tmp_path: Path, zone: Zone, arrival_day: str
) -> None:
    text = SMALL.replace('{ file_name = "{day}.csv" }', arrival_day).replace("NAME", '"id"')
    (tmp_path / "map.toml").write_text(text)
    (tmp_path / "a.csv").write_text("id,at\n1,2024-01-05\n")
    (tmp_path / "b.csv").write_text("id,at\n2,sometime\n")
    (tmp_path / "c.csv").write_text("id,at\n")

    report = land(load_map(tmp_path / "map.toml"), tmp_path, zone)

    assert zone.days("customers") == [dt.date(2024, 1, 5)]
    told = "b.csv: no line has an arrival day in at (sometime cannot be read as a day; set time_format)"
    assert (report.lines, report.skipped) == (1, (told,))


LISTED_BY_DAY = SMALL.replace('{ file_name = "{day}.csv" }', '{ column = "at" }').replace("NAME", '"name"')


def test_each_source_file_lands_under_a_name_of_its_own(tmp_path: Path, zone: Zone) -> None:
    names = ["2024/01.txt", "2024-01.txt", "2024%2F01.txt", "_a.txt", "%5Fa.txt", "a.txt", "a.txt.csv"]
    text = LISTED_BY_DAY.replace("*.csv", "**/*.*").replace("[source]", '[source]\nformat = "csv"')
    export = tmp_path / "export"
    for number, name in enumerate(names):
        (export / name).parent.mkdir(parents=True, exist_ok=True)
        (export / name).write_text(f"id,at\n{number},2024-01-05\n")
    (tmp_path / "map.toml").write_text(text.replace('name = "name"', ""))

    report = land(load_map(tmp_path / "map.toml"), export, zone)

    assert sorted(file.name for file in report.files) == sorted(names)
    assert sorted(rows(zone, "customers", "customer_id")) == [(str(number),) for number in range(len(names))]


def test_a_corrected_file_replaces_its_rows_on_days_that_it_no_longer_has(tmp_path: Path, zone: Zone) -> None:
    header = "id,at,name\n"
    land_text(tmp_path, zone, LISTED_BY_DAY, **{"a.csv": f"{header}1,2024-01-05,x\n2,2024-01-06,y\n"})
    land_text(tmp_path, zone, LISTED_BY_DAY, **{"b.csv": f"{header}9,2024-01-06,z\n"})

    corrected = {"a.csv": f"{header}1,2024-01-05,x\n2,2024-01-07,y\n"}
    with pytest.raises(WouldEmpty, match=r"customers/2024-01-06/map@a\.csv\.parquet"):
        land_text(tmp_path, zone, LISTED_BY_DAY, **corrected)
    report = land_text(tmp_path, zone, LISTED_BY_DAY, replacing=True, **corrected)

    assert rows(zone, "customers", "customer_id") == [("1",), ("9",), ("2",)]
    assert report.emptied == 1
    assert "1 files landed earlier are now empty" in str(report)
    assert land_text(tmp_path, zone, LISTED_BY_DAY).emptied == 0

    land_text(tmp_path, zone, LISTED_BY_DAY, replacing=True, **{"a.csv": header})
    assert rows(zone, "customers", "customer_id") == [("9",)]


def test_nothing_lands_where_a_file_or_its_day_is_refused(tmp_path: Path, zone: Zone) -> None:
    def refuse(days: Window, staged: Zone) -> None:
        raise FeedMapError(str(days))

    for day in ("2024-01-03", "2024-01-05"):
        (tmp_path / f"{day}.csv").write_text("id,at\n1,2\n")
    (tmp_path / "map.toml").write_text(SMALL.replace("NAME", '"id"') + "[calendar]\ndue = []\n")

    with pytest.raises(FeedMapError, match=r"^2024-01-03\.\.2024-01-05$"):
        land(load_map(tmp_path / "map.toml"), tmp_path, zone, check=refuse)
    assert not zone.root.exists()

    zone.root.mkdir()
    (zone.root / "feeds.toml").write_text("customers = 1")
    with pytest.raises(FeedSettingsError):
        land(load_map(tmp_path / "map.toml"), tmp_path, zone)
    assert zone.feeds() == []


def test_a_file_whose_name_tells_no_day_is_said_to_be_skipped(tmp_path: Path, zone: Zone) -> None:
    (tmp_path / "notes.csv").write_text("id,at\n1,2\n")
    (tmp_path / "2024-02-30.csv").write_text("id,at\n1,2\n")
    land_names(tmp_path, zone, '"first"', "a,b,c,d")

    report = land(load_map(tmp_path / "map.toml"), tmp_path, zone)

    assert report.skipped == tuple(f"{name}: no arrival day in its name" for name in ("2024-02-30.csv", "notes.csv"))
    assert "notes.csv" in str(report)


def test_other_delimiters_encodings_and_suffixes_are_named_by_the_map(tmp_path: Path, zone: Zone) -> None:
    text = SMALL.replace("*.csv", "*.txt").replace("{day}.csv", "export {day}*.txt").replace("NAME", '"first"')
    text = text.replace("[source]", '[source]\nformat = "csv"\ndelimiter = ";"\nencoding = "cp1252"')
    (tmp_path / "map.toml").write_text(text)
    (tmp_path / "export 20240103-1.txt").write_bytes("id;at;first\n1;2;Zoë\n".encode("cp1252"))

    land(load_map(tmp_path / "map.toml"), tmp_path, zone)

    assert rows(zone, "customers", "name") == [("Zoë",)]


def test_a_column_the_export_lacks_is_told_with_its_line(tmp_path: Path, zone: Zone) -> None:
    with pytest.raises(
        FeedMapError, match=r"map\.toml, line 9: 2024-01-03\.csv has no column 'frist'; did you mean 'first'"
    ):
        land_names(tmp_path, zone, '"frist"', "a,b,c,d")


def test_each_file_needs_the_columns_that_the_map_names(tmp_path: Path, zone: Zone) -> None:
    (tmp_path / "2024-01-02.csv").write_text("id,at,Land\n1,2,x\n")

    with pytest.raises(FeedMapError, match=r"line 9: 2024-01-03\.csv has no column 'Land'; known names: x, y\."):
        land_names(tmp_path, zone, '"Land"', "a,b,c,d", header="id,at,x,y")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"id,at,CountryCode,CountyCode\n1,2,,X\n"),
        ("a.csv", b"id,at,CountryCode\n"),
        ("a.csv", b""),
        pytest.param("a.csv.gz", gzip.compress(b"\xef\xbb\xbfid,at,CountryCode,CountyCode\n1,2,,X\n"), id="packed"),
        ("a.jsonl", b'{"id": "1", "at": "2", "CountryCode": null, "CountyCode": "X"}\n'),
        ("a.jsonl", b'{"id": "1", "at": "2", "zip": "X"}\n'),
        ("a.jsonl", b'{"id": "1", "at": "2", "CountyCode": "X"}\n{"id": "2", "at": "3", "CountryCode": "X"}\n'),
    ],
)
def test_a_column_without_values_is_not_missing(tmp_path: Path, zone: Zone, name: str, content: bytes) -> None:
    text = SMALL.replace("*.csv", "a.*").replace('{ file_name = "{day}.csv" }', "{ fixed = 2024-01-03 }")
    (tmp_path / "map.toml").write_text(text.replace("NAME", '"CountryCode"'))
    (tmp_path / name).write_bytes(content)

    assert land(load_map(tmp_path / "map.toml"), tmp_path, zone).unreadable == 0


def test_a_key_of_json_that_no_record_has_and_another_is_like_is_missing(tmp_path: Path, zone: Zone) -> None:
    text = SMALL.replace("*.csv", "*.jsonl").replace("{day}.csv", "{day}.jsonl")
    (tmp_path / "map.toml").write_text(text.replace("NAME", '"CountryCode"'))
    (tmp_path / "2024-01-03.jsonl").write_text('{"id": "1", "at": "2", "CountyCode": "X"}\n')

    with pytest.raises(FeedMapError, match=r"has no column 'CountryCode'; did you mean 'CountyCode'\?"):
        land(load_map(tmp_path / "map.toml"), tmp_path, zone)


@pytest.mark.skipif(sys.platform == "darwin", reason="Names of files are always UTF-8 there.")
def test_a_file_whose_name_is_not_utf_8_is_told(tmp_path: Path, zone: Zone) -> None:
    (tmp_path / "map.toml").write_text(SMALL.replace("NAME", '"first"'))
    (tmp_path / os.fsdecode(b"\xe9 2024-01-03.csv")).write_text("id,at,first\n")

    with pytest.raises(UserError, match=r"xe9 2024-01-03\.csv' is not UTF-8; rename it"):
        land(load_map(tmp_path / "map.toml"), tmp_path, zone)


def test_what_cannot_be_read_and_what_is_not_there_is_told(tmp_path: Path, zone: Zone) -> None:
    others = SMALL.partition("[feed.customers]")[2].replace("NAME", '"id"')
    (tmp_path / "map.toml").write_text(
        SMALL.replace("NAME", '"id"')
        + '\n[feed.suppliers]\nfiles = "suppliers-*.csv"'
        + others.replace("customer", "supplier")
    )
    (tmp_path / "2024-01-03.csv").write_text("id,at\n1,2024-01-03\n2\n")

    report = land(load_map(tmp_path / "map.toml"), tmp_path, zone)

    assert report.missing == (f"No file in {tmp_path} matches suppliers-*.csv.",)
    assert report.missing[0] in str(report)
    assert "2024-01-03.csv, line 3: has 1 fields where the header has 2" in str(report)
    assert zone.days("customers") == [dt.date(2024, 1, 3)]


def test_a_time_format_that_does_not_fit_all_lines_is_told(tmp_path: Path, zone: Zone) -> None:
    text = SMALL.replace('"at"', '{ from = "at", time_format = "%d/%m/%Y" }').replace("NAME", '"id"')
    (tmp_path / "map.toml").write_text(text)
    (tmp_path / "2024-01-03.csv").write_text("id,at\n1,03.01.2024\n2,\n")
    (tmp_path / "2024-01-04.csv").write_text("id,at\n1,04.01.2024\n2,04/01/2024\n")

    report = land(load_map(tmp_path / "map.toml"), tmp_path, zone)

    assert [line.strip() for line in str(report).splitlines() if "fits" in line] == [
        "2024-01-03.csv: customers.changed_at: %d/%m/%Y fits 0 of 1 values; first other: record 1, 03.01.2024",
        "2024-01-04.csv: customers.changed_at: %d/%m/%Y fits 1 of 2 values; first other: record 1, 04.01.2024",
    ]


@pytest.mark.slow
@settings(max_examples=examples(15), deadline=None)
@given(
    days=st.lists(st.sampled_from(["31.01.2024", "2024-01-31", "31/01/2024", "", "soon"]), min_size=1, max_size=8),
    data=st.data(),
)
@pytest.mark.parametrize("in_sql", [False, True])
def test_every_value_that_does_not_fit_its_format_is_counted(
    in_sql: bool, days: list[str], data: st.DataObject
) -> None:
    amounts = data.draw(st.lists(st.sampled_from(["1,5", "-2", "1.5", "x"]), min_size=len(days), max_size=len(days)))
    head = '[source]\nfiles = "*.csv"\narrival_day = { file_name = "{day}.csv" }\ndelimiter = ";"\ndecimal = ","\n'
    columns = dict.fromkeys(("return_id", "order_id", "product_id", "quantity"), "{ constant = '1' }")
    columns |= dict.fromkeys(("shipping", "tax"), "{ constant = '0' }")
    columns |= {"channel": "{ constant = 'web' }", "updated_at": "{ constant = '2024-01-31' }"}
    columns |= {"returned_at": '{ from = "at", time_format = ["%d.%m.%Y", "%Y%m%d"] }', "amount": "'paid'"}
    text = f"{head}[feed.returns.columns]\n" + "\n".join(f"{name} = {value}" for name, value in columns.items())
    day, amount = "returns.returned_at: %d.%m.%Y or %Y%m%d", "returns.amount: a number with ,"
    if in_sql:
        sql = """select '1' as return_id, '1' as order_id, '1' as product_id, 1 as quantity, 0 as shipping, 0 as tax,
            'web' as channel, '2024-01-31' as updated_at, moment("at", ['%d.%m.%Y', '%Y%m%d']) as returned_at,
            abs(amount(paid)) as amount from lines"""
        text = f'{head}[feed.returns]\nsql = """{sql}"""\n'
        day, amount = """returns: moment("at", list_value('%d.%m.%Y', '%Y%m%d'))""", "returns: amount(paid)"
    told = []
    for what, sent, fit in ((day, days, {"31.01.2024"}), (amount, amounts, {"1,5", "-2"})):
        some = [(number, one) for number, one in enumerate(sent, 1) if one]
        if odd := [(number, one) for number, one in some if one not in fit]:
            fits = f"{len(some) - len(odd)} of {len(some)} values"
            told.append(f"{what} fits {fits}; first other: record {odd[0][0]}, {odd[0][1]}")
    with TemporaryDirectory() as folder:
        lines = "".join(f"{day};{amount}\n" for day, amount in zip(days, amounts, strict=True))
        report = land_text(
            Path(folder), Zone(Path(folder) / "landing"), text, **{"2024-01-31.csv": f"at;paid\n{lines}"}
        )

    assert [note.partition(" (the decimal")[0] for note in report.files[0].unread] == told


def test_a_value_that_is_read_for_some_lines_only_need_not_fit_on_others(tmp_path: Path, zone: Zone) -> None:
    sql = """
        select '1' as return_id, '1' as order_id, '2024-01-31' as returned_at, returned_at as updated_at,
            'web' as channel, if(kind = 'de', amount(paid, ',', '.'), amount(paid, '.', ',')) as amount, 0 as shipping,
            coalesce(amount(tax), amount(paid)) as tax
        from lines
    """
    text = f'[source]\nfiles = "*.csv"\narrival_day = {{ fixed = 2024-01-31 }}\n[feed.returns]\nsql = """{sql}"""\n'
    lines = 'kind,paid,tax\nde,"1,50",1\nus,1.50,x\n'
    report = land_text(tmp_path, zone, text, **{"a.csv": lines})

    assert report.files[0].unread == ["returns: amount(tax) fits 1 of 2 values; first other: record 2, x"]


def test_a_folder_without_files_is_told(tmp_path: Path, zone: Zone) -> None:
    with pytest.raises(FileNotFoundError, match=r"No file in"):
        land(load_map(MAP), tmp_path, zone)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[source]", "[sorce]", "line 1: unknown key 'sorce'; did you mean 'source'?"),
        ("files =", "fils =", "line 2: unknown key 'fils'; did you mean 'files'?"),
        ("customers", "custmers", "line 5: unknown feed 'custmers'; did you mean 'customers'?"),
        ("\nname =", "\nnam =", "line 9: unknown column of customers 'nam'; did you mean 'name'?"),
        ('changed_at = "at"', "", "line 5: customers needs changed_at"),
        ("NAME", '{ form = "a" }', "line 9: unknown key 'form'; did you mean 'from'?"),
        ("NAME", "3", "line 9: a value is the name of a source column"),
        ("NAME", '{ from = "a", constant = "b" }', "line 9: a value needs exactly one of"),
        ("NAME", '{ from = "a", take = "frist", over = ["b"] }', "line 9: 'frist' is not one of first, min"),
        ("NAME", '{ from = "a", take = "first" }', "line 9: take needs group_by"),
        (
            "NAME",
            '{ when = [{ column = "a", eqals = "b", then = "c" }] }',
            "line 9: unknown key 'eqals'; did you mean 'equals'?",
        ),
        ("NAME", '{ when = [{ column = "a", greater = "b", then = "c" }] }', "line 9: greater compares with a number"),
        ("NAME", '{ from = "a"', "line 9: invalid TOML"),
        ("{day}", "day", "line 3: file_name must contain {day} once"),
        ("[source]", '[source]\ntime_zone = "Europe/Londn"', "line 2: 'Europe/Londn' is not a time zone"),
        ("[source]", '[source]\nencoding = "utf-9"', "line 2: unknown encoding 'utf-9'"),
        ("[source]", '[calendar]\ndue = ["mon", "thue"]\n[source]', "line 2: 'thue' is not one of mon, tue"),
        ("[source]", '[source]\ndecimal = ";"', "line 2: decimal must be . or , not ';'."),
        ("[source]", '[source]\nthousands = "."', "line 2: thousands must be"),
        ("[source]", '[source]\nthousands = ""', "line 2: thousands must be"),
        ("[source]", '[calendar]\nstart = "2024"\n[source]', "line 2: start must be a day"),
        ("[source]", "[calendar]\ndue = 5\n[source]", "line 2: due must be a list of weekdays."),
        ("*.csv", "/etc/*.conf", "line 2: files must be a pattern below the folder"),
        ("*.csv", "../*.csv", "line 2: files must be a pattern below the folder"),
        ("*.csv", "a**.csv", "line 2: files must be a pattern below the folder"),
        ("[feed.customers]", "[feed.customers]\nfiles = '.'", "line 6: files must be a pattern below the folder"),
        ('{ file_name = "{day}.csv" }', "{ column = 5 }", "line 3: column must be a text"),
        ('{day}.csv" }', '{day}.csv", time_format = "%Q" }', "line 3: invalid time_format '%Q': "),
        ("NAME", '{ from = "a", time_format = "%Q" }', "line 9: invalid time_format '%Q': "),
        ("NAME", '{ when = [{ column = "a", matches = "(", then = "b" }] }', "line 9: invalid matches '(': "),
        ("NAME", '{ when = [{ column = "a", equals = ["b"], then = "b" }] }', "line 9: equals must be one value"),
        ("NAME", '{ constant = "\\u0000" }', "line 9: a text must not contain the character NUL."),
        ("NAME", '""', "line 9: '' is not a valid name of a source column."),
        ("NAME", '"ID"', "line 9: 'ID' and 'id' differ only in case; rename one."),
        ("NAME", "{ constant = [1] }", "line 9: constant must be one value"),
        ("NAME", '{ from = "a", values = { x = [1] } }', "line 9: x must be one value"),
        ("NAME", '{ from = "a", negate = "yes" }', "line 9: negate must be true or false."),
        ("NAME", '{ concat = "a" }', "line 9: concat must be a list of parts."),
        ("NAME", "{ concat = [5] }", "line 9: a part of concat is a source column"),
        ("NAME", "{ concat = [{ ordinal = [] }] }", "line 9: a part of concat is a source column"),
        ("NAME", "{ ordinal = [] }", "line 9: ordinal needs at least one source column."),
        ("NAME", '{ from = "a", take = "sum", over = [] }', "line 9: over needs at least one source column."),
        (
            '"at"',
            '{ constant = "soon" }',
            "line 8: every row with 'soon' would be quarantined (changed_at is not a timestamp",
        ),
        (
            '"id"',
            '{ constant = "" }',
            "line 7: every row with '' would be quarantined (broken: customer_id is present).",
        ),
        (
            "NAME",
            "{ multiply = ['a', 'a', 'a', 'a', 'a', 'a', 'a'] }",
            "line 9: multiply takes at most 6 source columns.",
        ),
        (
            "[source]",
            "[calendar]\nstart = 2024-03-02\nend = 2024-03-01\n[source]",
            "line 3: end 2024-03-01 is before start 2024-03-02.",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_suggestion(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = SMALL.replace(old, new).replace("NAME", '"a"')

    assert mistake(tmp_path, text).startswith(told)


MOVEMENTS = """\
[source]
files = "*.csv"
arrival_day = { fixed = 2024-01-03 }

[feed.inventory_movements.columns]
movement_id = "id"
moved_at = "at"
product_id = "product"
kind = KIND
quantity = QUANTITY
"""


@pytest.mark.parametrize(
    ("kind", "quantity", "told"),
    [
        ('{ constant = "sold" }', '"n"', "every row with 'sold' would be quarantined (broken: kind is one of opening"),
        (
            '{ from = "k", values = { S = "sale", R = "receit" } }',
            '"n"',
            "every row with 'receit' would be quarantined",
        ),
        (
            '{ constant = "sale", when = [{ column = "n", greater = 0, then = "in" }] }',
            '"n"',
            "every row with 'in' would be quarantined",
        ),
        ('"k"', '{ constant = "1,5" }', "every row with '1,5' would be quarantined (quantity is not a number"),
    ],
)
def test_a_text_that_no_row_may_have_is_told_before_anything_lands(
    tmp_path: Path, kind: str, quantity: str, told: str
) -> None:
    text = MOVEMENTS.replace("KIND", kind).replace("QUANTITY", quantity)

    assert mistake(tmp_path, text).partition(": ")[2].startswith(told)


def test_texts_that_are_stripped_or_made_numbers_first_are_not_refused(tmp_path: Path) -> None:
    kind = '{ from = "k", values = { S = " Sale " } }'
    quantity = '{ constant = "2-", strip_suffix = "-", negate = true }'
    (tmp_path / "map.toml").write_text(MOVEMENTS.replace("KIND", kind).replace("QUANTITY", quantity))

    assert load_map(tmp_path / "map.toml").feeds


def test_a_map_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_bytes(SMALL.replace("NAME", '{ constant = "wéb" }').encode("latin-1"))

    with pytest.raises(FeedMapError, match=r"map\.toml, line 9: not UTF-8"):
        load_map(tmp_path / "map.toml")


@pytest.mark.parametrize(
    ("name", "sent", "made"),
    [
        ('{ from = "first", abs = true }', "-1.23456789", "-1.23456789"),
        ('{ from = "first", abs = true }', "-1.23456700", "1.234567"),
        ('{ from = "first", negate = true }', "1e-7", "1e-7"),
        ('{ multiply = ["first", "second"] }', "0.0000004", "0.0000004 * 3"),
        ('{ multiply = ["first", "second"] }', "0.000004", "0.000012"),
        ('{ from = "first", take = "sum", over = ["at"] }', "0.0000004", "0.0000004"),
        ('{ constant = "0", when = [{ column = "first", greater = 0, then = "1" }] }', "1e-7", "1"),
    ],
)
def test_numbers_are_never_rounded(tmp_path: Path, zone: Zone, name: str, sent: str, made: str) -> None:
    assert land_names(tmp_path, zone, name, f"a,b,{sent},3") == [made]


def test_a_product_too_large_passes_as_it_was_sent(tmp_path: Path, zone: Zone) -> None:
    made = land_names(tmp_path, zone, '{ multiply = ["first", "first", "first"] }', "a,b,99999999999,\nc,d,2,")

    assert made == ["99999999999 * 99999999999 * 99999999999", "8"]


def test_lines_of_days_that_no_calendar_has_go_with_those_of_the_file(tmp_path: Path, zone: Zone) -> None:
    land_text(
        tmp_path, zone, LISTED_BY_DAY, **{"a.csv": "id,at,name\n1,2024-01-05,\n2,infinity,\n3,20241-01-01,\n4,epoch,\n"}
    )

    assert zone.days("customers") == [dt.date(2024, 1, 5)]


MOMENTS = st.integers(0, 366 * 86_400).map(lambda seconds: NEW_YEAR + dt.timedelta(seconds=seconds))


@pytest.mark.slow
@settings(max_examples=examples(20), deadline=None)
@given(moments=st.lists(MOMENTS, min_size=1, max_size=6), side=st.sampled_from(["min", "max"]), data=st.data())
def test_the_earliest_and_latest_are_of_moments_however_they_are_written(
    moments: list[dt.datetime], side: str, data: st.DataObject
) -> None:
    def written(at: dt.datetime) -> str:
        hours = data.draw(st.integers(-12, 14))
        there = at + dt.timedelta(hours=hours)
        styles = [
            f"{at.year}-{at.month}-{at.day} {at:%H:%M:%S}",
            f"{at:%Y-%m-%dT%H:%M:%S}Z",
            f"{there:%Y-%m-%dT%H:%M:%S}{hours:+03}:00",
        ]
        return data.draw(st.sampled_from(styles))

    lines = "".join(f"a,{written(at)}\n" for at in moments)
    text = SMALL.replace("[feed.customers]\n", '[feed.customers]\ngroup_by = ["id"]\n').replace("name = NAME", "")
    text = text.replace('changed_at = "at"', f'changed_at = {{ from = "at", take = "{side}" }}')
    with TemporaryDirectory() as folder:
        zone = Zone(Path(folder, "landing"))
        land_text(Path(folder), zone, text, **{"2024-01-03.csv": f"id,at\n{lines}"})
        expected = min(moments) if side == "min" else max(moments)

        assert rows(zone, "customers", "changed_at") == [(f"{expected}+00",)]


@pytest.mark.parametrize(
    ("keys", "content"),
    [
        ("", "sep=;\nid;at;first\n1;2;x\n3;4\n"),
        ("", '\ufeff"sep=;"\r\nid;at;first\r\n1;2;"x"\r\n3;4\r\n'),
        ("", "sep=\t\nid\tat\tfirst\n1\t2\tx\n3\t4\n"),
        ("heading_lines = 1", 'Export of "today"\nid,at,first\n1,2,x\n3,4\n'),
        ("heading_lines = 1\ndelimiter = '|'", "\nid|at|first\n1|2|x\n3|4\n"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_stands_before_the_header_is_skipped(
    tmp_path: Path, zone: Zone, keys: str, content: str, packed: bool
) -> None:
    text = SMALL.replace("[source]", f"[source]\n{keys}").replace("NAME", '"first"')
    (tmp_path / "map.toml").write_text(text.replace("*.csv", "*.csv*").replace("{day}.csv", "{day}.csv*"))
    content_bytes = content.encode()
    path = tmp_path / ("2024-01-03.csv.gz" if packed else "2024-01-03.csv")
    path.write_bytes(gzip.compress(content_bytes) if packed else content_bytes)

    report = land(load_map(tmp_path / "map.toml"), tmp_path, zone)

    assert [row[0] for row in rows(zone, "customers", "name") if len(row) == 1] == ["x"]
    assert report.unreadable == 1
    assert "line 4: has 2 fields where the header has 3" in str(report)


KINDS = """\
[source]
files = "*.csv"
arrival_day = { fixed = 2024-01-03 }

[feed.customers]
where = [{ column = "kind", equals = "person" }]
[feed.customers.columns]
customer_id = "id"
changed_at = { constant = "2024-01-02" }

[feed.suppliers]
[feed.suppliers.columns]
supplier_id = "id"
changed_at = { constant = "2024-01-02" }
name = { constant = "firm", when = [{ column = "kind", equals = "person", then = "man" }] }
"""


def test_a_default_is_not_for_kinds_of_lines_that_the_map_does_not_know(tmp_path: Path, zone: Zone) -> None:
    report = land_text(tmp_path, zone, KINDS, **{"a.csv": "id,kind\n1,person\n2,alien\n3,alien\n4,\n"})

    assert rows(zone, "suppliers", "supplier_id") == [("1",)]
    assert (report.unused, report.files[0].unused_kinds) == (3, {"kind alien": 2, "kind null": 1})
    assert "2 of kind alien" in str(report)


def test_a_default_stays_where_no_feed_takes_lines_by_the_kind(tmp_path: Path, zone: Zone) -> None:
    text = KINDS.replace('where = [{ column = "kind", equals = "person" }]', "")

    land_text(tmp_path, zone, text, **{"a.csv": "id,kind\n1,person\n2,alien\n"})

    assert rows(zone, "suppliers", "name") == [("man",), ("firm",)]


def test_hostile_texts_in_a_map_are_only_texts(tmp_path: Path, zone: Zone) -> None:
    assert land_names(
        tmp_path,
        zone,
        """{ from = 'x"; drop table lines; --', strip_suffix = "'", values = { "'); --" = "'" } }""",
        "a,b,'); --\nc,d,e'",
        header='id,at,"x""; drop table lines; --"',
    ) == ["'", "e"]


FIXED = """\
[source]
files = "*.txt"
format = "fixed"
heading_lines = 1
places = { id = [2, 4], at = [5, 14], first = [16, 20] }
arrival_day = { column = "at" }

[feed.customers]
[feed.customers.columns]
customer_id = "id"
changed_at = "at"
name = "first"
"""
HEADING = " id at         first\n"
ANNE, BEN = " 1  2024-01-05 Anne ", "   22024-01-06   Ben"


def land_fixed(tmp_path: Path, zone: Zone, content: bytes, name: str = "a.txt", text: str = FIXED) -> LandReport:
    (tmp_path / "map.toml").write_text(text)
    (tmp_path / name).write_bytes(content)
    return land(load_map(tmp_path / "map.toml"), tmp_path, zone)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_fields_of_fixed_width_stand_where_the_map_says(tmp_path: Path, zone: Zone, end: str) -> None:
    land_fixed(tmp_path, zone, f"{HEADING}{ANNE}\n\n{BEN}".replace("\n", end).encode())

    assert rows(zone, "customers", "customer_id", "changed_at", "name") == [
        ("1", "2024-01-05 00:00:00+00", "Anne"),
        ("2", "2024-01-06 00:00:00+00", "Ben"),
    ]
    assert [path.name for path in zone.root.rglob("*.parquet")] == ["map@a.txt.parquet"] * 2


def test_packed_and_encoded_fixed_width_is_read(tmp_path: Path, zone: Zone) -> None:
    text = FIXED.replace("*.txt", "*.gz").replace("[source]", '[source]\nencoding = "cp1252"')

    land_fixed(tmp_path, zone, gzip.compress((HEADING + ANNE.replace("Anne", "Zoë ")).encode("cp1252")), "a.gz", text)

    assert rows(zone, "customers", "name") == [("Zoë",)]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (BEN[:-1], "line 3: ends at character 19, but the map's places end at 20"),
        (f"{BEN}jamin", "line 3: has 'jamin' outside of the map's places"),
        (f"x{BEN[1:]}", "line 3: has 'x' outside of the map's places"),
        (BEN.replace("Ben", "B\udce9n"), "line 3: byte 0xE9 at position 19 is not UTF-8"),
    ],
)
def test_a_line_beside_its_places_is_landed_with_its_reason(tmp_path: Path, zone: Zone, line: str, told: str) -> None:
    report = land_fixed(tmp_path, zone, f"{HEADING}{ANNE}\n{line}\n".encode("utf-8", "surrogateescape"))

    assert (report.lines, report.unreadable, report.rows) == (2, 1, {"customers": 1})
    [(_, problem)] = [row for row in rows(zone, "customers", "name") if len(row) > 1]
    assert problem.startswith(told)


def test_a_packed_file_that_breaks_off_says_so(tmp_path: Path, zone: Zone) -> None:
    text = FIXED.replace("*.txt", "*.gz")
    packed = gzip.compress((HEADING + f"{ANNE}\n" * 1000).encode())

    report = land_fixed(tmp_path, zone, packed[:-9], "a.gz", text)

    assert report.unreadable == 1
    assert any("is cut off" in problem for *_, problem in rows(zone, "customers", "name"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"first"', '"frist"', "line 12: 'frist' is not in places; did you mean 'first'?"),
        ("[2, 4]", "[4, 2]", "line 5: a place is the first and last character"),
        ("{ id = [2, 4], at = [5, 14], first = [16, 20] }", "{}", "line 5: places needs at least one column"),
        ("[2, 4]", "[2, 5]", "line 5: at begins at 5, before the end of id."),
        ("[2, 4]", '"2-4"', "line 5: a place is the first and last character"),
        ("heading_lines = 1", 'heading_lines = "one"', "line 4: heading_lines must be the number of lines"),
        ("heading_lines = 1", "heading_lines = -1", "line 4: heading_lines must be the number of lines"),
        ('"fixed"', '"csv"', 'line 5: places is only for format = "fixed".'),
        ('"fixed"', '"fixd"', "line 3: 'fixd' is not one of csv, jsonl, json, parquet, fixed; did you mean 'fixed'?"),
    ],
)
def test_a_mistake_in_places_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert mistake(tmp_path, FIXED.replace(old, new)).startswith(told)


def test_cdnow_is_read_from_an_excerpt(tmp_path: Path, zone: Zone) -> None:
    (tmp_path / "CDNOW_master.txt").write_text(
        " customer_id  date number_of_cds  dollar_value\n 00001 19970101  3   10.00\n 00001 19970101  1   12.00\n"
    )

    report = land(load_map(MAPS / "cdnow.toml"), tmp_path, zone)

    assert report.rows == {"customers": 1, "products": 1, "orders": 2, "order_items": 2}
    assert rows(zone, "order_items", "order_id", "ordered_at", "quantity", "unit_price", "discount") == [
        ("00001-19970101-1", "1997-01-01 00:00:00 America/New_York", "3", "3.3334", "0.0002"),
        ("00001-19970101-2", "1997-01-01 00:00:00 America/New_York", "1", "12", "0"),
    ]


def test_northwind_is_read_from_an_excerpt(tmp_path: Path, zone: Zone) -> None:
    for name, text in {
        "customers": "customerid,companyname,city,country\nVINET,Vins et alcools,Reims,France\n",
        "products": "productid,productname,categoryid,unitprice,unitsinstock,discontinued\n11,Queso,4,21,22,0\n",
        "categories": "categoryid,categoryname\n4,Dairy Products\n",
        "orders_shifted": "order_id,customer_id,order_date,required_date,shipped_date,ship_via,poids\n"
        "10248,VINET,2020-01-04,2020-02-01,,3,32.38\n",
        "orders_details": "orderid,productid,unitprice,quantity,discount\n10248,11,14,12,0.05\n",
        "shippers": "shipperid,companyname\n3,Federal Shipping\n",
        "suppliers": "supplierid,companyname,city,country\n5,Cooperativa de Quesos,Oviedo,Spain\n",
    }.items():
        (tmp_path / f"{name}.csv").write_text(text)

    land(load_map(MAPS / "northwind.toml"), tmp_path, zone)

    assert rows(zone, "products", "product_id", "category", "is_active") == [("11", "Dairy Products", "true")]
    assert rows(zone, "orders", "ordered_at", "status", "shipping") == [("2020-01-04 00:00:00+00", "paid", "32.38")]
    assert rows(zone, "order_items", "line_number", "ordered_at") == [("1", "2020-01-04 00:00:00+00")]
    assert rows(zone, "order_items", "discount") == [("8.4",)]
    assert rows(zone, "shipments", "status", "carrier") == [("open", "Federal Shipping")]
    assert rows(zone, "suppliers", "name", "country") == [("Cooperativa de Quesos", "Spain")]
    assert rows(zone, "inventory_movements", "product_id", "quantity") == [("11", "22")]
