"""A table-day is written wholly or not at all, and each day is judged on its own."""

import gzip
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import count
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import narwhals as nw
import pytest

from ecom_assets.contract import Date, Feed, Timestamp, column, contract, feed_contract, key, rule
from ecom_assets.days import State, around, by_event_day, history, revised
from ecom_assets.declaration import Declaration, declare
from ecom_assets.engine.duckdb.tables import ShapeError
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import MONEY, total
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.publishing import snapshot as publishing
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import Settings
from ecom_assets.warehouse.opening import open_session
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets.warehouse.session import Session
from ecom_assets.warehouse.silver import RowsLost
from ecom_assets_tests import tiny_shop
from ecom_assets_tests.tiny_shop import TinyShop, build_shop, days, on, open_shop, order

STORED, PROVISIONAL, FAILED, BLOCKED = State.STORED, State.PROVISIONAL, State.FAILED, State.BLOCKED


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days with two orders each, run."""

    def land(shop: TinyShop, day: int) -> None:
        shop.land_customers(day, f"c{day}")
        shop.land_orders(day, order(10 * day + 1, day, customer=f"c{day}"), order(10 * day + 2, day))

    return build_shop(tmp_path_factory.mktemp("built"), land)


@pytest.fixture
def shop(built: Path, tmp_path: Path) -> Iterator[TinyShop]:
    with open_shop(tmp_path, built=built) as shop:
        yield shop


class Fault(Exception):
    """Raised at a step of a write."""


def failed_at(shop: TinyShop, number: int, table: str) -> str | None:
    """Write a table with a fault at the step of that number, from 0; gives the step, None where all went well."""
    steps = count()

    def fail(step: str) -> None:
        if next(steps) == number:
            raise Fault(step)

    shop.session.on_step = fail
    try:
        shop.session.run(table, days(0, 2))
    except Fault as fault:
        return str(fault)
    finally:
        shop.session.on_step = lambda step: None
    return None


@pytest.mark.slow
@pytest.mark.parametrize("table", ["bronze.orders", "silver.customers", "silver.orders", "gold.sales"])
def test_a_write_that_fails_at_any_step_leaves_all_as_it_was(shop, table):
    shop.land_customers(1, "c1", "c7")
    shop.land_orders(1, order(11, 1, amount=99), order(12, 1, amount=-1), order(13, 1), order(1, 1, version=3))
    shop.land_orders(2, order(21, 2, amount=5000))
    upstream = shop.session.catalog.upstream(table)
    for name in shop.session.catalog.names:
        if name in upstream:
            shop.session.run(name, days(0, 2))
    before = shop.everything()
    for number in count():
        step = failed_at(shop, number, table)
        if step is None:
            break
        assert (shop.everything() == before) is (step != "after commit"), step
    assert number > 5
    settle(shop.session)
    assert verify(shop.session) is None


def test_one_bad_day_fails_alone_and_blocks_what_is_made_of_it(shop):
    shop.land_orders(1, order(11, 1, amount=5000), order(12, 1))
    shop.run(days(0, 2), "bronze.orders", "silver.orders")

    results = shop.run(days(0, 2), "gold.sales")["gold.sales"]

    assert [result.state for result in results] == [STORED, FAILED, STORED]
    assert results[1].broken == {"An order costs less than a thousand.": 1}
    assert [row["order_id"] for row in results[1].samples] == ["11"]
    assert shop.orders("gold.sales") == [(0, 1), (0, 2), (2, 21), (2, 22)]
    assert shop.states("kpi.daily") == [STORED, BLOCKED, STORED]
    assert shop.rows("select day from kpi.daily order by all") == [(on(0),), (on(2),)]
    assert shop.rows("select order_id from held.gold_sales order by all") == [("11",), ("12",)]
    assert shop.rows("select day from held.kpi_daily") == [(on(1),)]


def test_words_for_nothing_are_missing_and_counted(shop):
    shop.land_orders(1, order(11, 1, customer=" NULL"), order(12, 1), order(11, 1, version=1, customer="(none)"))
    shop.land_orders(2, order(21, 2, customer="-").replace("21", "n/a", 1), order(22, 2, customer="c2"))

    shop.run(days(0, 2))

    assert shop.rows(
        "select order_id, customer_id from silver.orders where ordered_on > '2024-03-01' order by all"
    ) == [
        ("11", None),
        ("12", None),
        ("22", "c2"),
    ]
    assert shop.rows("select order_id, customer_id, reason_codes from quarantine.orders") == [
        ("n/a", "-", ["order_id_present"])
    ]
    missing = f"from ledger.missing_values where table_name = 'silver.orders' and day > '{on(0)}' order by all"
    of_day = ("silver.orders", on(1), "customer_id", 3, 2)
    assert shop.rows(missing) == [
        of_day,
        ("silver.orders", on(2), "customer_id", 1, 1),
        ("silver.orders", on(2), "order_id", 1, 1),
    ]

    shop.land_orders(2, order(21, 2), order(22, 2, customer="c2"))
    settle(shop.session)

    assert shop.rows(missing) == [of_day, ("silver.orders", on(2), "customer_id", 1, 0)]
    assert verify(shop.session) is None


def sum_with_next_day(gold_sales: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    is_near = days_between(nw.col("day"), nw.col("ordered_on")).is_between(0, 1)
    near = days.join(gold_sales.select("ordered_on", "amount"), how="cross").filter(is_near)
    return near.group_by("day").agg(total("amount"))


@pytest.mark.parametrize(("reach", "last"), [(around(0, 1), PROVISIONAL), (revised(0, 1), STORED)])
def test_only_days_that_are_awaited_leave_a_day_provisional_and_both_make_it_stale(tmp_path, reach, last):
    table = declare(contract(tiny_shop.ToDate), sum_with_next_day, {"gold_sales": reach})
    with open_shop(tmp_path, tiny_shop.tables(table)) as shop:
        shop.land_orders(0, order(1, 0))
        shop.land_orders(1, order(2, 1))
        shop.run(days(0, 1))
        assert shop.states("gold.to_date") == [STORED, last]

        shop.land_orders(2, order(3, 2))
        shop.run(days(2))

        assert shop.stale() == [("gold.to_date", 1)]
        settle(shop.session)
        assert shop.rows("select amount from gold.to_date order by day") == [(20,), (20,), (10,)]
        assert verify(shop.session) is None


def of_sums(gold_to_date: nw.LazyFrame) -> nw.LazyFrame:
    return gold_to_date


def test_a_day_that_only_becomes_final_is_not_computed_again(tmp_path, monkeypatch):
    sums = declare(contract(tiny_shop.ToDate), sum_with_next_day, {"gold_sales": around(0, 1)})
    with open_shop(tmp_path, tiny_shop.tables(sums, declare(contract(tiny_shop.Daily), of_sums))) as shop:
        shop.land_orders(0, order(1, 0))
        shop.land_orders(1, order(2, 1))
        shop.run(days(0, 1))
        assert shop.states("kpi.daily") == [STORED, PROVISIONAL]
        ran, run = [], Session.run
        monkeypatch.setattr(Session, "run", lambda *called: ran.append(called[1:]) or run(*called))

        shop.land_orders(2)
        for table in shop.session.catalog.names:
            shop.session.repair(table, days(0, 2))

        assert {name for name, window in ran if on(1) in window} == {"gold.to_date"}
        assert shop.states("kpi.daily") == [STORED, STORED, PROVISIONAL]
        assert shop.session.stale() == []
        assert verify(shop.session) is None


def test_a_mended_day_brings_back_what_was_blocked(shop):
    before = shop.everything()
    shop.land_orders(1, order(11, 1, amount=5000), order(12, 1))
    settle(shop.session)
    assert shop.states("gold.to_date") == [STORED, PROVISIONAL, PROVISIONAL]

    shop.land_orders(1, order(11, 1, customer="c1"), order(12, 1))
    settle(shop.session)

    after = shop.everything()
    assert after.pop("held.gold_sales") == after.pop("held.kpi_daily") == []
    after["ledger.days"] = [(*row[:7], "") for row in after["ledger.days"]]
    before["ledger.days"] = [(*row[:7], "") for row in before["ledger.days"]]
    assert after == before


def amount_from_number(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
    amount = nw.col("order_id").cast(nw.Int64).cast(MONEY)
    return tiny_shop.sales(silver_orders).with_columns(amount=amount)


def amount_from_date(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
    on_day = nw.concat_str(nw.lit("2024-01-"), nw.col("order_id")).str.to_date(format="%Y-%m-%d")
    return tiny_shop.sales(silver_orders).with_columns(amount=on_day.dt.day().cast(MONEY))


def with_plain_number(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_orders.with_columns(order_id=nw.col("order_id").cast(nw.Int64).cast(nw.String))


def numbers_to_date(silver_orders: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    return tiny_shop.to_date(amount_from_number(silver_orders), days)


class NumberedSales(tiny_shop.Sales, name="gold.sales"):
    """One row per order."""

    @rule
    def is_numbered(cls) -> nw.Expr:
        """Orders are numbered."""
        return nw.col("order_id").cast(nw.Int64) > 0


ORDERS = tiny_shop.tables()["silver.orders"]
OF_NUMBERS = {
    "inserting": declare(contract(tiny_shop.Sales), amount_from_number),
    "parsing": declare(contract(tiny_shop.Sales), amount_from_date),
    "judging": declare(contract(NumberedSales), tiny_shop.sales),
    "staging": declare(ORDERS.contract, with_plain_number, {"bronze_orders": by_event_day}, feed=ORDERS.feed),
}


@contextmanager
def shop_of_numbers(folder: Path, table: Declaration) -> Iterator[TinyShop]:
    """Three days that have run, one table of which makes numbers of texts; then a text that is none lands."""
    with open_shop(folder, tiny_shop.tables(table)) as shop:
        for day in range(3):
            shop.land_customers(day)
            shop.land_orders(day, order(10 * day + 1, day))
        shop.run(days(0, 2))
        shop.land_orders(1, order(11, 1), order(12, 1).replace("12", "x", 1))
        yield shop


@pytest.mark.slow
@pytest.mark.parametrize("at", OF_NUMBERS)
def test_a_value_that_cannot_be_computed_fails_its_day_alone(tmp_path, at):
    with shop_of_numbers(tmp_path, OF_NUMBERS[at]) as shop:
        results = shop.run(days(0, 2))[OF_NUMBERS[at].name]

        assert [result.state for result in results] == [STORED, FAILED, STORED]
        [said] = results[1].broken
        assert said.startswith(
            (
                "Conversion Error: Could not convert string 'x' to INT64",
                'Invalid Input Error: Could not parse string "2024-01-x"',
            )
        )
        assert "\n" not in said
        assert results[1].note == said
        assert shop.states("kpi.daily") == [STORED, BLOCKED, STORED]
        assert shop.orders("gold.sales") == [(0, 1), (2, 21)]
        assert shop.rows("select order_id from held.gold_sales") == [("11",)]


@pytest.mark.slow
@pytest.mark.parametrize("windows", [[days(1)], [days(0, 1)], [days(2), days(1), days(0)]])
def test_the_days_that_a_value_fails_are_the_same_in_all_windows(tmp_path, windows):
    table = declare(contract(tiny_shop.ToDate), numbers_to_date, {"silver_orders": history})
    with shop_of_numbers(tmp_path / "a", table) as whole, shop_of_numbers(tmp_path / "b", table) as cut:
        whole.run(days(0, 2))
        for window in windows:
            cut.run(window)
        settle(cut.session)

        assert whole.states("gold.to_date") == [STORED, FAILED, FAILED]
        assert cut.everything() == whole.everything()
        assert verify(cut.session) is None


def test_a_value_fails_the_days_that_read_it_whatever_stood_in_the_tables_before(tmp_path):
    table = declare(contract(tiny_shop.ToDate), numbers_to_date, {"silver_orders": history})
    with open_shop(tmp_path, tiny_shop.tables(table)) as shop:
        for day, orders in enumerate([[order(1, 0).replace("1", "x", 1)], []]):
            shop.land_customers(day)
            shop.land_orders(day, *orders)

        assert [result.state for result in shop.run(days(0, 1))["gold.to_date"]] == [FAILED, FAILED]


def test_a_day_brings_its_rows_back_when_its_value_is_mended(tmp_path):
    with shop_of_numbers(tmp_path, OF_NUMBERS["inserting"]) as shop:
        shop.run(days(0, 2))
        shop.land_orders(1, order(11, 1), order(12, 1))
        settle(shop.session)

        assert shop.orders("gold.sales") == [(0, 1), (1, 11), (1, 12), (2, 21)]
        assert shop.states("kpi.daily") == [STORED, STORED, STORED]


def test_a_blocked_day_stays_blocked_though_it_cannot_be_computed_either(tmp_path):
    def sales(silver_orders: nw.LazyFrame, silver_customers: nw.LazyFrame) -> nw.LazyFrame:
        so_far = nw.col("amount").cum_sum().over(order_by="order_id").cast(MONEY)
        return amount_from_number(silver_orders).with_columns(amount=so_far)

    with shop_of_numbers(tmp_path, declare(contract(tiny_shop.Sales), sales)) as shop:
        (shop.folder / "landing" / "customers" / str(on(1)) / "customers.csv").unlink()
        (shop.folder / "landing" / "customers" / str(on(1))).rmdir()

        assert [result.state for result in shop.run(days(0, 2))["gold.sales"]] == [STORED, BLOCKED, STORED]


@pytest.mark.slow
@pytest.mark.parametrize(
    "error", [duckdb.OutOfMemoryException, duckdb.IOException, duckdb.InterruptException, duckdb.BinderException]
)
def test_what_no_value_is_to_blame_for_ends_the_step(shop, error):
    def fail(step: str) -> None:
        if step == "rows inserted":
            raise error(step)

    before = shop.everything()
    shop.session.on_step = fail

    with pytest.raises(error):
        shop.session.run("gold.sales", days(0, 2))
    assert shop.everything() == before


def test_a_repeated_key_fails_the_day(tmp_path):
    def twice(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
        return nw.concat([tiny_shop.sales(silver_orders)] * 2)

    with open_shop(tmp_path, tiny_shop.tables(declare(contract(tiny_shop.Sales), twice))) as shop:
        shop.land_orders(0, order(1, 0))
        assert shop.run(days(0))["gold.sales"][0].broken == {"The primary key is unique.": 1}


def test_a_day_whose_input_never_ran_is_blocked_with_the_reason(tmp_path):
    with open_shop(tmp_path) as shop:
        shop.land_orders(0, order(1, 0))
        shop.run(days(0), "bronze.orders")

        result = shop.run(days(0), "gold.sales")["gold.sales"][0]

    assert (result.state, result.note) == (BLOCKED, "silver.orders has not run for 2024-03-01: run it first")


def test_an_expected_file_that_does_not_come_fails_the_day(shop):
    shop.run(days(3))

    assert shop.states("bronze.orders")[3] is FAILED
    assert shop.states("kpi.daily")[3] is BLOCKED


@pytest.mark.parametrize(("bad", "strict", "state"), [(1, False, STORED), (2, False, FAILED), (1, True, FAILED)])
def test_a_day_passes_while_few_of_its_rows_are_bad(tmp_path, bad, strict, state):
    with open_shop(tmp_path, strict=strict) as shop:
        shop.land_orders(0, *(order(n, 0, amount=-1 if n < bad else 5) for n in range(3)))

        result = shop.run(days(0))["silver.orders"][0]

        assert (result.state, result.bad_count) == (state, bad)
        assert len(shop.orders()) == (3 - bad if state.is_good else 0)
        reasons = shop.rows("select order_id, reasons from quarantine.orders order by all")
        assert reasons == [(str(n), ["broken: amount is at least 0"]) for n in range(bad)]


@pytest.mark.parametrize(
    ("bad", "of", "limits", "state"),
    [
        (9, 18, {}, STORED),
        (10, 18, {}, FAILED),
        (10, 200, {}, STORED),
        (1, 1, {}, FAILED),
        (9, 9, {}, FAILED),
        (3, 18, {"min_bad_rows": 3}, FAILED),
        (2, 18, {"min_bad_rows": 3}, STORED),
        (10, 18, {"max_bad_share": 0.6}, STORED),
        (3, 18, {"max_bad_share": 0.6, "min_bad_rows": 1}, STORED),
        (3, 3, {"max_bad_share": 1.0}, STORED),
    ],
)
def test_a_day_fails_above_a_share_and_a_number_of_bad_rows_that_its_feed_sets(tmp_path, bad, of, limits, state):
    silver = tiny_shop.tables()["silver.orders"]
    by_default = replace(silver, contract=replace(silver.contract, max_bad_share=0.05, min_bad_rows=10))
    with open_shop(tmp_path, tiny_shop.tables(by_default)) as shop:
        shop.session.zone.save_settings("orders", FeedSettings(**limits))
        shop.land_orders(0, *(order(n, 0, amount=-1 if n < bad else 10) for n in range(of)))

        [result] = shop.run(days(0))["silver.orders"]

    assert (result.state, result.bad_count) == (state, bad)
    share = limits.get("max_bad_share", 0.05)
    expected = f"{bad} of {of} rows are quarantined, more than the allowed {share:.1%}"
    assert result.note == ("" if state.is_good else expected)


@pytest.mark.parametrize(
    ("sent", "decimals", "read", "rounded"),
    [
        ("19.9999995529651", 4, "20.0000", 1),
        ("4.4e-16", 4, "0.0000", 1),
        ("0.00005", 4, "0.0001", 1),
        ("2.675", 2, "2.6800", 1),
        ("-2.675", 2, None, 1),
        ("1E+2", 2, "100.0000", 0),
        ("10.50000", 2, "10.5000", 0),
        ("9999999999.996", 2, None, 0),
        ("1e300", 2, None, 0),
        ("ten", 2, None, 0),
        ("19.99999", None, None, 0),
    ],
)
def test_amounts_are_rounded_and_counted_where_the_feed_says_so(tmp_path, sent, decimals, read, rounded):
    with open_shop(tmp_path) as shop:
        shop.session.zone.save_settings("orders", FeedSettings(round_amounts=decimals, max_bad_share=1))
        shop.land_orders(0, order(1, 0, amount=sent), order(2, 0, amount=5))

        [result] = shop.run(days(0))["silver.orders"]

        amounts = shop.rows("select amount from silver.orders where order_id = '1'")
    assert amounts == ([] if read is None else [(Decimal(read),)])
    told = "Amounts have no more decimals than round_amounts in feeds.toml allows, nor quantities more than four."
    assert result.warned.get(told, 0) == rounded


def test_one_bad_row_fails_a_strict_day_whatever_its_feed_sets(tmp_path):
    with open_shop(tmp_path, strict=True) as shop:
        shop.session.zone.save_settings("orders", FeedSettings(max_bad_share=0.9, min_bad_rows=50))
        shop.land_orders(0, *(order(n, 0, amount=-1 if n < 1 else 10) for n in range(30)))

        assert shop.run(days(0))["silver.orders"][0].state is FAILED


UNREADABLE, EARLY, LATE = "some day", "1999-01-01T12:00:00Z", "2024-03-20T12:00:00Z"


@pytest.mark.parametrize(
    ("good", "undated", "strict", "state"),
    [
        (1, [UNREADABLE, EARLY, LATE], False, STORED),
        (1, [UNREADABLE, EARLY, LATE], True, FAILED),
        (0, [UNREADABLE], False, FAILED),
        (0, [EARLY, LATE], False, STORED),
        (0, [EARLY], True, FAILED),
        (0, [EARLY, UNREADABLE], False, FAILED),
    ],
)
def test_rows_without_a_usable_day_do_not_fail_the_arrival_day_of_others(tmp_path, good, undated, strict, state):
    with open_shop(tmp_path, strict=strict) as shop:
        rows = [order(n, 0) for n in range(good)]
        rows += [order(50 + n, 0).replace(f"{on(0)}T12:00:00Z", day) for n, day in enumerate(undated)]
        shop.land_orders(0, *rows)

        [result] = shop.run(days(0))["silver.orders"]

        assert (result.state, result.bad_count) == (state, len(undated))
        assert len(shop.rows("from quarantine.orders")) == len(undated)
        assert len(shop.orders()) == (good if state.is_good else 0)


def test_bad_rows_with_a_day_are_a_share_of_the_rows_with_a_day(tmp_path):
    with open_shop(tmp_path) as shop:
        undated = [order(50 + n, 0).replace(f"{on(0)}T12:00:00Z", EARLY) for n in range(5)]
        shop.land_orders(0, order(1, 0), order(2, 0, amount=-1), order(3, 0, amount=-1), *undated)

        [result] = shop.run(days(0))["silver.orders"]

    assert (result.state, result.note) == (FAILED, "2 of 3 rows are quarantined, more than the allowed 50.0%")


def test_a_row_of_no_day_that_a_later_row_corrects_fails_no_day(tmp_path):
    with open_shop(tmp_path) as shop:
        shop.land_orders(0, order(1, 0).replace(f"{on(0)}T12:00:00Z", UNREADABLE))
        shop.land_orders(1, order(1, 1, version=1), order(2, 1))
        settle(shop.session)

        assert shop.states("silver.orders") == [STORED, STORED]
        assert verify(shop.session) is None


def test_rows_that_were_checked_are_counted_on_refused_days_too_and_without_superseded_ones(tmp_path):
    with open_shop(tmp_path) as shop:
        shop.land_orders(0, order(1, 0), order(1, 0, version=1), order(2, 0, amount=2000))
        shop.land_orders(1, order(3, 1), order(4, 1, amount=-1), order(5, 1, amount=-1))

        shop.run(days(0, 1))

        checked = "select state, checked_count from ledger.days where table_name = '{}' order by day"
        assert shop.rows(checked.format("bronze.orders")) == [("stored", 3), ("stored", 3)]
        assert shop.rows(checked.format("silver.orders")) == [("stored", 2), ("failed", 3)]
        assert shop.rows(checked.format("gold.sales")) == [("failed", 2), ("blocked", 0)]


@pytest.fixture
def strict_shop(tmp_path: Path) -> Iterator[TinyShop]:
    """A shop of which no more than 5 % of a day's orders may be bad."""
    silver = tiny_shop.tables()["silver.orders"]
    tolerant = replace(silver, contract=replace(silver.contract, max_bad_share=0.05))
    with open_shop(tmp_path, tiny_shop.tables(tolerant)) as shop:
        shop.land_customers(0, "c0")
        yield shop


