"""A feed map in SQL: what it can say, where its rows come from, and how its mistakes are told."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.sources.feed_map import FeedMapError, land, load_map
from ecom_assets.sources.feed_map.macros import create_macros
from ecom_assets.sources.feed_map.model import NumberFormat
from ecom_assets.sql import connect
from ecom_assets_tests.examples import examples
from ecom_assets_tests.sources.landing import land_text, rows

SHOP = """\
[source]
arrival_day = { file_name = "*-{day}.json" }
time_zone = "Europe/Berlin"

[sources.orders]
files = "orders-*.json"

[sources.refunds]
files = "refunds-*.json"
"""
ORDERS = """\
{"orders": [
  {"id": 7001, "created_at": "2024-03-01T23:30:00-05:00", "currency": "EUR", "note": "a \\"b\\"", "total": "21.50",
   "line_items": [{"id": 1, "sku": "A", "quantity": 2, "price": "7.50"}, {"id": 2, "sku": "B", "quantity": 1,
     "price": "6.50"}], "cancelled_at": null},
  {"id": 7002, "created_at": "2024-03-02 10:00", "total": "5", "line_items": []}
]}
"""
OF_ORDERS = """
select id as order_id, created_at as ordered_at, created_at as updated_at, 'paid' as status, 'web' as channel,
    total, amount(total) - 1 as subtotal, 0 as discount, 0 as shipping, 0 as tax
from orders
"""
OF_ITEMS = """
select o.id as order_id, n as line_number, item->>'sku' as product_id, o.created_at as ordered_at,
    o.created_at as updated_at, item->>'quantity' as quantity, amount(item->>'price') as unit_price, 0 as discount
from orders o, unnest(items(o.line_items)) with ordinality as t(item, n)
"""


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path / "landing")


def in_sql(**feeds: str) -> str:
    """A map of the shop's JSON with these feeds."""
    return SHOP + "".join(f'\n[feed.{name}]\nsql = """{sql}"""\n' for name, sql in feeds.items())


def mistake(tmp_path: Path, zone: Zone, text: str, **files: str) -> str:
    with pytest.raises(FeedMapError) as caught:
        land_text(tmp_path, zone, text, **files)
    return str(caught.value).replace(f"{tmp_path / 'map.toml'}, ", "")


def test_nested_json_becomes_orders_and_their_lines(tmp_path: Path, zone: Zone) -> None:
    report = land_text(
        tmp_path, zone, in_sql(orders=OF_ORDERS, order_items=OF_ITEMS), **{"orders-2024-03-02.json": ORDERS}
    )

    assert rows(zone, "orders", "order_id", "ordered_at", "total", "subtotal") == [
        ("7001", "2024-03-02 04:30:00+00", "21.50", "20.5"),
        ("7002", "2024-03-02 09:00:00+00", "5", "4"),
    ]
    assert rows(zone, "order_items", "order_id", "line_number", "product_id", "quantity", "unit_price") == [
        ("7001", "1", "A", "2", "7.5"),
        ("7001", "2", "B", "1", "6.5"),
    ]
    assert (report.lines, report.unused, report.rows) == (2, 0, {"orders": 2, "order_items": 2})


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('[{"id": 1}, {"id": 2}]', "12"),
        ('{"orders": [{"id": 1}, {"id": 2}]}', "12"),
        ('{"id": 1}\n{"id": 2}\n', "12"),
        ('{\n "id": 1\n}\n{\n "id": 2}', "12"),
        ('\ufeff[{"id": 1},\r\n {"id": 2}]', "12"),
        ('{"order": {"id": 1}}', "1"),
        ('\n{"order" : {"id": 1, "customer": {"id": "}"}} }\n', "1"),
        ('{"order": {"id": 1}, "id": 2}', "2"),
        ('{"id": 2, "order": {"id": 1}}', "2"),
    ],
)
def test_json_is_read_however_its_records_stand(tmp_path: Path, zone: Zone, text: str, ids: str) -> None:
    sql = """
        select id as order_id, '2024-03-01' as ordered_at, ordered_at as updated_at, 'paid' as status, 'web' as channel,
            0 as discount, 0 as shipping, 0 as tax
        from orders
    """
    report = land_text(tmp_path, zone, in_sql(orders=sql), **{"orders-2024-03-02.json": text})

    assert rows(zone, "orders", "order_id") == [(one,) for one in ids]
    assert not report.unreadable


