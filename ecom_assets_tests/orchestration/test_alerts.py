"""Failed checks and failed runs are told once each, and none is lost; what fails as before is no news."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.test_utils import create_run_for_test
from dagster_shared.record import replace

from ecom_assets import settings
from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration import alerts
from ecom_assets.orchestration._dagster import REPAIR_TAG
from ecom_assets.orchestration.alerts import MAX_LINES, Alert, alerts_of, post, report_failures, write
from ecom_assets_tests.orchestration import till

RUN = dg.DagsterRun(job_name="pipeline", run_id="4bb4db42-6ac7-43d8-ac35-920cbc0ed2b7")
NIGHT = dt.datetime(2024, 4, 1, 2, 5, tzinfo=dt.UTC)
NINETY_DAYS = Window.parse("2024-01-01..2024-03-30")
RULE = "amount is at least 0"


def verdict(
    table: str, day: dt.date | str, check: str = "contract", *, passed: bool = False, state: str = "", **rows: int
) -> dg.AssetCheckEvaluation:
    """A verdict on one day; `rows` counts the rows that broke the rule."""
    hard = check == "contract"
    about: dict[str, dg.MetadataValue] = {"state": dg.MetadataValue.text(state)} if state else {}
    return dg.AssetCheckEvaluation(
        dg.AssetKey(table.split(".")),
        check,
        passed,
        about | {("broken" if hard else "missed"): dg.MetadataValue.json({RULE: n}) for n in rows.values()},
        severity=dg.AssetCheckSeverity.ERROR if hard else dg.AssetCheckSeverity.WARN,
        partition=str(day),
    )


def alert(number: int = 1) -> Alert:
    return Alert(f"{number}", NIGHT.isoformat(), "error", "pipeline", RUN.run_id, f"table {number}", (), {})


def test_a_good_run_is_not_told_of() -> None:
    assert alerts_of(RUN, NIGHT, None, [verdict("gold.takings", day, passed=True) for day in NINETY_DAYS]) == []


def test_a_rule_broken_on_ninety_days_is_one_alert_that_lists_them() -> None:
    [told] = alerts_of(RUN, NIGHT, None, [verdict("gold.takings", day, rows=2) for day in NINETY_DAYS])

    assert told.days == ("2024-01-01..2024-03-30",)
    assert told.rows == {RULE: 180}
    assert told.severity == "error"
    assert told.what == "gold/takings: contract failed"


def test_missed_expectations_are_warnings_beside_the_broken_contract() -> None:
    told = alerts_of(
        RUN,
        NIGHT,
        None,
        [
            verdict("silver.orders", "2024-01-02", rows=1),
            verdict("silver.orders", "2024-01-02", "expectations", rows=1),
        ],
    )

    assert [(alert.severity, alert.what) for alert in told] == [
        ("error", "silver/orders: contract failed"),
        ("warning", "silver/orders: expectations failed"),
    ]


def test_tables_blocked_by_another_are_one_alert() -> None:
    told = alerts_of(
        RUN,
        NIGHT,
        None,
        [verdict("silver.orders", "2024-01-02", rows=1, state="failed")]
        + [verdict(table, "2024-01-02", state="blocked") for table in ("gold.fact_sales", "kpi.daily_sales")],
    )

    assert [alert.what for alert in told] == [
        "silver/orders: contract failed",
        "Blocked by a failed input: gold/fact_sales, kpi/daily_sales",
    ]


def test_a_failed_contract_that_names_no_rule_is_not_blocked() -> None:
    [found] = alerts_of(RUN, NIGHT, None, [verdict("gold.takings", "2024-01-02", state="failed")])

    assert found.what == "gold/takings: contract failed"


def test_a_failed_comparison_of_tables_is_told_by_its_name() -> None:
    [told] = alerts_of(RUN, NIGHT, None, [verdict("gold.takings", "2024-01-02", "gold_equals_silver")])

    assert told.what == "gold/takings: gold_equals_silver failed"


def test_a_failed_run_is_critical_and_says_why() -> None:
    [told] = alerts_of(RUN, NIGHT, "the disk is full", [])

    assert (told.severity, told.what, told.at) == (
        "critical",
        "The run failed: the disk is full",
        "2024-04-01T02:05:00+00:00",
    )


def test_an_alert_stands_in_the_file_once(tmp_path: Path) -> None:
    file = tmp_path / "monitoring" / "alerts.jsonl"

    write(file, [alert(1)])
    write(file, [alert(1), alert(2)])

    assert [json.loads(line)["what"] for line in file.read_text().splitlines()] == ["table 1", "table 2"]


def test_half_a_line_of_a_killed_process_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "alerts.jsonl"
    write(file, [alert(1)])
    with file.open("a") as torn:
        torn.write('{"id": "2", "at"')

    write(file, [alert(1), alert(2)])
    write(file, [alert(2), alert(3)])

    lines = file.read_text().splitlines()
    assert lines.pop(1) == '{"id": "2", "at"'
    assert [json.loads(line)["what"] for line in lines] == ["table 1", "table 2", "table 3"]


class Webhook:
    """A web server on this machine that records the messages it gets, and answers with `status`, or first `refused`."""

    def __init__(self) -> None:
        self.status = 200
        self.refused: list[int] = []
        self.messages: list[dict[str, Any]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = self.rfile.read(int(self.headers["Content-Length"]))
                status = webhook.refused.pop() if webhook.refused else webhook.status
                if status == 200:
                    webhook.messages.append(json.loads(message))
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/x"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    webhook = Webhook()
    thread = Thread(target=webhook.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield webhook
    webhook.server.shutdown()
    thread.join()
    webhook.server.server_close()


def test_a_message_has_the_form_that_slack_takes(webhook: Webhook) -> None:
    told = alerts_of(RUN, NIGHT, None, [verdict("gold.takings", day, rows=2) for day in NINETY_DAYS])

    post(webhook.url, told)

    assert webhook.messages == [
        {
            "text": "*pipeline*, run 4bb4db42\n"
            ":large_orange_circle: gold/takings: contract failed on 2024-01-01..2024-03-30\n"
            f"    • 180 x {RULE}"
        }
    ]


def test_a_long_message_is_cut(webhook: Webhook) -> None:
    post(webhook.url, [alert(n) for n in range(MAX_LINES + 5)])

    [message] = webhook.messages
    assert message["text"].endswith("… and 5 more")


# -- the sensor -------------------------------------------------------------------------------------


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
def alerts_file(tmp_path: Path, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    monkeypatch.setenv("ECOM_WEBHOOK", webhook.url)
    return settings.load().alerts


class Ticks:
    """Ticks of the sensor, each going on from the cursor of the one before."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance, self._cursor = instance, None

    def __call__(self) -> str:
        data = report_failures.evaluate_tick(dg.build_sensor_context(self._instance, self._cursor))
        self._cursor = data.cursor
        return data.skip_message or ""


