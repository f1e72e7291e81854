"""Dagster is started by one command, which says what is in its way."""

import logging
import shutil
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner
from dagster._daemon.auto_run_reexecution import event_log_consumer

from ecom_assets import settings
from ecom_assets.cli.main import main
from ecom_assets.orchestration.home import in_dagster_home, prepare


@pytest.mark.parametrize("command", ["ui", "api", "dashboard"])
def test_a_port_in_use_is_said_with_another_one(command: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        refused = CliRunner().invoke(main, [command, "--port", str(port)])

    assert refused.exit_code == 1
    assert f"Port {port} cannot be used: Address already in use." in refused.stderr
    assert f"ecom {command} --port {port + 1}" in refused.stderr


def test_a_new_home_has_nothing_that_the_daemon_would_warn_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(settings.PROJECT / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_DATA", str(tmp_path / "data"))
    kinds = event_log_consumer.DAGSTER_EVENT_TYPES
    with in_dagster_home() as instance:
        prepare(instance)

        cursors = event_log_consumer._fetch_persisted_cursors(instance, kinds, logging.getLogger())
        assert cursors == dict.fromkeys(kinds, 0)
        assert caplog.records == []
        assert instance.event_log_storage.get_concurrency_info("warehouse").slot_count == 1

        seen = {event_log_consumer._create_cursor_key(kinds[0]): "7"}
        instance.daemon_cursor_storage.set_cursor_values(seen)
        prepare(instance)
        assert instance.daemon_cursor_storage.get_cursor_values({*seen}) == seen
