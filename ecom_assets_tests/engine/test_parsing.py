"""Text made typed: what is read, what is refused, and the hours that clocks skip and repeat."""

import datetime as dt
import json
import zoneinfo
from pathlib import Path

import narwhals as nw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_assets import catalog
from ecom_assets.contract import (
    WORDS_FOR_NOTHING,
    Column,
    Date,
    Decimal,
    Feed,
    Timestamp,
    column,
    contract,
    feed_contract,
    key,
    money,
)
from ecom_assets.days import Window, by_event_day
from ecom_assets.declaration import Catalog, declare
from ecom_assets.engine.duckdb.parsing import complaints_of, latest_moment, midnight_text, moment_text, text_of
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import connect
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.tiny_shop import of_feed
from ecom_assets_tests.warehouses import session_over

PAYMENT = "p1,o1,{paid_at},2024-04-01T00:00:00Z,{method},captured,{amount},{fee}"
HEADER = "payment_id,order_id,paid_at,updated_at,method,status,amount,fee\n"
LAST = dt.date(2024, 11, 30)
SAID = "[struct_extract(x, 'sentence') for x in problems]"
"""SQL: the sentences of what could not be read of a row."""


class Sent(Feed, primary_key="number", event_column="sent_on", name="landing.sent"):
    """One row per record, with a column of each kind."""

    number: str = key("Number of the record")
    sent_on: Date = column("When it was sent")
    a_date: Date = column("A day", nullable=True)
    a_timestamp: Timestamp = column("A moment", nullable=True)
    a_integer: int = column("A whole number", nullable=True)
    a_decimal: Decimal = money("An amount", nullable=True)
    a_float: float = column("A number", nullable=True)
    a_boolean: bool = column("A yes or no", nullable=True)


class Typed(Sent, partition_column="day", name="silver.sent"):
    """One row per record."""

    day: Date = column("When it was sent")


def as_sent(bronze_sent: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_sent


@pytest.fixture
def payments(tmp_path: Path) -> Session:
    """Bronze and typed payments alone, of a shop in London."""
    zone = Zone(tmp_path)
    zone.save_settings("payments", FeedSettings("Europe/London"))
    return session_over(zone, time_zone="Europe/London")


def _land(session: Session, arrived_on: dt.date, **given: str) -> None:
    values = {"paid_at": "2024-04-01T10:00:00", "amount": "1", "fee": "0", "method": "card", **given}
    session.zone.write("payments", arrived_on, "payments.csv", (HEADER + PAYMENT.format(**values)).encode())
    session.run("bronze.payments", Window(arrived_on, arrived_on))


def _parsed(session: Session, day: dt.date, column: str) -> tuple[object, list[str] | None]:
    """A column of the one payment that is read on a day, and what is said against the row."""
    declaration = session.catalog["silver.payments"]
    (read,) = [read for read in declaration.reads if read.parameter]
    rows = session.frame(declaration, read, Window(day, day)).relation()
    ((value, problems),) = rows.select(f"{column}, {SAID}").fetchall()
    return value, problems


@pytest.mark.parametrize(
    ("text", "day", "moment"),
    [
        ("2024-03-31T00:59:59", "2024-03-31", "2024-03-31T00:59:59"),  # the last second before clocks go forward
        ("2024-03-31T01:30:00", "2024-03-31", "2024-03-31T01:30:00"),  # skipped: read as if clocks had not changed yet
        ("2024-03-31T02:00:00", "2024-03-31", "2024-03-31T01:00:00"),
        ("2024-10-27T01:30:00", "2024-10-27", "2024-10-27T01:30:00"),  # stands twice: the second time, in winter time
        ("2024-10-27T00:30:00", "2024-10-27", "2024-10-26T23:30:00"),
        ("2024-07-01T00:30:00", "2024-07-01", "2024-06-30T23:30:00"),  # business days are London's
        ("2024-06-30T23:30:00Z", "2024-07-01", "2024-06-30T23:30:00"),  # an offset that is sent counts
        ("2024-07-01T02:30:00+03:00", "2024-07-01", "2024-06-30T23:30:00"),
        ("2024-07-01T02:30:00+03:00\t", "2024-07-01", "2024-06-30T23:30:00"),
        ("2024-06-30T23:30:00 utc", "2024-07-01", "2024-06-30T23:30:00"),
        ("2024-06-30 19:30:00 America/New_York", "2024-07-01", "2024-06-30T23:30:00"),
        ("2024-07-01", "2024-07-01", "2024-06-30T23:00:00"),
    ],
)
def test_moments_without_offset_are_of_the_feeds_time_zone(payments, text, day, moment):
    on = dt.date.fromisoformat(day)
    _land(payments, on, paid_at=text)

    assert _parsed(payments, on, "paid_at") == (dt.datetime.fromisoformat(moment), None)


@pytest.mark.parametrize(("text", "value"), [("\t", None), (" \v ", None), ("\tcaf\u00e9 ", "caf\u00e9")])
def test_white_space_around_a_text_is_not_part_of_it(payments, text, value):
    _land(payments, LAST, paid_at="2024-11-30T10:00:00", method=text)

    assert _parsed(payments, LAST, "method")[0] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.5", "12.5000"),
        ("1.23450", "1.2345"),
        (" 7 ", "7.0000"),
        (".5", "0.5000"),
        ("-3", "-3.0000"),
        ("4.", "4.0000"),
    ],
)
def test_amounts_are_read_exactly(payments, text, value):
    _land(payments, LAST, paid_at="2024-11-30T10:00:00", amount=text)

    amount, problems = _parsed(payments, LAST, "amount")
    assert (str(amount), problems) == (value, None)


