"""Commands that land files: of exports, by a feed map, and of the synthetic shop."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecom_assets import settings
from ecom_assets.cli import text
from ecom_assets.cli.group import Days
from ecom_assets.cli.progress import watched
from ecom_assets.days import Window
from ecom_assets.shop.scale import DEFAULT_PRESET, PRESETS

if TYPE_CHECKING:
    from ecom_assets.landing.zone import Zone
    from ecom_assets.shop.shop import Shop
    from ecom_assets.sources.feed_map import FeedMap

MAPS = settings.PACKAGE / "sources" / "maps"
RATES = "exchange_rates"
"""The feed with the rates of other currencies than the shop's."""
PRESET = click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help=f"Size of a new shop: {DEFAULT_PRESET}, the default, or seed003 with exactly 4,000 orders in 60 days.",
)


@click.command("land")
@click.argument("feed_map", metavar="MAP", type=click.Path(path_type=Path))
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--replace", "replacing", is_flag=True, help="Let files replace rows that they no longer have.")
@click.option("--other-types", is_flag=True, help="Accept columns of a database whose type has changed.")
@click.option(
    "--check", is_flag=True, help="Show what would land, of a folder, and what would not be accepted; land nothing."
)
@click.option("--store", help="The shop that these files are of, such as fr, if there are several with equal numbers.")
def land(
    feed_map: Path, folder: Path | None, replacing: bool, other_types: bool, check: bool, store: str | None
) -> None:
    """Land the exports in FOLDER by the feed map MAP, or what is new in the database that MAP reads, without FOLDER.

    MAP is a TOML file, or the name of a map that ships with the platform, such as shopify, woocommerce or ga4:
    docs/feed-maps.md lists them. The head of a map says what to export and how the files must be named.
    """
    from ecom_assets.sources import feed_map as maps

    known = settings.load()
    declared = maps.load_map(_map_file(feed_map), keeps_mistakes=folder is not None)
    if store is not None:
        declared = _in_store(declared, store)
    if not declared.is_of_database:
        if folder is None:
            raise click.UsageError("Give the FOLDER with the exports.")
        _land_folder(declared, folder, replacing=replacing, check=check)
        return
    declared.text.raise_gathered()
    if folder:
        raise click.UsageError("This map reads a database: leave out FOLDER.")
    is_resumed = True
    while is_resumed:
        with maps.extracted(declared, known.landing, other_types=other_types, keeps=not check) as found:
            if found is None:
                click.echo("Nothing is new in the database.")
                return
            click.echo(found)
            _land_folder(declared, found.folder, replacing=replacing, check=check)
        is_resumed = found.is_resumed


def _land_folder(declared: "FeedMap", folder: Path, *, replacing: bool, check: bool) -> None:
    """Lands the files in a folder, or shows what would land."""
    from ecom_assets.landing.zone import Zone
    from ecom_assets.sources import feed_map as maps
    from ecom_assets.sources.feed_map.currencies import own_currency, without_rate
    from ecom_assets.sources.feed_map.first_event import first_event

    known = settings.load()
    is_new = not settings.is_saved(known.data)
    other_currency = declared.other_currency(known.currency)

    def wanted(days: Window, staged: Zone) -> settings.Settings:
        start, end = declared.start or days.first, declared.end
        currency = known.currency or declared.currency or own_currency(staged)
        if is_new and declared.start is None:
            start = min(start, first_event(staged, declared.time_zone) or start)
        return dataclasses.replace(known, start=start, end=end, time_zone=declared.time_zone, currency=currency)

    waiting: list[str] = []

    def keep_calendar(days: Window, staged: Zone) -> None:
        made = wanted(days, staged)
        _refuse_without_rates(known, declared)
        _keep_calendar(made, days)
        if made.currency and not known.currency and settings.load().currency is None:
            settings.save_currency(made)
        if made.currency and not Zone(known.landing).days(RATES) and RATES not in staged.feeds():
            waiting.extend(without_rate(staged, made.currency))

    if check:
        notes: list[str] = []

        def look(days: Window, staged: Zone) -> None:
            try:
                made = wanted(days, staged)
                now = dataclasses.replace(_in_force(made, days), currency=made.currency)
                _refuse_without_rates(known, declared)
            except click.ClickException as error:
                notes.append(f"These files would not land: {error.message}")
                return
            if is_new:
                notes.append(f"The calendar would start on {now.start}; set start under [calendar] for another day.")
            notes.extend(_refusals(staged, now, Zone(known.landing), declared))

        report, feeds = watched(
            lambda told: maps.preview(
                declared, folder, Zone(known.landing), look, other_currency=other_currency, told=told
            ),
            "nothing is changed",
        )
        for name, rows in feeds.items():
            click.echo(f"{name}\n{text.table(rows.columns, rows.rows())}\n")
        click.echo("\n".join([str(report), *notes]))
        return

    zone = Zone(known.landing)
    report = watched(
        lambda told: maps.land(
            declared, folder, zone, keep_calendar, replacing=replacing, other_currency=other_currency, told=told
        ),
        "nothing has landed",
    )
    click.echo(report)
    known, before = settings.load(), known
    if known.currency and not before.currency:
        click.echo(f"Amounts are published in {known.currency}, as currency in {known.data / settings.FILE} says now.")
    if waiting:
        click.echo(f"No rate is known for {', '.join(waiting)}: these wait until the feed {RATES} has one.")
    for name in ("start", "end"):
        ours, theirs = getattr(known, name), getattr(declared, name)
        if theirs not in (None, ours):
            click.echo(f"Ignoring the map's {name} {theirs}: {known.data / settings.FILE} has {ours}.", err=True)
    if report.lines and not any(report.rows.values()):
        raise click.ClickException("No row has landed: no line can be read, or the map takes none of them.")
    if report.days is None:
        return
    over, first = settings.yesterday(known.time_zone), max(declared.start or report.days.first, known.start)
    if is_new and known.start < first:
        first = known.start
        click.echo(f"The calendar starts on {known.start}, the first day of an event in these files.")
    if first <= over:
        click.echo(f"Next: ecom run {Window(first, min(report.days.last, over))}")
    if report.days.last > over:
        click.echo(f"Days after {over} can run once they are over.")


