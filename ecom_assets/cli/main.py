"""The `ecom` command: land, run, look, repair, prove."""

import dataclasses
import datetime as dt
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from ecom_assets import settings
from ecom_assets.cli.terminal import shown
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.errors import UserError
from ecom_assets.shop.scale import DEFAULT_PRESET, PRESETS

if TYPE_CHECKING:
    from ecom_assets.shop.shop import Shop

MAPS = settings.PACKAGE / "sources" / "maps"
_log = logging.getLogger(__name__)
_NOT_ALL_GOOD = "Some days have no good rows. `ecom bad` lists them and why."


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
        except BrokenPipeError:
            raise
        except (UserError, OSError) as error:
            raise click.ClickException(str(error)) from error
        except Exception as error:
            if told := _what_to_do(error):
                raise click.ClickException(f"{error}\n{told}") from error
            raise


def _what_to_do(error: Exception) -> str | None:
    """What helps against an error of DuckDB's; None where it is none of those that a user can mend."""
    if "duckdb" not in sys.modules:  # as where the help is shown, which is to be quick
        return None
    import duckdb

    if not isinstance(error, duckdb.Error):
        return None
    if "not a valid DuckDB database file" in str(error):
        return "Move that file aside; ecom run makes it anew from the landing zone."
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        return "The snapshot may have been published by an earlier version; ecom run --stale does it anew."
    if isinstance(error, duckdb.IOException):
        return "Is there room on the disk, may the file be written, and has no other program opened it?"
    return None


_PRESET = click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help=f"Which shop opens where none stands: {DEFAULT_PRESET}, or seed003 with exactly 4,000 orders in 60 days.",
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--verbose", "level", flag_value=logging.DEBUG, type=int, help="Show more of what is done, with times.")
@click.option("--quiet", "level", flag_value=logging.WARNING, type=int, help="Show results, warnings and errors only.")
@click.pass_context
def main(ctx: click.Context, level: int | None) -> None:
    """An e-commerce data platform. Data lives in ./data, or in the folder that ECOM_DATA names."""
    ctx.with_resource(shown(level or logging.INFO))


@main.command()
@click.option(
    "--days", default=60, show_default=True, type=click.IntRange(2, 3650), help="How many days, until yesterday."
)
@_PRESET
def demo(days: int, preset: str | None) -> None:
    """Land the synthetic shop, build every table, show the first page.

    Where a shop stands already, its days until yesterday are built.
    """
    last = settings.yesterday(settings.load().time_zone)
    shop = _standing_shop(Window(last - (days - 1) * ONE_DAY, last), preset)
    if shop.start > last:
        raise click.ClickException(f"The shop opens on {shop.start}: no day of it is over yet.")
    window = Window(shop.start, last)
    from ecom_assets.cli import running

    click.echo(f"The synthetic shop, {window}: landing, bronze, silver, gold, kpi.")
    with running.instance() as instance:
        good = running.run(window, on=instance)
    _show_first_page()
    click.echo("\nLook around: make ui, then http://127.0.0.1:3000. Or ask: ecom --help.")
    if not good:
        raise click.ClickException(_NOT_ALL_GOOD)


