"""Groups of lines that go on in other files, and files that landed before."""

import datetime as dt
import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.landing.zone import Zone
from ecom_assets.sources.feed_map import WouldEmpty, land, load_map
from ecom_assets_tests.examples import examples
from ecom_assets_tests.sources.landing import land_text, rows

SALES = """\
[source]
files = "*.csv"
arrival_day = { file_name = "sales-{day}.csv" }

[feed.orders]
group_by = ["invoice"]
[feed.orders.columns]
order_id = "invoice"
ordered_at = { from = "sold", take = "min" }
updated_at = { from = "sold", take = "min" }
status = { constant = "paid" }
channel = { constant = "web" }
discount = { from = "fee", take = "sum" }
shipping = { constant = "0" }
tax = { constant = "0" }

[feed.order_items.columns]
order_id = "invoice"
line_number = { ordinal = ["invoice"] }
product_id = "sku"
ordered_at = { from = "sold", take = "min", over = ["invoice"] }
updated_at = "sold"
quantity = "qty"
unit_price = { constant = "1" }
discount = { constant = "0" }
"""
IN_SQL = (
    SALES.partition("[feed.orders]")[0]
    + """
[feed.order_items]
sql = '''
select invoice as order_id, line_number(invoice, origin) as line_number, sku as product_id,
    min(moment(sold)) over (partition by invoice) as ordered_at, sold as updated_at, qty as quantity, 1 as unit_price,
    0 as discount
from lines
'''
"""
)
HEADER = "invoice,sku,qty,fee,sold\n"
FIRST = f"{HEADER}I1,A,1,2,2024-03-02T23:58:00\nI1,B,1,3,2024-03-02T23:58:00\n"
SECOND = f"{HEADER}I1,C,1,5,2024-03-03T09:00:00\nI2,A,2,1,2024-03-03T09:00:00\n"


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path / "landing")


def land_alone(tmp_path: Path, zone: Zone, text: str, **files: str) -> Any:
    """Lands files from a folder that holds nothing else."""
    with TemporaryDirectory(dir=tmp_path) as folder:
        return land_text(Path(folder), zone, text, **files)


@pytest.mark.parametrize("text", [SALES, IN_SQL], ids=["words", "sql"])
@pytest.mark.parametrize("names", [("02", "03"), ("03", "02")])
def test_a_group_goes_on_in_the_next_file(tmp_path: Path, zone: Zone, text: str, names: tuple[str, str]) -> None:
    files = {"02": FIRST, "03": SECOND}
    for name in names:
        report = land_alone(tmp_path, zone, text, **{f"sales-2024-03-{name}.csv": files[name]})

    assert rows(zone, "order_items", "order_id", "line_number", "product_id", "ordered_at") == [
        ("I1", "1", "A", "2024-03-02 23:58:00+00"),
        ("I1", "2", "B", "2024-03-02 23:58:00+00"),
        ("I1", "3", "C", "2024-03-02 23:58:00+00"),
        ("I2", "1", "A", "2024-03-03 09:00:00+00"),
    ]
    assert zone.days("order_items") == [dt.date(2024, 3, 2), dt.date(2024, 3, 3)]
    assert report.restated == 1


def test_an_order_in_two_files_keeps_all_its_fees(tmp_path: Path, zone: Zone) -> None:
    for name, text in (("02", FIRST), ("03", SECOND)):
        report = land_alone(tmp_path, zone, SALES, **{f"sales-2024-03-{name}.csv": text})

    assert rows(zone, "orders", "order_id", "discount", "ordered_at") == [
        ("I1", "10", "2024-03-02 23:58:00+00"),
        ("I2", "1", "2024-03-03 09:00:00+00"),
    ]
    assert "groups of equal invoice go on in another file, such as I1" in str(report)


def test_where_files_hold_groups_whole_a_later_file_stands_for_itself(tmp_path: Path, zone: Zone) -> None:
    text = SALES.replace("[source]", '[source]\ngroup = "whole"')
    for name, sent in (("02", FIRST), ("03", SECOND)):
        report = land_alone(tmp_path, zone, text, **{f"sales-2024-03-{name}.csv": sent})

    assert [row for row in rows(zone, "orders", "order_id", "discount") if row[0] == "I1"] == [("I1", "5"), ("I1", "5")]
    assert [row[1] for row in rows(zone, "order_items", "order_id", "line_number")] == ["1", "2", "1", "1"]
    assert (report.restated, list(zone.root.glob(".maps"))) == (0, [])


def test_a_corrected_file_counts_instead_of_the_earlier_one(tmp_path: Path, zone: Zone) -> None:
    for name, sent in (("02", FIRST), ("03", SECOND), ("02", FIRST.replace("I1,A,1,2,2024-03-02T23:58:00\n", ""))):
        land_alone(tmp_path, zone, SALES, **{f"sales-2024-03-{name}.csv": sent})

    assert rows(zone, "order_items", "order_id", "line_number", "product_id") == [
        ("I1", "1", "B"),
        ("I1", "2", "C"),
        ("I2", "1", "A"),
    ]
    assert rows(zone, "orders", "order_id", "discount") == [("I1", "8"), ("I2", "1")]


LINES = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=12)


