"""Demand, stock and budgets: from rows as known to forecasts, reorder points and proposals."""

import datetime as dt
import json
from typing import Any

import polars as pl
import pytest

from ecom_assets.kpi.daily_marketing import DailyMarketing
from ecom_assets.predictions import (
    budget_proposals,
    demand_forecasts,
    demand_models,
    demand_scores,
    reorder_points,
)
from ecom_assets.predictions._demand import products_at, sales_at
from ecom_assets.silver.movement_versions import MovementVersions
from ecom_assets.silver.order_item_versions import OrderItemVersions
from ecom_assets.silver.order_versions import OrderVersions
from ecom_assets.silver.product_versions import ProductVersions
from ecom_assets.silver.receipt_versions import ReceiptVersions
from ecom_assets.silver.supplier_versions import SupplierVersions
from ecom_assets_tests.samples import collected, sample

FIRST, SECOND = dt.date(2024, 2, 4), dt.date(2024, 3, 3)
START = dt.date(2023, 11, 1)


def on(*days: dt.date) -> pl.DataFrame:
    return pl.DataFrame({"day": days}, {"day": pl.Date})


def order(at: dt.date, arrived: dt.date | None = None, number: str = "O", **more: Any) -> dict[str, Any]:
    shared = {"arrived_on": arrived or at, "order_id": number, "ordered_on": at, "updated_at": f"{at} 10:00"}
    return {**shared, "status": "paid", "is_retracted": False, **more}


def line(at: dt.date, units: int, product: str = "P", number: str = "O", **more: Any) -> dict[str, Any]:
    shared = {"arrived_on": at, "order_id": number, "line_number": 1, "ordered_on": at, "updated_at": f"{at} 10:00"}
    return {**shared, "product_id": product, "quantity": units, "is_retracted": False, **more}


def movement(at: dt.date, units: int, number: str, product: str = "P", **more: Any) -> dict[str, Any]:
    shared = {"arrived_on": at, "movement_id": number, "moved_on": at, "product_id": product, "kind": "receipt"}
    return {**shared, "quantity": units, "is_retracted": False, **more}


def frames(model: type[Any], *rows: dict[str, Any]) -> pl.DataFrame:
    return collected(sample(model, *rows))


def test_sales_are_those_known_and_not_cancelled_by_then():
    day = dt.date(2024, 1, 10)
    orders = frames(
        OrderVersions,
        order(day, number="A"),
        order(day, number="B", arrived=SECOND),
        order(day, number="C"),
        order(day, number="C", arrived=FIRST, status="cancelled"),
    )
    lines = frames(OrderItemVersions, *(line(day, 2, number=number) for number in "ABC"))

    known = sales_at(FIRST, orders, lines, frames(MovementVersions))

    assert known.rows() == [("P", day, 2.0, None)]


def test_a_day_without_stock_says_nothing_of_demand():
    first = dt.date(2024, 1, 10)
    moves = [movement(first, 2, "1"), movement(first, -2, "2"), movement(first + dt.timedelta(3), 5, "3")]
    counted = movement(first, 99, "4", kind="count")

    known = sales_at(FIRST, frames(OrderVersions), frames(OrderItemVersions), frames(MovementVersions, *moves, counted))

    out = [first + dt.timedelta(days) for days in (1, 2)]
    assert known.rows() == [("P", day, 0.0, False) for day in out]


def test_a_product_is_as_last_changed_and_listed_since_its_first_change():
    change = {"arrived_on": "2024-01-01", "product_id": "P", "changed_at": "2024-01-01 10:00", "is_deleted": False}
    later = {**change, "arrived_on": "2024-01-20", "changed_at": "2024-01-20 10:00", "changed_on": "2024-01-20"}
    rows = [{**change, "category": "a", "changed_on": "2024-01-01"}, {**later, "category": "b"}]

    known = products_at(FIRST, frames(ProductVersions, *rows))

    assert known.select("category", "listed_on").rows() == [("b", dt.date(2024, 1, 1))]
    assert products_at(
        FIRST,
        frames(
            ProductVersions,
            *rows,
            {**later, "is_deleted": True, "changed_at": "2024-01-21 10:00", "changed_on": "2024-01-21"},
        ),
    ).is_empty()


@pytest.fixture(scope="module")
def shop() -> list[pl.DataFrame]:
    """A product that sells three a day, and has been out of stock since the last day of February."""
    days = [START + dt.timedelta(n) for n in range((SECOND - START).days + 1)]
    sold = [movement(day, -3, f"sold {day}") for day in days]
    stock = [movement(START, 3 * len(days), "opening"), *sold]
    change = {"arrived_on": START, "product_id": "P", "changed_at": f"{START} 10:00", "changed_on": START}
    return [
        frames(OrderVersions, *(order(day, number=str(day)) for day in days)),
        frames(OrderItemVersions, *(line(day, 3, number=str(day)) for day in days)),
        frames(MovementVersions, *stock),
        frames(ProductVersions, {**change, "category": "a", "cost": "2", "is_deleted": False}),
    ]


