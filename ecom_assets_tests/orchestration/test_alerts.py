"""The sensor tells of runs that stopped, of checks, storage and daemons; a canceled run has not stopped."""

import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from dagster_shared.record import replace

from ecom_assets import settings
from ecom_assets.alerting.store import open_store
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration import alerts
from ecom_assets.orchestration._dagster import REPAIR_TAG
from ecom_assets.orchestration.alerts import report_failures
from ecom_assets_tests.alerting.servers import Receiver, receiver
from ecom_assets_tests.orchestration import till

RULE = "amount is at least 0"


def verdict(
    table: str = "takings", day: str | None = "2024-01-02", check: str = "gold_equals_silver", *, passed: bool = False
) -> dg.AssetCheckEvaluation:
    """A verdict of a check that is not of our tables; two rows broke the rule."""
    return dg.AssetCheckEvaluation(
        dg.AssetKey(table.split(".")),
        check,
        passed,
        {"missed": dg.MetadataValue.json({RULE: 2})},
        severity=dg.AssetCheckSeverity.WARN,
        partition=day,
    )


@dg.op
def fail() -> None:
    raise dg.Failure("the disk is full")


@dg.job
def broken() -> None:
    fail()


@dg.asset_check(asset="takings")
def gold_equals_silver() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def http() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture(autouse=True)
def known(tmp_path: Path, http: Receiver, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    monkeypatch.setenv("ECOM_WEBHOOK", f"{http.url}/services/T0/B0/x")
    return settings.load()


class Ticks:
    """Ticks of the sensor, each going on from the cursor of the one before."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance, self.cursor = instance, None

    def __call__(self) -> str:
        data = report_failures.evaluate_tick(dg.build_sensor_context(self._instance, self.cursor))
        self.cursor = data.cursor or self.cursor
        return data.skip_message or ""


@pytest.fixture
def tick(instance: dg.DagsterInstance) -> Ticks:
    return Ticks(instance)


def heads(http: Receiver) -> list[str]:
    """The first line of each message, without its mark."""
    return [body["text"].splitlines()[0].partition(" ")[2].strip("*") for body in http.bodies]


def begun(instance: dg.DagsterInstance, job: str = "pipeline", **more: Any) -> Callable[..., None]:
    """A run under way, as a function that reports an event of a kind, with what is particular to it."""
    run = create_run_for_test(instance, job_name=job, status=dg.DagsterRunStatus.STARTED, **more)

    def report(kind: dg.DagsterEventType, data: Any = None, message: str = "") -> None:
        event = dg.DagsterEvent(kind.value, job, event_specific_data=data, message=message)
        instance.report_dagster_event(event, run.run_id)

    return report


def run_of(instance: dg.DagsterInstance, *verdicts: dg.AssetCheckEvaluation) -> None:
    """A run that comes to these verdicts and ends well."""
    report = begun(instance)
    for reached in verdicts:
        report(dg.DagsterEventType.ASSET_CHECK_EVALUATION, reached)
    report(dg.DagsterEventType.RUN_SUCCESS)


def run_broken(instance: dg.DagsterInstance) -> None:
    broken.execute_in_process(instance=instance, raise_on_error=False)


def test_a_run_that_stops_is_told_once_and_that_its_job_runs_again(
    instance: dg.DagsterInstance, tick: Ticks, http: Receiver
) -> None:
    for _ in range(2):
        run_broken(instance)
        tick()
        tick()
    assert heads(http) == ["fail stopped: the disk is full"]

    begun(instance, "another")(dg.DagsterEventType.RUN_SUCCESS)
    tick()
    assert len(http.taken) == 1

    begun(instance, "broken")(dg.DagsterEventType.RUN_SUCCESS)
    tick()
    assert heads(http)[1:] == ["Resolved: fail stopped: the disk is full"]


def test_a_run_whose_process_is_gone_is_told_with_the_last_words_about_it(
    instance: dg.DagsterInstance, tick: Ticks, http: Receiver
) -> None:
    for job, words in (("one", "the process of this run has ended"), ("two", "")):
        run = create_run_for_test(instance, job_name=job, status=dg.DagsterRunStatus.STARTED)
        instance.report_engine_event("worker 7 was lost", run)
        ended = dg.DagsterEvent(dg.DagsterEventType.RUN_FAILURE.value, job, message=words)
        instance.report_dagster_event(ended, run.run_id)

    tick()

    assert sorted(heads(http)) == [
        "The run failed: the process of this run has ended",
        "The run failed: worker 7 was lost",
    ]


def test_a_table_that_stopped_a_run_is_solved_by_a_run_that_makes_it(
    instance: dg.DagsterInstance, tick: Ticks, http: Receiver
) -> None:
    @dg.asset(key=["kpi", "sales"])
    def sales() -> None:
        raise dg.Failure("no such column: amuont")

    dg.materialize([sales], instance=instance, raise_on_error=False)
    tick()
    assert heads(http) == ["kpi.sales stopped: no such column: amuont"]

    for table, count in (("orders", 1), ("sales", 2)):
        begun(instance, asset_selection=frozenset([dg.AssetKey(["kpi", table])]))(dg.DagsterEventType.RUN_SUCCESS)
        tick()
        assert len(http.taken) == count


def test_what_a_user_cancels_is_no_alert(instance: dg.DagsterInstance, tick: Ticks, http: Receiver) -> None:
    canceled = begun(instance)
    canceled(dg.DagsterEventType.RUN_CANCELING)
    canceled(dg.DagsterEventType.RUN_CANCELED)
    overtaken = begun(instance)
    overtaken(dg.DagsterEventType.RUN_CANCELING)
    overtaken(dg.DagsterEventType.RUN_FAILURE)

    tick()

    assert http.taken == []


def test_a_run_that_failed_because_of_its_days_has_not_stopped(
    instance: dg.DagsterInstance, tick: Ticks, http: Receiver
) -> None:
    begun(instance, tags={alerts.BAD_DAYS_TAG: "3"})(dg.DagsterEventType.RUN_FAILURE)

    tick()

    assert http.taken == []


def test_a_warning_of_a_run_that_succeeded_is_told(instance: dg.DagsterInstance, tick: Ticks, http: Receiver) -> None:
    dg.materialize([dg.asset(name="takings")(lambda: None), gold_equals_silver], instance=instance)

    tick()

    assert heads(http) == ["takings: gold_equals_silver failed"]
    assert http.bodies[0]["text"].startswith(":large_yellow_circle:")


def test_a_check_that_fails_as_before_is_not_told_again_and_its_recovery_is_told(
    instance: dg.DagsterInstance, tick: Ticks, http: Receiver
) -> None:
    for _ in range(3):
        run_of(instance, verdict())
        tick()
    assert heads(http) == ["takings: gold_equals_silver failed on 2024-01-02"]

    run_of(instance, verdict(day="2024-01-03", passed=True), verdict(passed=True))
    tick()
    assert heads(http)[1:] == ["Resolved: takings: gold_equals_silver failed on 2024-01-02"]


def test_checks_of_our_tables_are_told_by_the_warehouse(
    instance: dg.DagsterInstance, tick: Ticks, http: Receiver
) -> None:
    run_of(instance, replace(verdict(), metadata={"state": dg.MetadataValue.text("failed")}))

    tick()

    assert http.taken == []


def test_a_store_that_cannot_be_written_is_said_and_nothing_is_lost(
    instance: dg.DagsterInstance, tick: Ticks, http: Receiver, known: settings.Settings
) -> None:
    known.alert_store.parent.write_text("no folder")
    run_broken(instance)
    assert "The store of alerts cannot be used" in tick()

    known.alert_store.parent.unlink()
    tick()
    assert len(http.taken) == 1


def test_a_tick_that_is_killed_before_its_cursor_moves_tells_nothing_twice(
    instance: dg.DagsterInstance, tick: Ticks, http: Receiver
) -> None:
    run_broken(instance)
    tick()
    tick.cursor = None
    tick()

    assert len(http.taken) == 1


def test_the_cursor_of_earlier_code_is_gone_on_from(instance: dg.DagsterInstance, tick: Ticks, http: Receiver) -> None:
    run_broken(instance)
    tick()
    before = json.loads(tick.cursor or "")
    http.taken.clear()
    with open_store(settings.load().alert_store) as store:
        for table in ("events", "alerts", "incidents", "messages", "deliveries", "facts"):
            store.con.execute(f"delete from {table}")
    tick.cursor = json.dumps({f"{to} {end}": cursor for end, cursor in before.items() for to in ("file", "webhook")})

    tick()

    assert http.taken == []
    assert json.loads(tick.cursor or "") == before


def test_a_damaged_file_of_the_platform_is_critical_until_it_is_mended(
    tick: Ticks, http: Receiver, known: settings.Settings
) -> None:
    known.snapshot.write_bytes(b"not a database")
    tick()
    tick()
    assert heads(http) == [f"{known.snapshot} is not a DuckDB database, or is damaged"]

    known.snapshot.unlink()
    tick()
    assert len(http.taken) == 2


def test_a_disk_that_is_nearly_full_is_critical_until_it_has_room(
    tick: Ticks, http: Receiver, known: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = shutil.disk_usage(known.data)
    for free in (499_000_000, 498_000_000, 600_000_000):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, free=free: room._replace(free=free))
        tick()

    nearly_full = f"The disk of {known.data} has less room left than a publish may need"
    assert heads(http) == [nearly_full, f"Resolved: {nearly_full}"]
    assert "ecom prune lists what nothing needs" in http.bodies[0]["text"]


def test_a_daemon_that_stays_dead_is_critical(tick: Ticks, http: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "dead_daemons", lambda instance: ["SCHEDULER"])
    tick()
    assert http.taken == []

    monkeypatch.setattr(alerts, "DEAD_AFTER", dt.timedelta(0))
    tick()
    assert heads(http) == ["The daemon SCHEDULER of Dagster has stopped"]


@pytest.mark.slow
def test_a_bad_day_is_told_at_the_end_of_its_run_once_and_so_is_its_end(
    instance: dg.DagsterInstance, tick: Ticks, http: Receiver
) -> None:
    """Without any tick: the run delivers. The second day breaks gold and blocks the report."""
    zone = Zone(settings.load().landing)
    window = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-02"}
    first, second = dt.date(2024, 1, 1), dt.date(2024, 1, 2)

    def land(file: str, day: dt.date, amount: str) -> None:
        line = f"{file}-{day},{day}T09:00:00Z,{amount}"
        zone.write("receipts", day, file, f"receipt_id,paid_at,amount\n{line}\n".encode())

    for file, amount, tags in (
        ("till.csv", "-10", {}),
        ("twin.csv", "-10", {REPAIR_TAG: "true"}),
        ("till.csv", "10", {}),
    ):
        land(file, first, "10")
        land(file, second, amount)
        if amount == "10":
            land("twin.csv", second, amount)
        dg.materialize(
            till.ASSETS,
            instance=instance,
            resources={"warehouse": till.TillWarehouse()},
            tags={**window, **tags},
            raise_on_error=False,
        )
    tick()

    assert heads(http) == [
        "gold.takings failed on 2024-01-02",
        "Resolved: gold.takings failed on 2024-01-02",
    ]
    assert "It blocks 1 table." in http.bodies[0]["text"]