def test_json_that_breaks_off_keeps_the_records_before(tmp_path: Path, zone: Zone) -> None:
    text = '{"orders": [{"id": 1, "created_at": "2024-03-01", "total": "1"}, {"id": 2, "creat'
    report = land_text(tmp_path, zone, in_sql(orders=OF_ORDERS), **{"orders-2024-03-02.json": text})

    assert (report.lines, report.unreadable, report.rows) == (2, 1, {"orders": 1})
    [(_, problem)] = [row for row in rows(zone, "orders", "order_id") if len(row) > 1]
    assert "if it is cut off, land the whole file" in problem


def test_sources_are_joined_and_a_row_is_of_the_first(tmp_path: Path, zone: Zone) -> None:
    sql = """
        select r.id as return_id, r.order_id, r.sku as product_id, o.created_at as returned_at, r.seen as updated_at,
            'web' as channel, 1 as quantity, r.amount as amount, 0 as shipping, 0 as tax
        from refunds r left join orders o on o.id = r.order_id
    """
    report = land_text(
        tmp_path,
        zone,
        in_sql(returns=sql),
        **{
            "orders-2024-03-02.json": ORDERS,
            "refunds-2024-03-05.json": '[{"id": "R1","order_id": 7001,"sku": "A", "seen": "2024-03-04","amount": 7.5}]',
        },
    )

    assert zone.days("returns") == [dt.date(2024, 3, 5)]
    assert rows(zone, "returns", "return_id", "returned_at", "amount") == [("R1", "2024-03-02 04:30:00+00", "7.5")]
    assert (report.lines, report.unused) == (1, 0)


def test_a_group_is_of_its_first_line_and_takes_all(tmp_path: Path, zone: Zone) -> None:
    text = """\
[source]
files = "*.csv"
arrival_day = { file_name = "{day}.csv" }

[feed.customers]
sql = "select id as customer_id, min(moment(seen)) as changed_at from lines where id <> '' group by all"
"""
    report = land_text(
        tmp_path,
        zone,
        text,
        **{
            "2024-03-02.csv": "id,seen\n1,2024-3-2 9:00\n2,2024-3-2 7:00\n",
            "2024-03-03.csv": "id,seen\n1,2024-3-10 9:00\n,2024-3-10\n",
        },
    )

    assert rows(zone, "customers", "customer_id", "changed_at") == [
        ("1", "2024-03-02 09:00:00+00"),
        ("2", "2024-03-02 07:00:00+00"),
    ]
    assert (report.lines, report.unused) == (4, 1)
    assert zone.days("customers") == [dt.date(2024, 3, 2), dt.date(2024, 3, 3)]


@pytest.mark.parametrize(
    ("sql", "driving"),
    [
        ("select id from orders", ("orders",)),
        ("select * from refunds r join orders o using (id)", ("refunds",)),
        (
            "with a as (select * from orders), b as (select id, count(*) n from a group by all) select * from b",
            ("orders",),
        ),
        ("select id from (select id from refunds) where id in (select id from orders)", ("refunds",)),
        ("select id from orders union all select id from refunds", ("orders", "refunds")),
        ("select min(r.origin) as origin from orders o, refunds r group by o.id", ("orders",)),
    ],
)
def test_rows_come_from_the_first_table_of_from(tmp_path: Path, sql: str, driving: tuple[str, ...]) -> None:
    (tmp_path / "map.toml").write_text(in_sql(orders=sql))

    assert load_map(tmp_path / "map.toml").queries[0].driving == driving


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select 1; select 2", "line 12: sql must be one SELECT statement."),
        ("drop table orders", "line 12: Only SELECT statements"),
        ("select\nid\nfrm orders", 'line 14: syntax error at or near "orders"'),
        ("select id from ordrs", "line 12: unknown source 'ordrs'; did you mean 'orders'?"),
        ("select now() from orders", "line 12: now() would give other rows each time; use a column."),
        ("select distinct id from orders", "line 12: distinct does not say which line a row comes from"),
        (
            "select id from orders union select id from refunds",
            "line 12: the origin of a row is only known through union all",
        ),
        ("select 1 as order_id", "line 12: the first table after from is not a source"),
        ("select o.id from refunds r right join orders o using (id)", "line 12: a right join has rows without a line"),
        ("select * from read_csv('/etc/passwd')", "line 12: the first table after from is not a source"),
        (
            "select id,\n idd from orders",
            "line 13: Referenced column \"idd\" not found in FROM clause; did you mean 'id'?",
        ),
        (
            "select sum(total) from orders",
            "line 12: No function matches the given name and argument types 'sum(VARCHAR)'; the columns",
        ),
        (
            "select id from orders where line_items->'x' is null",
            "line 12: No function matches the given name and argument types 'json_extract(VARCHAR, BOOLEAN)'; = and is",
        ),
        ("select amuont(total) from orders", "line 12: Scalar Function with name amuont does not exist; did you mean"),
        ("select note::integer as total from orders", "line 12: Could not convert string 'a \"b\"' to INT32"),
        ("select o.id as order_id, (select content from read_text('/etc/passwd')) as note from orders o", "line 12: "),
    ],
)
def test_a_mistake_in_sql_is_told_with_its_line(tmp_path: Path, zone: Zone, sql: str, told: str) -> None:
    assert told in mistake(tmp_path, zone, in_sql(orders=sql), **{"orders-2024-03-02.json": ORDERS})


