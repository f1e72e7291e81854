"""A store of alerts, and a receiver of HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_assets.alerting.configuration import AlertSettings, ChannelSettings, Delivery, Secret
from ecom_assets_tests.alerting import Events
from ecom_assets_tests.alerting.servers import Receiver, receiver


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def http() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def delivery(tmp_path: Path, http: Receiver) -> Delivery:
    """Alerts of a folder, that go to the file and as JSON to the receiver."""
    folder = tmp_path / "monitoring"
    channel = ChannelSettings("json", "json", url=Secret("settings", f"{http.url}/hook"))
    return Delivery(folder / "alerts.sqlite", folder / "alerts.jsonl", AlertSettings(channels=(channel,)))
