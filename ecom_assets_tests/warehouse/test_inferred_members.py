"""While nothing of a feed of members has arrived, what rows name is taken as known, and inferred from being named."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecom_assets.landing.feed_settings import FeedSettings, FeedSettingsError
from ecom_assets.sql import connect
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.examples import examples
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


def partial(shop: TinyShop) -> None:
    shop.session.zone.save_settings("customers", FeedSettings(due=frozenset(), members="inferred"))


def test_of_a_feed_that_never_holds_all_members_the_others_are_inferred(shop):
    partial(shop)
    shop.land_customers(0, "c1")
    shop.land_orders(0, order(1, 0, customer="c1"), order(2, 0), order(3, 0, customer="c2"))
    settle(shop.session)
    assert shop.orders() == [(0, 1), (0, 2), (0, 3)]
    assert shop.rows(COUNTED) == [(on(0), 1)]

    shop.land_customers(1, "c2")
    settle(shop.session)

    assert shop.rows(COUNTED) == []
    assert verify(shop.session) is None


def test_orders_are_let_in_when_the_feed_is_said_to_be_partial_and_wait_when_it_is_whole_again(shop):
    shop.land_customers(0, "c1")
    shop.land_orders(0, order(1, 0, customer="c1"), order(2, 0), order(3, 0, customer="c2"))
    settle(shop.session)
    assert shop.orders() == [(0, 1), (0, 2)]

    partial(shop)
    with connect() as con:
        again = Session(con, tables(), shop.session.zone, shop.session.calendar)
        settle(again)
        assert con.execute("select count(*) from silver.orders").fetchall() == [(3,)]
    again = Session(shop.con, tables(), shop.session.zone, shop.session.calendar)
    settle(again)
    assert shop.orders() == [(0, 1), (0, 2), (0, 3)]

    without_due_days(shop)
    settle(Session(shop.con, tables(), shop.session.zone, shop.session.calendar))
    assert shop.orders() == [(0, 1), (0, 2)]


def test_only_feeds_of_members_can_be_partial(shop):
    shop.session.zone.save_settings("orders", FeedSettings(members="inferred"))

    with pytest.raises(FeedSettingsError, match=r"\[orders\] members is a setting of customers alone"):
        shop.session.zone.check_settings(tables().feed_columns, of_members=tables().feeds_of_members)
    with pytest.raises(ValueError, match="members is 'all'; write 'inferred'"):
        FeedSettings(members="all")


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
@settings(max_examples=examples(10), phases=[Phase.explicit, Phase.generate])
@given(_landings, st.booleans())
def test_members_that_come_and_go_in_any_order_end_as_a_full_rebuild(landings, is_partial):
    with tempfile.TemporaryDirectory() as folder, open_shop(Path(folder)) as opened:
        shop = without_due_days(opened)
        if is_partial:
            partial(shop)
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