@pytest.mark.parametrize(
    "text", ["1.23456", "1e3", "1,50", "NaN", "0x10", "1_000", "€5", "10000000000", "99999999999999999"]
)
def test_what_is_no_exact_amount_is_said_and_never_rounded(payments, text):
    quoted = f'"{text}"'
    _land(payments, LAST, paid_at="2024-11-30T10:00:00", amount=quoted)

    assert _parsed(payments, LAST, "amount") == (
        None,
        ["amount is not a number with at most 10 digits before and 4 after the point"],
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tomorrow", "paid_at has no usable day"),
        ("2024-13-01T00:00:00", "paid_at has no usable day"),
        ("2023-01-01T00:00:00Z", "paid_at is before the calendar's first day, 2024-03-01"),
        ("2024-12-05T00:00:00Z", "paid_at is later than its arrival or the calendar's last day"),
        ("infinity", "paid_at has no usable day"),
        ("294247-01-10 04:00:54", "paid_at has no usable day"),
        ("", "paid_at has no usable day"),
    ],
)
def test_a_row_without_usable_day_is_read_on_the_day_it_arrived(payments, text, said):
    _land(payments, LAST, paid_at=text)

    _, problems = _parsed(payments, LAST, "payment_id")
    assert problems is not None
    assert said in problems


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("03", 3), ("3.0", 3), ("3.5", None), ("three", None), ("1000000000", None)]
)
def test_whole_numbers_are_never_rounded(tmp_path, text, value):
    tables = catalog.tables()
    needed = {"bronze.order_items", "silver.order_items", *tables.upstream("silver.order_items")}
    session = session_over(Zone(tmp_path), tables=Catalog(tables[name] for name in needed))
    line = f"order_id,line_number,ordered_at,quantity\no1,{text},2024-11-30T10:00:00Z,1\n"
    session.zone.write("order_items", LAST, "items.csv", line.encode())
    session.run("bronze.order_items", Window(LAST, LAST))
    declaration = session.catalog["silver.order_items"]
    (read,) = [read for read in declaration.reads if read.parameter]

    rows = session.frame(declaration, read, Window(LAST, LAST)).relation()

    wrong = None if value is not None else ["line_number is not a whole number of at most 9 digits"]
    assert rows.select(f"line_number, {SAID}").fetchall() == [(value, wrong)]


