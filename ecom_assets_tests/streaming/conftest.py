"""A broker for each module of tests."""

from collections.abc import Iterator

import pytest

from ecom_assets_tests.streaming.broker import Broker, started


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with started(tmp_path_factory.mktemp("broker")) as broker:
        yield broker