@pytest.fixture
def tick(instance: dg.DagsterInstance, alerts_file: Path) -> Ticks:
    return Ticks(instance)


def begun(instance: dg.DagsterInstance) -> Callable[..., None]:
    """A run under way, as a function that reports an event of a kind, with what is particular to it."""
    run = create_run_for_test(instance, job_name="pipeline", status=dg.DagsterRunStatus.STARTED)

    def report(kind: dg.DagsterEventType, data: Any = None) -> None:
        instance.report_dagster_event(dg.DagsterEvent(kind.value, "pipeline", event_specific_data=data), run.run_id)

    return report


def end(report: Callable[..., None], *verdicts: dg.AssetCheckEvaluation) -> None:
    """Have a run come to these verdicts and end well."""
    for reached in verdicts:
        report(dg.DagsterEventType.ASSET_CHECK_EVALUATION, reached)
    report(dg.DagsterEventType.RUN_SUCCESS)


def run_of(instance: dg.DagsterInstance, *verdicts: dg.AssetCheckEvaluation) -> None:
    end(begun(instance), *verdicts)


def run_broken(instance: dg.DagsterInstance) -> None:
    broken.execute_in_process(instance=instance, raise_on_error=False)


def test_each_failed_run_is_told_once(instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook) -> None:
    for _ in range(2):
        run_broken(instance)
        tick()
        tick()

    assert len(webhook.messages) == 2
    assert "The run failed: the disk is full" in webhook.messages[0]["text"]


