"""How the platform itself is: a report, and a doctor that works while other things are broken, with exit codes."""

import datetime as dt
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

from ecom_assets import settings
from ecom_assets.alerting.delivery import tick
from ecom_assets.cli.main import main
from ecom_assets.sql import connect
from ecom_assets.warehouse.ledger.schema import prepare
from ecom_assets_tests.quality.test_data_quality import GOOD, ledger

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


def test_the_report_is_made_during_a_run(ecom: Ecom, well: settings.Settings) -> None:
    with FileLock(well.data / "warehouse.lock"), connect(well.warehouse) as con:
        con.execute("begin; create table half_written (id integer)")
        found = ecom("monitor")

    assert "ok        connectivity" in found.stdout
    assert "2 of 2 table-days are good" in found.stdout
    assert "Not known." not in found.stdout


def test_a_broken_dagster_yaml_is_a_sentence_of_the_report(ecom: Ecom, tmp_path: Path) -> None:
    (tmp_path / "home" / "dagster.yaml").write_text("run_storage: [")

    found = ecom("monitor")

    assert found.exit_code == 1
    assert "dagster.yaml cannot be used: " in found.stdout
    assert "Traceback" not in found.output
    assert "ok        disk" in found.stdout


# -- ecom doctor


@pytest.fixture
def well(ecom: Ecom, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    """A platform in which nothing is wrong, whatever versions it runs on."""
    monkeypatch.setattr(metadata, "requires", lambda name: ["click"])
    known = settings.load()
    known.landing.mkdir(parents=True)
    with connect(known.warehouse) as con:
        prepare(con)
    with connect(known.snapshot) as con:
        ledger(con, *GOOD)
        con.execute("update ledger.published set published_at = '2024-01-02 06:00'")
    alerting_ticks()
    return known


def test_nothing_is_wrong(ecom: Ecom, well: settings.Settings) -> None:
    found = ecom("doctor", "--connect")

    assert (found.exit_code, found.stderr) == (0, "")
    assert [line.split()[1] for line in found.stdout.splitlines()] == [
        *("versions", "settings", "secrets", "clock", "disk", "permissions", "locks", "warehouse", "snapshot"),
        *("alerts", "dagster", "channels", "postgres"),
    ]
    assert "ok        warehouse     It opens; its ledger has schema version " in found.stdout
    assert "ok        snapshot      Published at 2024-01-02 06:00 UTC." in found.stdout


def test_nothing_is_wrong_before_the_first_run(ecom: Ecom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: ["click"])

    found = ecom("doctor")

    assert found.exit_code == 0
    assert "None yet: the first run makes it." in found.stdout


def broken_settings(known: settings.Settings) -> None:
    (known.data / settings.FILE).write_text("time_zone = 'Mars'")


def broken_feed_settings(known: settings.Settings) -> None:
    (known.landing / "feeds.toml").write_text("[orders]\ndue = 7")


def secret_without_value(known: settings.Settings) -> None:
    channel = '[[alerting.channels]]\nkind = "slack"\nurl = { env = "NO_SUCH_VARIABLE" }\n'
    (known.data / settings.FILE).write_text(channel)


def secret_that_others_can_read(known: settings.Settings) -> None:
    secret = known.data / "slack.txt"
    secret.write_text("https://hooks.example/s3cret")
    secret.chmod(0o644)
    channel = f'[[alerting.channels]]\nkind = "slack"\nurl = {{ file = "{secret}" }}\n'
    (known.data / settings.FILE).write_text(channel)


def channel_without_its_extra(known: settings.Settings) -> None:
    channel = '[[alerting.channels]]\nkind = "apprise"\nurl = "ntfy://s3cret"\n'
    (known.data / settings.FILE).write_text(channel)
    (known.data / settings.FILE).chmod(0o600)


def clock_set_back(known: settings.Settings) -> None:
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    os.utime(known.warehouse, (tomorrow.timestamp(), tomorrow.timestamp()))


def no_database(known: settings.Settings, name: str = "warehouse.duckdb") -> None:
    (known.data / name).write_bytes(b"this is no database" * 1000)


def damaged_block(known: settings.Settings, name: str = "warehouse.duckdb") -> None:
    with (known.data / name).open("r+b") as file:
        file.seek(4096)
        file.write(b"x" * 8192)


def damaged_alerts(known: settings.Settings) -> None:
    known.alert_store.write_bytes(b"this is no database" * 1000)
    for left in ("-wal", "-shm"):
        known.alert_store.with_name(f"{known.alert_store.name}{left}").unlink(missing_ok=True)


def broken_dagster_yaml(known: settings.Settings) -> None:
    (known.data.parent / "dagster.yaml").write_text("run_storage: [")


def no_dagster_yaml(known: settings.Settings) -> None:
    (known.data.parent / "dagster.yaml").unlink()


def damaged_dagster_storage(known: settings.Settings) -> None:
    runs = known.data / "dagster" / "history" / "runs.db"
    runs.parent.mkdir(parents=True)
    runs.write_bytes(b"this is no database" * 1000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "part", "text", "advice"),
    [
        (broken_settings, "settings", "settings.toml: time_zone is “Mars”; write a time zone", "the default settings"),
        (broken_feed_settings, "settings", "feeds.toml: [orders] due", "docs/landing-zone.md"),
        (secret_without_value, "secrets", "The environment variable NO_SUCH_VARIABLE is not set.", "docs/alerts.md"),
        (secret_that_others_can_read, "secrets", "slack.txt, which has the secret of slack.", "chmod 600 "),
        (channel_without_its_extra, "alerts", "The channel apprise needs apprise", "pip install ecom_assets[alerts]"),
        (clock_set_back, "clock", "which is still to come: the clock was set back.", "NTP"),
        (no_database, "warehouse", "is not a valid DuckDB database file", "rebuilds it from the landing zone"),
        (damaged_block, "warehouse", "Corrupt database file", "rebuilds it from the landing zone"),
        (partial(no_database, name="snapshot.duckdb"), "snapshot", "is not a valid DuckDB", "ecom run --stale"),
        (partial(damaged_block, name="snapshot.duckdb"), "snapshot", "Corrupt database file", "ecom run --stale"),
        (damaged_alerts, "alerts", "file is not a database", "open faults are told once more"),
        (broken_dagster_yaml, "dagster", "dagster.yaml cannot be used", "cp "),
        (no_dagster_yaml, "dagster", "has no dagster.yaml.", "cp "),
        (damaged_dagster_storage, "dagster", "file is not a database", "mend its storage"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or getattr(getattr(value, "func", None), "__name__", None),
)
def test_what_is_wrong_is_said_and_all_else_examined(
    ecom: Ecom,
    well: settings.Settings,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[settings.Settings], None],
    part: str,
    text: str,
    advice: str,
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    damage(well)

    found = ecom("doctor")

    assert found.exit_code == 1
    assert "Traceback" not in found.output
    assert "s3cret" not in found.output
    parts = {line.split()[1]: line.split()[0] for line in found.stdout.splitlines() if line[0] != " "}
    assert {name for name, level in parts.items() if level != "ok"} == {part}
    assert len(parts) == 11
    said = " ".join(found.stdout.split())
    assert text in said
    assert advice in said


def test_a_folder_in_which_no_file_can_be_made_is_told(
    ecom: Ecom, well: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(dir: Path, prefix: str) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)

    found = ecom("doctor")

    assert f"critical: No file can be made in {well.landing}: Read-only file system." in found.stdout
    assert found.exit_code == 1


def test_a_warehouse_in_use_is_not_opened(ecom: Ecom, well: settings.Settings) -> None:
    with FileLock(well.data / "warehouse.lock"):
        found = ecom("doctor")

    assert found.exit_code == 0
    assert "ok        locks         A run or command is using the warehouse." in found.stdout
    assert "ok        warehouse     In use, so it was not opened." in found.stdout


def test_hosts_of_channels_are_tried_when_asked(
    ecom: Ecom, well: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("ECOM_WEBHOOK", f"http://127.0.0.1:{port}/s3cret")
        assert "ok        channels      1 hosts of channels." in ecom("doctor", "--connect").stdout

    found = ecom("doctor", "--connect")
    assert found.exit_code == 1
    assert f"webhook: 127.0.0.1:{port} takes no connection: Connection refused." in found.stdout
    assert "s3cret" not in found.output
    assert ecom("doctor").exit_code == 0


def test_other_versions_than_those_tried_are_told(
    ecom: Ecom, well: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ["click==0.1", "pandera[polars]==0.1", "no-such-package==1.0", "hypothesis~=1.0"]
    monkeypatch.setattr(metadata, "requires", lambda name: wanted)

    found = ecom("doctor")

    assert f"warning: click is {metadata.version('click')}, tried with 0.1." in found.stdout
    assert f"warning: pandera is {metadata.version('pandera')}, tried with 0.1." in found.stdout
    assert "critical: no-such-package is not installed." in found.stdout
    assert "hypothesis" not in found.stdout


def test_the_database_of_the_settings_is_tried_when_asked_and_its_password_not_shown(
    ecom: Ecom, well: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    monkeypatch.setenv("ECOM_POSTGRES", "postgres://me:s3cret@127.0.0.1:1/shop")

    found = ecom("doctor", "--connect")

    assert "PostgreSQL cannot be reached: connection to server at" in found.stdout
    assert "Look at host and port, and whether the server runs." in found.stdout
    assert "s3cret" not in found.output
    assert ecom("doctor").exit_code == 0
