"""How many runs the sensors ask for, and which."""

import datetime as dt
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from ecom_assets import catalog, settings
from ecom_assets.alerting.store import open_store
from ecom_assets.days import Window
from ecom_assets.definitions import build
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration import sensors
from ecom_assets.orchestration._dagster import REPAIR_TAG
from ecom_assets.orchestration.about_runs import PROCESS_TAG
from ecom_assets.warehouse.store import made_of

FEEDS = catalog.tables().feeds
JANUARY = Window.parse("2024-01-01..2024-01-31")
FIRST = JANUARY.first


@pytest.fixture(autouse=True)
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zone:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    return Zone(settings.load().landing)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class Ticks:
    """Ticks of one sensor, each going on from the cursor of the one before."""

    def __init__(self, sensor: str, instance: dg.DagsterInstance) -> None:
        self._defs, self._instance = build(settings.load()), instance
        self._sensor = self._defs.resolve_sensor_def(sensor)
        self._cursor: str | None = None

    def __call__(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(self._instance, self._cursor, definitions=self._defs)
        data = self._sensor.evaluate_tick(context)
        self._cursor = data.cursor
        return list(data.run_requests or [])

    def until_asked(self, monkeypatch: pytest.MonkeyPatch) -> dt.timedelta:
        """Lets time pass until the same is asked for again. Returns how much."""
        asked = sensors.Asked.of(self._cursor)

        class Clock(dt.datetime):
            @classmethod
            def now(cls, tz: dt.tzinfo | None = None) -> "Clock":
                return cls.fromtimestamp(asked.next_at.timestamp(), tz)

        monkeypatch.setattr(sensors.dt, "datetime", Clock)
        return asked.next_at - dt.datetime.fromisoformat(asked.at)


@pytest.fixture
def new_files(instance: dg.DagsterInstance) -> Ticks:
    return Ticks("run_new_files", instance)


@pytest.fixture
def stale_days(instance: dg.DagsterInstance) -> Ticks:
    return Ticks("run_stale_days", instance)


def land(zone: Zone, days: Iterable[dt.date], feeds: Iterable[str] = FEEDS, text: str = "id\n1\n") -> None:
    for feed in feeds:
        for day in days:
            zone.write(feed, day, "rows.csv", text.encode())


def publish(
    zone: Zone,
    read: Window | None = None,
    stale: Iterable[tuple[str, dt.date]] = (),
    at: str = "10:00",
    code: str = "",
) -> None:
    """A snapshot in which the files of a window have been read."""
    snapshot = settings.load().snapshot
    snapshot.unlink(missing_ok=True)
    with duckdb.connect(snapshot) as con:
        con.execute("create schema ledger")
        columns = "table_name varchar, day date, state varchar, inputs hugeint, written_at timestamp"
        con.execute(f"create table ledger.days ({columns}, bad_count bigint, run_id varchar)")
        con.execute("create table ledger.stale (table_name varchar, day date, why varchar)")
        con.execute("create table ledger.arrivals (table_name varchar, arrived_on date, event_on date)")
        known = settings.load()
        standing = code or made_of(known.time_zone, known.calendar, known.strict, zone)
        con.execute("create table ledger.published as select ? as made_of", [standing])
        for feed in FEEDS if read else ():
            prints = zone.fingerprint(feed, read.first, read.last)
            rows = ", ".join(
                f"('bronze.{feed}', date '{day}', 'stored', {inputs}, timestamp '2024-02-01 {at}')"
                for day, inputs in prints.items()
            )
            known_of = "table_name, day, state, inputs, written_at"
            con.execute(f"insert into ledger.days ({known_of}) values {rows}")
        for table, day in stale:
            con.execute("insert into ledger.stale values (?, ?, 'its inputs changed')", [table, day])


def windows(requests: Iterable[dg.RunRequest]) -> list[str]:
    tags = [request.tags for request in requests]
    ends = [(tag["dagster/asset_partition_range_start"], tag["dagster/asset_partition_range_end"]) for tag in tags]
    return [str(Window.parse(f"{first}..{last}")) for first, last in ends]


def test_an_empty_landing_zone_asks_for_nothing(new_files: Ticks) -> None:
    assert new_files() == []


def test_a_month_of_new_files_is_one_run_of_all_that_is_made_of_them(zone: Zone, new_files: Ticks) -> None:
    land(zone, JANUARY)

    [request] = new_files()

    assert windows([request]) == ["2024-01-01..2024-01-31"]
    assert REPAIR_TAG in request.tags
    selected = {key.to_user_string() for key in request.asset_selection or []}
    assert {"bronze/orders", "silver/orders", "quarantine/orders", "gold/fact_sales", "kpi/daily_sales"} <= selected
    assert not any(asset.startswith("landing/") for asset in selected)


def test_the_same_files_are_asked_for_once(zone: Zone, new_files: Ticks) -> None:
    land(zone, JANUARY)

    assert [len(new_files()) for _ in range(3)] == [1, 0, 0]


def test_files_that_were_read_are_not_asked_for(zone: Zone, new_files: Ticks) -> None:
    land(zone, JANUARY)
    publish(zone, read=JANUARY)

    assert new_files() == []


@pytest.mark.parametrize("damage", [b"this is no database", b"\0" * 8 + b"DUCK" + b"\0" * 9_000])
def test_a_damaged_snapshot_is_one_repair_that_publishes_it_anew(
    zone: Zone, new_files: Ticks, stale_days: Ticks, damage: bytes
) -> None:
    """Also if it is damaged before the sensor has seen it whole."""
    land(zone, JANUARY)
    assert len(new_files()) == 1
    settings.load().snapshot.write_bytes(damage)

    [request] = new_files()
    assert windows([request]) == [str(JANUARY)]
    assert REPAIR_TAG in request.tags
    assert (new_files(), stale_days()) == ([], [])

    publish(zone, read=JANUARY)
    assert new_files() == []
    settings.load().snapshot.write_bytes(damage)
    assert len(new_files()) == 1


def test_a_changed_file_is_one_run_each_time_it_changes(zone: Zone, new_files: Ticks) -> None:
    land(zone, JANUARY)
    publish(zone, read=JANUARY)
    keys = set()
    for text in ("id\n1\n2\n", "id\n1\n3\n"):
        land(zone, [dt.date(2024, 1, 7)], feeds=["orders"], text=text)
        [request] = new_files()
        assert windows([request]) == [str(JANUARY)]
        assert request.tags[REPAIR_TAG] == "1 table-days of 2024-01-07"
        keys.add(request.run_key)
    assert len(keys) == 2


def test_new_code_or_settings_ask_for_one_run_that_finds_out_what_is_stale_by_them(
    zone: Zone, stale_days: Ticks
) -> None:
    land(zone, JANUARY)
    publish(zone, read=JANUARY)
    assert stale_days() == []

    publish(zone, read=JANUARY, code="of yesterday")
    [request] = stale_days()
    assert windows([request]) == [str(JANUARY)]
    assert stale_days() == []

    publish(zone, read=JANUARY, at="11:00")
    assert stale_days() == []


def test_files_are_asked_for_again_when_the_warehouse_is_gone(zone: Zone, new_files: Ticks) -> None:
    land(zone, JANUARY)
    [first] = new_files()
    publish(zone, read=JANUARY)
    assert new_files() == []
    settings.load().snapshot.unlink()

    [again] = new_files()

    assert windows([again]) == windows([first])
    assert again.run_key != first.run_key


def test_a_run_that_got_a_part_done_is_followed_by_one_for_the_rest(zone: Zone, new_files: Ticks) -> None:
    land(zone, JANUARY)
    new_files()
    publish(zone, read=Window.parse("2024-01-01..2024-01-10"))

    [request] = new_files()

    assert request.tags[REPAIR_TAG].endswith("table-days of 2024-01-11..2024-01-31")


def test_files_are_listed_again_only_if_one_has_changed(
    zone: Zone, new_files: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(zone, JANUARY)
    publish(zone, read=JANUARY)
    hour_ago = time.time() - 3600
    for place in [*zone.root.rglob("*")]:
        os.utime(place, (hour_ago, hour_ago))
    assert new_files() == []
    listed = []
    fingerprint = Zone.fingerprint
    monkeypatch.setattr(Zone, "fingerprint", lambda *args: listed.append(args[1]) or fingerprint(*args))

    assert new_files() == []
    assert listed == []

    (zone.root / "orders" / "2024-01-07" / "rows.csv").write_text("id\n1\n2\n")
    assert len(new_files()) == 1
    assert "orders" in listed


def test_scattered_days_are_one_run(zone: Zone, new_files: Ticks) -> None:
    land(zone, [dt.date(2024, 1, 1) + dt.timedelta(days=2 * n) for n in range(15)])

    assert windows(new_files()) == ["2024-01-01..2024-01-29"]


def test_a_day_that_is_not_over_waits(zone: Zone, new_files: Ticks, stale_days: Ticks) -> None:
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    land(zone, [tomorrow])
    publish(zone, stale=[("silver.orders", tomorrow)])

    assert new_files() == []
    assert stale_days() == []


@pytest.mark.slow
@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_nothing_is_asked_for_while_a_run_is_under_way(
    zone: Zone, instance: dg.DagsterInstance, new_files: Ticks, stale_days: Ticks, status: dg.DagsterRunStatus
) -> None:
    land(zone, JANUARY)
    publish(zone, stale=[("silver.orders", FIRST)])
    running = instance.create_run_for_job(build(settings.load()).resolve_job_def("pipeline"), status=status)
    assert new_files() == []
    assert stale_days() == []

    instance.report_run_canceled(running)

    assert len(new_files()) == 1
    assert len(stale_days()) == 1


def test_a_run_of_the_command_line_that_was_killed_keeps_nobody_waiting(
    zone: Zone, instance: dg.DagsterInstance, new_files: Ticks
) -> None:
    land(zone, JANUARY)
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    killed, status = {PROCESS_TAG: str(gone.pid)}, dg.DagsterRunStatus.STARTED
    instance.create_run_for_job(build(settings.load()).resolve_job_def("pipeline"), status=status, tags=killed)

    assert len(new_files()) == 1


def test_without_a_snapshot_nothing_is_stale(stale_days: Ticks) -> None:
    assert stale_days() == []


def test_stale_days_are_one_run_of_what_is_made_of_them(zone: Zone, stale_days: Ticks) -> None:
    publish(zone, stale=[("silver.orders", day) for day in JANUARY])

    [request] = stale_days()

    assert windows([request]) == [str(JANUARY)]
    assert request.tags[REPAIR_TAG] == "31 table-days of 2024-01-01..2024-01-31"
    selected = {key.to_user_string() for key in request.asset_selection or []}
    assert {"silver/orders", "quarantine/orders", "silver/payments", "kpi/daily_sales"} <= selected
    assert not selected & {"bronze/orders", "silver/customers"}


def test_a_repair_that_changed_nothing_is_asked_for_again_after_a_while(
    zone: Zone, stale_days: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(zone, read=JANUARY, stale=[("silver.orders", FIRST)])
    keys, waits = {stale_days()[0].run_key}, []
    for _ in range(9):
        publish(zone, read=JANUARY, stale=[("silver.orders", FIRST)])
        assert stale_days() == []
        waits.append(stale_days.until_asked(monkeypatch))
        [request] = stale_days()
        keys.add(request.run_key)

    assert [round(wait.total_seconds() / 60) for wait in waits] == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    assert len(keys) == 10

    publish(zone, read=JANUARY, stale=[("silver.orders", FIRST)], at="11:00")

    assert len(stale_days()) == 1


def failing() -> list[str]:
    with open_store(settings.load().alert_store) as store:
        return [event.note for event in store.failing()]


def test_days_that_two_runs_left_stale_are_an_alert_until_something_is_written(
    zone: Zone, stale_days: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(zone, read=JANUARY, stale=[("silver.orders", FIRST)])
    stale_days()
    assert failing() == []

    stale_days.until_asked(monkeypatch)
    stale_days()
    assert failing() == ["1 table-days stay stale, silver.orders on 2024-01-01 first: their runs wrote nothing"]

    publish(zone, read=JANUARY, at="11:00")
    stale_days()
    assert failing() == []


def test_code_that_changes_on_disk_is_run_without_waiting_and_without_loading_it(
    zone: Zone, stale_days: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(zone, JANUARY)
    publish(zone, read=JANUARY, stale=[("silver.orders", FIRST)])
    assert len(stale_days()) == 1
    assert stale_days() == []

    monkeypatch.setattr(sensors, "made_of_files", lambda: "mended")
    assert len(stale_days()) == 1
    assert stale_days() == []

    known = settings.load()
    mended = made_of(known.time_zone, known.calendar, known.strict, zone, code="mended")
    publish(zone, read=JANUARY, code=mended, at="11:00")
    assert stale_days() == []


def test_stale_days_of_a_table_that_is_no_more_are_passed_over(zone: Zone, stale_days: Ticks) -> None:
    publish(zone, stale=[("gold.dropped", FIRST)])

    assert stale_days() == []
