"""A user's walk through the UI: web server and daemon as `ecom ui` starts them, asked as the pages ask them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from ecom_assets import settings
from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import land_shop
from ecom_assets_tests.orchestration.test_daemon import TINY, runs_when_done
from ecom_assets_tests.orchestration.test_daemon import TWO_DAYS as DAYS

pytestmark = pytest.mark.long
SALES = ["silver/orders", "quarantine/orders", "gold/fact_sales"]
MAX_SECONDS = 900
BACKFILL = """mutation($p: LaunchBackfillParams!) {
    launchPartitionBackfill(backfillParams: $p) {__typename ... on LaunchBackfillSuccess {backfillId}}}"""
BACKFILL_STATUS = "query($id: String!) {partitionBackfillOrError(backfillId: $id) {... on PartitionBackfill {status}}}"
RUNS = """query($f: RunsFilter!) {runsOrError(filter: $f) {... on Runs {results {
    runId status startTime endTime stepKeysToExecute tags {key value} repositoryOrigin {repositoryLocationName}}}}}"""
STATES = """query($k: AssetKeyInput!) {assetNodeOrError(assetKey: $k) {... on AssetNode {
    assetPartitionStatuses {... on TimePartitionStatuses {ranges {startKey endKey status}}}}}}"""
PARTITIONS = "query($k: AssetKeyInput!) {assetNodeOrError(assetKey: $k) {... on AssetNode {partitionKeys}}}"
CHECK = """query($k: AssetKeyInput!) {assetNodeOrError(assetKey: $k) {... on AssetNode {
    assetChecksOrError {... on AssetChecks {checks {
        name blocking executionForLatestMaterialization {status evaluation {description}}}}}}}}"""
LAUNCH = "mutation($p: ExecutionParams!) {launchPipelineExecution(executionParams: $p) {__typename}}"
TERMINATE = "mutation($id: String!) {terminateRun(runId: $id) {__typename}}"


class Ui:
    """Dagster's web server, asked with GraphQL."""

    def __init__(self, port: int, process: "subprocess.Popen[str]") -> None:
        self.port, self._process = port, process

    def asked(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        assert "errors" not in found, found["errors"]
        [data] = found["data"].values()
        return dict(data)

    def until(self, is_so: Callable[[], Any]) -> Any:
        """Waits until something is so, and returns it."""
        for _ in range(MAX_SECONDS):
            with suppress(OSError):
                if found := is_so():
                    return found
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=1)
                pytest.fail("ecom ui has ended.")
        pytest.fail(f"Not so after {MAX_SECONDS} seconds.")

    def backfill(self, assets: Iterable[str], days: Iterable[object]) -> dict[str, Any]:
        keys = [{"path": asset.split("/")} for asset in assets]
        return self.asked(BACKFILL, p={"assetSelection": keys, "partitionNames": [*map(str, days)]})

    def is_completed(self, backfill: str) -> bool:
        return str(self.asked(BACKFILL_STATUS, id=backfill)["status"]).startswith("COMPLETED")

    def runs(self, **of: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.asked(RUNS, f=of)["results"]
        for run in found:
            run["tags"] = {tag["key"]: tag["value"] for tag in run["tags"]}
        return found

    def runs_of(self, backfill: str) -> list[dict[str, Any]]:
        return self.runs(tags=[{"key": "dagster/backfill", "value": backfill}])

    def ended(self, run_id: str) -> dict[str, Any] | None:
        [run] = self.runs(runIds=[run_id])
        return run if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

    def states(self, asset: str) -> dict[str, str]:
        """The status of each day that has one."""
        ranges = self.asked(STATES, k={"path": asset.split("/")})["assetPartitionStatuses"]["ranges"]
        return {
            str(day): part["status"] for part in ranges for day in Window.parse(f"{part['startKey']}..{part['endKey']}")
        }

    def check(self, asset: str, name: str = "contract") -> dict[str, Any]:
        checks = self.asked(CHECK, k={"path": asset.split("/")})["assetChecksOrError"]["checks"]
        return next(dict(check) for check in checks if check["name"] == name)


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ECOM_END", str(DAYS.last))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    shutil.copy(settings.PROJECT / "dagster.yaml", tmp_path)
    known = settings.load()
    land_shop(Zone(known.landing), Shop(DAYS.first, preset=TINY), DAYS)
    return known


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "ui.log"


@pytest.fixture
def ui(known: settings.Settings, log: Path) -> Iterator[Ui]:
    """The UI, once the sensors have run all that has landed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("ecom"), "ui", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(settings.PROJECT)}
    with (
        log.open("w") as said,
        subprocess.Popen(
            command, env=environment, stdout=said, stderr=said, text=True, start_new_session=True
        ) as process,
    ):
        try:
            found = Ui(port, process)
            found.until(lambda: runs_when_done(known.snapshot))
            found.until(lambda: not unfinished(found))
            yield found
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def unfinished(ui: Ui) -> list[dict[str, Any]]:
    return ui.runs(statuses=["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"])


def test_each_action_gives_what_its_user_expects(ui: Ui, known: settings.Settings, log: Path) -> None:
    made = dict.fromkeys(map(str, DAYS), "MATERIALIZED")
    assert ui.states("kpi/daily_sales") == made

    # A part of the days, of a part of the assets.
    part = ui.backfill(SALES, [DAYS.first])["backfillId"]
    ui.until(lambda: ui.is_completed(part))
    [run] = ui.runs_of(part)
    assert (run["status"], run["tags"]["ecom/days"]) == ("SUCCESS", "2024-01-01")
    assert (run["tags"]["ecom/tables"], run["tags"]["ecom/reason"]) == ("2", f"backfill {part}")
    assert run["repositoryOrigin"]["repositoryLocationName"] == "ecom_assets"

    # A day that is not over is not offered, and refused.
    assert ui.asked(PARTITIONS, k={"path": ["silver", "orders"]})["partitionKeys"] == [*made]
    with pytest.raises(HTTPError):
        ui.backfill(SALES, ["2024-01-03"])

    # Two at once take their turns.
    both = [ui.backfill(SALES, DAYS)["backfillId"] for _ in range(2)]
    ui.until(lambda: all(map(ui.is_completed, both)))
    first, second = sorted((run for one in both for run in ui.runs_of(one)), key=lambda run: float(run["startTime"]))
    assert (first["status"], second["status"]) == ("SUCCESS", "SUCCESS")
    assert first["endTime"] <= second["startTime"]

    # A check alone, as "Execute" starts it.
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "ecom_assets",
        "pipelineName": "__ASSET_JOB",
        "assetSelection": [],
        "assetCheckSelection": [{"assetKey": {"path": ["gold", "fact_sales"]}, "name": "contract"}],
    }
    launched = ui.asked(LAUNCH, p={"mode": "default", "runConfigData": "{}", "selector": selector})
    assert launched["__typename"] == "LaunchRunSuccess"
    ui.until(lambda: not unfinished(ui))
    check = ui.check("gold/fact_sales")
    assert check["blocking"]

    # A run that is canceled ends as canceled, and nobody is alerted.
    alerts = known.alerts.read_text() if known.alerts.exists() else ""
    backfill = ui.backfill(["silver/orders", "quarantine/orders", "gold/fact_sales", "gold/agg_daily_sales"], DAYS)
    [running] = ui.until(lambda: [run for run in ui.runs_of(backfill["backfillId"]) if run["status"] == "STARTED"])
    ui.asked(TERMINATE, id=running["runId"])
    canceled = ui.until(lambda: ui.ended(running["runId"]))
    assert canceled["status"] in ("CANCELED", "SUCCESS")  # it may have been done
    ui.until(lambda: runs_when_done(known.snapshot))
    ui.until(lambda: not unfinished(ui))
    assert (known.alerts.read_text() if known.alerts.exists() else "") == alerts

    # All that while, the terminal has shown what tables were written, and what is wrong, and nothing else.
    lines = [line for line in log.read_text().splitlines() if " - INFO - " not in line]
    assert lines[0].startswith("Dagster is on http://127.0.0.1:")
    assert not [line for line in lines if "Supersession" in line or "Deprecation" in line or "No cursor" in line]
