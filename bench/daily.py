"""Runs of Dagster in one process: the platform's, those of no-op assets, and those that only report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import dagster as dg
import duckdb

from bench.child import spending
from bench.parts import Parts
from ecom_assets import catalog, settings, table_asset
from ecom_assets.cli import running
from ecom_assets.days import State, Window
from ecom_assets.declaration import Declaration
from ecom_assets.definitions import build
from ecom_assets.engine import compiling
from ecom_assets.engine.duckdb.tables import columns_of, ensure_table
from ecom_assets.orchestration._dagster import HeldOpenEventLogStorage
from ecom_assets.orchestration.assets import partitions_of, table_assets
from ecom_assets.orchestration.executor import verdict_executor
from ecom_assets.orchestration.home import in_dagster_home
from ecom_assets.orchestration.io_manager import Warehouse
from ecom_assets.orchestration.landing_assets import landing_asset
from ecom_assets.publishing import snapshot as publishing
from ecom_assets.settings import Settings
from ecom_assets.warehouse.ledger import staleness
from ecom_assets.warehouse.ledger.records import DayResult
from ecom_assets.warehouse.session import Session


def platform(home: Path, days: str) -> dict[str, Any]:
    """Runs everything. Returns the time in total, and for compiling SQL, for each table and for the snapshot."""
    parts: dict[str, float] = {"compile": 0.0, "frames": 0.0, "publish": 0.0}
    tables: dict[str, float] = {}
    watched = [
        (compiling, "compiled", lambda args: (parts, "compile")),
        (staleness, "compiled", lambda args: (parts, "compile")),
        (Session, "frame", lambda args: (parts, "frames")),
        (publishing, "publish", lambda args: (parts, "publish")),
        (Session, "write", lambda args: (tables, args[1].name)),
    ]
    with dg.DagsterInstance.get() as instance, ExitStack() as stack:
        for owner, name, account in watched:
            stack.enter_context(_watched(owner, name, account))
        with spending() as spent:
            good = running.run(Window.parse(days), on=instance)
    if not good:
        raise RuntimeError(f"The run of {days} has failed or blocked days.")
    return {"wall": spent.wall, "cpu": spent.cpu, "parts": parts, "tables": tables}


PLANNING, LANDING, TABLES, EVENTS, PUBLISHING, REST = "planning", "landing", "tables", "events", "publishing", "rest"


def from_nothing(home: Path, days: str) -> dict[str, Any]:
    """Runs everything over a window in a new home, as `ecom run` does.

    Returns the time in total, the processor time of each part, the number of table-days, and the bytes of Dagster's
    store and of the warehouse. Planning is all until the first table is written, but for the imports before it.
    """
    window = Window.parse(days)
    settings.save(Settings(home / "data", window.first))
    parts = Parts("imports")
    parts.turn_to(PLANNING)

    def of_write(session: Session, declaration: Declaration, *rest: Any) -> str:
        if parts.is_at(PLANNING):
            parts.turn_to(REST)
        return LANDING if declaration.is_bronze else TABLES

    def of_event(*rest: Any) -> str | None:
        return None if parts.is_at(PLANNING) else EVENTS

    with ExitStack() as stack:
        stack.enter_context(parts.of(Session, "write", of_write))
        stack.enter_context(parts.of(publishing, "publish", lambda *_: PUBLISHING))
        stack.enter_context(parts.of(HeldOpenEventLogStorage, "store_event", of_event))
        with spending() as spent, in_dagster_home() as instance:
            good = running.run(window, on=instance)
    parts.stop()
    if not good:
        raise RuntimeError(f"The run of {days} has failed or blocked days.")
    known = settings.load()
    with duckdb.connect(known.warehouse, read_only=True) as con:
        (table_days,) = con.execute("select count(*) from ledger.days").fetchall()[0]
    return {
        "wall": spent.wall,
        "cpu": spent.cpu,
        "parts": parts.seconds,
        "table_days": table_days,
        "store": sum(file.stat().st_size for file in (known.data / "dagster").rglob("*") if file.is_file()),
        "warehouse": known.warehouse.stat().st_size,
    }


def no_ops(home: Path, days: str) -> dict[str, Any]:
    """Runs as many assets as the platform has, which do nothing."""
    return _run(_no_ops, days)


def events_only(home: Path, days: str) -> dict[str, Any]:
    """Runs the platform's own assets without reading, transforming or writing: what remains is Dagster's part.

    It records every event of a run of the platform: materializations, check results, row counts per day.
    """
    with mock.patch.object(table_asset, "transformed", return_value=None):
        return _run(_events_only, days)


def _run(job: Callable[[], dg.JobDefinition], days: str) -> dict[str, Any]:
    window = Window.parse(days)
    tags = {
        "dagster/asset_partition_range_start": str(window.first),
        "dagster/asset_partition_range_end": str(window.last),
    }
    logs = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}
    with (
        dg.DagsterInstance.get() as instance,
        spending() as spent,
        dg.execute_job(dg.reconstructable(job), instance, run_config=logs, tags=tags) as result,
    ):
        if not result.success:
            raise RuntimeError(f"The run of {days} failed.")
    return {"wall": spent.wall, "cpu": spent.cpu}


def _no_ops() -> dg.JobDefinition:
    keys = sorted(build(settings.load()).resolve_asset_graph().executable_asset_keys)
    assets = [_no_op(key) for key in keys]
    return _job_of(assets, dg.in_process_executor)


def _partitions() -> dg.DailyPartitionsDefinition:
    known = settings.load()
    return partitions_of(known.calendar, known.time_zone)


def _no_op(key: dg.AssetKey) -> dg.AssetsDefinition:
    @dg.asset(key=key, partitions_def=_partitions(), backfill_policy=dg.BackfillPolicy.single_run())
    def nothing() -> None:
        pass

    return nothing


def _events_only() -> dg.JobDefinition:
    return _job_of(
        [landing_asset(catalog.tables(), _partitions()), *table_assets(catalog.tables(), _partitions())],
        verdict_executor,
        warehouse=NothingStored(),
    )


def _job_of(
    assets: Sequence[dg.AssetsDefinition], executor: dg.ExecutorDefinition, **resources: Any
) -> dg.JobDefinition:
    everything = dg.define_asset_job("everything")
    return dg.Definitions(assets, jobs=[everything], resources=resources, executor=executor).resolve_job_def(
        "everything"
    )


class NothingStored(Warehouse):
    """A warehouse that reports every day as good without doing anything. Its metadata tables are empty."""

    def session(self, run_id: str) -> Any:
        return _session_without_rows()

    def days(self, context: dg.AssetExecutionContext) -> Any:
        return None

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        pass


@cache
def _session_without_rows() -> Any:
    con = duckdb.connect()
    for declaration in catalog.tables():
        ensure_table(con, declaration.name, columns_of(declaration))
    return SimpleNamespace(con=con, frame=lambda *_: None, write=_all_good)


def _all_good(declaration: Declaration, frame: None, window: Window) -> list[DayResult]:
    return [DayResult(day, State.STORED) for day in window]


@contextmanager
def _watched(
    owner: Any, name: str, account: Callable[[tuple[Any, ...]], tuple[dict[str, float], str]]
) -> Iterator[None]:
    """Adds the seconds of each call of a function to the entry that `account` returns for its arguments."""
    inner = getattr(owner, name)

    def timed(*args: Any, **named: Any) -> Any:
        with spending() as spent:
            result = inner(*args, **named)
        totals, of = account(args)
        totals[of] = totals.get(of, 0.0) + spent.wall
        return result

    with mock.patch.object(owner, name, timed):
        yield