def _said(column: Column, texts: list[str]) -> list[str | None]:
    """What a column says in each text."""
    with connect() as con:
        rows = con.execute(f"select {text_of(column)} from (select unnest(?::varchar[]) as x)", [texts]).fetchall()
    return [said for (said,) in rows]


SPACE = st.text(" \t\n\r\v\f", max_size=3)
CASE = st.sampled_from([str.lower, str.upper, str.title, str.swapcase])


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from(WORDS_FOR_NOTHING), CASE, SPACE, SPACE), min_size=1))
def test_a_word_for_nothing_counts_as_missing_where_that_is_declared(sent):
    texts = [before + case(word) + after for word, case, before, after in sent]
    text = Column("x", "text", nullable=True, description="A text")
    identifier = Column("x", "text", nullable=True, description="A number", words_for_nothing=True)

    assert _said(identifier, texts) == [None] * len(texts)
    assert _said(text, texts) == [each.strip() for each in texts]


@pytest.mark.slow
@given(st.lists(st.text(max_size=12).map(str.strip).filter(lambda text: text.lower() not in WORDS_FOR_NOTHING)))
def test_no_other_text_is_a_word_for_nothing(texts):
    identifier = Column("x", "text", nullable=True, description="A number", words_for_nothing=True)
    texts = [text.replace("\0", "") for text in texts] + ["0", "--", "(none)1", "nulls", "C-", "Nan Goldin"]

    assert _said(identifier, texts) == [text or None for text in texts]


def test_a_map_is_told_of_words_for_nothing_where_a_value_is_needed():
    promised = feed_contract(Sent)

    found = complaints_of(["N/A", "n1"], promised.columns["number"], promised, "UTC")

    assert found == {"N/A": "broken: number is present"}


WORDS = ("epoch", "infinity", "-infinity", "inf", "now", "today", "tomorrow", "yesterday", "allballs", "NaN", "null")
"""What databases take for a day, a moment or a number, whatever day it is."""


READ = [
    ("date", WORDS, None),
    (
        "date",
        ("2024-01-31 BC", "2024-01-31 (BC)", "2024-01-31, or so", "2024-01-31Zulu", "-2024-01-31", "20240131"),
        None,
    ),
    ("date", ("2024-01-31", "2024/1/31", " 2024-01-31 00:00:00 ", "2024-01-31Z"), "2024-01-31"),
    ("timestamp", WORDS, None),
    ("timestamp", ("epoch UTC", "today 10:00:00", "10:00:00 today", "2024-01-31 10:00:00 BC"), None),
    ("timestamp", ("2024-01-31 10:00:00 BST", "2024-01-31T10:00:00+02:00:30", "2024-01-31T10:00:00, or so"), None),
    ("timestamp", ("2024-01-31T10:00:00Z", "2024/1/31 10:00", " 2024-01-31 12:00:00+02 "), "2024-01-31 10:00:00"),
    (
        "timestamp",
        ("2024-01-31 11:00:00 +0100", "2024-01-31T11:00:00.0 +01:00", "2024-01-31 11:00 +01"),
        "2024-01-31 10:00:00",
    ),
    ("timestamp", ("2024-01-31T11:00+01:00", "2024-01-31T10:00Z", "2024-01-31 04:30 -0530"), "2024-01-31 10:00:00"),
    ("timestamp", ("2024-01-31 +0100", "2024-01-31 11:00:00 +01000", "2024-01-31 11:00:00 + 01"), None),
    ("integer", (*WORDS, "0x10", "1_000", "1e3", "true"), None),
    ("decimal", (*WORDS, "0x10", "1_000", "1e3", "true"), None),
    ("float", (*WORDS, "-inf", "+infinity", "-nan", "1e400", "-1e400", "0x10", "1_000", "1,5", "true"), None),
    ("float", ("1.5", "+1.5", "1.5e0", "15E-1", " 1.50 "), "1.5"),
    ("boolean", (*WORDS, "on", "off", "2", "-1", "1.0", "truth"), None),
    ("boolean", ("true", "TRUE", "t", "T", "yes", "Yes", "y", "1", " true "), "true"),
    ("boolean", ("false", "False", "f", "no", "NO", "n", "0"), "false"),
]


