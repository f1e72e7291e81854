"""What goes is needed by nobody: the state of each partition, landed files, rows and open runs stay."""

import datetime as dt
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from dagster._core.test_utils import create_run_for_test

from ecom_assets import settings
from ecom_assets.cli.main import main
from ecom_assets.landing.streamed import Stream
from ecom_assets.orchestration.home import in_dagster_home
from ecom_assets.orchestration.retention import Retired, retired

DAYS = dg.StaticPartitionsDefinition(["2024-03-01", "2024-03-02"])
NOW = dt.datetime.now(dt.UTC)
LATER = NOW + dt.timedelta(hours=1)


@dg.asset(partitions_def=DAYS)
def takings(context: dg.AssetExecutionContext) -> None:
    if context.run.tags.get("fails"):
        raise dg.Failure("the disk is full")


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    """Folders with files that must stay."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(settings.PROJECT / "dagster.yaml", home)
    monkeypatch.setenv("ECOM_DATA", str(home / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    known = settings.load()
    for file in ("landing/orders/2024-03-01/orders.csv", "warehouse.duckdb", "snapshot.duckdb", ".snapshot-a.duckdb"):
        path = known.data / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("needed")
        os.utime(path, (0, 0))
    return known


@pytest.fixture
def instance(known: settings.Settings) -> Iterator[dg.DagsterInstance]:
    with in_dagster_home() as instance:
        yield instance


def run(instance: dg.DagsterInstance, day: str, **tags: str) -> str:
    found = dg.materialize([takings], partition_key=day, instance=instance, tags=tags, raise_on_error=False)
    return found.run_id


def listed(known: settings.Settings, instance: dg.DagsterInstance, before: dt.datetime = LATER) -> list[Retired]:
    return list(retired(known, instance, before, LATER + dt.timedelta(days=2)))


def kinds(found: list[Retired]) -> dict[str, str]:
    """Run to kind."""
    return {item.name.split()[-1]: item.kind for item in found}


def test_a_run_goes_once_each_of_its_days_has_run_again(known: settings.Settings, instance: dg.DagsterInstance) -> None:
    first, again, failed = (
        run(instance, "2024-03-01"),
        run(instance, "2024-03-01"),
        run(instance, "2024-03-02", fails="1"),
    )

    found = listed(known, instance)

    assert kinds(found) == {first: "runs with their logs", again: "logs of runs", failed: "logs of runs"}
    assert min(item.bytes for item in found) > 10_000

    states = instance.get_status_by_partition(takings.key, DAYS.get_partition_keys(), DAYS)
    for item in found:
        item.remove()

    assert {run.run_id for run in instance.get_runs()} == {again, failed}
    assert instance.get_status_by_partition(takings.key, DAYS.get_partition_keys(), DAYS) == states
    assert {status.value for status in states.values()} == {"MATERIALIZED", "FAILED"}
    event = instance.get_latest_materialization_event(takings.key)
    assert event is not None
    assert event.run_id == again


def test_what_goes_once_is_not_there_again(known: settings.Settings, instance: dg.DagsterInstance) -> None:
    run(instance, "2024-03-01")
    for item in listed(known, instance):
        item.remove()

    assert listed(known, instance) == []


def test_runs_that_are_young_or_not_over_stay(known: settings.Settings, instance: dg.DagsterInstance) -> None:
    create_run_for_test(instance, job_name="pipeline", status=dg.DagsterRunStatus.STARTED)
    run(instance, "2024-03-01")

    assert listed(known, instance, before=NOW - dt.timedelta(hours=1)) == []
    assert len(listed(known, instance)) == 1


def test_old_messages_go_and_half_a_line_stays(known: settings.Settings, instance: dg.DagsterInstance) -> None:
    old, new = ({"id": n, "at": at.isoformat()} for n, at in enumerate((NOW - dt.timedelta(days=99), NOW)))
    known.alerts.parent.mkdir()
    known.alerts.write_text(f'{json.dumps(old)}\n{{"id": 7, "at\n{json.dumps(new)}\n')

    [messages] = listed(known, instance, before=NOW - dt.timedelta(days=90))

    assert (messages.kind, messages.name) == ("messages of alerts", "1 of alerts.jsonl")
    assert messages.bytes == len(json.dumps(old)) + 1
    messages.remove()
    assert known.alerts.read_text() == f'{{"id": 7, "at\n{json.dumps(new)}\n'


def test_half_written_files_go_after_a_day(known: settings.Settings, instance: dg.DagsterInstance) -> None:
    old, young = known.data / "..settings.toml.1f.part", known.data / ".snapshot-a.duckdb.copy"
    for file in (old, young):
        file.write_text("half")
    os.utime(old, (0, 0))

    found = list(retired(known, instance, LATER, NOW))

    assert [item.name for item in found] == [str(old)]


def test_pages_and_exports_that_nobody_writes_any_more_go_and_what_is_no_export_stays(
    known: settings.Settings, instance: dg.DagsterInstance
) -> None:
    for folder in (known.profiles, known.catalogue):
        folder.mkdir()
        (folder / "index.html").write_text("of an old snapshot")
    known.exports.mkdir()
    (known.exports / "manifest.json").write_text(json.dumps({"made_by": "ecom export", "files": []}))
    of_somebody = known.exports / "notes.txt"
    of_somebody.write_text("mine")

    assert {item.name for item in listed(known, instance)} == {"profiles", "catalogue"}

    of_somebody.unlink()
    found = listed(known, instance)
    assert {item.name for item in found} == {"profiles", "catalogue", "exports"}
    assert not listed(known, instance, before=NOW - dt.timedelta(hours=1))

    for item in found:
        item.remove()
    assert not any(folder.exists() for folder in (known.profiles, known.catalogue, known.exports))


def test_landed_files_go_only_when_asked_and_before_the_first_day(
    known: settings.Settings, instance: dg.DagsterInstance
) -> None:
    """The file of the calendar's days has landed on 1 March 2024."""
    retired_day = known.landing / "orders" / "2023-12-31"
    retired_day.mkdir()
    (retired_day / "orders.csv").write_text("order_id\n1\n")
    assert list(retired(known, instance, LATER, LATER, landed=True)) == []
    settings.save(known)
    assert listed(known, instance) == []

    [found] = retired(known, instance, LATER, LATER, landed=True)

    assert (found.kind, found.name, found.bytes) == ("landed files before the first day", "orders/2023-12-31", 11)
    assert f"{found.over_at:%Y-%m-%d}" == "2024-01-01"
    found.remove()
    assert not retired_day.exists()
    assert list(retired(known, instance, LATER, LATER, landed=True)) == []