def _in_store(declared: "FeedMap", store: str) -> "FeedMap":
    """Returns the map with a store. Raises BadParameter for a name that cannot be one."""
    from ecom_assets.sources.feed_map.model import STORE_NAME

    if not STORE_NAME.fullmatch(store):
        raise click.BadParameter("use letters, digits, . _ and - only.", param_hint="--store")
    return declared.in_store(store)


def _refuse_without_rates(known: settings.Settings, declared: "FeedMap") -> None:
    """Raises ClickException for a map in another currency if no rates have landed, nor does the map land any."""
    from ecom_assets.landing.zone import Zone

    has_rates = RATES in declared.names or Zone(known.landing).days(RATES)
    if declared.other_currency(known.currency) and not has_rates:
        raise click.ClickException(
            f"The map's amounts are in {declared.currency}, but the shop's currency is {known.currency}, as "
            f"{known.data / settings.FILE} says. Amounts of two currencies cannot be added: land the rates of "
            f"{declared.currency} first, in the feed {RATES}, or set ECOM_DATA to another folder for a shop of its own."
        )


@click.command("map")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def draft_map(folder: Path) -> None:
    """Draft a feed map of the exports in FOLDER: guesses by names, and questions as comments."""
    from ecom_assets.sources import feed_map as maps

    if not (drafted := maps.draft(folder)):
        raise click.ClickException(f"No file in {folder} is CSV, JSON or Parquet by its name.")
    click.echo(drafted, nl=False)


@click.command("shop")
@click.argument("window", metavar="FROM..TO", type=Days())
@PRESET
def shop(window: Window, preset: str | None) -> None:
    """Land the synthetic shop's files of a window of arrival days."""
    from ecom_assets.landing.zone import Zone
    from ecom_assets.sources import synthetic

    known = settings.load()
    opened = shop_of(window, preset)
    if window.first < opened.start:
        raise click.ClickException(f"The shop opened on {opened.start}; it has no files of days before.")
    zone = Zone(known.landing)
    watched(
        lambda told: synthetic.land_window(zone, known.truth, opened, window, told),
        "the first days have landed; to land the others, give the same command again",
    )
    click.echo(f"Landed {window} in {known.landing}.")


def shop_of(window: Window, preset: str | None) -> "Shop":
    """Returns the shop that lands its files here; if there is none, a new one that opens on the window's first day.

    Raises ClickException if the shop is of another preset, or the window is outside the calendar.
    """
    from ecom_assets.shop.shop import Shop
    from ecom_assets.sources import synthetic

    known = settings.load()
    found = synthetic.load_shop(known.landing)
    if found is None:
        _keep_calendar(dataclasses.replace(known, start=window.first, end=None), window)
        found = Shop(window.first, preset=preset or DEFAULT_PRESET)
        synthetic.save_shop(known.landing, found)
    elif preset and preset != found.preset:
        raise click.ClickException(
            f"{known.landing / synthetic.SHOP_FILE} is another shop's. For this one, set ECOM_DATA to another folder."
        )
    return found


def _map_file(given: Path) -> Path:
    """Returns the file itself, or the map that ships under this name."""
    shipped = MAPS / f"{given}.toml"
    if given.is_file():
        return given
    if shipped.is_file():
        return shipped
    names = ", ".join(sorted(path.stem for path in MAPS.glob("*.toml")))
    raise click.ClickException(f"There is no feed map {given}. These ship with the platform: {names}.")


def _refusals(staged: "Zone", known: settings.Settings, before: "Zone", declared: "FeedMap") -> Iterator[str]:
    """Yields what would be quarantined of landed rows, by feed and reason."""
    from ecom_assets.catalog import tables
    from ecom_assets.warehouse.trial import trial

    catalog = tables()
    for feed in catalog.feeds:
        kept = before.settings(feed)
        extra = {**kept.extra, **declared.added.get(feed, {})}
        # Days on which no file arrives, or many rows are bad, would keep rows of other feeds from being looked at.
        staged.save_settings(feed, dataclasses.replace(kept, extra=extra, due=frozenset(), max_bad_share=1.0))
    for each in trial(staged, catalog, known.calendar, known.time_zone, before, known.currency):
        rows = "row" if each.rows == 1 else "rows"
        yield f"{each.rows:,} {rows} of {each.feed} would be quarantined: {each.reason}; for example {each.example}"


def _in_force(wanted: settings.Settings, days: Window) -> settings.Settings:
    """Returns the settings in force, or those wanted if none are saved. Raises ClickException for days outside them."""
    known = settings.load() if settings.is_saved(wanted.data) else settings.load(otherwise=wanted)
    if days.first not in known.calendar or days.last not in known.calendar:
        until = f"..{known.end}" if known.end else " on"
        raise click.ClickException(
            f"{days} is not within the calendar, {known.start}{until}, which {known.data / settings.FILE}, the map or "
            "the environment sets. Correct it there, or set ECOM_DATA to another folder."
        )
    return known


def _keep_calendar(wanted: settings.Settings, days: Window) -> None:
    """Saves the calendar if none is saved yet. Raises ClickException if the days are outside the calendar in force."""
    is_saved = settings.is_saved(wanted.data)
    _in_force(wanted, days)
    if not is_saved:
        settings.save(wanted)