@main.command()
@click.argument("feed_map", metavar="MAP", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def land(feed_map: Path, folder: Path) -> None:
    """Land the exports in FOLDER as the feed map MAP says.

    MAP is a TOML file, or the name of one that ships with the platform, as online_retail.
    """
    from ecom_assets.landing.zone import Zone
    from ecom_assets.sources import feed_map as maps

    known = settings.load()
    declared = maps.load_map(_map_file(feed_map))

    def keep_calendar(days: Window) -> None:
        start, end = declared.start or days.first, declared.end
        _keep_calendar(dataclasses.replace(known, start=start, end=end, time_zone=declared.time_zone), days)

    report = maps.land(declared, folder, Zone(known.landing), check=keep_calendar)
    click.echo(report)
    known = settings.load()
    for name in ("start", "end"):
        said, stands = getattr(declared, name), getattr(known, name)
        if said not in (None, stands):
            click.echo(f"The map's {name} {said} does not count: {known.data / settings.FILE} has {stands}.", err=True)
    if report.lines and not any(report.rows.values()):
        raise click.ClickException("No row of any feed has landed: none of the lines can be read, or none is taken.")
    if report.days is None:
        return
    first, over = max(declared.start or report.days.first, known.start), settings.yesterday(known.time_zone)
    if first <= over:
        click.echo(f"Next: ecom run {Window(first, min(report.days.last, over))}")
    if report.days.last > over:
        click.echo(f"What arrived after {over} runs once its day is over.")


@main.command()
@click.argument("window", metavar="FROM..TO", type=_Days())
@_PRESET
def shop(window: Window, preset: str | None) -> None:
    """Land the synthetic shop's files of some arrival days."""
    from ecom_assets.landing.zone import Zone
    from ecom_assets.sources import synthetic

    known = settings.load()
    standing = _standing_shop(window, preset)
    if window.first < standing.start:
        raise click.ClickException(f"The shop opened on {standing.start}; there is nothing before.")
    synthetic.land_shop(Zone(known.landing), standing, window)
    synthetic.write_truth(known.truth, standing, window)
    click.echo(f"Landed {window} in {known.landing}.")


@main.command()
@click.argument("window", metavar="[FROM..TO]", type=_Days(), required=False)
@click.option("--select", help="Assets in Dagster's syntax, as silver/orders,+kpi/daily_sales.")
@click.option("--stale", is_flag=True, help="Run what is stale, with all that follows from it, until nothing is.")
def run(window: Window | None, select: str | None, stale: bool) -> None:
    """Run assets over a window of days, or all that is stale."""
    from ecom_assets.cli import running

    if stale is (window is not None):
        raise click.UsageError("Say which days to run, as 2024-01-01..2024-01-31, or --stale.")
    if stale and select:
        raise click.UsageError("--stale runs all that is stale; with --select, say which days to run.")
    with running.instance() as instance:
        good = running.run(window, select, on=instance) if window else running.run_stale(instance)
    if not good:
        raise click.ClickException(_NOT_ALL_GOOD)
    if stale:
        click.echo("Nothing is stale.")


@main.command()
def stale() -> None:
    """List the table-days that have to run again, and why. Days that are not over yet have time."""
    from ecom_assets import catalog
    from ecom_assets.days import stretches
    from ecom_assets.warehouse.opening import open_session
    from ecom_assets.warehouse.repair import runnable

    known = settings.load()
    with open_session(known, catalog.tables()) as session:
        found = runnable(session.stale(), known.past_days())
    reasons: dict[tuple[str, str], list[dt.date]] = {}
    for item in found:
        reasons.setdefault((item.table, item.why), []).append(item.day)
    for (table, why), days in reasons.items():
        click.echo(f"{table:32} {', '.join(map(str, stretches(days)))}: {why}")
    click.echo(f"{len(found)} table-days are stale." if found else "Nothing is stale.")
    _warn_of_strangers()


@main.command()
def bad() -> None:
    """List the days without good rows, or made without those of an input, and why, as last published."""
    from ecom_assets.serving import quarantine

    found = quarantine.bad_days(settings.load().snapshot)
    for days in found:
        click.echo(f"{days.table:32} {', '.join(map(str, days.windows))} {days.state}: {days.why}")
    if not found:
        click.echo("Every day has good rows.")


@main.command()
@click.argument("table", required=False)
@click.option("--rows", "most", type=click.IntRange(min=1), help="Show that many rows of TABLE.")
def quarantine(table: str | None, most: int | None) -> None:
    """Count the rows set aside by table and reason, as last published; show some of TABLE, as orders."""
    from ecom_assets.serving import quarantine as aside

    snapshot = settings.load().snapshot
    if most and not table:
        raise click.UsageError("Say of which table to show rows, as: ecom quarantine orders --rows 5.")
    found = [*aside.set_aside(snapshot, table), *aside.waiting(snapshot, table)]
    for one in found:
        click.echo(f"{one.table:12} {one.rows:>10,}  {one.reason}")
    if not found:
        click.echo("No rows are set aside.")
    for row in aside.rows(snapshot, table, most) if table and most else ():
        click.echo(f"\n{row.arrived_on} {row.source_file}, record {row.record}: {'; '.join(row.reasons)}")
        click.echo("  " + ", ".join(f"{name} {value!r}" for name, value in row.values.items()))


@main.command()
@click.option("--by-day", is_flag=True, help="Show each feed and arrival day too, the newest first.")
def detection(by_day: bool) -> None:
    """Count the synthetic shop's planted defects, and those that the checks caught, as last published."""
    from ecom_assets import catalog
    from ecom_assets.quality.detection import NO_TRUTH, measured, percent
    from ecom_assets.serving.snapshot import open_snapshot

    known = settings.load()
    with open_snapshot(known.snapshot) as con:
        found = measured(con, known.truth, catalog.tables())
    if found is None:
        click.echo(NO_TRUTH)
        return
    click.echo(f"{'defect':20} {'planted':>9} {'caught':>9} {'recall':>9}")
    for kind in found.kinds:
        click.echo(f"{kind.name:20} {kind.planted:>9,} {kind.caught:>9,} {kind.recall:>9.1%}")
    click.echo(
        f"\nSet aside: {found.defects_set_aside:,} records with a defect, {found.consequences:,} that refer to one set "
        f"aside, {found.waiting:,} that wait for one to arrive, {found.false_alarm_count:,} false alarms."
    )
    if found.precision is not None:
        click.echo(
            f"Precision {found.precision:.1%}, {found.false_alarms_per_thousand:.2f} false alarms per 1,000 good rows"
            f"{':' if found.false_alarms else '.'}"
        )
    for why, rows in found.false_alarms.items():
        click.echo(f"{rows:>9,}  {why}")
    if by_day:
        click.echo(
            f"\n{'arrival day':12}{'feed':20}{'planted':>9}{'caught':>9}{'recall':>9}{'alarms':>9}{'precision':>11}"
        )
        for day in found.feed_days:
            click.echo(
                f"{day.arrived_on!s:12}{day.feed:20}{day.planted:>9,}{day.caught:>9,}{percent(day.recall):>9}"
                f"{day.false_alarms:>9,}{percent(day.precision):>11}"
            )


@main.command()
@click.argument("file", metavar="FILE", type=click.File(encoding="utf-8"))
@click.option("--warehouse", is_flag=True, help="Ask the warehouse itself, while no run has it open.")
def query(file: TextIO, warehouse: bool) -> None:
    """Answer the SQL in FILE from what was last published, as analyses/shop/best_sellers.sql."""
    import duckdb

    from ecom_assets.serving.snapshot import open_snapshot
    from ecom_assets.sql import connect

    known = settings.load()
    try:
        sql = file.read()
        if warehouse and not known.warehouse.exists():
            raise click.ClickException(f"{known.warehouse} is not there yet: nothing has run. Any run makes it.")
        opened = connect(known.warehouse, read_only=True) if warehouse else open_snapshot(known.snapshot)
        with opened as con:
            asked = con.extract_statements(sql)
            gives_rows = asked and asked[-1].expected_result_type != [duckdb.ExpectedResultType.NOTHING]
            answer = con.sql(sql) if gives_rows else None
            if answer is None:
                raise click.ClickException(f"{file.name} asks for no rows: it has to end with a query, as: from …")
            answer.show(max_rows=1_000, max_width=1_000)
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file.name} is no text in UTF-8: {error}") from error
    except duckdb.CatalogException as error:
        elsewhere = (
            "" if warehouse else "\nThe snapshot holds gold, kpi, features, quarantine and ledger; see --warehouse."
        )
        raise click.ClickException(f"{error}{elsewhere}") from error
    except duckdb.Error as error:
        raise click.ClickException(str(error)) from error


