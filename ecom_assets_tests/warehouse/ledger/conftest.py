"""A tiny shop that has run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_assets_tests.tiny_shop import TinyShop, build_shop, open_shop, order


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