def test_all_mistakes_of_a_map_are_told_at_once(tmp_path: Path, zone: Zone) -> None:
    text = in_sql(
        orders=OF_ORDERS.replace("created_at as ordered_at", "creatd_at as ordered_at"),
        order_items=OF_ITEMS.replace("n as line_number", "n::double as line_number"),
    )

    told = mistake(tmp_path, zone, text, **{"orders-2024-03-02.json": ORDERS}).splitlines()

    assert [line.partition(":")[0] for line in told] == ["line 13", "line 20"]
    assert "did you mean 'created_at'?" in told[0]
    assert "line_number is DOUBLE, for example 1.0, but the feed has integer; use amount(...)" in told[1]


def test_mistakes_in_the_structure_in_columns_and_in_sql_are_told_at_once(tmp_path: Path, zone: Zone) -> None:
    text = """\
[source]
files = "*.csv"
arrival_day = { file_name = "{day}.csv" }
currency = "EUR"

[feed.orderz]
sql = "select 1"

[feed.customers.columns]
customer_id = "buyr"
changed_att = "day"

[feed.payments]
sql = "select nubmer as payment_id, 1 as amuont from lines"

[feed.returns]
sql = "select from lines whre"
"""
    (tmp_path / "map.toml").write_text(text)
    (tmp_path / "2024-03-02.csv").write_text("number,buyer,day\n1,a,2024-03-02\n")

    with pytest.raises(FeedMapError) as error:
        land(load_map(tmp_path / "map.toml", keeps_mistakes=True), tmp_path, zone)

    lines = [line.partition("map.toml, ")[2] for line in str(error.value).splitlines()]
    for said in [
        "line 6: unknown feed 'orderz'; did you mean 'orders'?",
        "line 9: customers needs changed_at (",
        "line 10: no file of lines has a column 'buyr'; did you mean 'buyer'?",
        "line 11: unknown column of customers 'changed_att'; did you mean 'changed_at'?",
        "line 14: Referenced column \"nubmer\" not found in FROM clause; did you mean 'number'?",
        "line 14: payments has no column 'amuont'; did you mean 'amount'?",
        "line 17: SELECT clause without selection list",
    ]:
        assert any(line.startswith(said) for line in lines), said
    assert zone.feeds() == []


def test_sql_is_not_judged_by_files_that_a_mistake_makes_unreadable(tmp_path: Path) -> None:
    text = in_sql(orders="select idd from orders").replace("[sources.orders]", '[sources.orders]\ndelimeter = ";"')
    (tmp_path / "map.toml").write_text(text)

    with pytest.raises(FeedMapError) as error:
        load_map(tmp_path / "map.toml", keeps_mistakes=True)

    assert "unknown key 'delimeter'" in str(error.value)
    assert "idd" not in str(error.value)


