"""Sensors: runs for new files and stale days. They read the landing zone and the snapshot, never the warehouse."""

import hashlib
from collections.abc import Sequence

import dagster as dg

from ecom_assets import settings
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration._dagster import REPAIR_TAG
from ecom_assets.orchestration.alerts import report_failures
from ecom_assets.orchestration.assets import asset_keys
from ecom_assets.orchestration.jobs import pipeline
from ecom_assets.orchestration.monitoring import write_monitoring_report
from ecom_assets.serving.ledger import LedgerState, ledger_state
from ecom_assets.settings import Settings
from ecom_assets.warehouse.ledger.arrivals import unread
from ecom_assets.warehouse.ledger.records import TableDay
from ecom_assets.warehouse.repair import plan, runnable
from ecom_assets.warehouse.store import made_of

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def sensors(loaded: Settings, tables: Catalog) -> list[dg.SensorDefinition]:
    """Returns all sensors. They request only days of the calendar with which the definitions were loaded."""

    @dg.sensor(job=pipeline, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
    def run_new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Runs the arrival days whose files are new or changed, and all that follows from them."""
        known, days = settings.load(), loaded.past_days()
        if days is None:
            return dg.SensorResult(skip_reason="No day of the calendar is over.")
        ledger = ledger_state(known.snapshot)
        bronze = [declaration.name for declaration in tables if declaration.is_bronze]
        found = unread(Zone(known.landing), bronze, ledger.fingerprints, days, happened=ledger.event_days)
        return _ask(context, tables, ledger, days, found)

    @dg.sensor(job=pipeline, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
    def run_stale_days(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Runs the table-days whose inputs or code have changed: late rows, corrections, new versions of a table.

        The snapshot does not know new code or settings yet. A run of the newest day finds what is stale because of
        them.
        """
        known, days = settings.load(), loaded.past_days()
        ledger = ledger_state(known.snapshot)
        found = [TableDay(table, day) for table, day in ledger.stale if table in tables]
        made = made_of(known.time_zone, known.calendar, known.strict, Zone(known.landing), known.currency)
        if ledger.good and ledger.made_of != made:
            newest = max(day for _, day in ledger.good)
            found += [TableDay(table, newest) for table in tables.names]
        return _ask(context, tables, ledger, days, runnable(found, days))

    return [run_new_files, run_stale_days, report_failures, write_monitoring_report]


def _ask(
    context: dg.SensorEvaluationContext,
    tables: Catalog,
    ledger: LedgerState,
    days: Window | None,
    found: Sequence[TableDay],
) -> dg.SensorResult:
    """Returns the request of a repair, unless a run is in progress or it was requested since the last write.

    The latter avoids endless runs that write nothing. The cursor is the number of the round and a digest of what it
    requested.
    """
    round_before, _, asked_before = (context.cursor or "0 ").partition(" ")
    if not found:
        return dg.SensorResult(skip_reason="Everything is up to date.", cursor=f"{round_before} ")
    if context.instance.get_runs_count(dg.RunsFilter(statuses=_UNFINISHED)):
        return dg.SensorResult(skip_reason="A run is in progress; what it leaves stale is requested afterwards.")
    asked = hashlib.blake2b(repr((sorted(found), ledger.written_at)).encode(), digest_size=16).hexdigest()
    if asked == asked_before:
        return dg.SensorResult(
            skip_reason=f"{len(found)} table-days were requested, but nothing was written. Fix what stopped the "
            "run, then: ecom run --stale"
        )
    this_round = int(round_before) + 1
    recorded = runnable((TableDay(table, day) for table, day in ledger.fingerprints), days)
    repair = plan(found, tables, (known.day for known in recorded))
    request = dg.RunRequest(
        run_key=f"{this_round}:{asked}",  # with the digest: a reset cursor starts the rounds again
        asset_selection=asset_keys(tables[table] for table in sorted(repair.tables)),
        tags={
            "dagster/asset_partition_range_start": str(repair.window.first),
            "dagster/asset_partition_range_end": str(repair.window.last),
            REPAIR_TAG: repair.reason,
        },
    )
    return dg.SensorResult([request], cursor=f"{this_round} {asked}")
