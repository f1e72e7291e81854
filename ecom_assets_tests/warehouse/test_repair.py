"""From stale days to runs."""

import datetime as dt

from ecom_assets.contract import Contract
from ecom_assets.days import Reach, Window, history, same_day
from ecom_assets.declaration import Catalog, Declaration, Read
from ecom_assets.warehouse.ledger.records import TableDay
from ecom_assets.warehouse.repair import Repair, plan


def table(name: str, **reads: Reach) -> Declaration:
    """A table that reads others: "silver_orders" is "silver.orders"."""
    promise = Contract(name, "", (), {}, (), "day")
    inputs = tuple(Read(read.replace("_", ".", 1), reach, read) for read, reach in reads.items())
    return Declaration(promise, lambda: None, inputs)


SHOP = Catalog(
    [
        table("bronze.orders"),
        table("bronze.visits"),
        table("silver.orders", bronze_orders=same_day),
        table("silver.visits", bronze_visits=same_day),
        table("gold.customers", silver_orders=history),
        table("gold.funnel", silver_orders=same_day, silver_visits=same_day),
        table("kpi.daily", gold_customers=same_day, gold_funnel=same_day),
    ]
)
ALL = frozenset(SHOP.names)
ORDERS_ONLY = frozenset({"bronze.orders", "silver.orders", "gold.customers"})


def on(day: int) -> dt.date:
    return dt.date(2024, 1, day)


def stale(table: str, *days: int) -> list[TableDay]:
    return [TableDay(table, on(day)) for day in days]


def test_nothing_stale_is_no_run() -> None:
    assert plan([], SHOP) == []


def test_consecutive_days_of_all_tables_are_one_run() -> None:
    days = range(1, 31)

    repairs = plan(stale("bronze.orders", *days) + stale("bronze.visits", *days), SHOP)

    assert repairs == [Repair(ALL, Window(on(1), on(30)))]


def test_days_with_a_gap_between_are_runs_of_their_own_the_oldest_first() -> None:
    repairs = plan(stale("bronze.orders", 7, 3, 4), SHOP)

    assert [repair.window for repair in repairs] == [Window(on(3), on(4)), Window(on(7), on(7))]


def test_a_table_made_of_a_stale_one_waits_for_its_turn() -> None:
    repairs = plan(stale("bronze.orders", 1) + stale("kpi.daily", 1, 2, 3), SHOP)

    assert [repair.window for repair in repairs] == [Window(on(1), on(1))]


def test_what_lacks_an_input_stays_out_until_that_has_run() -> None:
    visits = {("silver.visits", on(day)) for day in (1, 2)}

    assert plan(stale("bronze.orders", 1, 2), SHOP) == [Repair(ORDERS_ONLY, Window(on(1), on(2)))]
    assert plan(stale("bronze.orders", 1, 2, 3), SHOP, visits) == [Repair(ORDERS_ONLY, Window(on(1), on(3)))]
    assert plan(stale("bronze.orders", 1, 2), SHOP, visits) == [
        Repair(ORDERS_ONLY | {"gold.funnel", "kpi.daily"}, Window(on(1), on(2)))
    ]


def test_a_table_runs_only_in_the_ranges_of_days_in_which_it_is_stale() -> None:
    repairs = plan(stale("silver.orders", 1) + stale("silver.visits", 5), SHOP)

    assert [sorted(repair.tables) for repair in repairs] == [["gold.customers", "silver.orders"], ["silver.visits"]]
