"""Which table-days are stale, and which are not."""

import dataclasses
import os
import subprocess
import sys

import narwhals as nw
import pytest

from ecom_assets.contract import contract
from ecom_assets.days import State, Window, since
from ecom_assets.declaration import declare
from ecom_assets.engine.duckdb import parsing
from ecom_assets.expressions.money import MONEY, total
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.warehouse.ledger.records import Cause, StaleDay
from ecom_assets.warehouse.proof import settle
from ecom_assets.warehouse.session import Session
from ecom_assets.warehouse.store import made_of
from ecom_assets_tests import tiny_shop
from ecom_assets_tests.tiny_shop import TinyShop, days, on, open_shop, order


def stale_with(shop: TinyShop, **changed: object) -> list[tuple[str, int]]:
    """What another version of the code, or other settings, would run again."""
    kept = {"catalog": shop.session.catalog, "calendar": shop.session.calendar, **changed}
    other = TinyShop(shop.folder, Session(shop.con, zone=shop.session.zone, **kept))
    return other.stale()


def daily_said_otherwise(gold_sales: nw.LazyFrame) -> nw.LazyFrame:
    # The day's sum.
    of_the_day = gold_sales.select("amount", day="ordered_on")
    return of_the_day.group_by("day").agg(total("amount"))


def daily_doubled(gold_sales: nw.LazyFrame) -> nw.LazyFrame:
    return tiny_shop.daily(gold_sales).with_columns((nw.col("amount") * 2).cast(MONEY))


def test_nothing_is_stale_after_a_run(shop):
    assert shop.stale() == []


def test_comments_and_names_of_variables_make_nothing_stale(shop):
    assert stale_with(shop, catalog=tiny_shop.tables(declare(contract(tiny_shop.Daily), daily_said_otherwise))) == []


def test_another_description_or_tag_of_a_column_makes_nothing_stale(shop):
    promise = contract(tiny_shop.Orders)
    reworded = dataclasses.replace(promise.columns["customer_id"], description="The customer", personal=True)
    promise = dataclasses.replace(promise, columns={**promise.columns, "customer_id": reworded})
    orders = dataclasses.replace(shop.session.catalog["silver.orders"], contract=promise)

    assert stale_with(shop, catalog=tiny_shop.tables(orders)) == []


def test_another_table_that_a_column_refers_to_makes_its_table_stale(shop):
    promise = contract(tiny_shop.Orders)
    elsewhere = dataclasses.replace(promise.columns["customer_id"], on_same_day=True)
    promise = dataclasses.replace(promise, columns={**promise.columns, "customer_id": elsewhere})
    orders = dataclasses.replace(shop.session.catalog["silver.orders"], contract=promise)

    assert {table for table, _ in stale_with(shop, catalog=tiny_shop.tables(orders))} == {"silver.orders"}


def test_a_changed_expression_makes_all_days_of_its_table_stale(shop):
    changed = tiny_shop.tables(declare(contract(tiny_shop.Daily), daily_doubled))

    assert stale_with(shop, catalog=changed) == [("kpi.daily", 0), ("kpi.daily", 1), ("kpi.daily", 2)]


def test_another_sum_to_be_conserved_makes_all_days_of_its_table_stale(shop):
    def due(gold_sales: nw.LazyFrame) -> nw.LazyFrame:
        return gold_sales.select("amount", day="ordered_on")

    conserving = tiny_shop.tables(declare(contract(tiny_shop.Daily), tiny_shop.daily, conserved=due))

    assert stale_with(shop, catalog=conserving) == [("kpi.daily", 0), ("kpi.daily", 1), ("kpi.daily", 2)]


def test_another_way_of_reading_text_makes_the_tables_that_read_it_stale(shop, monkeypatch):
    typed = parsing.typed_value
    monkeypatch.setattr(parsing, "typed_value", lambda column, zone: f"lower({typed(column, zone)})")

    assert {table for table, _ in stale_with(shop)} == {
        "bronze.customers",
        "bronze.orders",
        "silver.customers",
        "silver.orders",
    }


def test_another_way_of_judging_makes_all_days_stale(shop):
    assert len(stale_with(shop, strict=True)) == len(shop.session.catalog) * 3


@pytest.mark.parametrize("limits", [{"max_bad_share": 0.1}, {"min_bad_rows": 2}])
def test_other_limits_of_a_feed_make_all_days_of_its_table_stale_and_no_other(shop, limits):
    made_before = made_of("UTC", days(0, 2), False, shop.session.zone)

    shop.session.zone.save_settings("orders", FeedSettings(**limits))

    assert stale_with(shop) == [("silver.orders", 0), ("silver.orders", 1), ("silver.orders", 2)]
    assert made_of("UTC", days(0, 2), False, shop.session.zone) != made_before


def test_limits_that_are_those_of_the_contract_make_nothing_stale(shop):
    shop.session.zone.save_settings("orders", FeedSettings(max_bad_share=0.5, min_bad_rows=1))

    assert stale_with(shop) == []


@pytest.mark.slow
def test_a_hash_of_code_is_the_same_in_every_process(shop):
    say = (
        "from ecom_assets_tests.tiny_shop import *\n"
        "with open_shop(Path('nowhere')) as shop:\n"
        "    print([shop.session.codes[name] for name in shop.session.catalog.names])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "1"}
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", say], env=environment, text=True, capture_output=True, check=True
    )

    assert said.stdout.strip() == str([shop.session.codes[name] for name in shop.session.catalog.names])


