import datetime as dt
from decimal import Decimal
from functools import partial

import polars as pl

from ecom_assets.days import Window, history
from ecom_assets.gold.agg_stock_movements import AggStockMovements
from ecom_assets.gold.dim_product_versions import DimProductVersions
from ecom_assets.gold.fact_inventory_daily import transform
from ecom_assets_tests.samples import days, rows, run, run_window, sample

MOVEMENTS = sample(
    AggStockMovements,
    {"product_id": "P", "day": "2024-01-01", "opened": 10, "sold": 3, "change": 7},
    {"product_id": "P", "day": "2024-01-03", "received": 5, "returned": 1, "adjusted": -2, "sold": 4, "change": 0},
    {"product_id": "Q", "day": "2024-01-03", "opened": 1, "change": 1},
)
PRODUCTS = sample(
    DimProductVersions,
    *(
        {"product_id": "P", "product_key": key, "cost": cost, "effective_on": day, "effective_from": f"{day} {time}"}
        for key, cost, day, time in [
            ("P1", "2.50", "2024-01-02", "10:00"),
            ("P2", "3.00", "2024-01-03", "10:00"),
            ("P3", "4.00", "2024-01-03", "11:00"),
        ]
    ),
)


def test_stock_is_counted_forward_over_days_without_movements():
    made = run(transform, MOVEMENTS, PRODUCTS, days("2024-01-01", "2024-01-03"))

    flows = ["opening", "opened", "received", "sold", "returned", "adjusted", "on_hand"]
    assert [(product, str(day), *units) for product, day, *units in rows(made, "product_id", "day", *flows)] == [
        ("P", "2024-01-01", 0, 10, 0, 3, 0, 0, 7),
        ("P", "2024-01-02", 7, 0, 0, 0, 0, 0, 7),
        ("P", "2024-01-03", 7, 0, 5, 4, 1, -2, 7),
        ("Q", "2024-01-03", 0, 1, 0, 0, 0, 0, 1),
    ]


def test_stock_is_worth_what_the_units_cost_at_the_end_of_the_day():
    made = run(transform, MOVEMENTS, PRODUCTS, days("2024-01-01", "2024-01-03"))

    assert rows(made, "product_id", "day", "product_key", "stock_value") == [
        ("P", dt.date(2024, 1, 1), None, None),
        ("P", dt.date(2024, 1, 2), "P1", Decimal("17.50")),
        ("P", dt.date(2024, 1, 3), "P3", Decimal("28.00")),
        ("Q", dt.date(2024, 1, 3), None, None),
    ]


def test_a_day_opens_with_what_the_day_before_left():
    inputs = {
        "gold_agg_stock_movements": (MOVEMENTS, "day"),
        "gold_dim_product_versions": (PRODUCTS, "effective_on"),
    }
    reads = dict.fromkeys(inputs, history)

    def stored(window: Window) -> pl.DataFrame:
        on_days = partial(transform, days=days(window.first, window.last))
        return run_window(on_days, window, inputs, reads, "day").sort("product_id", "day")

    at_once = stored(Window.parse("2024-01-01..2024-01-04"))
    one_by_one = pl.concat(stored(Window(day, day)) for day in Window.parse("2024-01-01..2024-01-04"))

    assert one_by_one.sort("product_id", "day").equals(at_once)
    before = at_once.with_columns(left=pl.col("on_hand").shift(1).over("product_id", order_by="day"))
    assert before.filter(pl.col("opening") != pl.col("left")).is_empty()
