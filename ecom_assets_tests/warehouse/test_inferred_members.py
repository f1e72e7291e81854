"""While nothing of a feed of members has arrived, what rows name is taken as known, and inferred from being named."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.sql import connect
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.tiny_shop import TinyShop, on, open_shop, order, tables

pytestmark = pytest.mark.slow

COUNTED = "select day, row_count from ledger.findings where rule like 'No row refers to a feed of which%' order by all"


def without_due_days(shop: TinyShop) -> TinyShop:
    for feed in ("orders", "customers"):
        shop.session.zone.save_settings(feed, FeedSettings(due=frozenset()))
    return shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with open_shop(tmp_path) as shop:
        yield without_due_days(shop)


def test_orders_of_a_shop_without_customers_are_accepted_and_counted(shop):
    shop.land_orders(0, order(1, 0, customer="c1"), order(2, 0))

    settle(shop.session)

    assert shop.orders("gold.sales") == [(0, 1), (0, 2)]
    assert shop.rows(COUNTED) == [(on(0), 1)]
    assert verify(shop.session) is None


def test_the_first_customer_to_arrive_ends_it_and_the_last_to_go_brings_it_back(shop):
    shop.land_orders(0, order(1, 0, customer="c1"), order(2, 0), order(3, 0, customer="c2"))
    settle(shop.session)
    shop.land_customers(1, "c1")
    settle(shop.session)
    assert shop.orders() == [(0, 1), (0, 2)]
    assert shop.rows("select order_id from quarantine.orders") == [("3",)]
    assert shop.rows(COUNTED) == []

    shop.land_customers(1)
    settle(shop.session)

    assert shop.orders() == [(0, 1), (0, 2), (0, 3)]
    assert shop.rows(COUNTED) == [(on(0), 2)]
    assert verify(shop.session) is None


_landings = st.lists(
    st.one_of(
        st.tuples(st.just("customers"), st.integers(0, 2), st.lists(st.sampled_from(["c1", "c2"]), max_size=1)),
        st.tuples(
            st.just("orders"),
            st.integers(0, 2),
            st.lists(st.tuples(st.integers(1, 2), st.sampled_from(["", "c1", "c2"])), max_size=2),
        ),
    ),
    max_size=6,
)


@pytest.mark.slow
@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])
@given(_landings)
def test_members_that_come_and_go_in_any_order_end_as_a_full_rebuild(landings):
    with tempfile.TemporaryDirectory() as folder, open_shop(Path(folder)) as opened:
        shop = without_due_days(opened)
        for place, (feed, day, rows) in enumerate(landings):
            if feed == "customers":
                shop.land_customers(day, *rows)
            else:
                shop.land_orders(day, *(order(number, day, customer=by, version=place) for number, by in rows))
            settle(shop.session)

        assert verify(shop.session) is None
        with connect() as con:
            settle(Session(con, tables(), shop.session.zone, shop.session.calendar))
            assert shop.rows(COUNTED) == con.execute(COUNTED).fetchall()
