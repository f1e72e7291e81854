"""Recommendations from purchases as known: settings, scores, and lists of customers and products."""

import datetime as dt
import json
from typing import Any

import polars as pl
import pytest

from ecom_assets.features.known_survivors import KnownSurvivors
from ecom_assets.models.recommendations import Settings
from ecom_assets.predictions import (
    basket_models,
    basket_scores,
    customer_recommendations,
    product_recommendations,
)
from ecom_assets.predictions._purchases import purchases_at, settings_of
from ecom_assets.silver.order_item_versions import OrderItemVersions
from ecom_assets.silver.order_versions import OrderVersions
from ecom_assets_tests.samples import collected, sample

FIRST, SECOND = dt.date(2024, 2, 4), dt.date(2024, 3, 3)


def on(*days: dt.date) -> pl.DataFrame:
    return pl.DataFrame({"day": days}, {"day": pl.Date})


def bought(customer: str, products: str, at: dt.date, arrived: dt.date | None = None, **more: Any) -> list[Any]:
    """An order with a line of each product, as it arrives: rows of both tables."""
    number = f"{customer} {at}"
    shared = {"arrived_on": arrived or at, "order_id": number, "ordered_on": at, "updated_at": f"{at} 10:00"}
    order = {**shared, "customer_id": customer, "status": "paid", "is_retracted": False, **more}
    lines = [
        {**shared, "line_number": n, "product_id": p, "quantity": "1", "is_retracted": False}
        for n, p in enumerate(products, start=1)
    ]
    return [order, lines]


def known(*orders: list[Any]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    lines = [line for _, of_order in orders for line in of_order]
    return (
        collected(sample(OrderVersions, *(order for order, _ in orders))),
        collected(sample(OrderItemVersions, *lines)),
        collected(sample(KnownSurvivors)),
    )


def day(number: int, month: int = 1) -> dt.date:
    return dt.date(2024, month, number)


def test_purchases_are_those_known_and_not_cancelled_by_then():
    frames = known(
        bought("A", "xy", day(2)),
        bought("B", "x", day(3), arrived=day(9, 2)),
        bought("C", "x", day(4)),
        bought("C", "x", day(4), arrived=day(9), status="cancelled"),
    )

    by_first = purchases_at(FIRST, *frames)

    assert by_first.select("customer_id", "product_id").rows() == [("A", "x"), ("A", "y")]
    assert purchases_at(SECOND, *frames)["customer_id"].unique().sort().to_list() == ["A", "B"]


def test_a_merged_customer_has_the_purchases_of_both():
    orders, lines, _ = known(bought("A", "x", day(2)), bought("B", "y", day(3)))
    merged = collected(sample(KnownSurvivors, {"cut_off": FIRST, "customer_id": "B", "survivor": "A"}))

    assert purchases_at(FIRST, orders, lines, merged)["customer_id"].unique().to_list() == ["A"]


def test_settings_survive_being_stored():
    chosen = settings_of("blend", Settings(ridge=7.0))

    assert Settings.from_json(chosen.to_json()) == chosen


@pytest.fixture(scope="module")
def shop() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Half of the customers buy a and b, each month, the others c and d; everybody has bought e."""
    orders = []
    for number in range(60):
        first, second = ("ab", "ab") if number % 2 else ("cd", "cd")
        orders.append(bought(f"C{number:02}", first + "e", day(5)))
        orders.append(bought(f"C{number:02}", second, day(5, 2)))
    return known(*orders)


@pytest.fixture(scope="module")
def models(shop) -> pl.DataFrame:
    return basket_models.transform(*shop, on(FIRST))


@pytest.fixture(scope="module")
def scores(shop, models) -> pl.DataFrame:
    return basket_scores.transform(*shop, models, on(SECOND))


def test_what_customers_bought_before_beats_what_is_popular(models, scores):
    beaten = dict(scores.select("model", "beats").iter_rows())

    assert models["customers"].unique().to_list() == [60]
    assert "popular" in beaten["own_purchases"].split("; ")
    assert scores["repeat_share"].unique().to_list() == [1.0]


def test_hits_are_told_by_the_length_of_lists(scores):
    told = dict(scores.select("model", "by_length").iter_rows())

    assert json.loads(told["own_purchases"])[:3] == [
        {"length": 1, "precision": 0.0, "recall": 0.0},
        {"length": 2, "precision": 0.5, "recall": 0.5},
        {"length": 5, "precision": 0.4, "recall": 1.0},
    ], "all have bought e, and nobody again"
    assert json.loads(told["popular"])[-1]["recall"] == 1.0


def test_the_champion_lists_what_a_customer_buys(shop, models, scores):
    before, after = (
        customer_recommendations.transform(*shop, models, told, on(SECOND)) for told in (scores.clear(), scores)
    )

    assert before["model"].unique().to_list() == ["popular"]
    lists = after.filter(pl.col("list") == "any", pl.col("rank") <= 2)
    assert set(lists.filter(pl.col("customer_id") == "C01")["product_id"]) == {"a", "b"}
    assert set(lists.filter(pl.col("customer_id") == "C02")["product_id"]) == {"c", "d"}


def test_new_products_are_those_that_the_customer_has_not_bought(shop, models, scores):
    lists = customer_recommendations.transform(*shop, models, scores, on(SECOND)).filter(pl.col("list") == "new")

    assert set(lists.filter(pl.col("customer_id") == "C01")["product_id"]) == {"c", "d"}


def test_products_are_listed_with_those_of_the_same_customers(shop, models):
    lists = product_recommendations.transform(*shop, models, on(SECOND))

    assert lists.filter(pl.col("product_id") == "a", pl.col("rank") == 1)["other_product_id"].to_list() == ["b"]


def test_an_empty_shop_has_no_lists(models, scores):
    nothing = known()

    assert basket_models.transform(*nothing, on(FIRST)).is_empty()
    assert customer_recommendations.transform(*nothing, models, scores, on(SECOND)).is_empty()
    assert product_recommendations.transform(*nothing, models, on(SECOND)).is_empty()
