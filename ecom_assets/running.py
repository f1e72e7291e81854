"""Runs started from the command line: the same jobs in this process, recorded where the UI sees them."""

import os
from collections.abc import Iterable

import dagster as dg

from ecom_assets import catalog, settings
from ecom_assets.automation.jobs import RETRY_LOST_RUNS, pipeline
from ecom_assets.days import Window
from ecom_assets.definitions import defs
from ecom_assets.errors import UserError
from ecom_assets.repair import Repair, plan
from ecom_assets.table_asset import asset_key
from ecom_assets.warehouse import REPAIR_TAG, open_session

PROCESS_TAG = "ecom/process"
_LOGS = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}


class NothingSelected(UserError):
    """A selection of assets that names none."""


class RepairStuck(UserError):
    """A repair that changes nothing of what is stale."""


def everything() -> dg.JobDefinition:
    """The job of all assets."""
    return defs.resolve_job_def(pipeline.name)


def instance() -> dg.DagsterInstance:
    """The project's Dagster instance, wherever the command was started. Changes into the project's folder."""
    os.chdir(settings.PROJECT)
    os.environ.setdefault("DAGSTER_HOME", str(settings.PROJECT))
    return dg.DagsterInstance.get()


def run(window: Window, selection: str | None = None, *, on: dg.DagsterInstance) -> bool:
    """Run assets over a window, in this process. Gives whether every day of it is good.

    `selection` is in Dagster's syntax: `silver/orders`, `group:gold`, `+kpi/daily_sales`; None is everything.
    Raises NothingSelected.
    """
    layer = everything().asset_layer
    assets = frozenset(layer.executable_asset_keys)
    if selection is not None:
        try:
            assets &= dg.AssetSelection.from_string(selection).resolve(layer.asset_graph)
        except dg.DagsterError as error:
            raise NothingSelected(f"“{selection}” selects nothing: {error}") from error
    if not assets:
        raise NothingSelected(f"“{selection}” selects no asset. `dg list defs` shows what there is.")
    return _execute(assets, window, on, repair=False)


def _execute(keys: frozenset[dg.AssetKey], window: Window, on: dg.DagsterInstance, *, repair: bool) -> bool:
    _end_lost_runs(on)
    tags = {
        **RETRY_LOST_RUNS,
        "dagster/asset_partition_range_start": str(window.first),
        "dagster/asset_partition_range_end": str(window.last),
        PROCESS_TAG: str(os.getpid()),
    }
    if repair:
        tags[REPAIR_TAG] = "true"
    with dg.execute_job(
        dg.reconstructable(everything),
        on,
        run_config=_LOGS,
        tags=tags,
        asset_selection=sorted(keys),
        raise_on_error=False,
    ) as result:
        return result.success


def _end_lost_runs(on: dg.DagsterInstance) -> None:
    """Runs of the command line whose process is gone would hold the pool's slot for ever."""
    running = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    for lost in on.get_runs(running):
        process = lost.tags.get(PROCESS_TAG)
        if process and not _is_alive(int(process)):
            on.report_run_failed(lost, "The process of this run is gone; what it had committed is good.")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def stale_repairs() -> list[Repair]:
    """The runs that repair what is stale now; what follows from them shows once they have run."""
    with open_session(settings.load(), catalog.tables()) as session:
        return plan(session.stale(), session.catalog)


def run_stale(on: dg.DagsterInstance) -> bool:
    """Repair until nothing is stale. Gives whether all days run are good. Raises RepairStuck."""
    good, last = True, None
    while repairs := stale_repairs():
        if repairs == last:
            raise RepairStuck(f"{repairs[0].window} of {', '.join(sorted(repairs[0].tables))} stays stale after a run.")
        last = repairs
        for repair in repairs:
            good &= _execute(_keys(repair.tables), repair.window, on, repair=True)
    return good


def _keys(tables: Iterable[str]) -> frozenset[dg.AssetKey]:
    known = [catalog.tables()[table] for table in tables]
    return frozenset(
        [asset_key(d.name) for d in known] + [asset_key(d.quarantine) for d in known if d.from_feed],
    )