@pytest.mark.slow
@settings(max_examples=examples(25), deadline=None)
@given(lines=LINES, cuts=st.lists(st.integers(0, 12), max_size=4), data=st.data())
def test_no_split_of_lines_into_files_and_no_order_of_landing_changes_a_line(
    lines: list[tuple[str, int, int]], cuts: list[int], data: st.DataObject
) -> None:
    sent = [f"{invoice},S{qty},{qty},{fee},2024-03-0{1 + qty % 3}\n" for invoice, qty, fee in lines]
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    files = {
        f"sales-2024-03-{day:02}.csv": HEADER + "".join(sent[first:last])
        for day, (first, last) in enumerate(itertools.pairwise(edges), 1)
    }
    order = data.draw(st.permutations(list(files)))
    at = data.draw(st.integers(1, len(order)))
    with TemporaryDirectory() as folder:
        together, apart = Zone(Path(folder, "together")), Zone(Path(folder, "apart"))
        land_alone(Path(folder), together, SALES, **{"sales-2024-03-01.csv": HEADER + "".join(sent)})
        for some in (order[:at], order[at:]):
            if some:
                land_alone(Path(folder), apart, SALES, **{name: files[name] for name in some})
        columns = ("order_id", "line_number", "product_id", "ordered_at", "quantity")

        assert sorted(rows(apart, "order_items", *columns)) == sorted(rows(together, "order_items", *columns))
        assert sorted(rows(apart, "orders", "order_id", "discount")) == sorted(
            rows(together, "orders", "order_id", "discount")
        )


def test_a_group_is_one_row_whatever_the_days_of_its_lines(tmp_path: Path, zone: Zone) -> None:
    text = SALES.replace('{ file_name = "sales-{day}.csv" }', '{ column = "sold" }')

    land_text(tmp_path, zone, text, **{"a.csv": FIRST + SECOND.removeprefix(HEADER)})

    assert rows(zone, "orders", "order_id", "discount") == [("I1", "10"), ("I2", "1")]


def test_the_day_can_stand_in_a_folder(tmp_path: Path, zone: Zone) -> None:
    text = SALES.replace("*.csv", "**/*.csv").replace('file_name = "sales-{day}.csv"', 'path = "{day}/orders.csv"')

    report = land_text(
        tmp_path, zone, text, **{"2024-03-02/orders.csv": FIRST, "2024-03-03/orders.csv": SECOND, "x.csv": FIRST}
    )

    assert zone.days("orders") == [dt.date(2024, 3, 2), dt.date(2024, 3, 3)]
    assert len(rows(zone, "order_items", "order_id")) == 4
    assert report.skipped == ("x.csv: no arrival day in its path",)


def test_two_maps_read_one_file_each_for_itself(tmp_path: Path, zone: Zone) -> None:
    other = SALES.replace("[source]", 'name = "returns"\n[source]')
    other = other.replace(
        'group_by = ["invoice"]', 'group_by = ["invoice"]\nwhere = [{ column = "qty", equals = "2" }]'
    )

    land_text(tmp_path, zone, SALES, **{"sales-2024-03-02.csv": FIRST})
    report = land_text(tmp_path, zone, other)

    assert rows(zone, "orders", "order_id") == [("I1",)]
    assert (report.emptied, report.rows["orders"]) == (0, 0)


def test_what_landed_before_names_had_the_maps_name_is_not_doubled(tmp_path: Path, zone: Zone) -> None:
    land_text(tmp_path, zone, SALES, **{"sales-2024-03-02.csv": FIRST})
    for path in list(zone.root.glob("*/*/*.parquet")):
        path.rename(path.with_name(path.name.removeprefix("map@")))
    before = rows(zone, "order_items", "order_id", "product_id")

    land_text(tmp_path, zone, SALES)

    assert rows(zone, "order_items", "order_id", "product_id") == before
    assert [path.name for path in zone.root.glob("orders/*/*")] == ["map@sales-2024-03-02.csv.parquet"]


def test_what_landed_before_under_an_old_name_is_not_dropped_unasked(tmp_path: Path, zone: Zone) -> None:
    land_text(tmp_path, zone, SALES, **{"sales-2024-03-02.csv": FIRST})
    for path in list(zone.root.glob("*/*/*.parquet")):
        path.rename(path.with_name(path.name.removeprefix("map@")))
    (tmp_path / "sales-2024-03-02.csv").write_text(SECOND)
    feed_map = load_map(tmp_path / "map.toml")

    with pytest.raises(WouldEmpty, match=r"orders/2024-03-02/sales-2024-03-02\.csv\.parquet"):
        land(feed_map, tmp_path, zone)
    land(feed_map, tmp_path, zone, replacing=True)

    assert sorted(rows(zone, "order_items", "order_id", "product_id")) == [("I1", "C"), ("I2", "A")]


def test_a_map_that_names_more_columns_needs_the_earlier_files_again(tmp_path: Path, zone: Zone) -> None:
    land_alone(
        tmp_path,
        zone,
        SALES,
        **{"sales-2024-03-02.csv": FIRST.replace("sku", "sku,note").replace(",A", ",A,x").replace(",B", ",B,")},
    )
    text = SALES.replace('product_id = "sku"', 'product_id = "sku"\ndescription = "note"')

    with pytest.raises(Exception, match=r"without 'note', which the map names now; land them again .*sales-2024-03-02"):
        land_alone(
            tmp_path,
            zone,
            text,
            **{"sales-2024-03-03.csv": SECOND.replace("sku", "sku,note").replace(",C", ",C,").replace(",A", ",A,")},
        )
