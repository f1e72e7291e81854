"""The relay of changed verdicts from the warehouse to the store of alerts, which can be read during a run.

A change is written with its table-day. It is relayed after that transaction, and again whenever a session opens or
ends: by number, so that none is left out, and by id, so that none is there twice.
"""

import datetime as dt
import logging
import re
import sqlite3
from pathlib import Path

from ecom_assets.alerting.events import Event, Key, Kind, Severity
from ecom_assets.alerting.store import AlertStore, open_store
from ecom_assets.days import State
from ecom_assets.warehouse.ledger import verdicts
from ecom_assets.warehouse.ledger.records import states
from ecom_assets.warehouse.ledger.verdicts import CONTRACT, Change
from ecom_assets.warehouse.store import Store

_BLOCKED_BY = re.compile(r"(\S+) (?:is (?:failed|blocked) on|has not run for) ")
_log = logging.getLogger(__name__)


class Relay:
    """Relays what a session changes; what cannot be relayed now is relayed when the next session opens."""

    def __init__(self, session: Store, path: Path) -> None:
        self._session, self._path = session, path
        self._outbox = verdicts.outbox_id(session.con)

    def now(self, is_over: bool) -> None:
        """Relays all changes that are not relayed yet. `is_over` says that no run is writing any longer.

        An alert waits for that, so that one message tells what has one cause.
        """
        if not verdicts.last_change(self._session.con) and not self._path.exists():
            return
        try:
            with open_store(self._path) as store:
                self._relay(store, is_over)
        except (sqlite3.Error, OSError) as error:
            _log.warning("Alerts wait for the next run: %s cannot be written: %s", self._path, error)

    def _relay(self, store: AlertStore, is_over: bool) -> None:
        con, now = self._session.con, dt.datetime.now(dt.UTC)
        number = store.last_number(self._outbox)
        if changes := verdicts.changes_after(con, number):
            events = [event_of(change, self._outbox, self._waits(change)) for change in changes]
            store.add(events, now, self._outbox, changes[0].number, held=not is_over)
        if is_over:
            self._end_what_no_change_ends(store, now)
            store.release()

    def _waits(self, change: Change) -> bool:
        """Returns whether nothing is amiss but rows that wait for rows to which they refer."""
        if not change.fault or change.check == CONTRACT or change.table not in self._session.catalog:
            return False
        references = self._session.catalog[change.table].contract.references
        return change.fault.rules.keys() <= {column.missing_reference.sentence for column in references}

    def _end_what_no_change_ends(self, store: AlertStore, now: dt.datetime) -> None:
        """Ends alerts of tables that are gone, and of an earlier warehouse whose day is good in this one."""
        firing = [event for event in store.failing() if event.key.day and event.key.check in verdicts.CHECKS]
        old = [event for event in firing if event.id.rpartition("-")[0] != self._outbox]
        gone = {event.key: event for event in firing if event.key.table not in self._session.catalog}
        if old:
            known = states(self._session.con, {event.key.table for event in old}, self._session.calendar)
            faults = verdicts.faults(self._session.con)
            for event in old:
                judged = event.key.table, event.key.day, event.key.check
                if judged[:2] in known and judged not in faults:
                    gone[event.key] = event
        ends = [Event(f"{event.id}:over", now, key, None) for key, event in gone.items()]
        store.add(ends, now)


def event_of(change: Change, outbox: str, waits: bool) -> Event:
    """Returns a change as an event. Its id is made of its number, which never changes."""
    fault = change.fault
    key = Key(change.check, change.table, change.day)
    id, at = f"{outbox}-{change.number}", change.changed_at.replace(tzinfo=dt.UTC)
    if fault is None:
        return Event(id, at, key, None, run_id=change.run_id)
    kind = Kind.MISSED if change.check != CONTRACT else Kind.FAILED
    blocked_by = ""
    if kind is Kind.FAILED and fault.state == State.BLOCKED:
        kind, found = Kind.BLOCKED, _BLOCKED_BY.match(fault.note)
        blocked_by = found[1] if found else ""
    severity = {Kind.FAILED: Severity.CRITICAL, Kind.BLOCKED: Severity.ERROR, Kind.MISSED: Severity.WARNING}[kind]
    return Event(
        *(id, at, key, severity, kind, fault.note, fault.rules, change.samples, change.upstream),
        blocked_by=blocked_by,
        run_id=change.run_id,
        waits=waits,
    )
