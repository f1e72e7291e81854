"""A table is made on days on which an input is bad; what needs that input is null."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import narwhals as nw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.days import State, history
from ecom_assets.declaration import Catalog, declare
from ecom_assets.expressions.money import MONEY, total, total_count
from ecom_assets.warehouse.proof import contents, settle, verify
from ecom_assets_tests import tiny_shop
from ecom_assets_tests.examples import examples
from ecom_assets_tests.tiny_shop import TinyShop, days, on, open_shop, order

STORED, PROVISIONAL, FAILED, BLOCKED = State.STORED, State.PROVISIONAL, State.FAILED, State.BLOCKED
UNKNOWN = {"unknown_without": "silver.customers"}


class Growth(Table, primary_key="day", partition_column="day", amount="worth", name="gold.growth"):
    """One row per day with an order or a new customer."""

    day: Date = key("The day")
    amount: Decimal = money("What the orders of the day cost")
    joined: int = column("Customers who joined", ge=0, **UNKNOWN)
    worth: Decimal = money("A customer is worth five", **UNKNOWN)

    @rule
    def worth_adds_up(cls) -> nw.Expr:
        """Orders and new customers make the worth."""
        return nw.col("worth") == nw.col("amount") + 5 * nw.col("joined")


def growth(gold_sales: nw.LazyFrame, silver_customers: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    sold = gold_sales.select("amount", day="ordered_on")
    joined = silver_customers.select(day="joined_on", joined=nw.lit(1, nw.Int64))
    sums = nw.concat([sold, joined], how="diagonal").group_by("day").agg(total("amount"), total_count("joined"))
    return sums.with_columns(worth=(c("amount") + 5 * c("joined")).cast(MONEY))


def due(gold_sales: nw.LazyFrame, silver_customers: nw.LazyFrame) -> nw.LazyFrame:
    sold = gold_sales.select("amount", day="ordered_on", worth="amount")
    joined = silver_customers.select(day="joined_on", joined=nw.lit(1, nw.Int64))
    return nw.concat([sold, joined.with_columns(worth=(5 * nw.col("joined")).cast(MONEY))], how="diagonal")


class Report(Table, primary_key="day", partition_column="day", name="kpi.growth"):
    """One row per row of gold.growth."""

    day: Date = key("The day")
    amount: Decimal = money("What the orders of the day cost")
    worth: Decimal = money("As there", **UNKNOWN)


def report(gold_growth: nw.LazyFrame) -> nw.LazyFrame:
    return gold_growth.select("day", "amount", "worth")


class ToDate(Table, primary_key="day", partition_column="day", name="kpi.to_date"):
    """One row per row of gold.growth."""

    day: Date = key("The day")
    amount: Decimal = money("What the orders up to the day cost")


def to_date(gold_growth: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    so_far = nw.col("amount").cum_sum().over(order_by="day").cast(MONEY)
    return gold_growth.select("day", amount=so_far).join(days, on="day", how="semi")


GROWTH = declare(contract(Growth), growth, conserved=due)
TABLES = (GROWTH, declare(contract(Report), report), declare(contract(ToDate), to_date, {"gold_growth": history}))


def tables() -> Catalog:
    return tiny_shop.tables(*TABLES)


def land(shop: TinyShop, day: int, *, bad: bool = False) -> None:
    """An order of ten, and a customer, whose day cannot be read if it is a bad one."""
    shop.land_orders(day, order(day, day))
    moment = "yesterday" if bad else f"{on(day)}T08:00:00Z"
    shop.session.zone.write("customers", on(day), "customers.csv", f"customer_id,joined_at\nc{day},{moment}\n".encode())


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    """Three days that have run; the customers of the second are bad."""
    with open_shop(tmp_path, tables()) as shop:
        for day in range(3):
            land(shop, day, bad=day == 1)
        shop.run(days(0, 2))
        yield shop


def test_a_day_is_made_without_an_input_and_what_needs_it_is_unknown(shop):
    assert shop.states("silver.customers") == [STORED, FAILED, STORED]
    for table in ("gold.growth", "kpi.growth"):
        assert shop.states(table) == [STORED, PROVISIONAL, STORED]
    assert shop.rows("select amount, joined, worth from gold.growth order by day") == [
        (10, 1, 15),
        (10, None, None),
        (10, 1, 15),
    ]
    assert shop.rows("select worth from kpi.growth order by day") == [(15,), (None,), (15,)]
    assert shop.stale() == []
    assert verify(shop.session) is None


def test_days_after_it_lack_nothing_but_what_is_unknown_and_are_provisional(shop):
    assert shop.rows("select amount from kpi.to_date order by day") == [(10,), (20,), (30,)]
    assert shop.states("kpi.to_date") == [STORED, PROVISIONAL, PROVISIONAL]


def test_a_day_of_unknown_amount_has_no_total(shop):
    assert shop.rows("select day, amount from ledger.amounts where table_name = 'gold.growth' order by day") == [
        (on(0), 15),
        (on(2), 15),
    ]


def test_the_day_is_whole_again_once_the_input_is(shop):
    land(shop, 1)
    settle(shop.session)

    assert shop.states("gold.growth") == shop.states("kpi.to_date") == [STORED] * 3
    assert shop.rows("select joined, worth from gold.growth order by day") == [(1, 15)] * 3
    assert verify(shop.session) is None


def test_an_input_that_goes_bad_takes_nothing_else_with_it(shop):
    land(shop, 2, bad=True)
    settle(shop.session)

    assert shop.rows("select amount, worth from kpi.growth order by day") == [(10, 15), (10, None), (10, None)]
    assert verify(shop.session) is None


def test_a_needed_input_blocks_as_ever(shop):
    shop.land_orders(1, order(1, 1, amount=5000))
    settle(shop.session)

    assert shop.states("gold.growth") == shop.states("kpi.growth") == [STORED, BLOCKED, STORED]


def test_rows_that_nobody_knows_are_no_rows_of_nothing(tmp_path):
    with open_shop(tmp_path, tables()) as shop:
        shop.session.zone.write("customers", on(0), "customers.csv", b"customer_id,joined_at\nc,yesterday\n")
        shop.run(days(0))

        assert shop.rows("from gold.growth") == []
        assert shop.states("gold.growth") == [PROVISIONAL]


@pytest.mark.parametrize("lost", ["joined", "worth"])
def test_a_value_is_not_missing_where_the_others_are_known(shop, lost):
    def forgetful(gold_sales: nw.LazyFrame, silver_customers: nw.LazyFrame) -> nw.LazyFrame:
        made = growth(gold_sales, silver_customers)
        return made.with_columns(nw.when(nw.col("day") != nw.lit(on(0))).then(nw.col(lost)).alias(lost))

    shop.session.catalog = tiny_shop.tables(declare(contract(Growth), forgetful))

    results = shop.run(days(0, 2), "gold.growth")["gold.growth"]

    assert [result.state for result in results] == [FAILED, PROVISIONAL, STORED]
    assert f"{lost} is present" in results[0].broken


@pytest.mark.parametrize("lost", ["amount", "worth"])
def test_amounts_are_held_against_their_totals_on_days_of_which_all_is_known(shop, lost):
    def poor(gold_sales: nw.LazyFrame, silver_customers: nw.LazyFrame) -> nw.LazyFrame:
        made = growth(gold_sales, silver_customers)
        return made.with_columns((nw.col(lost) - 1).cast(MONEY).alias(lost))

    shop.session.catalog = tiny_shop.tables(declare(contract(Growth), poor, conserved=due))

    results = shop.run(days(0, 2), "gold.growth")["gold.growth"]

    unknown = PROVISIONAL if lost == "worth" else FAILED
    assert [result.state for result in results] == [FAILED, unknown, FAILED]


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(10))
@given(st.sets(st.integers(0, 4)), st.sets(st.integers(0, 4)), st.randoms(use_true_random=False))
def test_days_run_in_any_order_and_corrected_end_as_one_clean_run(
    tmp_path_factory: pytest.TempPathFactory, bad_at_first: set[int], bad_at_last: set[int], randomly: Random
):
    with (
        open_shop(tmp_path_factory.mktemp("by_day"), tables()) as by_day,
        open_shop(tmp_path_factory.mktemp("at_once"), tables()) as at_once,
    ):
        for day in range(5):
            land(by_day, day, bad=day in bad_at_first)
            land(at_once, day, bad=day in bad_at_last)
        for day in randomly.sample(range(5), 5):
            by_day.run(days(day))
        for day in range(5):
            land(by_day, day, bad=day in bad_at_last)
        settle(by_day.session)
        at_once.run(days(0, 4))

        assert contents(by_day.session) == contents(at_once.session)
        found = dict(at_once.rows("select day, worth from kpi.growth"))
        assert found == {on(day): None if day in bad_at_last else 15 for day in range(5)}
