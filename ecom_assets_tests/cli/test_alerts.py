"""What is open and silent is listed, silences are made and ended, and a dead alerting is an exit code."""

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecom_assets import settings
from ecom_assets.alerting.delivery import tick
from ecom_assets.alerting.store import open_store
from ecom_assets.cli.main import main
from ecom_assets_tests.alerting import Events
from ecom_assets_tests.alerting.servers import Receiver, receiver

Ecom = Callable[..., Result]


@pytest.fixture
def http() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def ecom(tmp_path: Path, http: Receiver, monkeypatch: pytest.MonkeyPatch) -> Ecom:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    monkeypatch.setenv("ECOM_WEBHOOK", http.url)
    return lambda *words: CliRunner().invoke(main, ["alerts", *words])


def fail(table: str = "silver.orders", ago: dt.timedelta = dt.timedelta(0)) -> None:
    delivery, now = settings.load().delivery, dt.datetime.now(dt.UTC) - ago
    with open_store(delivery.store) as store:
        store.add([Events().fails(table)], now)
    tick(delivery, now=lambda: now)


def test_what_is_open_is_listed_with_what_to_do(ecom: Ecom) -> None:
    fail()

    found = ecom()

    assert found.exit_code == 0
    assert "critical since 20" in found.stdout
    assert "silver.orders failed on 2024-03-02" in found.stdout
    assert "What to do: " in found.stdout
    assert "Alerting works" in found.stdout


def test_a_silence_is_made_listed_and_ended(ecom: Ecom, http: Receiver) -> None:
    made = ecom("silence", "silver.*", "--days", "2024-03-01..2024-03-03", "--for", "4h", "--reason", "a known gap")
    assert made.stdout.startswith("Silence 1 until 20")
    fail()
    assert http.taken == []

    listed = ecom().stdout
    assert "No incident is open." in listed
    assert "silence 1: silver.* on 2024-03-01..2024-03-03 until 20" in listed
    assert listed.count("a known gap") == 1

    assert ecom("unsilence", "1").stdout == "Silence 1 is over.\n"
    assert "There is no silence 1" in ecom("unsilence", "1").stderr
    fail("silver.payments")
    assert len(http.taken) >= 1


@pytest.mark.parametrize("length", ["4", "0h", "forever", "9999d"])
def test_a_silence_has_an_end(ecom: Ecom, length: str) -> None:
    refused = ecom("silence", "*", "--for", length, "--reason", "x")

    assert refused.exit_code == 2
    assert "Write 30m, 4h or 2d." in refused.stderr


def test_alerting_that_is_dead_is_an_exit_code(ecom: Ecom) -> None:
    never = ecom("--check")
    assert (never.exit_code, never.stdout) == (1, "critical: Alerting has never run: start Dagster with make ui.\n")

    fail(ago=dt.timedelta(minutes=11))
    dead = ecom("--check")
    assert dead.exit_code == 1
    assert dead.stdout.startswith("critical: Alerting has not run since 20")

    fail()
    alive = ecom("--check")
    assert alive.exit_code == 0
    assert alive.stdout.startswith("Alerting works: it last ran ")


def test_a_test_message_goes_to_every_channel(ecom: Ecom, http: Receiver) -> None:
    assert ecom("test").stdout == "file: sent\nwebhook: sent\n"
    assert "A test: alerts arrive here" in http.bodies[0]["text"]

    http.status = 404
    failed = ecom("test")
    assert failed.exit_code == 1
    assert "webhook: it answers with HTTP status 404" in failed.stdout


LOADED = """
import sys
from ecom_assets.cli.main import main
main(["alerts", "--check"], standalone_mode=False)
loaded = {"duckdb", "pandas", "pandera", "narwhals", "dagster"} & sys.modules.keys()
sys.exit(f"loads {loaded}" if loaded else 0)
"""


def test_the_check_is_quick_enough_for_cron(ecom: Ecom) -> None:
    """It loads no library of the tables."""
    fail()

    found = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=False)

    assert (found.returncode, found.stderr) == (0, "")
