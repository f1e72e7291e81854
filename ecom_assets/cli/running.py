"""Runs started from the command line: the same jobs in this process, recorded where the UI sees them."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

import dagster as dg

from ecom_assets import catalog, settings
from ecom_assets.cli.terminal import TERMINAL
from ecom_assets.days import Window
from ecom_assets.definitions import build
from ecom_assets.errors import UserError
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration._dagster import REPAIR_TAG
from ecom_assets.orchestration.about_runs import PROCESS_TAG, REASON_TAG, end_lost_runs, this_process
from ecom_assets.orchestration.alerts import mistakes
from ecom_assets.orchestration.assets import asset_keys, partitions_of
from ecom_assets.orchestration.jobs import RETRY_LOST_RUNS, data_quality, pipeline, selected
from ecom_assets.orchestration.quality_assets import PROFILES, quality_assets
from ecom_assets.publishing.snapshot import is_behind, publish
from ecom_assets.sources.synthetic import load_shop
from ecom_assets.warehouse.ledger.records import TableDay, bad_days_of, table_days
from ecom_assets.warehouse.opening import open_session
from ecom_assets.warehouse.repair import RepairStuck, plan, runnable

_log = logging.getLogger(__name__)
_LOGS: dict[str, object] = {"loggers": {"console": {}}}


class NothingSelected(UserError):
    """A selection without assets."""


class OutsideCalendar(UserError):
    """Days that the calendar does not have, or not yet."""


class NothingLanded(UserError):
    """No file and no shop to make tables of."""


class RunBroken(UserError):
    """A run that ended before it could judge its days."""


@dg.logger({}, description="One line per message, without Dagster's events.")
def terminal(context: dg.InitLoggerContext) -> logging.Logger:
    """Takes the place of Dagster's console logger in runs of the command line."""
    logger = logging.Logger("ecom")
    logger.addHandler(TERMINAL)
    return logger


def everything() -> dg.JobDefinition:
    """Returns the job of all assets for the command line."""
    return _for_the_terminal(pipeline.name)


def quality() -> dg.JobDefinition:
    """Returns the job of the quality assets for the command line."""
    return _for_the_terminal(data_quality.name)


def _for_the_terminal(job: str) -> dg.JobDefinition:
    return build(settings.load()).resolve_job_def(job).with_logger_defs({"console": terminal})


def judge_quality(on: dg.DagsterInstance) -> None:
    """Runs the quality assets, which show in the UI how good the published tables are; not profiles, which take long.

    An error of theirs ends their run, not this process.
    """
    assets = sorted({key for asset in quality_assets(catalog.tables()) for key in asset.keys} - {PROFILES})
    tags = {PROCESS_TAG: this_process(), REASON_TAG: "ecom demo"}
    with dg.execute_job(
        dg.reconstructable(quality), on, run_config=_LOGS, tags=tags, asset_selection=assets, raise_on_error=False
    ):
        pass


def run(window: Window, selection: str | None = None, *, on: dg.DagsterInstance) -> bool:
    """Runs assets over a window, in this process. Returns whether every day of it is good.

    `selection` is in Dagster's syntax: `silver/orders`, `group:gold`, `+kpi/daily_sales` (with all that it is made of),
    `1+kpi/daily_sales` (with what it reads), several with commas between; None is everything.
    Raises NothingSelected, OutsideCalendar, NothingLanded, RunBroken.
    """
    layer = everything().asset_layer
    assets = frozenset(layer.executable_asset_keys)
    if selection is not None:
        try:
            assets &= selected(selection).resolve(layer.asset_graph)
        except dg.DagsterError:
            assets = frozenset()
    if not assets:
        raise NothingSelected(
            f"“{selection}” selects no partitioned asset. Write it like silver/orders, group:gold or +kpi/daily_sales."
        )
    known = settings.load()
    days = partitions_of(known.calendar, known.time_zone)
    if not (days.has_partition_key(str(window.first)) and days.has_partition_key(str(window.last))):
        first, last = days.get_first_partition_key(), days.get_last_partition_key()
        there_are = f"those are {first}..{last}" if first else "none is over yet"
        raise OutsideCalendar(f"{window} is not within the days of the calendar that are over; {there_are}.")
    _refuse_nothing_landed()
    words = f"ecom run {window}" + (f" --select {selection}" if selection else "")
    ran = _execute(assets, window, on, **{REASON_TAG: words})
    _refuse_mistakes(ran.mistakes)
    return ran.is_good