@main.command()
def verify() -> None:
    """Build everything anew from the landing zone, and compare with what stands."""
    from ecom_assets import catalog
    from ecom_assets.warehouse import proof
    from ecom_assets.warehouse.ledger.records import table_days
    from ecom_assets.warehouse.opening import open_session

    with open_session(settings.load(), catalog.tables()) as session:
        count = len(table_days(session.con))
        if not count:
            raise click.ClickException("There is nothing to compare yet: nothing has run. Any run does, as ecom demo.")
        _log.info("Rebuilding %s table-days from the landing zone.", f"{count:,}")
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
    """Write the data dictionary and the architecture page from the declarations."""
    from ecom_assets.documentation import architecture
    from ecom_assets.documentation import dictionary as pages

    for page, path in ((pages, Path("data", "README.md")), (architecture, Path("docs", "architecture.md"))):
        page.write(settings.PROJECT / path)
        click.echo(f"Wrote {path}.")


def _map_file(given: Path) -> Path:
    """The map itself, or the one that ships under this name."""
    shipped = MAPS / f"{given}.toml"
    if given.is_file():
        return given
    if shipped.is_file():
        return shipped
    names = ", ".join(sorted(path.stem for path in MAPS.glob("*.toml")))
    raise click.ClickException(f"There is no map {given}. Those that ship are: {names}.")


