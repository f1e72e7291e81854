"""Sensors: runs for new files and stale days. They read the landing zone and the snapshot, never the warehouse."""

import datetime as dt
import hashlib
import json
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import dagster as dg

from ecom_assets import settings
from ecom_assets.alerting.events import REPAIR, Event, Key, Kind, Severity
from ecom_assets.alerting.store import open_store
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog
from ecom_assets.engine.compiling import made_of_files
from ecom_assets.landing.glance import Glances
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration._dagster import REPAIR_TAG
from ecom_assets.orchestration.about_runs import end_lost_runs
from ecom_assets.orchestration.alerts import report_failures
from ecom_assets.orchestration.assets import asset_keys
from ecom_assets.orchestration.automation import sensor
from ecom_assets.orchestration.jobs import UNFINISHED, pipeline
from ecom_assets.orchestration.monitoring import write_monitoring_report
from ecom_assets.orchestration.reconciling import reconciling_sensor
from ecom_assets.serving.ledger import LedgerState, ledger_state
from ecom_assets.settings import Settings
from ecom_assets.warehouse.ledger.arrivals import unread
from ecom_assets.warehouse.ledger.records import TableDay
from ecom_assets.warehouse.repair import plan, runnable
from ecom_assets.warehouse.store import made_of

FIRST_WAIT = dt.timedelta(minutes=1)
MAX_DOUBLINGS = 6
_log = logging.getLogger(__name__)


def sensors(loaded: Settings, tables: Catalog) -> list[dg.SensorDefinition]:
    """Returns all sensors. They request only days of the calendar with which the definitions were loaded."""

    files = _Unread(tables)

    @sensor(job=pipeline, minimum_interval_seconds=5)
    def run_new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Runs the arrival days whose files are new or changed, and all that follows from them."""
        known, days = settings.load(), loaded.past_days()
        if days is None:
            return dg.SensorResult(skip_reason="No day of the calendar is over.")
        ledger = ledger_state(known.snapshot)
        return _ask(run_new_files.name, context, tables, ledger, days, files.found(known.landing, ledger, days))

    @sensor(job=pipeline, minimum_interval_seconds=30)
    def run_stale_days(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Runs the table-days whose inputs or code have changed: late rows, corrections, new versions of a table.

        The snapshot does not know new code or settings yet. A run of the newest day finds what is stale because of
        them.
        """
        known, days = settings.load(), loaded.past_days()
        ledger = ledger_state(known.snapshot)
        found = [TableDay(table, day) for table, day in ledger.stale if table in tables]
        zone, code = Zone(known.landing), made_of_files()
        made = made_of(known.time_zone, known.calendar, known.strict, zone, known.currency, code)
        if ledger.good and ledger.made_of != made:
            newest = max(day for _, day in ledger.good)
            found += [TableDay(table, newest) for table in tables.names]
        return _ask(run_stale_days.name, context, tables, ledger, days, runnable(found, days), made)

    return [
        run_new_files,
        run_stale_days,
        report_failures,
        write_monitoring_report,
        reconciling_sensor(loaded, tables),
    ]


class _Unread:
    """The arrival days whose files have not been read, found anew only if files or the ledger have changed."""

    def __init__(self, tables: Catalog) -> None:
        self._bronze = [declaration.name for declaration in tables if declaration.is_bronze]
        self._feeds = [*tables.feeds]
        self._glances = Glances()
        self._last: tuple[object, LedgerState, list[TableDay]] | None = None

    def found(self, landing: Path, ledger: LedgerState, days: Window) -> list[TableDay]:
        zone = Zone(landing)
        glance = self._glances.at(zone, self._feeds)
        version = glance and (landing, glance, zone.saved_settings(), days)
        if self._last and version and self._last[0] == version and self._last[1] is ledger:
            return self._last[2]
        found: list[TableDay] = [*unread(zone, self._bronze, ledger.fingerprints, days, happened=ledger.event_days)]
        self._last = version, ledger, found
        return found


