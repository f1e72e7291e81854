"""A run that is canceled within a query ends at once, as canceled."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import Any

import dagster as dg
import pytest

from ecom_assets import settings
from ecom_assets.orchestration.alerts import report_failures
from ecom_assets_tests.orchestration.test_partition_states import FIVE_DAYS, five_days_landed, retrying_instance

MAX_SECONDS = 60
A_RUN = """
import sys
import dagster as dg, narwhals as nw
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from ecom_assets.orchestration.assets import table_assets
from ecom_assets.declaration import Catalog
from ecom_assets.orchestration.executor import verdict_executor
from ecom_assets.orchestration.io_manager import Warehouse
from ecom_assets.table_asset import table_asset
from ecom_assets_tests.orchestration.test_partition_states import retrying_instance
from ecom_assets_tests.orchestration.till import DECLARATIONS, PARTITIONS, Report, Takings, report
from pathlib import Path

def total(silver_receipts):
    many = silver_receipts.select("paid_on")
    for _ in range(16):
        many = many.join(silver_receipts.select("amount"), how="cross").select("paid_on", amount=nw.col("amount") + 1)
    return many.group_by(nw.col("paid_on").alias("day")).agg(amount=nw.col("amount").max().cast(nw.Decimal(18, 4)))

tables = [*DECLARATIONS[:2], table_asset(Takings, total), table_asset(Report, report)]

class Telling(Warehouse):
    def tables(self):
        return Catalog(tables)

    def session(self, run_id):
        session = super().session(run_id)
        session.on_step = lambda step: print(step, flush=True)
        return session

defs = dg.Definitions(table_assets(tables, PARTITIONS), resources={"warehouse": Telling()}, executor=verdict_executor)
job = defs.resolve_implicit_global_asset_job_def()
with retrying_instance(Path(sys.argv[1])) as instance:
    days = {"dagster/asset_partition_range_start": sys.argv[2], "dagster/asset_partition_range_end": sys.argv[3]}
    run = instance.create_run_for_job(job, tags=days)
    print(run.run_id, flush=True)
    execute_run(InMemoryJob(job), run, instance)
"""


def steps(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    begun = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START)
    return [str(entry.step_key) for entry in begun]


@pytest.mark.slow
def test_a_run_that_is_canceled_within_a_query_is_canceled_and_not_an_alert(tmp_path: Path) -> None:
    home, script = tmp_path / "dagster", tmp_path / "a_run.py"
    script.write_text(A_RUN)
    with five_days_landed(tmp_path), retrying_instance(home) as instance:
        words = [sys.executable, script, home, str(FIVE_DAYS.first), str(FIVE_DAYS.last)]
        environment = {**os.environ, "PYTHONPATH": str(settings.PROJECT)}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(words, env=environment, **pipes) as process:
            assert process.stdout
            run_id = process.stdout.readline().strip()
            for step in process.stdout:
                if step == "before delete\n":  # of gold: its rows are inserted next
                    break
            [run] = instance.get_runs()
            instance.report_run_canceling(run)
            process.send_signal(signal.SIGINT)
            in_vain = Timer(MAX_SECONDS, process.kill)
            in_vain.start()
            process.communicate()
            in_vain.cancel()

        assert steps(instance, run_id)[-1] == "gold__takings"
        [ended] = instance.get_runs()
        assert ended.status is dg.DagsterRunStatus.CANCELED
        report_failures.evaluate_tick(dg.build_sensor_context(instance))
        assert not settings.load().alerts.exists()
