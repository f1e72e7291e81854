"""Versions of one key that differ in all that identifies a thing: perhaps two things under one key. They are listed."""

from collections.abc import Iterator
from pathlib import Path

import narwhals as nw
import pytest

from ecom_assets.contract import Date, Decimal, Feed, Timestamp, column, contract, feed_contract, key, money
from ecom_assets.days import by_event_day
from ecom_assets.declaration import declare
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.bad_days import bad_days
from ecom_assets_tests.tiny_shop import TinyShop, days, of_feed, on, open_shop


class PlacedFeed(
    Feed,
    primary_key="order_id",
    event_column="ordered_at",
    version_column="updated_at",
    identifying=("ordered_at", "customer_id"),
    name="landing.orders",
):
    """One row per order and state of it."""

    order_id: str = key("Number of the order")
    customer_id: str = column("Who placed it", nullable=True)
    ordered_at: Timestamp = column("When it was placed")
    updated_at: Timestamp = column("When it last changed")
    amount: Decimal = money("What it costs", ge=0)


class Placed(PlacedFeed, partition_column="ordered_on", name="silver.orders"):
    """One row per order."""

    ordered_on: Date = column("Day on which it was placed")


def placed(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_orders


TABLES = of_feed(
    PlacedFeed, declare(contract(Placed), placed, {"bronze_orders": by_event_day}, feed=feed_contract(PlacedFeed))
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with open_shop(tmp_path, TABLES) as shop:
        yield shop


def line(customer: str, at: str, version: int, amount: int = 10) -> str:
    return f"1,{customer},{on(0)}T{at}Z,2024-04-01T00:00:{version:02}Z,{amount}"


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (line("C1", "10:00:00", 1), line("C2", "11:00:00", 2), "conflict"),
        (line("C1", "10:00:00", 1), line("C2", "10:00:00", 2), "superseded"),
        (line("C1", "10:00:00", 1), line("C1", "11:00:00", 2), "superseded"),
        (line("", "10:00:00", 1), line("C1", "10:00:00", 2), "superseded"),
        (line("C1", "10:00:00", 1), line("C1", "10:00:00", 2, amount=20), "superseded"),
        (line("C1", "10:00:00", 1), line("C1", "10:00:00", 1), "duplicate"),
    ],
)
def test_a_version_that_differs_in_all_that_identifies_it_is_a_conflict(shop, first, second, kind):
    shop.land_orders(0, first, second)

    [result] = shop.run(days(0), "bronze.orders", "silver.orders")["silver.orders"]

    assert shop.rows("select kind from superseded.orders") == [(kind,)]
    expected = {"Versions of one order_id agree in ordered_at or customer_id.": 1} if kind == "conflict" else {}
    assert result.warned == expected


def test_conflicts_are_listed_with_the_bad_days(shop, tmp_path):
    shop.land_orders(0, line("C1", "10:00:00", 1), line("C2", "11:00:00", 2))
    shop.run(days(0))
    publish(shop.session, tmp_path / "snapshot.duckdb")

    [bad] = bad_days(tmp_path / "snapshot.duckdb")

    assert (bad.tables, bad.state, bad.windows) == (["silver.orders"], "conflict", [days(0)])
    assert bad.why.startswith("1 superseded rows differ in all that identifies them from the one that counts")


def test_what_identifying_is_a_column():
    class Strange(PlacedFeed, identifying=("placed_at",), name="landing.orders"):
        """One row per order."""

    with pytest.raises(TypeError, match=r"landing\.orders: the header names placed_at, which is not a column"):
        feed_contract(Strange)