def test_where_a_stream_goes_on_stays(known: settings.Settings, instance: dg.DagsterInstance) -> None:
    settings.save(known)
    stream = Stream("shop.orders", "0", 0)
    for day, first in [("2023-12-30", 0), ("2023-12-31", 5)]:
        folder = known.landing / "orders" / day
        folder.mkdir()
        (folder / stream.file_name(first, first + 4)).write_text("{}\n")

    found = retired(known, instance, LATER, LATER, landed=True)

    assert [item.name for item in found] == ["orders/2023-12-30"]


def ecom(*words: str) -> Result:
    return CliRunner().invoke(main, ["prune", *words])


def test_nothing_goes_unless_asked_and_nothing_that_a_rebuild_needs(known: settings.Settings) -> None:
    with in_dagster_home() as instance:
        for _ in range(7):
            run(instance, "2024-03-01")
    left = known.data / "warehouse.duckdb.damaged"
    left.write_text("broken")
    os.utime(left, (0, 0))

    def needed() -> list[Path]:
        return sorted(path for path in known.data.rglob("*") if path.is_file() and path.read_bytes() == b"needed")

    before = needed()
    assert len(before) == 4
    assert ecom().stdout.splitlines()[:2] == [
        "files left behind: 1, 6 bytes, over between 1970-01-01 and 1970-01-01",
        f"  1970-01-01             6  {left}",
    ]
    assert left.exists()

    assert "Removed 1 things, 6 bytes.\n" in ecom("--apply").stdout
    assert not left.exists()
    assert needed() == before
    assert ecom().stdout == "Nothing is old enough and needed no longer.\n"


def test_many_names_are_cut_unless_all_are_asked_for() -> None:
    from ecom_assets.cli import text

    items = [Retired("logs of runs", f"run {n}", NOW, 1, lambda: None) for n in range(7)]

    assert list(text.retired(items))[-1] == "  … and 2 more: --all lists them"
    assert len(list(text.retired(items, all_names=True))) == 8