class Asked(NamedTuple):
    """A sensor's cursor: the number of its last request, what it asked for, how often in a row, and when, in UTC."""

    round: int = 0
    digest: str = ""
    times: int = 0
    at: str = ""

    @classmethod
    def of(cls, cursor: str | None) -> "Asked":
        return cls(*json.loads(cursor)) if cursor and cursor.startswith("[") else cls()

    @property
    def next_at(self) -> dt.datetime:
        """Returns when to ask for the same again: after a minute, then each time after twice as long, up to an hour."""
        wait: dt.timedelta = FIRST_WAIT * 2 ** min(self.times - 1, MAX_DOUBLINGS)
        return dt.datetime.fromisoformat(self.at) + wait


def _ask(
    name: str,
    context: dg.SensorEvaluationContext,
    tables: Catalog,
    ledger: LedgerState,
    days: Window | None,
    found: Sequence[TableDay],
    made: str = "",
) -> dg.SensorResult:
    """Returns the request of a repair, unless a run is in progress.

    What has been requested since the last write, and since the last change of code and settings in `made`, is
    requested again after ever longer waits: its run may have failed for a passing reason. The second time it is an
    alert.
    """
    before = Asked.of(context.cursor)
    if not found:
        _tell_stuck(name, None, before)
        cursor = json.dumps(Asked(before.round))
        return dg.SensorResult(skip_reason="Everything is up to date.", cursor=cursor)
    end_lost_runs(context.instance)
    if context.instance.get_runs_count(dg.RunsFilter(statuses=[*UNFINISHED])):
        return dg.SensorResult(skip_reason="A run is in progress; what it leaves stale is requested afterwards.")
    now = dt.datetime.now(dt.UTC)
    wanted = repr((sorted(found), ledger.written_at, made))
    digest = hashlib.blake2b(wanted.encode(), digest_size=16).hexdigest()
    is_again = digest == before.digest
    if is_again and now < before.next_at:
        return dg.SensorResult(
            skip_reason=f"{len(found)} table-days were requested, but nothing was written. They are requested again at "
            f"{before.next_at:%H:%M} UTC. To repair them now, fix what stopped the run, then: ecom run --stale"
        )
    asked = Asked(before.round + 1, digest, before.times + 1 if is_again else 1, now.isoformat())
    first = min(found)
    stuck = f"{len(found)} table-days stay stale, {first.table} on {first.day} first: their runs wrote nothing"
    _tell_stuck(name, stuck if asked.times > 1 else None, before)
    recorded = runnable((TableDay(table, day) for table, day in ledger.fingerprints), days)
    repair = plan(found, tables, (known.day for known in recorded))
    request = dg.RunRequest(
        run_key=f"{asked.round}:{digest}",  # with the digest: a reset cursor starts the rounds again
        asset_selection=asset_keys(tables[table] for table in sorted(repair.tables)),
        tags={
            "dagster/asset_partition_range_start": str(repair.window.first),
            "dagster/asset_partition_range_end": str(repair.window.last),
            REPAIR_TAG: repair.reason,
        },
    )
    return dg.SensorResult([request], cursor=json.dumps(asked))


def _tell_stuck(sensor: str, note: str | None, before: Asked) -> None:
    """Adds an event if what a sensor asks for stays stale, and one once it no longer does."""
    if note is None and before.times < 2:
        return
    now = dt.datetime.now(dt.UTC)
    key, id = Key(REPAIR, sensor), f"{REPAIR}:{sensor}:{now.isoformat()}:{'over' if note is None else 'stuck'}"
    severity = None if note is None else Severity.ERROR
    try:
        with open_store(settings.load().alert_store) as store:
            store.add([Event(id, now, key, severity, Kind.PLATFORM, note or "")], now)
    except (sqlite3.Error, OSError):
        _log.warning("The store of alerts cannot be used.", exc_info=True)
