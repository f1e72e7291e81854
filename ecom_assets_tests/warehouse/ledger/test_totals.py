"""The totals of table-days, as published and as restated."""

from decimal import Decimal

import pytest

from ecom_assets.days import State
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests.tiny_shop import days, on, order

pytestmark = pytest.mark.slow


def test_a_total_is_recorded_at_first_and_when_it_is_restated(shop):
    def recorded() -> list[tuple[int, Decimal]]:
        return shop.rows(f"select day - date '{on(0)}', amount from ledger.amounts order by recorded_at, day")

    assert recorded() == [(0, 10), (1, 10), (2, 10)]

    shop.run(days(0, 2))
    shop.land_orders(2, order(3, 2), order(4, 1, amount=5), file="orders.csv")
    settle(shop.session)

    assert recorded() == [(0, 10), (1, 10), (2, 10), (1, 15)]


def test_a_failed_day_restates_no_total(shop):
    shop.land_orders(1, order(2, 1, amount=2000, version=1))
    settle(shop.session)
    assert shop.states("kpi.daily")[1] is State.BLOCKED

    shop.land_orders(1, order(2, 1, amount=30, version=2))
    settle(shop.session)

    totals = shop.rows("select amount from ledger.amounts where day = '2024-03-02' order by recorded_at")
    assert totals == [(10,), (30,)]