@pytest.mark.parametrize("time_zone", ["UTC", "Europe/London"])
def test_a_text_is_read_as_what_it_writes_out_and_nothing_else(tmp_path, time_zone):
    sent = {(kind, text): value for kind, texts, value in READ for text in texts}
    lines = [
        json.dumps({"number": f"{n}", "sent_on": f"{LAST}", f"a_{kind}": text}) for n, (kind, text) in enumerate(sent)
    ]
    zone = Zone(tmp_path)
    zone.save_settings("sent", FeedSettings(time_zone))
    zone.write("sent", LAST, "sent.jsonl", "\n".join(lines).encode())
    silver = declare(contract(Typed), as_sent, {"bronze_sent": by_event_day}, feed=feed_contract(Sent))
    session = session_over(zone, tables=of_feed(Sent, silver))
    session.run("bronze.sent", Window(LAST, LAST))

    rows = session.frame(silver, silver.reads[0], Window(LAST, LAST)).relation().order("record")

    kinds = dict.fromkeys(kind for kind, _, _ in READ)
    read = rows.select(f"coalesce({', '.join(f'a_{kind}::varchar' for kind in kinds)})").fetchall()
    assert dict(zip(sent, read, strict=True)) == {one: (value,) for one, value in sent.items()}
    assert rows.filter("problems is null").shape[0] == sum(value is not None for value in sent.values())


def test_a_word_for_a_day_sets_its_row_aside(payments):
    _land(payments, LAST, paid_at="epoch")

    _, problems = _parsed(payments, LAST, "payment_id")

    assert problems == [
        "paid_at has no usable day",
        "paid_at is not a timestamp like 2024-01-31T10:00:00Z in the years 1000 to 9999",
    ]


def test_a_day_without_a_time_is_that_day_in_every_time_zone(tmp_path):
    zone = Zone(tmp_path)
    zone.write("ad_spend", LAST, "spend.csv", f"spend_on,campaign_id\n{LAST},c1\n".encode())
    session = session_over(zone, time_zone="America/New_York", tables=Catalog([catalog.tables()["bronze.ad_spend"]]))

    session.run("bronze.ad_spend", Window(LAST, LAST))

    assert session.con.execute("select event_on from bronze.ad_spend").fetchall() == [(LAST,)]


def test_the_business_day_of_a_moment_is_the_shops(tmp_path):
    zone = Zone(tmp_path)
    row = f"shipment_id,order_id,ordered_at,shipped_at\nh1,o1,{LAST}T12:00:00Z,2024-12-03T02:00:00Z\n"
    zone.write("shipments", LAST, "shipments.csv", row.encode())
    session = session_over(zone, time_zone="America/New_York")
    session.run("bronze.shipments", Window(LAST, LAST))
    declaration = session.catalog["silver.shipments"]
    (read,) = [read for read in declaration.reads if read.parameter]

    rows = session.frame(declaration, read, Window(LAST, LAST)).relation()

    assert rows.select("shipped_at::varchar, shipped_on::varchar").fetchall() == [("2024-12-03 02:00:00", "2024-12-02")]


def _latest(text: str, feed_zone: str, shop_zone: str) -> tuple[dt.datetime, dt.datetime]:
    """A moment as a feed sends it, and the last one that it can mean, both in UTC."""
    with connect() as con:
        moment = f"timezone('UTC', timezone('{feed_zone}', timestamp '{text}'))"
        latest = latest_moment("moment", "sent", feed_zone, shop_zone)
        (row,) = con.execute(f"select moment, {latest} from (select ? as sent, {moment} as moment)", [text]).fetchall()
    at, until = (value.replace(tzinfo=dt.UTC) for value in row)
    return at, until


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham", "Africa/Cairo"]
)
DAYS_OF_ALL_LENGTHS = st.one_of(
    st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1)),
    st.sampled_from([dt.date(2024, 3, 31), dt.date(2024, 10, 27), dt.date(2024, 4, 26)]),
)


