"""The command that makes the tables of the running day."""

import time
from typing import TYPE_CHECKING

import click

from ecom_assets import settings

if TYPE_CHECKING:
    from ecom_assets.warehouse.today import SoFar


@click.command("today")
@click.option("--every", type=click.FloatRange(min=1), help="Seconds between two looks, until Ctrl-C; once by default.")
def today(every: float | None) -> None:
    """Make what the running day says so far, in today.duckdb beside the snapshot.

    The warehouse stays as it is: the day runs when it is over. With --every, nothing is made while neither a file has
    landed nor a run has written.
    """
    last: object = None
    while True:
        began = time.monotonic()
        last, found = _looked(last)
        if found:
            click.echo(_summary(found, time.monotonic() - began))
        if every is None:
            return
        time.sleep(max(0.0, every - (time.monotonic() - began)))


def _looked(last: object) -> "tuple[object, SoFar | None]":
    """Returns what the running day is made of, and what it says so far unless it is made of the `last`."""
    from ecom_assets import catalog
    from ecom_assets.publishing.today import publish_today
    from ecom_assets.warehouse.ledger.published import last_write
    from ecom_assets.warehouse.opening import open_session
    from ecom_assets.warehouse.today import files_of

    known = settings.load()
    day = known.running_day()
    if day is None:
        raise click.ClickException("Today is outside the calendar. The settings start and end set it.")
    with open_session(known, catalog.tables()) as session:
        made_of = day, files_of(session, day), last_write(session.con)
        return made_of, None if made_of == last else publish_today(session, known.so_far, day)


def _summary(found: "SoFar", seconds: float) -> str:
    rows = sum(len(table) for table in found.tables.values())
    broken = f" Not computed: {', '.join(sorted(found.broken))}." if found.broken else ""
    return f"{found.day} so far: {rows:,} rows of {len(found.tables)} tables, in {seconds:.1f} s.{broken}"
