"""A customer number that was merged into another is its survivor's in all rows, as the latest merges say."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecom_assets.contract import Date, Decimal, Feed, Timestamp, column, contract, feed_contract, key, money
from ecom_assets.days import State, by_event_day
from ecom_assets.declaration import Declaration, declare
from ecom_assets.feeds.customer_merges import CustomerMerges as MergeFeed
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.silver import customer_merges
from ecom_assets.table_asset import bronze_asset
from ecom_assets.warehouse.ledger.records import Cause, StaleDay
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets_tests.examples import examples
from ecom_assets_tests.tiny_shop import TinyShop, days, on, open_shop, order, orders, tables

pytestmark = pytest.mark.slow


class OrderFeed(
    Feed,
    primary_key="order_id",
    event_column="ordered_at",
    version_column="updated_at",
    identifying=("ordered_at", "customer_id"),
    name="landing.orders",
):
    """One row per order and state of it."""

    order_id: str = key("Number of the order")
    customer_id: str = column(
        "Who placed it", references="silver.customers", merged_by="silver.customer_merges", nullable=True
    )
    ordered_at: Timestamp = column("When it was placed")
    updated_at: Timestamp = column("When it last changed")
    amount: Decimal = money("What it costs", ge=0)


class Orders(OrderFeed, partition_column="ordered_on", max_bad_share=0.5, min_bad_rows=1, name="silver.orders"):
    """One row per order, in its latest valid state."""

    ordered_on: Date = column("Day on which it was placed")


def orders_table() -> Declaration:
    return declare(contract(Orders), orders, {"bronze_orders": by_event_day}, feed=feed_contract(OrderFeed))


def merge(number: str, into: str, day: int, is_deleted: bool = False) -> str:
    return f"{number},{into},{on(day)}T09:00:00Z,{'yes' if is_deleted else ''}"


def land_merges(shop: TinyShop, day: int, *merges: str) -> None:
    lines = "\n".join(["customer_id,merged_into,merged_at,is_deleted", *merges, ""])
    shop.session.zone.write("customer_merges", on(day), "merges.csv", lines.encode())


@contextmanager
def opened(folder: Path) -> Iterator[TinyShop]:
    catalog = tables(bronze_asset(MergeFeed), customer_merges.asset, bronze_asset(OrderFeed), orders_table())
    with open_shop(folder, catalog) as shop:
        for feed in ("orders", "customers", "customer_merges"):
            shop.session.zone.save_settings(feed, FeedSettings(due=frozenset()))
        yield shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with opened(tmp_path) as shop:
        yield shop


def buyers(shop: TinyShop) -> dict[str, str | None]:
    return dict(shop.rows("select order_id, customer_id from silver.orders order by all"))


def test_orders_of_all_days_are_the_survivors(shop):
    for day in range(4):
        shop.land_customers(day, *(["a", "b"] if day == 0 else []))
        shop.land_orders(day, order(day, day, customer="ab"[day % 2]))
    settle(shop.session)
    land_merges(shop, 3, merge("a", "b", 3))

    settle(shop.session)

    assert buyers(shop) == {"0": "b", "1": "b", "2": "b", "3": "b"}
    assert verify(shop.session) is None


def test_only_days_that_name_the_number_run_again(shop):
    shop.land_customers(0, "a", "b")
    for day in range(4):
        shop.land_orders(day, order(day, day, customer="ab"[day % 2]))
    settle(shop.session)
    land_merges(shop, 3, merge("a", "b", 3))

    shop.run(days(3), "bronze.customer_merges", "silver.customer_merges")

    found = [one for one in shop.session.stale() if one.table == "silver.orders"]
    by = "silver.customer_merges"
    assert found == [StaleDay("silver.orders", on(day), Cause.NUMBER_MERGED, by) for day in (0, 2)]


def test_a_merge_that_is_undone_gives_the_orders_back(shop):
    shop.land_customers(0, "a", "b")
    shop.land_orders(0, order(1, 0, customer="a"))
    land_merges(shop, 0, merge("a", "b", 0))
    settle(shop.session)
    assert buyers(shop) == {"1": "b"}

    land_merges(shop, 1, merge("a", "", 1, is_deleted=True))
    settle(shop.session)

    assert buyers(shop) == {"1": "a"}
    assert verify(shop.session) is None


def test_a_number_that_is_no_customer_any_more_does_not_hold_back_its_orders(shop):
    shop.land_customers(0, "b")
    shop.land_orders(0, order(1, 0, customer="a"), order(2, 0, customer="b"), order(3, 0, customer="b"))
    settle(shop.session)
    assert buyers(shop) == {"2": "b", "3": "b"}

    land_merges(shop, 1, merge("a", "b", 1))
    settle(shop.session)

    assert buyers(shop) == {"1": "b", "2": "b", "3": "b"}
    assert verify(shop.session) is None


def test_orders_of_a_number_wait_for_its_survivor(shop):
    shop.land_customers(0, "c")
    shop.land_orders(0, order(1, 0, customer="a"), order(2, 0), order(3, 0))
    land_merges(shop, 0, merge("a", "b", 0))
    settle(shop.session)
    assert shop.rows("select order_id from quarantine.orders") == [("1",)]

    shop.land_customers(1, "b")
    settle(shop.session)
    assert buyers(shop) == {"1": "b", "2": None, "3": None}

    shop.land_customers(1)
    settle(shop.session)
    assert shop.rows("select order_id from quarantine.orders") == [("1",)]
    assert verify(shop.session) is None


def test_an_order_that_names_first_the_one_and_then_the_other_is_no_conflict(shop):
    shop.land_customers(0, "a", "b")
    shop.land_orders(0, order(1, 0, customer="a"))
    shop.land_orders(1, order(1, 1, customer="b", version=1))
    settle(shop.session)
    assert shop.rows("select kind from superseded.orders") == [("conflict",)]

    land_merges(shop, 1, merge("a", "b", 1))
    settle(shop.session)

    assert shop.rows("select kind from superseded.orders") == [("superseded",)]
    assert verify(shop.session) is None


def test_a_bad_merge_is_quarantined_and_fails_no_day(shop):
    shop.land_customers(0, "a", "b")
    shop.land_orders(0, order(1, 0, customer="a"))
    land_merges(shop, 0, merge("b", "b", 0), merge("c", "", 0), merge("a", "b", 0))

    settle(shop.session)

    assert shop.states("silver.customer_merges") == [State.STORED]
    assert shop.rows("select customer_id, reason_codes from quarantine.customer_merges order by all") == [
        ("b", ["merged_into_another"]),
        ("c", ["merged_into_another"]),
    ]
    assert buyers(shop) == {"1": "b"}


def test_a_merge_from_before_the_first_day_counts(shop):
    shop.land_customers(0, "a", "b")
    shop.land_orders(0, order(1, 0, customer="a"))
    land_merges(shop, 0, merge("a", "b", -40))

    settle(shop.session)

    assert buyers(shop) == {"1": "b"}
    assert verify(shop.session) is None


def test_a_shop_without_merges_is_as_before(shop):
    for day in range(2):
        shop.land_customers(day, *(["a", "b"] if day == 0 else []))
        shop.land_orders(day, order(day, day, customer="a"))
    shop.session.zone.save_settings("customer_merges", FeedSettings())

    settle(shop.session)

    assert set(shop.rows("select distinct state from ledger.days")) == {("stored",)}
    assert buyers(shop) == {"0": "a", "1": "a"}


_numbers = st.sampled_from("abc")
_arrivals = st.lists(
    st.one_of(
        st.tuples(st.just("customers"), st.integers(0, 2), st.sets(_numbers)),
        st.tuples(
            st.just("orders"),
            st.integers(0, 2),
            st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["", "a", "b", "c"])), max_size=3),
        ),
        st.tuples(
            st.just("merges"),
            st.integers(0, 2),
            st.lists(st.tuples(_numbers, _numbers, st.integers(-1, 2), st.booleans()), max_size=3),
        ),
    ),
    min_size=3,
    max_size=8,
)


@settings(max_examples=examples(8), phases=[Phase.explicit, Phase.generate])
@given(_arrivals)
def test_whatever_arrives_in_whatever_order_ends_as_a_full_rebuild(arrivals):
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as shop:
        for place, (feed, day, rows) in enumerate(arrivals):
            match feed:
                case "customers":
                    shop.land_customers(day, *sorted(rows))
                case "orders":
                    shop.land_orders(day, *(order(number, day, customer=by, version=place) for number, by in rows))
                case _:
                    land_merges(shop, day, *(merge(a, b, min(at, day), undone) for a, b, at, undone in rows))
            settle(shop.session)

        assert verify(shop.session) is None
