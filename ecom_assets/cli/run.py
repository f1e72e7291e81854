"""Commands that run assets, list what is stale, and verify the result."""

import datetime as dt
import logging
from collections.abc import Callable

import click

from ecom_assets import settings
from ecom_assets.cli import text
from ecom_assets.cli.group import Days
from ecom_assets.cli.land import PRESET, shop_of
from ecom_assets.cli.progress import watched
from ecom_assets.days import ONE_DAY, Window

_log = logging.getLogger(__name__)


@click.command("demo")
@click.option(
    "--days", default=60, show_default=True, type=click.IntRange(2, 3650), help="Number of days, up to yesterday."
)
@PRESET
def demo(days: int, preset: str | None) -> None:
    """Land the synthetic shop, build every table, show the report.

    If there is a shop already, its days until yesterday are built.
    """
    from ecom_assets.cli import running
    from ecom_assets.orchestration.home import in_dagster_home

    last = settings.yesterday(settings.load().time_zone)
    shop = shop_of(Window(last - (days - 1) * ONE_DAY, last), preset)
    if shop.start > last:
        raise click.ClickException(f"The shop opens on {shop.start}: none of its days is over yet.")
    window = Window(shop.start, last)
    click.echo(f"The synthetic shop, {window}: landing, bronze, silver, gold, kpi, features, predictions.")
    with in_dagster_home() as instance:
        good = _followed(lambda: running.run(window, on=instance))
        running.judge_quality(instance)
    text.show_report()
    click.echo("\nNext: make ui, then http://127.0.0.1:3000; or ecom --help.")
    if not good:
        raise _not_all_good(window)


@click.command("run")
@click.argument("window", metavar="[FROM..TO]", type=Days(), required=False)
@click.option("--select", help="Which assets, in Dagster's syntax, e.g. silver/orders,+kpi/daily_sales.")
@click.option("--stale", is_flag=True, help="Run what is stale and what follows from it, until nothing is stale.")
def run(window: Window | None, select: str | None, stale: bool) -> None:
    """Run assets over a window of days, or everything that is stale."""
    if stale is (window is not None):
        raise click.UsageError("Give the days to run, e.g. 2024-01-01..2024-01-31, or --stale.")
    if stale and select:
        raise click.UsageError("--stale runs everything that is stale; with --select, give the days to run.")
    if window or not _is_up_to_date():
        from ecom_assets.cli import running
        from ecom_assets.orchestration.home import in_dagster_home

        with in_dagster_home() as instance:
            if window:
                good = _followed(lambda: running.run(window, select, on=instance))
            else:
                good = _followed(lambda: running.run_stale(instance), rest=" of this run")
        if not good:
            raise _not_all_good(window)
    if stale:
        click.echo("Nothing is stale.")


def _followed(run: Callable[[], bool], rest: str = "") -> bool:
    """Returns what runs of this process return, and shows meanwhile how far they are."""
    from ecom_assets.orchestration.following import followed

    def work(told: Callable[[str, float], object]) -> bool:
        with followed(told):
            return run()

    return watched(work, rest=rest)


def _is_up_to_date() -> bool:
    """Returns whether nothing is stale and the snapshot shows it: found without Dagster, which is slow to load."""
    from ecom_assets import catalog
    from ecom_assets.publishing.snapshot import is_behind
    from ecom_assets.warehouse.opening import open_session
    from ecom_assets.warehouse.repair import runnable

    known = settings.load()
    if not known.snapshot.exists():
        return False
    with open_session(known, catalog.tables()) as session:
        return not runnable(session.stale(), known.past_days()) and not is_behind(session, known.snapshot)


def _not_all_good(window: Window | None) -> click.ClickException:
    """Returns the error of a run with bad days: those of the window, or all."""
    from ecom_assets.serving.bad_days import bad_days_of, stale_count
    from ecom_assets.serving.snapshot import open_snapshot

    with open_snapshot(settings.load().snapshot) as con:
        found, count = bad_days_of(con), stale_count(con)
    if window:
        found = [bad for bad in found if any(day in window for days in bad.windows for day in days)]
    return click.ClickException(text.not_all_good(found, count))


@click.command("stale")
def stale() -> None:
    """List the table-days that have to run again, with the reasons. Days that are not over yet are left out."""
    from ecom_assets import catalog
    from ecom_assets.landing.zone import Zone
    from ecom_assets.serving.bad_days import about_quiet_days, quiet_days
    from ecom_assets.warehouse.opening import open_session
    from ecom_assets.warehouse.repair import runnable

    known, tables = settings.load(), catalog.tables()
    with open_session(known, tables) as session:
        found = runnable(session.stale(), known.past_days())
        quiet = quiet_days(session.con, {stale.day for stale in found})
    for line in text.stale_days(found):
        click.echo(line)
    if quiet:
        click.echo(about_quiet_days(quiet))
    zone, feeds = Zone(known.landing), tables.feeds
    for place in zone.unrecognized_files(feeds):
        click.echo(f"{place} is not read: files belong in landing/<feed>/<day, e.g. 2024-01-31>/.", err=True)
    outside = sorted((day, feed) for feed in feeds for day in zone.days(feed) if day not in known.calendar)
    if outside:
        click.echo(_about_days_outside(known, outside), err=True)


def _about_days_outside(known: settings.Settings, outside: list[tuple[dt.date, str]]) -> str:
    """Returns what to know of the folders of days that the calendar lacks."""
    (day, feed), calendar = outside[0], known.calendar
    days = f"from {calendar.first} on" if known.end is None else f"{calendar.first}..{calendar.last}"
    return (
        f"Files of days outside the calendar, {days}, are not read. Folders of such days: {len(outside)}, the first is "
        f"{known.landing / feed / str(day)}. The settings start and end set the calendar."
    )


@click.command("verify")
def verify() -> None:
    """Compare the warehouse with a full rebuild."""
    from ecom_assets import catalog
    from ecom_assets.warehouse import proof
    from ecom_assets.warehouse.ledger.records import table_days
    from ecom_assets.warehouse.opening import open_session

    with open_session(settings.load(), catalog.tables()) as session:
        count = len(table_days(session.con))
        if not count:
            raise click.ClickException("There is nothing to compare yet: nothing has run. Start with ecom demo or run.")
        _log.info("Rebuilding %s table-days from the landing zone.", f"{count:,}")
        difference = watched(lambda told: proof.verify(session, told), "nothing is proved, and nothing is changed")
    if difference:
        raise click.ClickException(str(difference))
    click.echo("Every table-day equals that of a full rebuild: states, counts and contents.")
