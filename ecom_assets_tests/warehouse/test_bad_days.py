"""A day without good rows takes no row from the days around it: what it corrects counts on, what refers to it waits."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecom_assets.contract import CORRECTED_ON_GOOD_DAYS, REFERS_TO_GOOD_DAYS
from ecom_assets.days import State
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets_tests.examples import examples
from ecom_assets_tests.tiny_shop import TinyShop, days, on, open_shop, order

STORED, PROVISIONAL, FAILED, BLOCKED = State.STORED, State.PROVISIONAL, State.FAILED, State.BLOCKED


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with open_shop(tmp_path) as shop:
        for feed in ("orders", "customers"):
            shop.session.zone.save_settings(feed, FeedSettings(due=frozenset()))
        shop.land_customers(0, "c0")
        for day in range(3):
            shop.land_orders(day, order(10 * day + 1, day), order(10 * day + 2, day))
        settle(shop.session)
        yield shop


def repair_once(shop: TinyShop) -> None:
    """One pass over the tables in their order, as a run repairs."""
    for name in shop.session.catalog.names:
        shop.session.repair(name, days(0, 4))


def test_a_row_whose_correction_is_on_a_day_that_fails_stays_as_it_was(shop):
    moved = order(11, 2, amount=30, version=1)
    bad = [order(number, 2, amount=-1) for number in (23, 24, 25, 26)]
    shop.land_orders(2, moved, *bad, file="late.csv")

    repair_once(shop)

    assert shop.stale() == []
    assert shop.states("silver.orders") == [STORED, PROVISIONAL, FAILED]
    assert shop.states("kpi.daily") == [STORED, PROVISIONAL, BLOCKED]
    assert shop.orders("gold.sales") == [(0, 1), (0, 2), (1, 11), (1, 12)]
    assert shop.rows(f"select row_count from ledger.findings where rule = '{CORRECTED_ON_GOOD_DAYS}'") == [(1,)]
    assert shop.rows("select note from ledger.days where table_name = 'silver.orders' order by day") == [
        ("",),
        ("1 row counts as before a correction of 2024-03-03, a day without good rows",),
        ("4 of 7 rows are quarantined, more than the allowed 50.0%",),
    ]
    assert verify(shop.session) is None

    shop.land_orders(2, moved, file="late.csv")
    repair_once(shop)

    assert shop.stale() == []
    assert shop.states("silver.orders") == [STORED] * 3
    assert shop.orders("gold.sales") == [(0, 1), (0, 2), (1, 12), (2, 11), (2, 21), (2, 22)]
    assert verify(shop.session) is None


def test_a_correction_counts_no_longer_once_its_day_fails(shop):
    shop.land_orders(2, order(11, 2, amount=30, version=1), file="late.csv")
    settle(shop.session)
    assert (1, 11) not in shop.orders()
    shop.land_orders(3, *(order(number, 2, amount=-1) for number in (23, 24, 25, 26)))

    repair_once(shop)

    assert shop.stale() == []
    assert (1, 11) in shop.orders()
    assert verify(shop.session) is None


def test_rows_that_refer_to_what_was_sent_for_a_day_that_fails_wait_and_fail_no_other_day(shop):
    path = shop.land_customers(3, "c1", "c2")
    path.write_text(path.read_text() + "\n".join([",2024-03-04T08:00:00Z"] * 30))
    shop.land_orders(3, order(31, 3, customer="c1"), order(32, 3, customer="c1"))
    shop.land_orders(4, order(41, 4, customer="c2"), order(42, 4, customer="c2"), order(43, 4))

    repair_once(shop)

    assert shop.stale() == []
    assert shop.states("silver.customers")[3] == FAILED
    assert shop.states("silver.orders")[3:] == [FAILED, PROVISIONAL]
    assert shop.states("kpi.daily")[3:] == [BLOCKED, PROVISIONAL]
    assert shop.orders()[-1] == (4, 43)
    found = f"select day, row_count from ledger.findings where rule = '{REFERS_TO_GOOD_DAYS}'"
    assert shop.rows(found) == [(on(4), 2)]
    assert verify(shop.session) is None

    shop.land_customers(3, "c1", "c2")
    repair_once(shop)

    assert shop.stale() == []
    assert shop.states("silver.orders")[3:] == [STORED, STORED]
    assert shop.orders()[-3:] == [(4, 41), (4, 42), (4, 43)]
    assert verify(shop.session) is None


_sent = st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(0, 3), st.sampled_from([10, 10, 20, -1]))


@pytest.mark.slow
@settings(max_examples=examples(5), phases=[Phase.explicit, Phase.generate], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.lists(_sent, min_size=1, max_size=5)), min_size=1, max_size=5))
def test_corrections_and_bad_rows_in_any_order_end_like_a_full_rebuild(files):
    with tempfile.TemporaryDirectory() as folder, open_shop(Path(folder)) as shop:
        for feed in ("orders", "customers"):
            shop.session.zone.save_settings(feed, FeedSettings(due=frozenset()))
        for day in range(3):
            shop.land_customers(day, f"c{day}")
            shop.land_orders(day, order(10 + day, day))
        repair_once(shop)
        for number, (arrived, sent) in enumerate(files):
            rows = (order(key, day, amount, version) for key, day, version, amount in sent)
            shop.land_orders(arrived, *rows, file=f"{number}.csv")
            repair_once(shop)
            assert shop.stale() == []
        assert verify(shop.session) is None