def test_a_warning_of_a_run_that_succeeded_is_told(instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook) -> None:
    dg.materialize([dg.asset(name="takings")(lambda: None), gold_equals_silver], instance=instance)

    tick()

    assert "takings: gold_equals_silver failed" in webhook.messages[0]["text"]


def test_while_the_webhook_is_down_alerts_wait_and_stand_in_the_file_once(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook, alerts_file: Path
) -> None:
    webhook.status = 503
    run_broken(instance)
    run_broken(instance)
    assert "retried" in tick()
    assert "retried" in tick()
    assert len(alerts_file.read_text().splitlines()) == 2

    webhook.status = 200
    tick()
    tick()

    assert len(webhook.messages) == 2
    assert len(alerts_file.read_text().splitlines()) == 2


def test_an_address_that_leads_nowhere_is_told_and_tried_again(
    instance: dg.DagsterInstance, tick: Ticks, alerts_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECOM_WEBHOOK", "http://127.0.0.1:port/")
    run_broken(instance)

    assert "retried" in tick()
    assert len(alerts_file.read_text().splitlines()) == 1


def test_what_was_delivered_before_the_webhook_went_down_is_not_sent_again(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook
) -> None:
    run_broken(instance)
    tick()
    webhook.status = 503
    run_broken(instance)
    tick()
    webhook.status = 200
    tick()

    assert len(webhook.messages) == 2


def test_without_a_webhook_alerts_go_to_the_file(
    instance: dg.DagsterInstance, tick: Ticks, alerts_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ECOM_WEBHOOK")
    run_broken(instance)

    tick()

    assert len(alerts_file.read_text().splitlines()) == 1


def test_a_run_whose_process_is_gone_is_told_and_those_after_it(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook
) -> None:
    for words in ("the process of this run has ended", ""):
        run = create_run_for_test(instance, job_name="pipeline", status=dg.DagsterRunStatus.STARTED)
        instance.report_engine_event("worker 7 was lost", run)
        instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.RUN_FAILURE.value, "pipeline", message=words), run.run_id
        )
    run_broken(instance)

    tick()

    texts = [message["text"].partition("failed: ")[2] for message in webhook.messages]
    assert texts == ["the process of this run has ended", "worker 7 was lost", "the disk is full"]


def test_a_message_that_the_webhook_refuses_keeps_no_other_waiting(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook
) -> None:
    run_broken(instance)
    webhook.refused = [400]
    tick()
    run_broken(instance)
    tick()

    assert "The webhook rejected this alert (HTTP Error 400" in webhook.messages[0]["text"]
    assert "the disk is full" in webhook.messages[1]["text"]


def test_the_webhook_is_told_though_the_file_cannot_be_written(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook, alerts_file: Path
) -> None:
    alerts_file.parent.write_text("no folder")
    run_broken(instance)

    assert "The file cannot be reached and will be retried" in tick()
    assert "the disk is full" in webhook.messages[0]["text"]

    alerts_file.parent.unlink()
    tick()
    assert len(alerts_file.read_text().splitlines()) == len(webhook.messages) == 1