def _refuse_nothing_landed() -> None:
    """Raise NothingLanded if nothing was ever read, nothing is there to be read, and no shop lands something."""
    known = settings.load()
    if not (known.snapshot.exists() or Zone(known.landing).feeds() or load_shop(known.landing)):
        raise NothingLanded(
            f"Nothing has landed in {known.landing}. Use ecom land for your exports, ecom demo for a synthetic shop."
        )


def _refuse_mistakes(found: Mapping[str, str]) -> None:
    """Raise RunBroken if the code of tables could not run."""
    if found:
        raise RunBroken(f"{' '.join(found.values())} All else is published. Correct the code, then: ecom run --stale")


class Ran(NamedTuple):
    """A run that has ended, and whether every day that it ran is good."""

    run_id: str
    is_good: bool
    mistakes: Mapping[str, str]
    """By table, what is wrong with the code of those that could not run."""


def _execute(keys: frozenset[dg.AssetKey], window: Window, on: dg.DagsterInstance, **more_tags: str) -> Ran:
    """Runs assets over a window. Raises RunBroken."""
    end_lost_runs(on)
    _log.debug(
        "Running %s assets over %s%s.", len(keys), window, ", stale days only" if REPAIR_TAG in more_tags else ""
    )
    tags = {
        **RETRY_LOST_RUNS,
        "dagster/asset_partition_range_start": str(window.first),
        "dagster/asset_partition_range_end": str(window.last),
        PROCESS_TAG: this_process(),
        **more_tags,
    }
    with dg.execute_job(
        dg.reconstructable(everything),
        on,
        run_config=_LOGS,
        tags=tags,
        asset_selection=sorted(keys),
        raise_on_error=False,
    ) as result:
        for event in result.filter_events(lambda event: event.event_type is dg.DagsterEventType.RUN_CANCELED):
            raise KeyboardInterrupt(f"{_canceled_at(event)} and published; ecom run --stale goes on from there")
        for event in result.all_events:
            if broken := _breakage(event):
                raise RunBroken(f"{broken} The traceback is in the log of run {result.run_id}: make ui.")
        return Ran(result.run_id, result.success, mistakes(result.get_asset_check_evaluations()))


def _breakage(event: dg.DagsterEvent) -> str | None:
    """Returns what stopped a step or the run; None for other events, and if it was the verdict on a table-day."""
    if event.is_step_failure:
        failure = event.step_failure_data
        error = None if failure.user_failure_data else failure.error
        where = event.asset_key.to_user_string() if event.asset_key else str(event.step_key).replace("__", ".")
    elif event.event_type is dg.DagsterEventType.RUN_FAILURE:
        error, where = event.job_failure_data.error, "The run"
    else:
        return None
    if error is None:
        return None
    error = error.cause or error
    if error.cls_name == dg.Failure.__name__:
        return None
    return f"{where} stopped: {(_text_of(error.message) or str(error.cls_name)).rstrip('.')}."


def _canceled_at(event: dg.DagsterEvent) -> str:
    """Returns how far the executor says that a run came that it has ended."""
    error = event.job_canceled_data.error
    return _text_of(error.message) if error else "some steps are done"


def _text_of(message: str) -> str:
    """Returns the first line of an error's message, without its class."""
    return message.strip().partition(": ")[2].partition("\n")[0]


def run_stale(on: dg.DagsterInstance) -> bool:
    """Repair until nothing is stale. Returns whether all days run are good in the end.

    Raises NothingLanded, RepairStuck; RunBroken if nothing is stale but tables whose code could not run.
    """
    _refuse_nothing_landed()
    known, tables = settings.load(), catalog.tables()
    last, runs, broken = None, set[str](), dict[str, str]()
    while True:
        with open_session(known, tables) as session:
            stale = [found for found in runnable(session.stale(), known.past_days()) if found.table not in broken]
            if not stale:
                if is_behind(session, known.snapshot):
                    publish(session, known.snapshot)
                _refuse_mistakes(broken)
                return not bad_days_of(session.con, runs)
            recorded = runnable((TableDay(table, day) for table, day in table_days(session.con)), known.past_days())
        if stale == last:
            raise RepairStuck(stale[0])
        last = stale
        repair = plan(stale, tables, (found.day for found in recorded))
        keys = frozenset(asset_keys(map(tables.__getitem__, repair.tables)))
        why = {REPAIR_TAG: repair.reason, REASON_TAG: f"ecom run --stale: {repair.reason}"}
        ran = _execute(keys, repair.window, on, **why)
        runs.add(ran.run_id)
        broken |= ran.mistakes
