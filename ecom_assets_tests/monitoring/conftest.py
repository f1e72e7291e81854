"""Events to write into the store of alerts."""

import pytest

from ecom_assets_tests.alerting import Events


@pytest.fixture
def events() -> Events:
    return Events()
