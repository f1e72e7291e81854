import datetime as dt
from decimal import Decimal

from ecom_assets.gold.dim_product_versions import DimProductVersions
from ecom_assets.gold.fact_inventory_daily import FactInventoryDaily
from ecom_assets.kpi.daily_inventory import DailyInventory, transform
from ecom_assets_tests.samples import collected, days, rows, run, sample

PRODUCTS = sample(
    DimProductVersions,
    {"product_key": "P1", "product_id": "P", "category": "Home"},
    {"product_key": "Q1", "product_id": "Q", "category": "Home"},
)
P, Q = {"product_id": "P", "product_key": "P1"}, {"product_id": "Q", "product_key": "Q1"}


def test_measures_of_stock_over_two_days_of_two_products():
    stock = sample(
        FactInventoryDaily,
        {**P, "day": "2024-01-01", "opened": 10, "sold": 4, "on_hand": 6, "unit_cost": "2", "stock_value": "12"},
        {**Q, "day": "2024-01-01", "opened": 5, "on_hand": 5, "unit_cost": "4", "stock_value": "20"},
        {**P, "day": "2024-01-02", "opening": 6, "received": 5, "sold": 11, "unit_cost": "2", "stock_value": "0"},
        {**Q, "day": "2024-01-02", "opening": 5, "on_hand": 5, "unit_cost": "4", "stock_value": "20"},
    )

    made = run(transform, stock, PRODUCTS, days("2024-01-02"))

    assert rows(made, "day", "category", "products", "on_hand", "stock_value", "units_sold", "stock_outs") == [
        (dt.date(2024, 1, 2), "Home", 2, 5, Decimal(20), 11, 1)
    ]
    assert rows(made, "days_stocked_28d", "units_sold_28d", "units_available_28d", "cost_of_goods_28d") == [
        (2, 15, 20, Decimal(30))
    ]
    measures = ["stock_out_rate", "mean_stock_value_28d", "sell_through_28d", "days_of_supply", "turnover_28d"]
    assert rows(made, *measures) == [(0.5, 26.0, 0.75, 5 / 7.5, 30 / 26)]
    DailyInventory.validate(collected(made))


def test_28_days_open_with_what_was_on_hand_as_they_began():
    stock = sample(
        FactInventoryDaily,
        {**P, "day": "2024-01-01", "opening": 50, "sold": 9, "on_hand": 41},
        {**P, "day": "2024-01-02", "opening": 41, "sold": 1, "on_hand": 40},
        {**P, "day": "2024-01-29", "opening": 40, "sold": 1, "on_hand": 39},
    )

    made = run(transform, stock, PRODUCTS, days("2024-01-29"))

    assert rows(made, "units_sold_28d", "units_available_28d") == [(2, 41)]


def test_28_days_of_a_category_are_those_of_the_products_that_stand_in_it_now():
    products = sample(
        DimProductVersions,
        {"product_key": "P1", "product_id": "P", "category": "a"},
        {"product_key": "P2", "product_id": "P", "category": "b"},
        {"product_key": "Q1", "product_id": "Q", "category": "b"},
    )
    cost = {"unit_cost": "2"}
    stock = sample(
        FactInventoryDaily,
        {**P, **cost, "day": "2024-01-01", "opened": 100, "on_hand": 100, "stock_value": "200"},
        {**Q, **cost, "day": "2024-01-01", "opened": 10, "on_hand": 10, "stock_value": "20"},
        {**P, **cost, "product_key": "P2", "day": "2024-01-02", "opening": 100, "sold": 100, "stock_value": "0"},
        {**Q, **cost, "day": "2024-01-02", "opening": 10, "on_hand": 10, "stock_value": "20"},
    )

    made = run(transform, stock, products, days("2024-01-02"))

    assert rows(made, "category", "units_sold_28d", "units_available_28d", "sell_through_28d") == [
        ("b", 100, 110, 100 / 110)
    ]
    assert rows(made, "mean_stock_value_28d", "turnover_28d", "days_of_supply") == [(120.0, 200 / 120, 10 / 50)]


def test_what_came_back_and_what_was_found_was_not_there_to_be_sold():
    stock = sample(
        FactInventoryDaily,
        {**P, "day": "2024-01-01", "opened": 10, "sold": 8, "returned": 3, "adjusted": -1, "on_hand": 4},
        {**P, "day": "2024-01-02", "opening": 4, "received": 6, "on_hand": 10},
    )

    made = run(transform, stock, PRODUCTS, days("2024-01-02"))

    assert rows(made, "units_sold_28d", "units_available_28d") == [(8, 16)]


def test_a_product_at_zero_that_has_not_sold_for_28_days_is_no_stock_out():
    def stock_outs(sold_on: str) -> list[int]:
        stock = sample(
            FactInventoryDaily,
            {**P, "day": sold_on, "opening": 1, "sold": 1},
            {**P, "day": "2024-01-29"},
        )
        return rows(run(transform, stock, PRODUCTS, days("2024-01-29")), "stock_outs")

    assert (stock_outs("2024-01-02"), stock_outs("2024-01-01")) == ([1], [0])


def test_without_sales_cost_or_category_the_measures_are_null_and_the_units_are_there():
    stock = sample(FactInventoryDaily, {"day": "2024-01-01", "product_id": "X", "on_hand": 3, "opened": 3})

    made = run(transform, stock, PRODUCTS, days("2024-01-01"))

    assert rows(made, "category", "on_hand", "stock_value", "days_of_supply", "turnover_28d", "sell_through_28d") == [
        ("unknown", 3, Decimal(0), None, None, 0.0)
    ]
