"""The `ecom` command: land, run, look, repair, prove."""

import dataclasses
import datetime as dt
import sys
from pathlib import Path
from typing import Any

import click

from ecom_assets import settings
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.errors import UserError

MAPS = Path(__file__).parent / "landing" / "maps"


class _Days(click.ParamType):
    """A window of days."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Window:
        if isinstance(value, Window):
            return value
        try:
            return Window.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Commands(click.Group):
    """Commands whose errors tell the user what to do, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise click.ClickException(str(error)) from error


def yesterday(time_zone: str) -> dt.date:
    """The last day that is over in a time zone."""
    from zoneinfo import ZoneInfo

    return dt.datetime.now(ZoneInfo(time_zone)).date() - ONE_DAY


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """An e-commerce data platform. Data stand in ./data, or where ECOM_DATA says."""


@main.command()
@click.option(
    "--days", default=60, show_default=True, type=click.IntRange(min=2), help="How many days, until yesterday."
)
def demo(days: int) -> None:
    """Land the synthetic shop, build every table, show the first page."""
    from ecom_assets.landing import synthetic
    from ecom_assets.shop import Shop

    known = settings.load()
    last = yesterday(known.time_zone)
    window = Window(last - (days - 1) * ONE_DAY, last)
    shop = synthetic.load_shop(known.landing)
    if shop is None:
        settings.save(settings.Settings(known.data, start=window.first, time_zone=known.time_zone))
        synthetic.save_shop(known.landing, Shop(window.first))
    else:
        window = Window(shop.start, last)
    from ecom_assets import running  # only now: its partitions are the days just saved

    click.echo(f"The synthetic shop, {window}: landing, bronze, silver, gold, kpi.")
    with running.instance() as instance:
        good = running.run(window, on=instance)
    _show_first_page()
    click.echo("\nLook around: make ui, then http://127.0.0.1:3000. Or ask: ecom --help.")
    sys.exit(0 if good else 1)


@main.command()
@click.argument("feed_map", metavar="MAP", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def land(feed_map: Path, folder: Path) -> None:
    """Land the exports in FOLDER as the feed map MAP says.

    MAP is a TOML file, or the name of one that ships with the platform, as online_retail.
    """
    from ecom_assets.landing import feed_map as maps
    from ecom_assets.landing.zone import Zone

    known = settings.load()
    shipped = MAPS / f"{feed_map}.toml"
    declared = maps.load_map(shipped if shipped.exists() and not feed_map.exists() else feed_map)
    zone = Zone(known.landing)
    click.echo(maps.land(declared, folder, zone))
    days = sorted({day for feed in declared.feeds for day in zone.days(feed.name)})
    if not settings.stands(known.data):
        start = declared.start or days[0]
        settings.save(dataclasses.replace(known, start=start, end=declared.end, time_zone=declared.time_zone))
    click.echo(f"Next: ecom run {days[0]}..{days[-1]}")


@main.command()
@click.argument("window", metavar="FROM..TO", type=_Days())
def shop(window: Window) -> None:
    """Land the synthetic shop's files of some arrival days."""
    from ecom_assets.landing import synthetic
    from ecom_assets.landing.zone import Zone
    from ecom_assets.shop import Shop

    known = settings.load()
    standing = synthetic.load_shop(known.landing)
    if standing is None:
        standing = Shop(window.first)
        settings.save(settings.Settings(known.data, start=window.first, time_zone=known.time_zone))
        synthetic.save_shop(known.landing, standing)
    synthetic.land_shop(Zone(known.landing), standing, window)
    click.echo(f"Landed {window} in {known.landing}.")


@main.command()
@click.argument("window", metavar="[FROM..TO]", type=_Days(), required=False)
@click.option("--select", help="Assets, in Dagster's syntax: silver/orders, group:gold, +kpi/daily_sales.")
@click.option("--stale", is_flag=True, help="Run what is stale, with all that follows from it, until nothing is.")
def run(window: Window | None, select: str | None, stale: bool) -> None:
    """Run assets over a window of days, or all that is stale."""
    from ecom_assets import running

    if stale is (window is not None):
        raise click.UsageError("Say which days to run, as 2024-01-01..2024-01-31, or --stale.")
    with running.instance() as instance:
        good = running.run(window, select, on=instance) if window else running.run_stale(instance)
    if not good:
        raise click.ClickException("Some days have no good rows. `ecom bad` lists them with their reasons.")


@main.command()
def stale() -> None:
    """List the table-days that have to run again, and why."""
    from ecom_assets import catalog
    from ecom_assets.days import stretches
    from ecom_assets.warehouse import open_session

    with open_session(settings.load(), catalog.tables()) as session:
        found = session.stale()
    reasons: dict[tuple[str, str], list[dt.date]] = {}
    for item in found:
        reasons.setdefault((item.table, item.why), []).append(item.day)
    for (table, why), days in reasons.items():
        click.echo(f"{table:32} {', '.join(map(str, stretches(days)))}: {why}")
    click.echo(f"{len(found)} table-days are stale." if found else "Nothing is stale.")


@main.command()
def verify() -> None:
    """Build everything anew from the landing zone, and compare with what stands."""
    from ecom_assets import catalog, proof
    from ecom_assets.warehouse import open_session

    with open_session(settings.load(), catalog.tables()) as session:
        difference = proof.verify(session)
    if difference:
        raise click.ClickException(str(difference))
    click.echo("Every table-day equals that of a full rebuild: states, counts and contents.")


@main.command()
def report() -> None:
    """Show the first page: the shop's figures against the days before."""
    _show_first_page()


@main.command()
def dictionary() -> None:
    """Write the data dictionary, data/README.md, from the declarations."""
    from ecom_assets.serving import dictionary as pages

    pages.write(settings.PROJECT / "data" / "README.md")


def _show_first_page() -> None:
    from ecom_assets.serving import first_page

    click.echo(first_page.render(first_page.figures(settings.load().snapshot)))