def test_what_does_not_fit_the_feed_is_told_with_a_sample(tmp_path: Path, zone: Zone) -> None:
    sql = (
        "select id as order_id, [total] as total, 1.5::float as tax, shiping from (select *, 0 as shiping from orders)"
    )

    told = mistake(tmp_path, zone, in_sql(orders=sql), **{"orders-2024-03-02.json": ORDERS})

    assert "total is VARCHAR[], for example [21.50], but the feed has decimal" in told
    assert "orders has no column 'shiping'; did you mean 'shipping'?" in told
    assert "orders needs ordered_at (" in told


def test_types_that_do_not_fit_are_told_of_each_feed(tmp_path: Path, zone: Zone) -> None:
    orders, items = (sql.replace("created_at as updated_at", "[1] as updated_at") for sql in (OF_ORDERS, OF_ITEMS))
    items = items.replace("o.[1]", "[1]")

    told = mistake(tmp_path, zone, in_sql(orders=orders, order_items=items), **{"orders-2024-03-02.json": ORDERS})

    assert told.count("updated_at") == 2


def test_a_map_adds_the_shops_own_columns_in_sql_and_in_words(tmp_path: Path, zone: Zone) -> None:
    sql = OF_ORDERS.replace("'web' as channel", "'web' as channel, note, amount(total) * 2 as double_total")
    text = (
        in_sql(orders=sql)
        + """extra = { note = "text", double_total = "decimal" }

[feed.customers]
source = "orders"
extra = { note = "text" }

[feed.customers.columns]
customer_id = "id"
changed_at = "created_at"
note = "note"
"""
    )

    land_text(tmp_path, zone, text, **{"orders-2024-03-02.json": ORDERS})

    assert rows(zone, "orders", "note", "double_total") == [('a "b"', "43"), (None, "10")]
    assert rows(zone, "customers", "note") == [('a "b"',), (None,)]
    assert zone.settings("orders").extra == {"note": "text", "double_total": "decimal"}
    assert "tax" not in zone.settings("customers").extra


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ('{ country = "text" }', "line 12: 'country' must be in lower case, and not a column of the feed."),
        ('{ note = "string" }', "line 12: 'string' is not one of text, integer,"),
        ("{}", "orders has no column 'note'"),
    ],
)
def test_own_columns_that_cannot_be_are_refused(tmp_path: Path, zone: Zone, extra: str, told: str) -> None:
    sql = OF_ORDERS.replace("'web' as channel", "'web' as channel, note")
    text = in_sql(orders=sql).replace("[feed.orders]", f"[feed.orders]\nextra = {extra}")

    assert told in mistake(tmp_path, zone, text, **{"orders-2024-03-02.json": ORDERS})


def test_a_kind_that_differs_from_feeds_toml_is_refused(tmp_path: Path, zone: Zone) -> None:
    zone.save_settings("orders", FeedSettings(extra={"note": "integer"}))
    sql = OF_ORDERS.replace("'web' as channel", "'web' as channel, note")
    text = in_sql(orders=sql) + 'extra = { note = "text" }\n[feed.payments]\nextra = { memo = "text" }\n'
    text += 'sql = "select id as payment_id, id as order_id, created_at as paid_at, created_at as updated_at, '
    text += "'card' as method, 'captured' as status, total as amount, 0 as fee, note as memo from orders\"\n"
    text += "[calendar]\ndue = []\n"

    told = mistake(tmp_path, zone, text, **{"orders-2024-03-02.json": ORDERS})

    assert "note is integer in feeds.toml, not text." in told
    assert zone.feeds() == []
    assert not zone.has_settings("payments")


def test_a_key_that_no_record_has_is_null_unless_another_is_like_it(tmp_path: Path, zone: Zone) -> None:
    sql = OF_ORDERS.replace("'web' as channel", "coalesce(zzz, 'web') as channel")

    report = land_text(tmp_path, zone, in_sql(orders=sql), **{"orders-2024-03-02.json": ORDERS})

    assert rows(zone, "orders", "channel") == [("web",), ("web",)]
    assert "  keys that the map names and no record has: zzz" in str(report).splitlines()
    other = OF_ORDERS.replace("created_at as updated_at", "updated_at")
    land_text(tmp_path, zone, in_sql(orders=other), **{"orders-2024-03-02.json": ORDERS})
    assert rows(zone, "orders", "updated_at") == [(None,), (None,)]