def _warn_of_strangers() -> None:
    """Say what stands in the landing zone and is read by nobody: names spelt otherwise, days the calendar lacks."""
    from ecom_assets import catalog
    from ecom_assets.landing.zone import Zone

    known = settings.load()
    zone, feeds, calendar = Zone(known.landing), catalog.tables().feeds, known.calendar
    for place in zone.strangers(feeds):
        click.echo(f"Nobody reads {place}: files stand in landing/<feed>/<day like 2024-01-31>/.", err=True)
    outside = sorted((day, feed) for feed in feeds for day in zone.days(feed) if day not in calendar)
    if outside:
        day, feed = outside[0]
        days = f"from {calendar.first} on" if known.end is None else f"{calendar.first}..{calendar.last}"
        click.echo(
            f"Nobody reads what landed on days outside the calendar, {days}. Folders of such days: {len(outside)}, the "
            f"first is {known.landing / feed / str(day)}. The settings start and end say which days there are.",
            err=True,
        )


def _standing_shop(window: Window, preset: str | None) -> "Shop":
    """The shop that lands its files here; without one, a new one that opens on the window's first day."""
    from ecom_assets.shop.shop import Shop
    from ecom_assets.sources import synthetic

    known = settings.load()
    standing = synthetic.load_shop(known.landing)
    if standing is None:
        _keep_calendar(dataclasses.replace(known, start=window.first, end=None), window)
        standing = Shop(window.first, preset=preset or DEFAULT_PRESET)
        synthetic.save_shop(known.landing, standing)
    elif preset and preset != standing.preset:
        raise click.ClickException(
            f"Another shop lands its files in {known.landing}: {known.landing / synthetic.SHOP_FILE}. "
            "For this one, take another folder: ECOM_DATA."
        )
    return standing


def _keep_calendar(wanted: settings.Settings, days: Window) -> None:
    """Save the calendar where none stands. This one, or what stands or the environment sets, has to hold the days."""
    stands = settings.stands(wanted.data)
    known = settings.load() if stands else settings.load(otherwise=wanted)
    if days.first not in known.calendar or days.last not in known.calendar:
        until = f"..{known.end}" if known.end else " on"
        raise click.ClickException(
            f"{days} does not fit the calendar: {known.start}{until}, as {known.data / settings.FILE}, the map or the "
            "environment says. Mend that, or take another folder: ECOM_DATA."
        )
    if not stands:
        settings.save(wanted)


def _show_first_page() -> None:
    from ecom_assets.serving import first_page

    click.echo(first_page.render(first_page.figures(settings.load().snapshot)))
