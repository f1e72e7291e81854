import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_assets.days import State
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.warehouse.arriving import AS_PROMISED, HAS_TOTALS, IS_NEW, NOT_OF_DAY_BEFORE
from ecom_assets.warehouse.ledger.records import DayResult
from ecom_assets.warehouse.silver import IS_NOT_REPEATED
from ecom_assets_tests import tiny_shop
from ecom_assets_tests.tiny_shop import TinyShop, days, on, order


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with tiny_shop.open_shop(tmp_path) as shop:
        shop.land_customers(0, "ann")
        yield shop


def arrived(shop: TinyShop, day: int = 0, table: str = "bronze.orders") -> DayResult:
    """What is said of a day that has run."""
    shop.run(days(0, day), "bronze.customers", "silver.customers", "bronze.orders")
    return shop.run(days(0, day), table)[table][day]


def orders(day: int, first: int, count: int, amount: int = 10) -> list[str]:
    return [order(number, day, amount) for number in range(first, first + count)]


def state(shop: TinyShop, day: int, **totals: object) -> None:
    """Lands the control totals of a day's file."""
    shop.session.zone.write("orders", on(day), "orders.csv.control.json", json.dumps(totals).encode())


@pytest.mark.parametrize(("files", "missing"), [(2, 0), (3, 1)])
def test_fewer_files_than_promised_are_told(shop, files, missing):
    shop.session.zone.save_settings("orders", FeedSettings(files=files))
    for hour in range(2):
        shop.land_orders(0, *orders(0, hour * 10, 10), file=f"{hour}.csv")

    result = arrived(shop)

    assert result.warned == ({AS_PROMISED: 1} if missing else {})
    assert result.note == ("2 of 3 promised files arrived" if missing else "")


def test_files_are_promised_for_days_on_which_they_are_due(shop):
    others = frozenset(range(7)) - {on(0).weekday()}
    shop.session.zone.save_settings("orders", FeedSettings(files=3, due=others))
    shop.land_orders(0, *orders(0, 0, 10))

    assert arrived(shop).warned == {}


@pytest.mark.parametrize(("closed", "state"), [({on(1)}, State.STORED), (set(), State.FAILED)])
def test_nothing_is_due_on_a_closed_day(shop, closed, state):
    shop.session.zone.save_settings("orders", FeedSettings(files=1, closed=frozenset(closed)))
    shop.land_orders(0, *orders(0, 0, 10))
    shop.land_orders(2, *orders(2, 20, 10))

    assert arrived(shop, 1).state is state


def test_files_of_a_closed_day_are_no_anomaly(shop):
    shop.session.zone.save_settings("orders", FeedSettings(files=2, closed=frozenset({on(1)})))
    shop.land_orders(0, *orders(0, 0, 10), file="first.csv")
    shop.land_orders(1, *orders(1, 10, 10))

    assert (arrived(shop).warned, arrived(shop, 1).warned) == ({AS_PROMISED: 1}, {})


@pytest.mark.parametrize(("sent", "files", "missing"), [(0, None, 1), (1, None, 0), (1, 2, 1)])
def test_a_file_that_the_api_wrote_is_none_that_is_due(shop, sent, files, missing):
    shop.session.zone.save_settings("orders", FeedSettings(files=files))
    shop.land_orders(0, *orders(0, 0, 10), file="api-01.csv")
    for hour in range(sent):
        shop.land_orders(0, *orders(0, 10 + hour, 1), file=f"{hour}.csv")

    assert arrived(shop).warned == ({AS_PROMISED: 1} if missing else {})


def test_a_promise_that_changes_makes_the_day_stale(shop):
    shop.land_orders(0, *orders(0, 0, 10))
    shop.run(days(0))
    shop.session.zone.save_settings("orders", FeedSettings(files=2))

    assert ("bronze.orders", 0) in shop.stale()


