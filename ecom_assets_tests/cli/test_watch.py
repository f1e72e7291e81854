"""How the platform itself is: a report with an exit code."""

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecom_assets import settings
from ecom_assets.alerting.delivery import tick
from ecom_assets.cli.main import main

Ecom = Callable[..., Result]


@pytest.fixture
def ecom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ecom:
    """The command on empty folders for data and for Dagster's home."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(settings.PROJECT / "dagster.yaml", home)
    monkeypatch.setenv("ECOM_DATA", str(home / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return lambda *words: CliRunner().invoke(main, words)


def alerting_ticks(ago: dt.timedelta = dt.timedelta(0)) -> None:
    now = dt.datetime.now(dt.UTC) - ago
    tick(settings.load().delivery, now=lambda: now)


def test_the_report_is_printed_and_a_dead_alerting_is_an_exit_code(ecom: Ecom) -> None:
    alerting_ticks()
    alive = ecom("monitor")
    assert (alive.exit_code, alive.stderr) == (0, "")
    assert "ok        connectivity  All files can be read and written." in alive.stdout
    assert "warning: The sensor run_new_files has never ticked." in alive.stdout

    alerting_ticks(dt.timedelta(minutes=11))
    dead = ecom("monitor")
    assert dead.exit_code == 1
    assert "critical: Alerting has not run since 20" in dead.stdout
    assert dead.stdout.count("What to do: Start Dagster with make ui.\n") == 1


def test_the_report_is_printed_as_json_and_written(ecom: Ecom) -> None:
    alerting_ticks()

    found = ecom("monitor", "--json")

    told = json.loads(found.stdout)
    assert told == json.loads(settings.load().monitoring_report.read_text())
    assert told["parts"]["alerting"]["level"] == "ok"


def test_a_broken_dagster_yaml_is_a_sentence_of_the_report(ecom: Ecom, tmp_path: Path) -> None:
    (tmp_path / "home" / "dagster.yaml").write_text("run_storage: [")

    found = ecom("monitor")

    assert found.exit_code == 1
    assert "dagster.yaml, or the storage that it names, cannot be used: " in found.stdout
    assert "Traceback" not in found.output
    assert "ok        disk" in found.stdout
