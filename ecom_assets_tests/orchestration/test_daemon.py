"""A real daemon brings landed files to the measures, by its sensors alone."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer

import dagster as dg
import duckdb
import pytest

from ecom_assets import settings
from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration.home import in_dagster_home
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import land_shop
from ecom_assets.warehouse.ledger.records import contents

MAX_SECONDS = 300
TWO_DAYS = Window.parse("2024-01-01..2024-01-02")
TINY = Scale(orders_per_day=3, customers_at_start=10, customers_per_day=1, products_at_start=5, products_per_day=1)


@pytest.fixture
def landed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ECOM_END", str(TWO_DAYS.last))
    known = settings.load()
    land_shop(Zone(known.landing), Shop(TWO_DAYS.first, preset=TINY), TWO_DAYS)
    return known


@pytest.fixture
def daemon(tmp_path: Path, landed: settings.Settings) -> Iterator["subprocess.Popen[str]"]:
    """The daemon with the project's settings and its storage in a folder of its own, ended after a while."""
    with started(tmp_path) as process:
        yield process


@contextmanager
def started(home: Path, output: int = subprocess.PIPE, seconds: int = MAX_SECONDS) -> Iterator["subprocess.Popen[str]"]:
    shutil.copy(settings.PROJECT / "dagster.yaml", home)
    process = subprocess.Popen(
        [Path(sys.executable).with_name("dagster-daemon"), "run", "--module-name", "ecom_assets.definitions"],
        cwd=home,
        env={**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": str(settings.PROJECT)},
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )

    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = Timer(seconds, end)
    timer.start()
    with process:
        yield process
        timer.cancel()
        end()


def runs_when_done(snapshot: Path) -> int:
    """How many runs it took until each table was good on both days and nothing stale; 0 while they are under way."""
    try:
        with open_snapshot(snapshot) as con:
            [(open_days,)] = con.execute("select count(*) from ledger.stale").fetchall()
            [(missing,)] = con.execute(
                "select count(*) from (select table_name from ledger.days where state in ('stored', 'provisional') "
                "group by all having count(*) <> 2)"
            ).fetchall()
            [(measured, runs)] = con.execute(
                "select count(*) filter (table_name like 'kpi.%'), count(distinct run_id) from ledger.days"
            ).fetchall()
    except FileNotFoundError:
        return 0
    return runs if measured and not open_days and not missing else 0


@pytest.mark.long
def test_the_sensors_bring_landed_files_to_the_measures_in_a_few_runs(
    landed: settings.Settings, daemon: "subprocess.Popen[str]"
) -> None:
    assert daemon.stdout
    log = []
    for line in daemon.stdout:
        log.append(line)
        if runs := runs_when_done(landed.snapshot):
            assert runs <= 3
            break
        assert not landed.alerts.exists(), landed.alerts.read_text()
    else:
        pytest.fail(f"Not done after {MAX_SECONDS} seconds.\n{''.join(log)}")


@pytest.mark.long
def test_two_daemons_do_no_more_than_one(
    landed: settings.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has started Dagster twice: both ask for runs, and one run at a time writes what is stale."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    shutil.copy(settings.PROJECT / "dagster.yaml", tmp_path)
    with in_dagster_home():
        pass
    with started(tmp_path) as daemon, started(tmp_path, subprocess.DEVNULL) as other:
        assert daemon.stdout
        log = []
        for line in daemon.stdout:
            log.append(line)
            if runs := runs_when_done(landed.snapshot):
                break
        else:
            pytest.fail(f"Not done after {MAX_SECONDS} seconds.\n{''.join(log)}")
        assert other.poll() is None
    assert runs <= 3


@pytest.mark.long
def test_a_snapshot_that_is_damaged_is_published_anew_without_anybody(
    landed: settings.Settings, daemon: "subprocess.Popen[str]"
) -> None:
    assert daemon.stdout
    is_damaged = False
    for _ in daemon.stdout:
        if not is_damaged and runs_when_done(landed.snapshot):
            landed.snapshot.write_bytes(b"this is no database" * 1000)
            is_damaged = True
        elif is_damaged:
            with suppress(duckdb.Error):
                if runs_when_done(landed.snapshot):
                    break
    else:
        pytest.fail(f"Not done after {MAX_SECONDS} seconds; {is_damaged=}.")


HISTORY = Window.parse("2024-01-01..2024-06-08")
ORDER = (
    "order_id,customer_id,ordered_at,updated_at,status,cancel_reason,channel,country,subtotal,discount,shipping,tax,"
    "total\n{id},{customer},{day}T21:30:00Z,{updated}T22:30:00Z,delivered,,app,FR,50.3200,0.0000,0.0000,10.0600,60.3800\n"
)


def written(known: settings.Settings) -> dict[tuple[str, str], tuple[str, str]]:
    """Returns what each table-day is and when it was written, of a warehouse that nobody writes."""
    with duckdb.connect(str(known.warehouse), read_only=True) as con:
        at = {
            (table, day): at
            for table, day, at in con.execute(
                "select table_name, day::varchar, written_at::varchar from ledger.days"
            ).fetchall()
        }
        found = contents(con, sorted({table for table, _ in at}), Window(HISTORY.first, HISTORY.last))
    return {table_day: (found[table_day], at[table_day]) for table_day in found}


@pytest.mark.long
def test_late_files_of_any_age_make_only_days_run_that_they_can_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late by an hour, 47 hours and 150 days, and an order that moves to another day, while the daemon runs."""
    monkeypatch.setenv("ECOM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ECOM_END", str(HISTORY.last))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    known = settings.load()
    zone = Zone(known.landing)
    land_shop(zone, Shop(HISTORY.first, preset=TINY), HISTORY)
    shutil.copy(settings.PROJECT / "dagster.yaml", tmp_path)
    ecom = [Path(sys.executable).with_name("ecom"), "--quiet"]
    subprocess.run([*ecom, "run", "--stale"], check=True, capture_output=True)
    before = written(known)
    with duckdb.connect(str(known.warehouse), read_only=True) as con:
        [(moving, customer)] = con.execute(
            "select order_id, customer_id from silver.orders where ordered_on = date '2024-05-01' limit 1"
        ).fetchall()
    late = {"O90000001": "2024-06-08", "O90000002": "2024-06-06", "O90000003": "2024-01-10", moving: "2024-05-03"}
    with started(tmp_path, seconds=2 * MAX_SECONDS) as daemon:
        assert daemon.stdout
        waiting, landed, ratios = list(late.items()), set[str](), []
        for _ in daemon.stdout:
            with suppress(FileNotFoundError), open_snapshot(known.snapshot) as con:
                read = {name for (name,) in con.execute("select source_file from ledger.files").fetchall()}
                [(stale,)] = con.execute("select count(*) from ledger.stale").fetchall()
            if stale or not landed <= read:
                continue
            with suppress(duckdb.IOException):  # a run has it open
                after = written(known)
                ran = [each for each in after if after[each][1] != before[each][1]]
                changed = [each for each in ran if after[each][0] != before[each][0]]
                before = after
                if landed:
                    ratios.append((len(ran), len(changed)))
                if not waiting:
                    break
                order_id, day = waiting.pop(0)
                text = ORDER.format(id=order_id, customer=customer, day=day, updated=HISTORY.last)
                landed.add(zone.write("orders", HISTORY.last, f"late-{len(waiting)}.csv", text.encode()).name)
        else:
            pytest.fail(f"Not done after {2 * MAX_SECONDS} seconds: {waiting} has not landed, {ratios}.")

    assert all(0 < changed <= ran <= 3 * changed for ran, changed in ratios), ratios
    subprocess.run([*ecom, "verify"], check=True, capture_output=True)


BACKFILL = """
mutation {
  launchPartitionBackfill(backfillParams: {assetSelection: [%s], partitionNames: [%s]}) {
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""


@pytest.mark.long
def test_a_backfill_over_days_as_the_ui_asks_for_it_is_one_run(
    landed: settings.Settings, daemon: "subprocess.Popen[str]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assets = ", ".join(f'{{path: ["{layer}", "orders"]}}' for layer in ("bronze", "silver", "quarantine"))
    days = ", ".join(f'"{day}"' for day in TWO_DAYS)
    assert daemon.stdout
    daemon.stdout.readline()  # it has made Dagster's tables, which two processes cannot do at once
    asked = subprocess.run(
        [
            Path(sys.executable).with_name("dagster-graphql"),
            *("-m", "ecom_assets.definitions", "-t", BACKFILL % (assets, days)),
        ],
        env={**os.environ, "PYTHONPATH": str(settings.PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    [backfill_id] = re.findall(r'"backfillId": *"(\w+)"', asked.stdout)

    with dg.DagsterInstance.get() as instance:
        for _ in daemon.stdout:
            backfill = instance.get_backfill(backfill_id)
            if backfill and backfill.status.value.startswith("COMPLETED"):
                break
        runs = instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill_id}))

    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS]