@pytest.fixture(scope="module")
def models(shop: list[pl.DataFrame]) -> pl.DataFrame:
    return demand_models.transform(*shop, on(FIRST))


def test_steady_sales_are_expected_to_go_on(shop, models):
    scores = demand_scores.transform(*shop, models, on(SECOND))
    weeks = demand_forecasts.transform(*shop, models, scores, on(SECOND))

    assert weeks["expected_units"].to_list() == pytest.approx([21] * 4, rel=0.05)
    assert weeks["starts_on"].to_list() == [SECOND + dt.timedelta(1 + 7 * n) for n in range(4)]
    assert (weeks["units_p50"] <= weeks["units_p95"]).all()


def test_units_forecast_and_sold_are_told_by_week_with_an_interval(shop):
    units = 2 + (pl.col("ordered_on").dt.week() % 2)
    changing = [shop[0], shop[1].with_columns(quantity=units.cast(pl.Int64)), *shop[2:]]

    scores = demand_scores.transform(*changing, demand_models.transform(*changing, on(FIRST)), on(SECOND))

    told = {row["model"]: row for row in scores.iter_rows(named=True)}
    weeks = json.loads(told["demand"]["by_week"])
    assert [week["sold"] for week in weeks] == [14, 21, 14, 21]
    assert all(0 <= week["low"] < week["expected"] < week["high"] for week in weeks)
    assert sum(week["expected"] for week in weeks) / 70 - 1 == pytest.approx(told["demand"]["bias"], abs=1e-6)
    assert {week["low"] for week in json.loads(told["mean of weeks"]["by_week"])} == {None}


def test_what_cannot_be_scored_has_no_score(shop):
    first_week = [START + dt.timedelta(n) for n in range(5)]
    young = [frame.filter(pl.col("arrived_on").is_in(first_week)) for frame in shop]
    end = dt.date(2023, 11, 12)
    fitted = demand_models.transform(*young, on(end))

    assert fitted.height
    assert demand_scores.transform(*young, fitted, on(end + dt.timedelta(28))).is_empty()


def test_a_product_without_stock_is_to_be_ordered(shop, models):
    receipt = {"arrived_on": START, "receipt_id": "R", "product_id": "P", "supplier_id": "S", "is_retracted": False}
    received = [
        {**receipt, "receipt_id": f"R{n}", "ordered_on": START, "received_on": START + dt.timedelta(10)}
        for n in range(9)
    ]
    (row,) = reorder_points.transform(
        *shop, frames(ReceiptVersions, *received), frames(SupplierVersions), models, on(SECOND)
    ).rows(named=True)

    assert (row["supplier_id"], row["on_hand"]) == ("S", 0)
    assert row["lead_days"] == pytest.approx(10, abs=0.5)
    assert row["reorder_point"] >= 17 * 3 * 0.95
    assert row["suggested_units"] >= row["reorder_point"]
    assert row["stockout_risk"] > 0.9


def test_without_stock_or_deliveries_points_are_known_and_nothing_is_suggested(shop, models):
    nothing = [frames(MovementVersions), shop[3], frames(ReceiptVersions), frames(SupplierVersions)]

    (row,) = reorder_points.transform(*shop[:2], *nothing, models, on(SECOND)).rows(named=True)

    assert row["reorder_point"] > 0
    assert (row["on_hand"], row["suggested_units"], row["stockout_risk"]) == (None, None, None)


def test_an_empty_shop_has_no_demand(models):
    nothing = [frames(model) for model in (OrderVersions, OrderItemVersions, MovementVersions, ProductVersions)]

    assert demand_models.transform(*nothing, on(FIRST)).is_empty()
    assert demand_forecasts.transform(*nothing, models, frames(demand_scores.DemandScores), on(SECOND)).is_empty()


def test_a_budget_goes_where_it_brings_more():
    days = [START + dt.timedelta(n) for n in range(92)]
    rows = []
    for n, day in enumerate(days):
        spend = 50 + 25 * ((n // 7) % 3)
        rows.append({"day": day, "channel": "full", "campaign": "a", "spend": str(spend), "revenue": "100"})
        steep = {"day": day, "channel": "steep", "campaign": "b", "spend": str(spend), "revenue": str(4 * spend)}
        rows.append(steep)

    made = budget_proposals.transform(frames(DailyMarketing, *rows), on(FIRST))

    full, steep = made.sort("channel").rows(named=True)
    assert full["kept_because"] is not None or full["proposed_spend"] < full["spend"]
    assert steep["proposed_spend"] + full["proposed_spend"] == pytest.approx(steep["spend"] + full["spend"])
    assert budget_proposals.transform(frames(DailyMarketing), on(FIRST)).is_empty()