def test_earlier_states_of_good_rows_do_not_thin_out_the_bad_ones(strict_shop):
    good = [order(n, 0, version=version) for n in range(8) for version in range(5)]
    strict_shop.land_orders(0, *good, order(8, 0, amount=-1), order(9, 0, amount=-1))

    [result] = strict_shop.run(days(0))["silver.orders"]

    assert (result.state, result.note) == (FAILED, "2 of 10 rows are quarantined, more than the allowed 5.0%")


def test_a_day_is_good_once_a_later_file_corrects_its_bad_rows(strict_shop):
    strict_shop.land_orders(0, *(order(n, 0, amount=-1 if n < 2 else 10) for n in range(20)))
    [broken] = strict_shop.run(days(0))["silver.orders"]
    strict_shop.land_customers(1, "c1")
    strict_shop.land_orders(1, order(0, 0, version=1), order(1, 0, version=1), file="corrected.csv")

    settle(strict_shop.session)

    assert broken.state is FAILED
    assert strict_shop.states("silver.orders")[0] is STORED
    assert len(strict_shop.orders()) == 20
    assert strict_shop.rows("select count(*) from quarantine.orders") == [(2,)]


def test_a_late_customer_lets_in_the_orders_that_waited_and_runs_no_other_day(shop):
    for day in (0, 2):
        shop.land_orders(day, order(50 + day, day, customer="late"), file="more.csv")
    settle(shop.session)
    assert shop.rows("select order_id, reasons from quarantine.orders order by all") == [
        (number, ["customer_id is in no row of silver.customers"]) for number in ("50", "52")
    ]

    shop.land_customers(3, "late")
    shop.run(days(3), "bronze.customers", "silver.customers")

    assert [found for found in shop.stale() if found[0] == "silver.orders"] == [
        ("silver.orders", 0),
        ("silver.orders", 2),
    ]
    settle(shop.session)
    assert {(0, 50), (2, 52)} < set(shop.orders())
    assert shop.rows("from quarantine.orders") == []


