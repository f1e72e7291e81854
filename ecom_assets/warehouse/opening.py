"""Opening the warehouse: one process at a time; others wait."""

import datetime as dt
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from ecom_assets.declaration import Catalog
from ecom_assets.landing.zone import Zone
from ecom_assets.settings import Settings
from ecom_assets.sql import connect, is_locked_out, literal
from ecom_assets.warehouse.ledger.published import last_write
from ecom_assets.warehouse.relay import Relay
from ecom_assets.warehouse.session import Session

LOCK_WAIT_SECONDS = 2.0
"""Seconds of waiting before a message explains it."""

_log = logging.getLogger(__name__)


@contextmanager
def open_session(known: Settings, tables: Catalog, run_id: str = "") -> Iterator[Session]:
    """Opens a session on the warehouse file; waits while another process has it, with one message.

    The lock belongs to the operating system: a killed process leaves none behind. Raises FeedSettingsError if
    feeds.toml is invalid.
    """
    known.data.mkdir(parents=True, exist_ok=True)
    zone = Zone(known.landing)
    zone.check_settings(tables.feed_columns, tables.feed_keys, tables.set_by_rules, tables.feeds_of_members)
    with _acquire_lock(known), closing(_connect(known)) as con:
        session = Session(con, tables, zone, known.calendar, known.time_zone, known.strict, run_id, known.currency)
        session.now = _never_back(session.now, last_write(con))
        relay = Relay(session, known.alert_store)
        relay.now(is_over=True)
        session.on_changed_verdicts = partial(relay.now, is_over=False)
        try:
            yield session
        finally:
            relay.now(is_over=True)


def _never_back(now: Callable[[], dt.datetime], last: dt.datetime | None) -> Callable[[], dt.datetime]:
    """Returns a clock whose moments come after all that were written, also if this machine's clock was set back.

    What is newer than something else is told by these moments: a write that seems old would not be published.
    """

    def moment() -> dt.datetime:
        nonlocal last
        last = max(now(), last + dt.timedelta(microseconds=1)) if last else now()
        return last

    return moment


def _acquire_lock(known: Settings) -> AbstractContextManager[Any]:
    """Returns the lock between the processes that open the warehouse, once it is acquired."""
    lock = FileLock(known.data / "warehouse.lock", thread_local=False)
    try:
        return lock.acquire(timeout=LOCK_WAIT_SECONDS)
    except Timeout:
        _log.warning("Waiting for another run or command that uses %s.", known.warehouse)
        return lock.acquire()


def _connect(known: Settings) -> duckdb.DuckDBPyConnection:
    """Waits, with jitter, while a program that does not use our lock has the file open."""
    silent_until: float | None = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            con = connect(known.warehouse)
        except duckdb.IOException as error:
            if not is_locked_out(error):
                raise
            if silent_until and time.monotonic() > silent_until:
                _log.warning("Waiting for another program to close the warehouse. %s", error)
                silent_until = None
            time.sleep(random.uniform(0.05, 0.5))
        else:
            _log.debug("Opened %s.", known.warehouse)
            con.execute("set TimeZone = 'UTC'")
            if known.memory_limit:
                con.execute(f"set memory_limit = {literal(known.memory_limit)}")
            return con