def test_a_tick_that_has_no_more_time_leaves_the_rest_to_the_next(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_broken(instance)
    monkeypatch.setattr(alerts, "MAX_SECONDS_PER_TICK", -1.0)
    tick()
    assert webhook.messages == []

    monkeypatch.setattr(alerts, "MAX_SECONDS_PER_TICK", 25.0)
    tick()
    assert len(webhook.messages) == 1


# -- what is news -----------------------------------------------------------------------------------

WARNED = verdict("silver.orders", "2024-01-02", "expectations", rows=2)
WELL = verdict("silver.orders", "2024-01-02", "expectations", passed=True)
REFUSED = verdict("gold.sales", "2024-01-02", rows=2)
BLOCKED = verdict("gold.sales", "2024-01-02")


@pytest.mark.parametrize("stands", [WARNED, REFUSED, BLOCKED, replace(WARNED, partition=None)])
def test_what_fails_as_it_did_before_is_not_told_again(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook, stands: dg.AssetCheckEvaluation
) -> None:
    for _ in range(3):
        run_of(instance, stands)
        tick()

    assert len(webhook.messages) == 1


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (verdict("silver.orders", "2024-01-02", "expectations", rows=3), WARNED),
        (replace(WARNED, metadata={"missed": dg.MetadataValue.json({"another rule": 2})}), WARNED),
        (replace(WARNED, severity=dg.AssetCheckSeverity.ERROR), WARNED),
        (verdict("silver.orders", "2024-01-01", "expectations", rows=2), WARNED),
        (verdict("silver.payments", "2024-01-02", "expectations", rows=2), WARNED),
        (verdict("silver.orders", "2024-01-02", rows=2), WARNED),
        (BLOCKED, REFUSED),
        (REFUSED, BLOCKED),
    ],
)
def test_what_failed_otherwise_or_elsewhere_before_is_told(
    instance: dg.DagsterInstance,
    tick: Ticks,
    webhook: Webhook,
    before: dg.AssetCheckEvaluation,
    now: dg.AssetCheckEvaluation,
) -> None:
    run_of(instance, before)
    tick()
    webhook.messages.clear()

    run_of(instance, now)
    tick()

    assert len(webhook.messages) == 1


def test_what_got_well_and_fails_again_is_told_again(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook
) -> None:
    for found in (WARNED, WELL, WARNED, WARNED):
        run_of(instance, found)
    tick()

    assert len(webhook.messages) == 2


def test_of_a_check_only_the_days_are_told_that_are_news(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook
) -> None:
    run_of(instance, *(verdict("gold.takings", f"2024-01-0{day}", rows=2) for day in (1, 2, 3)))
    tick()
    run_of(instance, *(verdict("gold.takings", f"2024-01-0{day}", rows=2) for day in (2, 3, 4, 5)))
    tick()

    assert webhook.messages[1]["text"].splitlines()[1:] == [
        ":large_orange_circle: gold/takings: contract failed on 2024-01-04..2024-01-05",
        f"    • 4 x {RULE}",
    ]


def test_a_failure_that_still_waits_for_the_webhook_is_told_though_it_stands_in_the_next_run_too(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook, alerts_file: Path
) -> None:
    webhook.status = 503
    for _ in range(2):
        run_of(instance, WARNED)
        assert "retried" in tick()
    webhook.status = 200
    tick()
    tick()

    assert len(webhook.messages) == 1
    assert len(alerts_file.read_text().splitlines()) == 1


def test_runs_count_in_the_order_in_which_they_judged_not_in_which_they_were_planned(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook
) -> None:
    overtaken = begun(instance)
    planned = AssetCheckEvaluationPlanned(asset_key=WARNED.asset_key, check_name=WARNED.check_name)
    overtaken(dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, planned)
    run_of(instance, replace(WELL, partition=None))
    end(overtaken, replace(WARNED, partition=None))
    run_of(instance, replace(WARNED, partition=None))
    tick()

    assert len(webhook.messages) == 1


@pytest.mark.slow
def test_a_day_that_a_repair_finds_as_it_was_is_not_told_again(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook
) -> None:
    zone = Zone(settings.load().landing)
    window = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-02"}
    for file, tags in (("till.csv", {}), ("twin.csv", {REPAIR_TAG: "true"})):
        for day, amount in (("2024-01-01", "10"), ("2024-01-02", "-10")):
            line = f"r{day},{day}T09:00:00Z,{amount}"
            zone.write("receipts", dt.date.fromisoformat(day), file, f"receipt_id,paid_at,amount\n{line}\n".encode())
        dg.materialize(
            till.ASSETS, instance=instance, resources={"warehouse": till.TillWarehouse()}, tags={**window, **tags}
        )
        tick()

    assert len(webhook.messages) == 1
    assert "gold/takings: contract failed on 2024-01-02" in webhook.messages[0]["text"]
