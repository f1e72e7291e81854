"""The running day: what it says so far, and that the warehouse does not know of it."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import narwhals as nw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets import catalog
from ecom_assets.contract import contract
from ecom_assets.declaration import declare
from ecom_assets.expressions.money import MONEY
from ecom_assets.publishing.today import publish_today
from ecom_assets.sql import connect
from ecom_assets.warehouse.proof import settle
from ecom_assets.warehouse.today import THROUGH_THE_DAY, SoFar, files_of, so_far, tables_through_the_day
from ecom_assets_tests.tiny_shop import Sales, TinyShop, days, on, open_shop, order, tables

DAILY = ["kpi.daily"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with open_shop(tmp_path) as opened:
        opened.land_customers(0, "ann")
        opened.land_orders(0, order(1, 0))
        opened.run(days(0))
        yield opened


def amounts(found: SoFar) -> list[int]:
    return [int(row["amount"]) for row in found.tables["kpi.daily"].to_pylist()]


def states(found: SoFar) -> dict[str, str]:
    return {row["table_name"]: row["state"] for row in found.days.to_pylist()}


def test_rows_of_the_running_day_grow_and_are_provisional(shop: TinyShop) -> None:
    shop.land_orders(1, order(2, 1), file="kafka-1.csv")
    first = so_far(shop.session, on(1), DAILY)
    shop.land_orders(1, order(3, 1, amount=5), file="kafka-2.csv")
    second = so_far(shop.session, on(1), DAILY)

    assert (amounts(first), amounts(second)) == ([10], [15])
    assert set(states(second).values()) == {"provisional"}


def test_the_warehouse_does_not_know_of_the_running_day(shop: TinyShop) -> None:
    before = shop.everything()
    shop.land_orders(1, order(2, 1), order(1, 0, amount=7, version=1))

    so_far(shop.session, on(1), DAILY)

    assert shop.everything() == before
    assert set(shop.stale()) == {("bronze.orders", 1)}


def test_a_feed_without_files_is_no_fault_before_the_day_is_over(shop: TinyShop) -> None:
    shop.land_customers(1, "bob")

    found = so_far(shop.session, on(1), DAILY)

    assert amounts(found) == []
    assert states(found)["bronze.orders"] == "provisional"
    assert [result.state for result in shop.run(days(1), "bronze.orders")["bronze.orders"]] == ["failed"]


def test_a_broken_contract_of_the_running_day_blocks_what_reads_it_and_alerts_nobody(shop: TinyShop) -> None:
    shop.land_orders(1, order(2, 1, amount=1000))

    found = so_far(shop.session, on(1), DAILY)

    assert amounts(found) == []
    assert (states(found)["gold.sales"], states(found)["kpi.daily"]) == ("failed", "blocked")
    assert shop.rows("from ledger.verdict_changes where day > date '2024-03-01'") == []


def numbered(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
    return silver_orders.select("order_id", "ordered_on", amount=nw.col("order_id").cast(nw.Int64).cast(MONEY))


def test_a_value_that_cannot_be_computed_blocks_what_reads_it(tmp_path: Path) -> None:
    with open_shop(tmp_path, tables(declare(contract(Sales), numbered))) as opened:
        opened.land_customers(0, "ann")
        opened.land_orders(0, "A1,,2024-03-01T12:00:00Z,2024-03-01T12:00:00Z,10")

        found = so_far(opened.session, on(0), DAILY)

        assert found.broken == {"gold.sales"}
        assert states(found)["kpi.daily"] == "blocked"
        assert states(found)["silver.orders"] == "provisional"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("land"), st.integers(0, 3), st.integers(0, 3), st.integers(0, 5)),
        st.tuples(st.just("customers"), st.integers(0, 3), st.sampled_from(["ann", "bob"])),
        st.tuples(st.just("tick"), st.integers(0, 3)),
        st.tuples(st.just("run"), st.integers(0, 3)),
    ),
    min_size=3,
    max_size=8,
)


def history(folder: Path, steps: list[Any], *, ticks: bool) -> Any:
    """What a shop's warehouse holds after the steps, and once all days are over, with or without looks at a day."""
    with open_shop(folder) as shop:
        last_run = -1
        for number, (step, day, *rest) in enumerate(steps):
            if step == "land":
                happened, amount = rest
                line = order(amount, min(happened, day), amount=amount, version=number, customer="ann")
                shop.land_orders(day, line, file=f"{number}.csv")
            elif step == "customers":
                shop.land_customers(day, *rest)
            elif step == "run":
                shop.run(days(0, day))
                last_run = max(last_run, day)
            elif ticks and day > last_run:
                so_far(shop.session, on(day), DAILY)
        shop.run(days(0, 3))
        settle(shop.session)
        return shop.everything()


@pytest.mark.slow
@settings(max_examples=6)
@given(steps=STEPS)
def test_a_day_that_was_looked_at_ends_as_if_it_had_not_been(
    steps: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    looked, not_looked = (tmp_path_factory.mktemp("shop") for _ in range(2))

    assert history(looked, steps, ticks=True) == history(not_looked, steps, ticks=False)


def test_the_file_of_the_running_day_has_its_rows_states_and_nothing_of_other_days(
    shop: TinyShop, tmp_path: Path
) -> None:
    shop.land_orders(1, order(2, 1))
    path = tmp_path / "today.duckdb"

    for amount in (10, 4):
        shop.land_orders(1, order(2, 1, amount))
        publish_today(shop.session, path, on(1), DAILY)

    with connect(path, read_only=True) as con:
        assert con.execute("select day, amount::int from kpi.daily").fetchall() == [(on(1), 4)]
        assert con.execute("select distinct day, state from ledger.days").fetchall() == [(on(1), "provisional")]
        [(at,)] = con.execute("select published_at from ledger.published").fetchall()
        assert isinstance(at, dt.datetime)


def test_the_files_of_a_day_have_another_fingerprint_once_one_lands(shop: TinyShop) -> None:
    before = files_of(shop.session, on(1), DAILY)
    shop.land_orders(1, order(2, 1))
    after = files_of(shop.session, on(1), DAILY)

    assert before["orders"] != after["orders"]
    assert before["customers"] == after["customers"]


def test_no_table_that_takes_whole_days_runs_through_the_day() -> None:
    wanted = tables_through_the_day(catalog.tables())

    assert set(THROUGH_THE_DAY) <= set(wanted)
    assert {name for name in wanted if name.startswith(("kpi.", "features.", "predictions."))} == set(THROUGH_THE_DAY)


def test_tables_that_block_one_another_on_a_day_are_all_run() -> None:
    tables_ = catalog.tables()
    wanted = set(tables_through_the_day(tables_))

    for name in wanted:
        assert {read.table for read in tables_[name].reads if read.reach.is_same_day} <= wanted, name
