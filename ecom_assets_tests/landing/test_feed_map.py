"""A feed map turns a foreign export into feeds, exactly, and its mistakes are told by line."""

import datetime as dt
import gzip
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ecom_assets.landing.feed_map import FeedMapError, LandReport, land, load_map
from ecom_assets.landing.reading import read
from ecom_assets.landing.zone import FeedSettings, Zone

MAP = Path(__file__).parents[2] / "ecom_assets" / "landing" / "maps" / "online_retail.toml"
EXPORT = Path(__file__).parents[2].parent / "shared" / "data" / "online_retail"

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
EXCERPT = """\
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:27:00,2.55,17850.0,United Kingdom
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
C536379,D,Discount,-3,2010-12-01 09:41:00,27.505,14527.0,France
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
A563186,B,Adjust bad debt,1,2010-12-01 14:51:00,-11062.06,,United Kingdom
"""

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


def rows(zone: Zone, feed: str, *columns: str) -> list[tuple[Any, ...]]:
    """The feed as bronze would read it: the columns, and the problem if there is one."""
    with duckdb.connect() as con:
        days = zone.days(feed)
        files = [file for day in zone.arrivals(feed, days[0], days[-1]).values() for file in day]
        relation = read(con, files, columns).order("arrived_on, source_file, record")
        return [row[: len(columns)] + row[-2:-1] * (row[-2] is not None) for row in relation.fetchall()]


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
        ("536365", "1", "2010-12-01 08:27:00", "6", "2.55"),
        ("536365", "2", "2010-12-01 08:26:00", "6", "2.55"),
    ]


def test_an_order_comes_from_its_lines_and_is_of_their_earliest_time(tmp_path: Path, zone: Zone) -> None:
    land_excerpt(tmp_path, zone)

    assert rows(zone, "orders", "order_id", "customer_id", "ordered_at", "status", "cancel_reason", "subtotal") == [
        ("536365", "17850", "2010-12-01 08:26:00", "paid", None, None),
        ("536414", None, "2010-12-01 11:52:00", "paid", None, None),
        ("A563186", None, "2010-12-01 14:51:00", "cancelled", "void", None),
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


def test_the_zone_learns_time_zone_and_weekdays(tmp_path: Path, zone: Zone) -> None:
    land_excerpt(tmp_path, zone)

    assert zone.settings("orders") == FeedSettings("Europe/London", frozenset())
    assert (load_map(MAP).start, load_map(MAP).end) == (dt.date(2010, 12, 1), dt.date(2011, 12, 9))


@pytest.mark.slow
@pytest.mark.skipif(not EXPORT.is_dir(), reason=f"Online Retail is not at {EXPORT}.")
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
        ('{ from = "second", take = "sum", over = ["at"] }', ["6", "6"]),
        ('{ from = "second", take = "count", over = ["id"] }', ["1", "1"]),
        ('{ from = "id", take = "max", over = ["at"] }', ["b", "b"]),
        ('{ from = "id", when = [{ column = "first", greater = 0, then = "more" }] }', ["more", "b"]),
        ('{ when = [{ column = "id", matches = "[b-z]", then = "late" }] }', [None, "late"]),
    ],
)
def test_values_are_derived(tmp_path: Path, zone: Zone, name: str, made: list[str | None]) -> None:
    assert land_names(tmp_path, zone, name, "a,02.01.2024,0.1,3\nb,02.01.2024,many,3") == made


def test_numbers_are_compared_as_numbers(tmp_path: Path, zone: Zone) -> None:
    assert land_names(tmp_path, zone, '{ from = "first", take = "max", over = ["at"] }', "a,x,9,\nb,x,10.50,") == [
        "10.50",
        "10.50",
    ]


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


def test_a_file_whose_name_tells_no_day_is_said_to_be_skipped(tmp_path: Path, zone: Zone) -> None:
    (tmp_path / "notes.csv").write_text("id,at\n1,2\n")
    (tmp_path / "2024-02-30.csv").write_text("id,at\n1,2\n")
    land_names(tmp_path, zone, '"first"', "a,b,c,d")

    report = land(load_map(tmp_path / "map.toml"), tmp_path, zone)

    assert report.skipped == ("2024-02-30.csv", "notes.csv")
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
        FeedMapError, match=r"map\.toml, line 9: the export has no column 'frist'; did you mean 'first'"
    ):
        land_names(tmp_path, zone, '"frist"', "a,b,c,d")


def test_a_folder_without_files_is_told(tmp_path: Path, zone: Zone) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no file like"):
        land(load_map(MAP), tmp_path, zone)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[source]", "[sorce]", "line 1: 'sorce' is no key; did you mean 'source'?"),
        ("files =", "fils =", "line 2: 'fils' is no key; did you mean 'files'?"),
        ("customers", "custmers", "line 5: 'custmers' is no feed; did you mean 'customers'?"),
        ("name =", "nam =", "line 9: 'nam' is no column of customers; did you mean 'name'?"),
        ('changed_at = "at"', "", "line 5: customers needs changed_at"),
        ("NAME", '{ form = "a" }', "line 9: 'form' is no key; did you mean 'from'?"),
        ("NAME", "3", "line 9: a value is the name of a source column"),
        ("NAME", '{ from = "a", constant = "b" }', "line 9: a value starts as exactly one of"),
        ("NAME", '{ from = "a", take = "frist", over = ["b"] }', "line 9: 'frist' is none of first, min"),
        ("NAME", '{ from = "a", take = "first" }', "line 9: take needs group_by"),
        (
            "NAME",
            '{ when = [{ column = "a", eqals = "b", then = "c" }] }',
            "line 9: 'eqals' is no key; did you mean 'equals'?",
        ),
        ("NAME", '{ when = [{ column = "a", greater = "b", then = "c" }] }', "line 9: greater compares with a number"),
        ("NAME", '{ from = "a"', "line 9: this is no TOML"),
        ("{day}", "day", "line 3: file_name needs {day} once"),
        ("[source]", '[source]\ntime_zone = "Europe/Londn"', "line 2: 'Europe/Londn' is no time zone"),
        ("[source]", '[source]\nencoding = "utf-9"', "line 2: 'utf-9' is no encoding"),
        ("[source]", '[calendar]\ndue = ["mon", "thue"]\n[source]', "line 2: 'thue' is none of mon, tue"),
        ("[source]", '[calendar]\nstart = "2024"\n[source]', "line 2: start has to be a day"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_suggestion(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = SMALL.replace(old, new).replace("NAME", '"a"')

    assert mistake(tmp_path, text).startswith(told)


def test_hostile_texts_in_a_map_are_only_texts(tmp_path: Path, zone: Zone) -> None:
    assert land_names(
        tmp_path,
        zone,
        """{ from = 'x"; drop table lines; --', strip_suffix = "'", values = { "'); --" = "'" } }""",
        "a,b,'); --\nc,d,e'",
        header='id,at,"x""; drop table lines; --"',
    ) == ["'", "e"]
