"""Opening the warehouse: one process at a time, and the others wait."""

import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import click
import duckdb
from filelock import FileLock, Timeout

from ecom_assets.declaration import Catalog
from ecom_assets.landing.zone import Zone
from ecom_assets.settings import Settings
from ecom_assets.sql import connect, is_locked_out, literal
from ecom_assets.warehouse.session import Session

PATIENCE = 2.0
"""Seconds of waiting before it is said what is waited for."""


@contextmanager
def open_session(known: Settings, tables: Catalog, run_id: str = "") -> Iterator[Session]:
    """A session on the warehouse file; waits while another process holds it, and says so once.

    The lock is the operating system's: a killed process leaves none behind. Raises FeedSettingsError where feeds.toml
    cannot be used.
    """
    known.data.mkdir(parents=True, exist_ok=True)
    zone = Zone(known.landing)
    zone.refuse_settings_of_others(tables.feeds)
    with _turn(known), closing(_connect(known)) as con:
        yield Session(con, tables, zone, known.calendar, known.time_zone, known.strict, run_id)


def _turn(known: Settings) -> AbstractContextManager[Any]:
    """The lock that runs and commands take from each other, once it is ours."""
    lock = FileLock(known.data / "warehouse.lock", thread_local=False)
    try:
        return lock.acquire(timeout=PATIENCE)
    except Timeout:
        click.echo(f"Waiting for another run or command to be done with {known.warehouse}.", err=True)
        return lock.acquire()


def _connect(known: Settings) -> duckdb.DuckDBPyConnection:
    """Waits, with jitter, while a tool that does not know of our lock has the file open."""
    silent_until: float | None = time.monotonic() + PATIENCE
    while True:
        try:
            con = connect(known.warehouse)
        except duckdb.IOException as error:
            if not is_locked_out(error):
                raise
            if silent_until and time.monotonic() > silent_until:
                click.echo(f"Waiting for another program to close the warehouse. {error}", err=True)
                silent_until = None
            time.sleep(random.uniform(0.05, 0.5))
        else:
            con.execute("set TimeZone = 'UTC'")
            if known.memory_limit:
                con.execute(f"set memory_limit = {literal(known.memory_limit)}")
            return con