def test_a_column_that_files_may_lack_is_optional(tmp_path: Path, zone: Zone) -> None:
    text = """\
[source]
files = "*.csv"
arrival_day = { file_name = "{day}.csv" }
OPTIONAL
[feed.customers]
sql = "select id as customer_id, seen as changed_at, city from lines"
"""
    files = {"2024-03-02.csv": "id,seen\n1,2024-03-02\n", "2024-03-03.csv": "id,seen,city\n2,2024-03-03,Oslo\n"}

    told = mistake(tmp_path, zone, text.replace("OPTIONAL", ""), **files)
    land_text(tmp_path, zone, text.replace("OPTIONAL", 'optional = ["city"]'))

    assert "2024-03-02.csv has no column 'city' (a column that files may lack is listed in optional)" in told
    assert rows(zone, "customers", "customer_id", "city") == [("1", None), ("2", "Oslo")]


def test_a_source_without_files_has_no_rows(tmp_path: Path, zone: Zone) -> None:
    sql = OF_ORDERS.replace("from orders", "from orders left join refunds r on r.order_id = orders.id")
    report = land_text(tmp_path, zone, in_sql(orders=sql), **{"orders-2024-03-02.json": ORDERS})

    assert report.rows == {"orders": 2}
    assert report.missing == (f"No file in {tmp_path} matches refunds-*.json.",)


@pytest.mark.parametrize(("sql", "unused"), [(OF_ORDERS, ["currency", "note", "line_items", "cancelled_at"]), ("", [])])
def test_columns_that_the_map_does_not_use_are_named(tmp_path: Path, zone: Zone, sql: str, unused: list[str]) -> None:
    text = in_sql(orders=sql or f"select * exclude (id) from (select *, id as order_id from ({OF_ORDERS}))")
    text = text.replace("select *, id as order_id from", "select *, 1 as id from") if not sql else text

    report = land_text(tmp_path, zone, text, **{"orders-2024-03-02.json": ORDERS})

    assert sorted(report.files[0].unused_columns) == sorted(unused)
    assert ("columns that the map does not use: " in str(report)) == bool(unused)


def test_words_and_sql_share_a_source(tmp_path: Path, zone: Zone) -> None:
    text = (
        in_sql(orders=OF_ORDERS + "where id = '7001'")
        + """
[feed.customers]
source = "orders"
where = [{ column = "id", equals = "7002" }]
[feed.customers.columns]
customer_id = "id"
changed_at = "created_at"
"""
    )
    report = land_text(tmp_path, zone, text, **{"orders-2024-03-02.json": ORDERS})

    assert report.rows == {"orders": 1, "customers": 1}
    assert (report.lines, report.unused) == (2, 0)


def test_lines_that_no_statement_reads_are_listed_by_kind(tmp_path: Path, zone: Zone) -> None:
    report = land_text(
        tmp_path, zone, in_sql(orders=OF_ORDERS + "where total = '5'"), **{"orders-2024-03-02.json": ORDERS}
    )

    assert (report.unused, report.files[0].unused_kinds) == (1, {"total 21.50": 1})


def test_columns_with_our_names_or_that_differ_in_case_are_there(tmp_path: Path, zone: Zone) -> None:
    text = """\
[source]
files = "*.csv"
arrival_day = { fixed = 2024-03-02 }
[feed.customers]
sql = '''select id as customer_id, '2024-03-01' as changed_at, "record (2)" as name, "ID (2)" as city from lines'''
"""
    land_text(tmp_path, zone, text, **{"a.csv": "id,record,ID\n1,x,y\n"})

    assert rows(zone, "customers", "customer_id", "name", "city") == [("1", "x", "y")]


def value(expression: str, *given: Any, decimal: str = ".", thousands: str | None = None, zone: str = "UTC") -> Any:
    """What an expression with macros gives for some values."""
    with connect() as con:
        con.execute("set TimeZone = 'UTC'")
        create_macros(con, NumberFormat(decimal, thousands), zone)
        [(made,)] = con.execute(f"select ({expression})::varchar", list(given)).fetchall()
        return made


