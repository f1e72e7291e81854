"""What is recorded of a table-day with its rows."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from ecom_assets.days import State
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests.tiny_shop import TinyShop, build_shop, days, on, open_shop, order


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days with an order each, run."""

    def land(shop: TinyShop, day: int) -> None:
        shop.land_customers(day)
        shop.land_orders(day, order(day + 1, day))

    return build_shop(tmp_path_factory.mktemp("built"), land)


@pytest.fixture
def shop(built: Path, tmp_path: Path) -> Iterator[TinyShop]:
    with open_shop(tmp_path, built=built) as shop:
        yield shop


def test_the_ledger_says_which_run_wrote_a_day_and_when(tmp_path):
    noon = dt.datetime.fromisoformat("2024-03-05 12:00")
    with open_shop(tmp_path, run_id="a run", now=lambda: noon) as shop:
        shop.land_orders(0, order(1, 0))
        shop.run(days(0), "bronze.orders")

        assert shop.rows("select run_id, written_at from ledger.days") == [("a run", noon)]


def test_an_amount_is_noted_when_it_is_first_told_and_when_it_is_told_otherwise(shop):
    def told() -> list[tuple[int, Decimal]]:
        return shop.rows(f"select day - date '{on(0)}', amount from ledger.amounts order by told_at, day")

    assert told() == [(0, 10), (1, 10), (2, 10)]

    shop.run(days(0, 2))
    shop.land_orders(2, order(3, 2), order(4, 1, amount=5), file="orders.csv")
    settle(shop.session)

    assert told() == [(0, 10), (1, 10), (2, 10), (1, 15)]


def test_a_refused_day_tells_no_other_amount(shop):
    shop.land_orders(1, order(2, 1, amount=2000, version=1))
    settle(shop.session)
    assert shop.states("kpi.daily")[1] is State.BLOCKED

    shop.land_orders(1, order(2, 1, amount=30, version=2))
    settle(shop.session)

    assert shop.rows("select amount from ledger.amounts where day = '2024-03-02' order by told_at") == [(10,), (30,)]
