"""What holds for every test: seeded examples, and nothing of the machine's own Dagster, settings or data."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ecom_assets_tests.examples import ALL
from ecom_assets_tests.postgres_server import Server, running

for profile in ("ecom", ALL):
    settings.register_profile(profile, derandomize=True, deadline=None)
settings.load_profile("ecom")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files with slow tests first, so that no long one is left for the end, when other processes are idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_the_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty data folder, and no other variable of the platform or of Dagster."""
    folder = tmp_path_factory.mktemp("no-data")
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("ECOM_")]:
            patch.delenv(variable)
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
        patch.setenv("ECOM_DATA", str(folder))
        yield folder


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server of PostgreSQL."""
    with running() as started:
        yield started