def test_each_reason_is_stored_with_its_code(shop):
    shop.land_orders(
        0, order(50, 0, customer="late"), order(51, 0, amount=-1), "52,,2024-03-01T12:00:00Z,,", file="b.csv"
    )
    settle(shop.session)

    assert shop.rows("select order_id, reason_codes, len(reasons) from quarantine.orders order by all") == [
        ("50", ["customer_id_missing_reference"], 1),
        ("51", ["amount_greater_than_or_equal_to"], 1),
        ("52", ["updated_at_present", "amount_present"], 2),
    ]


def test_a_column_may_have_the_name_that_a_query_uses_for_a_reason(tmp_path):
    class OrderFeed(Feed, primary_key="x", event_column="made_at", name="landing.orders"):
        """One row per order."""

        x: int = key("Number of the order", ge=1)
        made_at: Timestamp = column("When it was placed")

    class Orders(OrderFeed, partition_column="made_on", max_bad_share=1.0, name="silver.orders"):
        """One row per order."""

        made_on: Date = column("Day on which it was placed")

    def transform(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
        return bronze_orders

    silver = declare(contract(Orders), transform, {"bronze_orders": by_event_day}, feed=feed_contract(OrderFeed))
    with open_shop(tmp_path, tiny_shop.of_feed(OrderFeed, silver)) as shop:
        shop.session.zone.write("orders", on(0), "orders.csv", f"x,made_at\n0,{on(0)}T12:00:00Z\n".encode())
        shop.run(days(0))

        assert shop.rows("select x, reason_codes from quarantine.orders") == [("0", ["x_greater_than_or_equal_to"])]


@pytest.mark.slow
def test_a_cut_off_file_makes_all_days_that_it_has_rows_of_provisional_until_it_is_whole(tmp_path):
    """Also if no row of it is quarantined for anything else, and if what it lacks is of other days."""
    with open_shop(tmp_path) as shop:
        lines = [order(n, n % 3) for n in range(3000)]
        whole = shop.land_orders(2, *lines, file="orders.csv").read_bytes()
        (shop.folder / "landing" / "orders" / str(on(2)) / "orders.csv").unlink()
        for day in range(2):
            shop.land_orders(day, order(9000 + day, day))
        packed = gzip.compress(whole, mtime=0)
        shop.session.zone.write("orders", on(2), "orders.csv.gz", packed[: len(packed) * 2 // 3])
        settle(shop.session)

        assert 0 < len(shop.orders()) < 3002
        for table in ("silver.orders", "gold.sales", "kpi.daily"):
            assert shop.states(table) == [State.PROVISIONAL] * 3
        assert shop.states("bronze.orders") == [STORED, STORED, State.PROVISIONAL]
        [(note,)] = shop.rows(
            "select note from ledger.days where state = 'provisional' and table_name = 'bronze.orders'"
        )
        assert note == "orders.csv.gz is cut off or damaged: land the whole file"
        assert verify(shop.session) is None

        shop.session.zone.write("orders", on(2), "orders.csv.gz", packed)
        settle(shop.session)

        assert len(shop.orders()) == 3002
        for table in ("bronze.orders", "silver.orders", "gold.sales", "kpi.daily"):
            assert shop.states(table) == [STORED] * 3
        assert verify(shop.session) is None


@pytest.mark.parametrize(
    ("end", "is_cut"),
    [
        ('8,"c', True),
        ('8,"c\n', True),
        ("8,", True),
        ("8,,,,,,,\n", False),
        ('8,"c\n' + order(9, 0) + "\n", False),
        ("", False),
    ],
)
def test_a_text_that_ends_in_a_record_makes_its_day_provisional(tmp_path, end, is_cut):
    with open_shop(tmp_path) as shop:
        path = shop.land_orders(0, *(order(n, 0) for n in range(5)))
        shop.session.zone.write("orders", on(0), "orders.csv", path.read_bytes() + end.encode())
        [result] = shop.run(days(0))["bronze.orders"]

        assert result.state is (State.PROVISIONAL if is_cut else STORED)
        assert ("Every file is complete." in result.warned) is is_cut
        assert shop.states("silver.orders") == [result.state]


def test_orders_that_waited_under_other_words_are_let_in(shop):
    """Programs know a reason by its code."""
    shop.land_orders(0, order(50, 0, customer="late"), file="more.csv")
    settle(shop.session)
    shop.con.execute("update quarantine.orders set reasons = ['no such customer']")

    shop.land_customers(3, "late")
    settle(shop.session)

    assert (0, 50) in shop.orders()


def test_orders_that_waited_before_reasons_had_codes_are_let_in(shop):
    shop.land_orders(0, order(50, 0, customer="late"), file="more.csv")
    settle(shop.session)
    shop.con.execute("alter table quarantine.orders drop column reason_codes")
    session = Session(shop.con, shop.session.catalog, shop.session.zone, shop.session.calendar)

    shop.land_customers(3, "late")
    session.run("bronze.customers", days(3))
    session.run("silver.customers", days(3))

    assert ("silver.orders", on(0)) in [(found.table, found.day) for found in session.stale()]
    settle(session)
    assert (0, 50) in shop.orders()


def test_orders_of_a_customer_who_is_gone_wait_again(shop):
    shop.land_customers(1, "somebody else")
    settle(shop.session)

    assert shop.orders() == [(0, 1), (0, 2), (1, 12), (2, 21), (2, 22)]
    assert shop.rows("select order_id from quarantine.orders") == [("11",)]


@pytest.mark.slow
def test_an_order_that_moves_to_another_day_stands_there_only(shop):
    for arrived, moved_to in ((3, 2), (4, 0)):
        shop.land_orders(arrived, order(11, moved_to, version=arrived), file="moved.csv")
        settle(shop.session)

        assert [day for day, number in shop.orders() if number == 11] == [moved_to]
        assert [day for day, number in shop.orders("gold.sales") if number == 11] == [moved_to]
        assert verify(shop.session) is None


@pytest.mark.slow
@pytest.mark.parametrize("space", ["\t", "\x0b", "\u00a0"])
def test_white_space_around_a_reference_does_not_hide_that_its_row_came_or_went(tmp_path, space):
    is_ours = space == "\u00a0"  # white space that we know is no part of a name; any other is
    with open_shop(tmp_path) as shop:
        shop.land_customers(0, "a")
        shop.land_orders(0, order(1, 0, customer=f"b{space}"))
        shop.run(days(0, 1))
        assert shop.orders() == []

        shop.land_customers(1, f"b{space}" if is_ours else "b")
        settle(shop.session)
        assert shop.orders() == [(0, 1)]

        shop.land_customers(1, "c")
        settle(shop.session)
        assert shop.orders() == []


def test_a_moved_order_that_waits_leaves_its_old_day_when_it_is_let_in(shop):
    shop.land_orders(3, order(11, 2, version=1, customer="late"), file="moved.csv")
    settle(shop.session)
    assert [day for day, number in shop.orders() if number == 11] == [1]

    shop.land_customers(4, "late")
    settle(shop.session)

    assert [day for day, number in shop.orders() if number == 11] == [2]
    assert verify(shop.session) is None


@pytest.mark.slow
def test_a_moved_order_comes_back_to_its_old_day_when_its_customer_is_gone(shop):
    shop.land_orders(3, order(11, 2, version=1, customer="c0"), file="moved.csv")
    settle(shop.session)
    assert [day for day, number in shop.orders() if number == 11] == [2]

    shop.land_customers(0, "somebody else")
    settle(shop.session)

    assert [day for day, number in shop.orders() if number == 11] == [1]
    assert verify(shop.session) is None


def test_an_order_beaten_by_a_later_version_waits_for_no_customer(shop):
    shop.land_orders(1, order(11, 1, version=1), order(11, 1, customer="nobody"), order(12, 1))
    settle(shop.session)

    assert shop.rows("select count(*) from quarantine.orders") == [(0,)]
    assert shop.rows("select kind, read_on from superseded.orders") == [("superseded", on(1))]


def test_a_later_version_that_waits_for_its_customer_leaves_the_earlier_one_standing(shop):
    shop.land_orders(1, order(11, 1, version=1, customer="nobody"), order(11, 1), order(12, 1))
    settle(shop.session)

    assert (1, 11) in shop.orders()
    assert shop.rows("select order_id, customer_id from quarantine.orders") == [("11", "nobody")]


def test_a_failed_day_is_counted_anew_when_a_customer_is_gone(shop):
    shop.land_orders(1, order(11, 1, customer="c0"), *(order(n, 1, amount=-1) for n in (12, 13)))
    settle(shop.session)
    assert shop.states("silver.orders")[1] is FAILED

    shop.land_customers(0, "somebody else")
    settle(shop.session)

    assert shop.rows("select bad_count from ledger.days where table_name = 'silver.orders' and bad_count > 1") == [(3,)]


@pytest.mark.slow
def test_orders_wait_when_the_day_of_their_customers_is_blocked(shop):
    shop.land_customers(3)
    shop.land_customers(4, "late", joined=3)
    shop.land_orders(4, order(40, 3, customer="late"))
    shop.land_orders(3, order(31, 3))
    settle(shop.session)
    assert (3, 40) in shop.orders()

    (shop.folder / "landing" / "customers" / str(on(3)) / "customers.csv").unlink()
    settle(shop.session)

    assert shop.states("silver.customers")[3] is BLOCKED
    assert (3, 40) not in shop.orders()
    assert verify(shop.session) is None


def test_keys_that_are_counted_up_lie_near_each_other(tmp_path):
    with open_shop(tmp_path) as shop:
        shop.land_orders(0, order(10_000_001, 0), order(10_000_002, 0), order(99_000_000, 0))
        shop.run(days(0), "bronze.orders")
        first, second, far = (found for (found,) in shop.rows("select key_hash from bronze.orders order by order_id"))

    assert first < second < first + 2**25
    assert far > first + 2**40


def test_a_key_that_is_spelled_otherwise_is_the_same_key(tmp_path):
    class OrderFeed(
        Feed, primary_key="number", event_column="made_at", version_column="updated_at", name="landing.orders"
    ):
        """One row per order and state of it."""

        number: int = key("Number of the order")
        made_at: Timestamp = column("When it was placed")
        updated_at: Timestamp = column("When it last changed")

    class Orders(OrderFeed, partition_column="made_on", name="silver.orders"):
        """One row per order."""

        made_on: Date = column("Day on which it was placed")

    def transform(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
        return bronze_orders

    catalog = tiny_shop.of_feed(
        OrderFeed,
        declare(contract(Orders), transform, {"bronze_orders": by_event_day}, feed=feed_contract(OrderFeed)),
    )
    with open_shop(tmp_path, catalog) as shop:
        for day, number in enumerate(["7", "7.0", "+7", "007"]):
            line = f"{number},{on(day)}T12:00:00Z,2024-04-0{day + 1}T00:00:00Z"
            shop.session.zone.write("orders", on(day), "orders.csv", f"number,made_at,updated_at\n{line}\n".encode())
            shop.run(days(day))
            settle(shop.session)

            assert shop.rows("select number, made_on from silver.orders") == [(7, on(day))]


def test_a_bad_correction_does_not_remove_a_good_row(shop):
    shop.land_orders(3, order(11, 1, amount=-5, version=1), file="bad.csv")
    settle(shop.session)

    assert (1, 11) in shop.orders()
    assert shop.rows("select order_id, amount from quarantine.orders") == [("11", "-5")]


def test_another_time_zone_of_a_feed_reads_its_moments_anew(shop):
    shop.land_orders(1, order(11, 1).replace("Z", ""))
    settle(shop.session)

    shop.session.zone.save_settings("orders", FeedSettings("Asia/Tokyo"))
    with_other_zone = Session(shop.con, shop.session.catalog, shop.session.zone, shop.session.calendar)
    settle(with_other_zone)

    assert shop.rows("select hour(ordered_at) from silver.orders where order_id = '11'") == [(3,)]


def test_a_file_that_comes_while_the_landing_zone_is_listed_is_read_later(shop, monkeypatch):
    zone, listed = shop.session.zone, shop.session.zone.arrivals

    def arrivals(*args: Any) -> Any:
        found = listed(*args)
        monkeypatch.undo()
        shop.land_orders(1, order(14, 1), file="meanwhile.csv")
        return found

    monkeypatch.setattr(zone, "arrivals", arrivals)
    shop.run(days(1), "bronze.orders")
    settle(shop.session)

    assert (1, 14) in shop.orders()


def test_a_replaced_file_replaces_its_rows_and_is_told_of(shop):
    shop.land_orders(1, order(13, 1))

    result = shop.run(days(1), "bronze.orders")["bronze.orders"][0]
    settle(shop.session)

    assert result.note == "orders.csv replaced its earlier rows"
    assert [number for day, number in shop.orders() if day == 1] == [13]


def test_the_rows_of_a_file_that_vanished_stay(shop):
    before = shop.orders()
    (shop.folder / "landing" / "orders" / str(on(1)) / "orders.csv").unlink()
    settle(shop.session)

    assert shop.orders() == before


def test_rows_of_a_file_that_vanished_follow_the_time_zone_too(shop):
    (shop.folder / "landing" / "orders" / str(on(1)) / "orders.csv").unlink()
    settle(shop.session)

    far_east = Session(shop.con, shop.session.catalog, shop.session.zone, shop.session.calendar, "Pacific/Auckland")
    settle(far_east)

    assert [number for day, number in shop.orders() if day == 2] == [11, 12]


def test_rows_of_the_day_after_the_calendar_are_set_aside(tmp_path):
    with open_shop(tmp_path) as shop:
        last = Session(shop.con, shop.session.catalog, shop.session.zone, days(0, 1))
        shop.land_orders(1, order(1, 1), order(2, 2), order(3, 1), order(4, 1))
        settle(last)

        assert shop.orders() == [(1, 1), (1, 3), (1, 4)]
        assert shop.rows("select order_id from quarantine.orders") == [("2",)]


def test_days_without_good_rows_are_held_without_the_columns_that_are_no_more(shop):
    with_currency = declare(contract(tiny_shop.SalesWithCurrency), tiny_shop.sales_with_currency)
    before = Session(shop.con, tiny_shop.tables(with_currency), shop.session.zone, shop.session.calendar)
    before.run("gold.sales", days(0, 2))
    after = Session(shop.con, shop.session.catalog, shop.session.zone, shop.session.calendar)
    shop.land_orders(1, order(11, 1, amount=5000), order(12, 1))

    settle(after)

    assert shop.rows("select order_id from held.gold_sales order by all") == [("11",), ("12",)]


def test_a_file_that_comes_twice_counts_once(shop):
    before = shop.orders()
    shop.land_orders(3, order(11, 1, customer="c1"), order(12, 1))

    result = shop.run(days(3), "bronze.orders")["bronze.orders"][0]
    settle(shop.session)

    assert (result.row_count, result.note) == (0, "orders.csv is a duplicate of 2024-03-02/orders.csv and counts once")
    assert shop.orders() == before


def test_a_file_counts_though_the_same_stood_there_before_the_calendar_or_under_a_name_of_no_kind(shop):
    shop.land_customers(3)
    for day in (-1, 3):
        shop.land_orders(day, order(31, 3))
    shop.land_customers(4)
    for name in ("orders.bak", "orders.csv"):
        shop.land_orders(4, order(41, 4), file=name)
    settle(shop.session)

    assert [found for found in shop.orders() if found[1] > 30] == [(3, 31), (4, 41)]


def test_a_truncated_file_is_read_as_far_as_it_goes_and_said(shop):
    whole = shop.land_orders(1, *(order(number, 1) for number in range(100, 300))).read_bytes()
    shop.session.zone.write("orders", on(1), "orders.csv.gz", gzip.compress(whole)[:-200])
    (shop.folder / "landing" / "orders" / str(on(1)) / "orders.csv").unlink()

    result = shop.run(days(1), "bronze.orders")["bronze.orders"][0]

    assert result.bad_count == 1
    assert result.warned == {"Every record can be read.": 1, "Every file is complete.": 1}


def test_a_repair_that_changes_no_number_stops_there(shop):
    shop.land_orders(1, order(12, 1), order(11, 1, customer="c1"))
    assert shop.stale() == [("bronze.orders", 1)]
    shop.run(days(1), "bronze.orders")
    assert shop.stale() == [("silver.orders", 1)]

    shop.run(days(1), "silver.orders")

    assert shop.stale() == []


def test_a_repair_says_again_what_was_found_on_days_that_it_need_not_run(shop):
    shop.land_orders(1, order(11, 1, amount=5000), order(12, 1), order(13, 1, amount=-1), "not,an,order")
    ran = shop.run(days(0, 2))

    for table in ("bronze.orders", "silver.orders", "gold.sales", "kpi.daily"):
        found = [(result.state, result.broken, result.warned) for result in ran[table]]
        repaired = shop.session.repair(table, days(0, 2))
        assert [(result.state, result.broken, result.warned) for result in repaired] == found, table
    assert ran["bronze.orders"][1].warned
    assert ran["silver.orders"][1].broken
    assert ran["gold.sales"][1].broken


def test_a_transform_that_loses_or_doubles_rows_is_found_out(shop):
    def lossy(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
        return bronze_orders.filter(nw.col("order_id") != "11")

    def doubling(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
        return nw.concat([bronze_orders, bronze_orders.filter(nw.col("order_id") == "11")])

    def exchanging(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
        return doubling(bronze_orders.filter(nw.col("order_id") != "12"))

    orders = shop.session.catalog["silver.orders"]
    before = shop.everything()
    for transform, said in (
        (lossy, "1 bronze rows are lost"),
        (doubling, "1 bronze rows are doubled"),
        (exchanging, "as many bronze rows are duplicated as are lost"),
    ):
        other = declare(orders.contract, transform, {"bronze_orders": by_event_day}, feed=orders.feed)
        shop.session.catalog = tiny_shop.tables(other)
        with pytest.raises(RowsLost, match=said):
            shop.session.run("silver.orders", days(0, 2))
        assert shop.everything() == before


def of_known_orders(gold_sales: nw.LazyFrame) -> nw.LazyFrame:
    return tiny_shop.daily(gold_sales.filter(~nw.col("order_id").is_in(["11", "21", "22"])))


def due(gold_sales: nw.LazyFrame) -> nw.LazyFrame:
    return gold_sales.select("amount", day="ordered_on")


def test_a_day_whose_amounts_are_not_conserved_fails_alone(shop):
    shop.session.catalog = tiny_shop.tables(declare(contract(tiny_shop.Daily), of_known_orders, conserved=due))

    results = shop.run(days(0, 3), "kpi.daily")["kpi.daily"]

    assert [result.state for result in results] == [STORED, FAILED, FAILED, BLOCKED]
    assert [list(result.broken) for result in results[1:3]] == [["amount of a day is that of gold.sales."]] * 2
    assert "amount is 10.0000, not 20.0000" in results[1].note
    assert shop.rows("select day from kpi.daily") == [(on(0),)]


def test_nothing_is_due_of_a_day_that_is_blocked(shop):
    shop.session.catalog = tiny_shop.tables(declare(contract(tiny_shop.Daily), tiny_shop.daily, conserved=due))
    shop.land_orders(1, order(11, 1, amount=5000), order(12, 1))
    settle(shop.session)

    assert shop.states("kpi.daily") == [STORED, BLOCKED, STORED]


@pytest.mark.parametrize("columns", [["amount"], ["ordered_on", "amount"]])
def test_what_is_to_be_conserved_has_to_be_columns_of_the_table(shop, columns):
    def wrong(gold_sales: nw.LazyFrame) -> nw.LazyFrame:
        return gold_sales.select(columns)

    shop.session.catalog = tiny_shop.tables(declare(contract(tiny_shop.Daily), tiny_shop.daily, conserved=wrong))
    with pytest.raises(ShapeError, match=r"kpi\.daily: conserved must return day and amounts"):
        shop.session.run("kpi.daily", days(0))


def test_conserved_takes_frames_of_the_transform(shop):
    with pytest.raises(TypeError, match="conserved= names gold_orders, which is not a parameter of transform"):
        declare(contract(tiny_shop.Daily), tiny_shop.daily, conserved=lambda gold_orders: gold_orders)


def test_a_new_column_is_taken_and_the_days_before_it_run_again(shop):
    tables = tiny_shop.tables(declare(contract(tiny_shop.SalesWithCurrency), tiny_shop.sales_with_currency))
    with_currency = Session(shop.con, tables, shop.session.zone, shop.session.calendar)

    with_currency.run("gold.sales", days(1))
    assert shop.rows("select currency, count(*) from gold.sales group by all order by all") == [("EUR", 2), (None, 4)]

    settle(with_currency)
    assert shop.rows("select distinct currency from gold.sales") == [("EUR",)]


def test_a_changed_type_is_refused_with_what_to_do(shop):
    tables = tiny_shop.tables(declare(contract(tiny_shop.SalesOfWholeAmount), tiny_shop.sales_of_whole_amount))
    changed = Session(shop.con, tables, shop.session.zone, shop.session.calendar)
    before = shop.everything()

    with pytest.raises(ShapeError, match=r"gold\.sales\.amount is stored as DECIMAL.*drop the table and run all"):
        changed.run("gold.sales", days(1))

    assert shop.everything() == before


def test_whole_numbers_become_decimals_where_the_contract_has_them_now(tmp_path):
    whole = tiny_shop.tables(declare(contract(tiny_shop.SalesOfWholeAmount), tiny_shop.sales_of_whole_amount))
    with open_shop(tmp_path) as shop:
        shop.land_orders(0, order(1, 0, amount="2.00"))
        shop.land_orders(1, order(2, 1, amount="0.75"))
        settle(Session(shop.con, whole, shop.session.zone, shop.session.calendar))
        assert shop.rows("select amount from gold.sales order by all") == [(1,), (2,)]

        changed = Session(shop.con, tiny_shop.tables(), shop.session.zone, shop.session.calendar)
        settle(changed)

        assert shop.rows("select amount from gold.sales order by all") == [(Decimal("0.75"),), (Decimal(2),)]
        assert verify(changed) is None


# -- other processes --------------------------------------------------------------------------------


def settings(folder: Path) -> Settings:
    return Settings(folder, start=tiny_shop.START)


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Starts processes that have everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A warehouse file of three days, and files that change all of them."""
    with open_session(settings(tmp_path), tiny_shop.tables()) as session:
        shop = TinyShop(tmp_path, session)
        for day in range(3):
            shop.land_customers(day, f"c{day}")
            shop.land_orders(day, order(10 * day + 1, day, customer=f"c{day}"), order(10 * day + 2, day))
        shop.run(days(0, 2))
        for day in range(3):
            shop.land_customers(day, f"c{day}", f"d{day}")
            shop.land_orders(day, order(10 * day + 1, day, amount=77), order(10 * day + 3, day, amount=-day))
    return tmp_path


def settle_and_die(folder: Path, number: int) -> None:
    """Repairs and is killed at the step of that number."""
    steps = count()

    def die(step: str) -> None:
        if next(steps) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    with open_session(settings(folder), tiny_shop.tables()) as session:
        session.on_step = die
        settle(session)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 3, 6, 9, 13, 17, 22, 27, 32, 37])
def test_a_killed_repair_leaves_each_table_old_or_new_and_no_lock(folder, processes, number):
    with open_session(settings(folder), tiny_shop.tables()) as session:
        old = TinyShop(folder, session).everything()
    killed = processes.Process(target=settle_and_die, args=(folder, number))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL

    with open_session(settings(folder), tiny_shop.tables()) as session:
        shop = TinyShop(folder, session)
        left = shop.everything()
        settle(session)
        new = shop.everything()
        assert verify(session) is None
    tables = [table for table in new if table.partition(".")[0] in ("bronze", "silver", "gold", "kpi", "quarantine")]
    assert all(left[table] in (old[table], new[table]) for table in tables)
    assert any(old[table] != new[table] for table in tables)


def land_repair_publish(folder: Path, number: int) -> None:
    """Lands an order anew, repairs what it touches, and publishes."""
    with open_session(settings(folder), tiny_shop.tables()) as session:
        day = number % 3
        TinyShop(folder, session).land_orders(day, order(10 * day + 1, day, amount=number), order(10 * day + 2, day))
        settle(session)
        publishing.publish(session, folder / "snapshot.duckdb")


@pytest.mark.long
def test_a_hundred_kills_at_any_moment_lose_nothing_and_leave_a_snapshot(folder, processes):
    draw = Random(7)
    land_repair_publish(folder, 0)
    kills = 0
    while kills < 100:
        worker = processes.Process(target=land_repair_publish, args=(folder, kills + 1))
        worker.start()
        worker.join(draw.uniform(0, 1.5))
        worker.kill()
        worker.join()
        kills += worker.exitcode == -signal.SIGKILL
        with open_snapshot(folder / "snapshot.duckdb") as readers:
            assert readers.execute("select count(*) from gold.sales").fetchall()[0][0] > 0
        with open_session(settings(folder), tiny_shop.tables()) as session:
            settle(session)
            assert verify(session) is None


def run_in_turn(folder: Path, start: Barrier) -> None:
    """Runs all tables and notes when it comes in and goes out."""
    start.wait(60)
    with open_session(settings(folder), tiny_shop.tables()) as session, (folder / "turns").open("a") as turns:
        turns.write(f"in {os.getpid()}\n")
        turns.flush()
        TinyShop(folder, session).run(days(0, 2))
        turns.write(f"out {os.getpid()}\n")


@pytest.mark.slow
def test_two_processes_write_one_after_the_other(folder, processes):
    start = processes.Barrier(2)
    writers = [processes.Process(target=run_in_turn, args=(folder, start)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [writer.exitcode for writer in writers] == [0, 0]
    turns = [line.split() for line in (folder / "turns").read_text().splitlines()]
    assert [way for way, _ in turns] == ["in", "out", "in", "out"]
    assert [turns[0][1], turns[2][1]] == [turns[1][1], turns[3][1]]
    with open_session(settings(folder), tiny_shop.tables()) as session:
        assert session.stale() == []
