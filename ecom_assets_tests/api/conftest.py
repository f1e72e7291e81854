"""A tiny shop that is published, and a client of its API."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_assets.settings import Settings
from ecom_assets_tests.api.serving import Client, republish, serving
from ecom_assets_tests.tiny_shop import TinyShop, on, open_shop, order


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of a shop whose calendar ends after its sixth day."""
    with serving(Settings(tmp_path, start=on(0), end=on(5)), sql=True) as client:
        yield client


@pytest.fixture
def shop(client: Client) -> Iterator[TinyShop]:
    """A shop with eight orders on three days, published."""
    with open_shop(client.known.data, warehouse=client.known.warehouse) as shop:
        for day in range(3):
            shop.land_customers(day, "c1" if day == 0 else f'c{day}, "jr"')
            shop.land_orders(day, *(order(10 * day + n, day, amount=10 + n, customer="c1") for n in range(day + 2)))
        republish(shop, client)
        yield shop
