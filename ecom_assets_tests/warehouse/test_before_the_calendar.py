"""What is from before the calendar's first day: master data are the state at its start, orders are known."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import narwhals as nw
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecom_assets.contract import Date, Decimal, Feed, Timestamp, column, contract, feed_contract, key, money
from ecom_assets.days import State, Window, by_event_day
from ecom_assets.declaration import Catalog, declare
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.sql import connect
from ecom_assets.table_asset import bronze_asset
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets.warehouse.session import Session
from ecom_assets_tests import tiny_shop
from ecom_assets_tests.examples import examples
from ecom_assets_tests.tiny_shop import TinyShop, on, open_shop, order


class PaymentFeed(Feed, primary_key="payment_id", event_column="paid_at", name="landing.payments"):
    """One row per payment."""

    payment_id: str = key("Number of the payment")
    order_id: str = column("Order that it pays", references="silver.orders")
    paid_at: Timestamp = column("When it was paid")
    amount: Decimal = money("Amount", ge=0)


class Payments(PaymentFeed, partition_column="paid_on", name="silver.payments"):
    """One row per payment."""

    paid_on: Date = column("Day on which it was paid")


def payments(bronze_payments: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_payments


TABLES = Catalog(
    [
        *tiny_shop.tables(),
        bronze_asset(PaymentFeed),
        declare(contract(Payments), payments, {"bronze_payments": by_event_day}, feed=feed_contract(PaymentFeed)),
    ]
)
OLDER = "from ledger.findings where table_name = 'silver.payments' and rule like 'No row refers to one from before%'"


@contextmanager
def open_with_payments(folder: Path) -> Iterator[TinyShop]:
    with open_shop(folder, TABLES) as shop:
        for feed in TABLES.feeds:
            shop.session.zone.save_settings(feed, FeedSettings(due=frozenset()))
        yield shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with open_with_payments(tmp_path) as shop:
        yield shop


def land_payments(shop: TinyShop, day: int, *numbers: int) -> None:
    """Lands a payment of each of these orders."""
    lines = [f"{number},{number},{on(day)}T13:00:00Z,10" for number in numbers]
    text = "\n".join(["payment_id,order_id,paid_at,amount", *lines, ""])
    shop.session.zone.write("payments", on(day), "payments.csv", text.encode())


def paid(shop: TinyShop) -> list[str]:
    return [number for (number,) in shop.rows("select order_id from silver.payments order by all")]


def test_versions_from_before_the_calendar_are_the_state_at_its_start(shop):
    shop.land_customers(1, "old", joined=-400)
    shop.land_orders(0, order(1, 0, customer="old"))

    settle(shop.session)

    assert shop.rows("select customer_id, joined_at::date, joined_on from silver.customers") == [
        ("old", on(-400), on(0))
    ]
    assert shop.orders() == [(0, 1)]
    assert verify(shop.session) is None


def test_a_payment_of_an_order_from_before_the_calendar_is_accepted_and_counted(shop):
    shop.land_orders(0, order(1, -3), order(2, 0))
    land_payments(shop, 0, 1, 2, 3)

    settle(shop.session)

    assert paid(shop) == ["1", "2"]
    assert shop.states("silver.orders") == shop.states("silver.payments") == [State.STORED]
    assert shop.rows("select order_id, reason_codes from quarantine.orders") == [("1", ["ordered_at_too_early"])]
    assert shop.rows("select order_id, reason_codes from quarantine.payments") == [
        ("3", ["order_id_missing_reference"])
    ]
    assert shop.rows(f"select row_count {OLDER}") == [(1,)]


@pytest.mark.slow
def test_what_waits_for_an_order_from_before_the_calendar_is_accepted_when_it_comes_and_waits_when_it_goes(shop):
    land_payments(shop, 0, 1)
    shop.land_orders(0)
    settle(shop.session)
    assert paid(shop) == []

    shop.land_orders(1, order(1, -3))
    settle(shop.session)
    assert paid(shop) == ["1"]

    shop.land_orders(1, order(1, 1))
    settle(shop.session)
    assert paid(shop) == ["1"]
    assert shop.rows(f"select count(*) {OLDER}") == [(0,)]

    shop.land_orders(1)
    settle(shop.session)
    assert paid(shop) == []


@pytest.mark.slow
def test_a_day_of_nothing_but_older_orders_is_good(shop):
    shop.land_orders(0, *(order(number, -number) for number in range(1, 40)))

    settle(shop.session)

    assert shop.states("silver.orders") == [State.STORED]
    assert shop.rows("select count(*) from quarantine.orders") == [(39,)]


_landed = st.lists(
    st.tuples(
        st.sampled_from(["orders", "payments"]),
        st.integers(0, 2),
        st.lists(st.tuples(st.integers(1, 3), st.integers(-2, 2)), max_size=3),
    ),
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=examples(10), phases=[Phase.explicit, Phase.generate])
@given(_landed)
def test_older_orders_in_any_order_of_arrival_end_as_a_full_rebuild(landed):
    with tempfile.TemporaryDirectory() as folder, open_with_payments(Path(folder)) as shop:
        for place, (feed, day, rows) in enumerate(landed):
            if feed == "orders":
                shop.land_orders(day, *(order(number, min(at, day), version=place) for number, at in rows))
            else:
                land_payments(shop, day, *(number for number, _ in rows))
            settle(shop.session)

        assert verify(shop.session) is None
        warnings = "select table_name, day, rule, row_count from ledger.findings where not is_hard order by all"
        with connect() as con:
            settle(Session(con, TABLES, shop.session.zone, shop.session.calendar))
            assert shop.rows(warnings) == con.execute(warnings).fetchall()


def test_a_later_first_day_retires_days_whose_files_may_go(tmp_path: Path) -> None:
    """Days from then on are those of a shop that begins there; rows of retired days stay as they were."""
    with open_shop(tmp_path) as shop:
        for day in range(3):
            shop.land_customers(day)
            shop.land_orders(day, order(day + 1, day))
        shop.run(tiny_shop.days(0, 2))
        assert shop.rows("select amount::int from gold.to_date order by day") == [(10,), (20,), (30,)]

        session = shop.session
        later = Session(session.con, session.catalog, session.zone, Window(on(1), session.calendar.last))
        settle(later)
        for feed in ("orders", "customers"):
            shutil.rmtree(session.zone.root / feed / str(on(0)))

        assert later.stale() == []
        assert verify(later) is None
        assert shop.rows("select amount::int from gold.to_date order by day") == [(10,), (10,), (20,)]
        assert shop.orders("gold.sales") == [(0, 1), (1, 2), (2, 3)]