def test_only_the_days_in_reach_of_a_change_are_stale(shop):
    shop.land_orders(1, order(2, 1, amount=20))
    assert shop.stale() == [("bronze.orders", 1)]
    for table, then in [
        ("bronze.orders", [("silver.orders", 1)]),
        ("silver.orders", [("gold.sales", 1)]),
        ("gold.sales", [("gold.to_date", 1), ("gold.to_date", 2), ("kpi.daily", 1)]),
    ]:
        shop.session.run(table, days(1))
        assert shop.stale() == then


def test_a_late_order_touches_the_day_on_which_it_was_placed(shop):
    shop.land_orders(3, order(4, 0))
    shop.run(days(3), "bronze.orders")

    assert [found for found in shop.stale() if found[1] < 3] == [("silver.orders", 0)]


def test_records_that_lack_their_key_have_nothing_to_do_with_one_another(shop):
    shop.land_orders(3, order(4, 3), order(5, 3).replace("5,", ",", 1))
    shop.run(days(3))
    shop.land_orders(4, order(6, 4), order(7, 4).replace("7,", ",", 1))
    shop.run(days(4), "bronze.orders")

    assert [found for found in shop.stale() if found[0] == "silver.orders"] == [("silver.orders", 4)]


def test_days_before_the_calendar_are_left_alone_when_its_start_moves(shop):
    later = Window(on(1), shop.session.calendar.last)

    assert {day for _, day in stale_with(shop, calendar=later)} == {1, 2}


@pytest.mark.slow
def test_days_become_final_or_provisional_when_the_end_of_the_calendar_moves(tmp_path):
    ahead = declare(contract(tiny_shop.Daily), tiny_shop.daily, {"gold_sales": since})
    with open_shop(tmp_path, tiny_shop.tables(ahead)) as shop:
        shop.land_orders(0, order(1, 0))
        shop.run(days(0))
        assert shop.states("kpi.daily") == [State.PROVISIONAL]

        closed = Session(shop.con, shop.session.catalog, shop.session.zone, days(0))
        settle(closed)
        assert shop.states("kpi.daily") == [State.STORED]

        settle(Session(shop.con, shop.session.catalog, shop.session.zone, shop.session.calendar))
        assert shop.states("kpi.daily") == [State.PROVISIONAL]


def test_a_refused_day_is_not_tried_again_until_something_changes(shop):
    shop.land_orders(1, order(2, 1, amount=5000))
    settle(shop.session)

    assert shop.states("gold.sales") == [State.STORED, State.FAILED, State.STORED]
    assert shop.stale() == []


@pytest.mark.slow
def test_days_without_all_earlier_days_are_provisional(tmp_path):
    with open_shop(tmp_path) as shop:
        for day in range(3):
            shop.land_orders(day, order(day + 1, day))
        shop.run(days(2))
        assert shop.states("gold.to_date") == [State.PROVISIONAL]

        shop.run(days(0, 1))
        settle(shop.session)

        assert shop.states("gold.to_date") == [State.STORED] * 3


def test_a_day_that_ran_before_its_inputs_runs_again_when_they_come(tmp_path):
    with open_shop(tmp_path) as shop:
        shop.land_orders(0, order(1, 0))
        shop.land_orders(1, order(2, 1))
        shop.run(days(0), "bronze.orders", "silver.orders", "gold.sales")
        shop.run(days(1), "gold.to_date")
        shop.land_orders(0, order(1, 0, amount=20))
        shop.run(days(0), "bronze.orders", "silver.orders", "gold.sales")

        assert ("gold.to_date", 1) in shop.stale()


@pytest.mark.slow
def test_a_stale_day_says_why(shop):
    shop.land_orders(1, order(2, 1, customer="late"), order(4, 1))
    assert [found.cause for found in shop.session.stale()] == [Cause.FILES_CHANGED]
    shop.run(days(1), "bronze.orders")
    assert [found.cause for found in shop.session.stale()] == [Cause.INPUTS_CHANGED]
    settle(shop.session)
    shop.land_customers(1, "early")
    shop.run(days(1), "bronze.customers")
    [found] = [found for found in shop.session.stale() if found.table == "silver.orders"]
    assert (found.cause, found.by) == (Cause.REFERENCE_CHANGED, "silver.customers")
    settle(shop.session)

    shop.land_customers(2, "late")
    shop.run(days(2), "bronze.customers", "silver.customers")

    [found] = shop.session.stale()
    assert found == StaleDay("silver.orders", on(1), Cause.REFERENCE_ARRIVED, by="silver.customers")
    assert found.why == "a missing reference arrived in silver.customers"


def test_a_comparison_that_shows_a_stale_day_names_no_other_table(shop):
    shop.con.execute(
        "insert into ledger.invalidations values ('silver.orders', ?, ?, 'silver.customers')",
        [on(1), Cause.REFERENCE_ARRIVED],
    )
    shop.land_orders(1, order(2, 1, amount=20))
    shop.run(days(1), "bronze.orders")

    assert [found.why for found in shop.session.stale()] == ["its inputs changed"]


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_has_a_sentence(cause):
    assert StaleDay("gold.sales", on(0), cause).why


def test_a_rerun_settles_what_was_asked_of_its_day_only(shop):
    shop.con.execute(
        "insert into ledger.invalidations (table_name, day, cause) values ('gold.sales', ?, 'key_moved'), "
        "('gold.sales', ?, 'key_moved')",
        [on(0), on(1)],
    )
    assert shop.stale() == [("gold.sales", 0), ("gold.sales", 1)]

    shop.run(days(0), "gold.sales")

    assert shop.stale() == [("gold.sales", 1)]
