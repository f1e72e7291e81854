"""From stale days to a run."""

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
        table("gold.calendar"),
        table("kpi.daily", gold_customers=same_day, gold_funnel=same_day),
    ]
)


def on(day: int) -> dt.date:
    return dt.date(2024, 1, day)


def stale(table: str, *days: int) -> list[TableDay]:
    return [TableDay(table, on(day)) for day in days]


def test_what_is_stale_and_all_that_is_made_of_it_is_one_run() -> None:
    assert plan(stale("silver.visits", 1, 2), SHOP) == Repair(
        frozenset({"silver.visits", "gold.funnel", "kpi.daily"}),
        Window(on(1), on(2)),
        "2 table-days of 2024-01-01..2024-01-02",
    )


def test_scattered_days_and_those_on_which_a_change_can_have_consequences_are_one_run() -> None:
    repair = plan(stale("bronze.orders", 7, 3, 4), SHOP, [on(1), on(9)])

    assert repair.window == Window(on(1), on(9))
    assert repair.reason == "3 table-days of 2024-01-03..2024-01-04 and 1 more windows"


def test_tables_that_read_nothing_run_on_new_days_of_bronze() -> None:
    assert "gold.calendar" in plan(stale("bronze.visits", 7), SHOP).tables