@pytest.mark.parametrize(
    ("day", "file", "sentence"),
    [(0, "second.csv", IS_NEW), (1, "orders.csv", NOT_OF_DAY_BEFORE), (2, "orders.csv", IS_NEW)],
)
def test_the_same_bytes_again_are_told(shop, day, file, sentence):
    shop.land_orders(0, *orders(0, 0, 10))
    shop.land_orders(1, *orders(1, 20, 10), file="other.csv")
    shop.land_orders(day, *orders(0, 0, 10), file=file)

    result = arrived(shop, day)

    assert result.warned == {sentence: 1}
    assert f"{file} is a duplicate of {on(0)}/" in result.note


def test_files_without_rows_and_files_of_members_may_be_alike(shop):
    for day in range(2):
        shop.land_orders(day)
        shop.land_customers(day, "ann", joined=0)

    assert arrived(shop, 1).warned == {}
    assert arrived(shop, 1, "bronze.customers").warned == {}


def test_a_file_keeps_what_its_control_totals_state(shop):
    shop.land_orders(0, *orders(0, 0, 10, amount=7))
    state(shop, 0, rows=10, sums={"amount": "70.00"})

    result = arrived(shop)

    assert (result.warned, result.note, result.row_count) == ({}, "", 10)
    assert shop.rows("select distinct source_file from ledger.files where feed = 'orders'") == [("orders.csv",)]


@pytest.mark.parametrize(
    ("totals", "note"),
    [
        ({"rows": 11}, "orders.csv has 10 rows, and 11 by its control totals"),
        (
            {"rows": 10, "sums": {"amount": 70.01}},
            "amount in orders.csv sums to 70, and to 70.01 by its control totals",
        ),
        ({"rows": "ten"}, "orders.csv.control.json cannot be read: rows must be a whole number"),
        (
            {"sums": {"amuont": 1}},
            "orders.csv.control.json cannot be read: unknown column 'amuont'; did you mean 'amount'?",
        ),
        (
            {"sums": {"amount": "much"}},
            'orders.csv.control.json cannot be read: the sum of amount must be a number, such as "12345.60"',
        ),
    ],
)
def test_what_differs_from_control_totals_is_told(shop, totals, note):
    shop.land_orders(0, *orders(0, 0, 10, amount=7))
    state(shop, 0, **totals)

    result = arrived(shop)

    assert (result.warned, result.note) == ({HAS_TOTALS: 1}, note)
    assert result.state.is_good


def test_totals_that_come_later_make_the_day_stale_and_those_without_a_file_are_told(shop):
    shop.land_orders(0, *orders(0, 0, 10))
    shop.run(days(0))
    state(shop, 0, rows=10)
    assert ("bronze.orders", 0) in shop.stale()
    shop.session.zone.write("orders", on(0), "lost.csv.control.json", b'{"rows": 5}')

    assert arrived(shop).note == "lost.csv has not arrived, although its control totals have"


@pytest.mark.parametrize(("repeated", "is_told"), [(21, True), (20, False)])
def test_a_file_that_repeats_most_rows_of_another_one_is_told(shop, repeated, is_told):
    shop.land_orders(0, *orders(0, 0, 40))
    shop.land_orders(1, *orders(0, 0, repeated), *orders(1, 50, 5))

    result = arrived(shop, 1, "silver.orders")
    again = shop.run(days(0), "silver.orders")["silver.orders"][0]

    assert result.warned == {}
    assert again.warned == ({IS_NOT_REPEATED: 1} if is_told else {})
    sentence = f"{on(1)}/orders.csv repeats 21 of 40 rows of {on(0)}/orders.csv"
    assert again.note == (sentence if is_told else "")


def test_a_file_of_corrections_repeats_nothing(shop):
    shop.land_orders(0, *orders(0, 0, 40))
    shop.land_orders(1, *(order(number, 0, version=1) for number in range(40)))

    arrived(shop, 1)

    assert shop.run(days(0), "silver.orders")["silver.orders"][0].warned == {}