@pytest.mark.slow
@given(DAYS_OF_ALL_LENGTHS, st.sampled_from(["", " 00:00", "T00:00:00", " 00:00:00.000"]), ZONES, ZONES)
def test_a_bare_day_can_mean_any_moment_of_it(day, time, feed_zone, shop_zone):
    at, until = _latest(f"{day}{time}", feed_zone, shop_zone)

    zone = zoneinfo.ZoneInfo(feed_zone)
    after = until + dt.timedelta(microseconds=1)
    assert at.astimezone(zone).date() == until.astimezone(zone).date() == day
    assert after.astimezone(zone).date() == day + dt.timedelta(days=1)


@pytest.mark.slow
@given(
    DAYS_OF_ALL_LENGTHS,
    st.sampled_from(["", " 00:00", "T00:00:00"]),
    ZONES,
    ZONES,
    st.sampled_from(["UTC", "Asia/Tokyo"]),
)
def test_a_bare_day_stays_one_when_it_lands_from_another_zone(day, time, zone, shop_zone, feed_zone):
    with connect() as con:
        con.execute("set TimeZone = 'UTC'")
        in_words, moment = moment_text("sent", zone), f"timezone('{zone}', timestamp '{day}')"
        in_sql = f"coalesce({midnight_text(moment, zone)}, ({moment} at time zone 'UTC')::varchar || '+00')"
        for landed in (in_words, in_sql):
            query = (
                f"select ({landed})::timestamptz at time zone 'UTC' as moment, {landed} as sent from (select ? as sent)"
            )
            latest = latest_moment("moment", "sent", feed_zone, shop_zone)
            [found] = con.execute(f"select moment, {latest} from ({query})", [f"{day}{time}"]).fetchall()
            with_zone = [each.replace(tzinfo=dt.UTC).astimezone(zoneinfo.ZoneInfo(zone)) for each in found]
            after = with_zone[1] + dt.timedelta(microseconds=1)
            assert [each.date() for each in with_zone] == [day, day]
            assert after.astimezone(zoneinfo.ZoneInfo(zone)).date() == day + dt.timedelta(days=1)


@pytest.mark.slow
@given(st.datetimes(dt.datetime.fromisoformat("2020-01-01"), dt.datetime.fromisoformat("2030-01-01")), ZONES, ZONES)
def test_a_moment_with_a_time_means_only_itself(moment, feed_zone, shop_zone):
    at, until = _latest(f"{moment}", feed_zone, shop_zone)

    is_midnight = at.astimezone(zoneinfo.ZoneInfo(shop_zone)).time() == dt.time(0) or moment.time() == dt.time(0)
    assert (at == until) is not is_midnight


def test_midnight_with_an_offset_or_of_the_shop_is_a_bare_day_too(tmp_path):
    zone = Zone(tmp_path)
    sent = [f"{LAST}T00:00:00+02:00", f"{LAST}T05:00:00Z", f"{LAST}T06:00:00Z"]
    rows = "".join(f"h{n},o1,{LAST}T12:00:00Z,{at}\n" for n, at in enumerate(sent))
    zone.write("shipments", LAST, "shipments.csv", f"shipment_id,order_id,ordered_at,shipped_at\n{rows}".encode())
    session = session_over(zone, time_zone="America/New_York")
    session.run("bronze.shipments", Window(LAST, LAST))
    declaration = session.catalog["silver.shipments"]
    (read,) = [read for read in declaration.reads if read.parameter]

    found = session.frame(declaration, read, Window(LAST, LAST)).relation().order("shipment_id")

    assert found.select("shipped_until::varchar").fetchall() == [
        ("2024-11-30 21:59:59.999999",),
        ("2024-12-01 04:59:59.999999",),
        ("2024-11-30 06:00:00",),
    ]