@pytest.mark.parametrize(
    ("sent", "made"),
    [
        ("12.50", "12.500000"),
        ("-3", "-3.000000"),
        ("12.50-", "-12.500000"),
        ("(3.20)", "-3.200000"),
        ("\u22124", "-4.000000"),
        ("\u20ac 5", "5.000000"),
        ("", None),
        (None, None),
        ("many", "999999999999.999999"),
        ("1,5", "999999999999.999999"),
        ("0.1234567", "999999999999.999999"),
    ],
)
def test_amounts_are_exact_or_stand_out(sent: str | None, made: str | None) -> None:
    assert value("amount($1)", sent) == made


@pytest.mark.slow
@settings(max_examples=examples(100))
@given(
    number=st.decimals(-(10**9), 10**9, places=4),
    marks=st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "'"), (".", None), (",", None)]),
)
def test_an_amount_is_read_as_its_marks_write_it(number: Decimal, marks: tuple[str, str | None]) -> None:
    decimal, thousands = marks
    sent = f"{number:,.4f}".replace(",", "T").replace(".", decimal).replace("T", thousands or "")

    assert Decimal(value("amount($1)", sent, decimal=decimal, thousands=thousands)) == number


@pytest.mark.slow
@settings(max_examples=examples(100))
@given(st.decimals(-(10**6), 10**6, places=13), st.integers(0, 4))
def test_an_amount_with_too_many_decimals_is_rounded_where_asked(number: Decimal, digits: int) -> None:
    assert Decimal(value(f"rounded($1, {digits})", str(number))) == number.quantize(
        Decimal(1).scaleb(-digits), "ROUND_HALF_UP"
    )


@pytest.mark.parametrize(
    ("amount", "quantity", "price", "rounding"),
    [
        ("10", "3", "3.3334", "0.000200"),
        ("9", "3", "3.0000", "0.000000"),
        ("0", "2", "0.0000", "0.000000"),
        ("7.5", "0.75", "10.0000", "0.000000"),
        ("1", "0.3333", "3.0004", "0.000000"),
        ("99999.99", "999.5", "100.0501", "0.080000"),
        ("7.505", "0.75", "10.0134", "0.005000"),
    ],
)
def test_a_price_is_told_by_the_amount(amount: str, quantity: str, price: str, rounding: str) -> None:
    assert value("price_of(amount($1), amount($2))", amount, quantity) == price
    assert value("rounding_of(amount($1), amount($2))", amount, quantity) == rounding


@pytest.mark.parametrize(
    ("expression", "made"),
    [
        ("moment('2024-3-9 23:00')", "2024-03-09 22:00:00+00"),
        ("moment('2024-03-09T23:00:00+05:00')", "2024-03-09 18:00:00+00"),
        ("moment('09.03.2024', '%d.%m.%Y')", "2024-03-08 23:00:00+00"),
        ("moment('3/9/2024', ['%d.%m.%Y', '%m/%d/%Y'])", "2024-03-08 23:00:00+00"),
        ("moment('2024-03-09 23:00', null, 'UTC')", "2024-03-09 23:00:00+00"),
        ("moment('soon')", "-infinity"),
        ("moment('')", None),
        ("epoch_moment('1709938800')", "2024-03-08 23:00:00+00"),
        ("epoch_moment(1709938800123, 'ms')", "2024-03-08 23:00:00.123+00"),
        ("epoch_moment('x')", "-infinity"),
        ("day_of(moment('2024-03-09T23:30:00Z'))", "2024-03-10"),
        ("nothing('(not set)')", None),
        ("nothing('Newsletter')", "Newsletter"),
        ("len(items(null))", None),
    ],
)
def test_moments_days_and_words_for_nothing(expression: str, made: str | None) -> None:
    assert value(expression, zone="Europe/Berlin") == made


def test_an_unreadable_amount_or_moment_does_not_land_as_nothing(tmp_path: Path, zone: Zone) -> None:
    sql = OF_ORDERS.replace("created_at as updated_at", "moment(total) as updated_at")
    text = '[{"id": 1, "created_at": "2024-03-01", "total": "many"}]'

    land_text(tmp_path, zone, in_sql(orders=sql), **{"orders-2024-03-02.json": text})

    assert rows(zone, "orders", "updated_at", "subtotal") == [("not a moment", "not an amount")]
