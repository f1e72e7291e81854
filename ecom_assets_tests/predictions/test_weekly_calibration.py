"""What was predicted of a week, beside what came."""

import datetime as dt
from typing import Any

import polars as pl
import pytest

from ecom_assets.features.customer_histories import CustomerHistories
from ecom_assets.predictions.category_forecasts import CategoryForecasts
from ecom_assets.predictions.customer_value import CustomerValue
from ecom_assets.predictions.demand_forecasts import DemandForecasts
from ecom_assets.predictions.weekly_calibration import transform
from ecom_assets.silver.order_item_versions import OrderItemVersions
from ecom_assets.silver.order_versions import OrderVersions
from ecom_assets_tests.samples import collected, sample

START, END = dt.date(2024, 3, 3), dt.date(2024, 3, 10)
IN_WEEK = dt.date(2024, 3, 4)


def calibrated(
    value: list[dict[str, Any]] = (),
    histories: list[dict[str, Any]] = (),
    forecasts: list[dict[str, Any]] = (),
    categories: list[dict[str, Any]] = (),
    orders: list[dict[str, Any]] = (),
    lines: list[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    models = CustomerValue, CustomerHistories, DemandForecasts, CategoryForecasts, OrderVersions, OrderItemVersions
    rows = value, histories, forecasts, categories, orders, lines
    frames = [collected(sample(model, *of)) for model, of in zip(models, rows, strict=True)]
    return transform(*frames, pl.DataFrame({"day": [END]})).rows(named=True)


def test_orders_of_the_customers_known_a_week_before_are_compared_with_what_was_expected():
    [row] = calibrated(
        [{"cut_off": START, "customer_id": name, "expected_orders_7d": 200.0} for name in "AB"],
        [
            {"cut_off": START, "customer_id": "A", "repeat_orders": 1},
            {"cut_off": START, "customer_id": "B", "repeat_orders": 0},
            {"cut_off": END, "customer_id": "A", "repeat_orders": 4},
            {"cut_off": END, "customer_id": "B", "repeat_orders": 0},
            {"cut_off": END, "customer_id": "new", "repeat_orders": 9},
        ],
    )

    assert (row["cut_off"], row["subject"]) == (END, "customer_value")
    assert (row["expected"], row["actual"]) == (400, 3)
    assert (row["low"], row["high"]) == (320, 480)


def test_units_of_the_week_are_compared_with_the_forecasts_of_the_products():
    def category(name: str, units: float) -> dict[str, Any]:
        ends = {"units_p05": units - 5, "units_p95": units + 8}
        return {"cut_off": START, "category": name, "week": 1, "expected_units": units, **ends}

    of_order = {"arrived_on": IN_WEEK, "ordered_on": IN_WEEK, "is_retracted": False, "updated_at": f"{IN_WEEK} 10:00"}
    orders = [{**of_order, "order_id": number, "status": "paid"} for number in ("A", "late")]
    orders[1] |= {"ordered_on": START}
    lines = [
        {**of_order, "order_id": number, "line_number": 1, "product_id": product, "quantity": 7}
        for number, product in (("A", "P"), ("A", "unknown"), ("late", "P"))
    ]
    [row] = calibrated(
        forecasts=[
            {"cut_off": START, "product_id": "P", "week": week, "expected_units": 25.0, "units_p50": 25.0}
            for week in (1, 2)
        ],
        categories=[category("a", 10), category("b", 10)],
        orders=orders,
        lines=[{**row, "line_number": n} for n, row in enumerate(lines)],
    )

    assert (row["subject"], row["expected"], row["actual"]) == ("demand_forecasts", 25, 7)
    assert (row["low"], row["high"]) == pytest.approx((15, 41)), "as far from the champion as from the model"


def test_a_week_of_which_nothing_was_predicted_has_no_row():
    assert calibrated(histories=[{"cut_off": END, "customer_id": "A", "repeat_orders": 4}]) == []
