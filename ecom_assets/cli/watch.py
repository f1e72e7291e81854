"""Commands that say how the platform itself is."""

import datetime as dt
from collections.abc import Iterator
from itertools import chain, groupby
from typing import TYPE_CHECKING

import click

from ecom_assets import settings
from ecom_assets.cli import text
from ecom_assets.cli.alerts import Duration

if TYPE_CHECKING:
    from ecom_assets.monitoring.report import Part
    from ecom_assets.monitoring.runs import DagsterFacts


@click.command("monitor")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def monitor(ctx: click.Context, as_json: bool) -> None:
    """Judge each part of the platform: ok, warning or critical, with what to do. Exits with 1 if one is critical.

    It reads what was last published, and works during a run. The same is in data/monitoring/monitoring_report.json,
    written each minute while Dagster runs.
    """
    from ecom_assets.monitoring.judging import judged, write

    known, now = settings.load(), dt.datetime.now(dt.UTC)
    report = judged(known, _dagster_facts(now), now)
    try:
        write(report, known)
    except OSError as error:
        click.echo(f"The report cannot be written: {error}", err=True)
    for line in [report.to_json()] if as_json else chain.from_iterable(map(_lines, report.parts)):
        click.echo(line)
    ctx.exit(1 if report.level == "critical" else 0)


def _dagster_facts(now: dt.datetime) -> "DagsterFacts":
    """Returns what Dagster knows, or why it cannot be asked."""
    from ecom_assets.monitoring.runs import DagsterFacts
    from ecom_assets.orchestration.home import in_dagster_home
    from ecom_assets.orchestration.monitoring import dagster_facts

    try:
        with in_dagster_home() as instance:
            return dagster_facts(instance, now)
    except (settings.SettingsError, OSError) as error:
        return DagsterFacts(problem=str(error))


@click.command("doctor")
@click.option("--connect", is_flag=True, help="Try to connect to the hosts of the channels too.")
@click.pass_context
def doctor(ctx: click.Context, connect: bool) -> None:
    """Say what is wrong with the installation, and what to do. Exits with 1 if something is.

    Settings, secrets (which are not shown), versions, clock, disk, permissions, locks, and whether warehouse, snapshot,
    store of alerts and Dagster's storage can be opened.
    """
    from ecom_assets.monitoring.doctor import examined

    try:
        known: settings.Settings | settings.SettingsError = settings.load()
    except settings.SettingsError as error:
        known = error
    is_well = True
    for part in examined(known, settings.data_folder(), settings.dagster_home(), _storage_problem, connect=connect):
        is_well &= part.level == "ok"
        for line in _lines(part):
            click.echo(line)
    ctx.exit(0 if is_well else 1)


def _storage_problem() -> str:
    from ecom_assets.orchestration.home import storage_problem

    return storage_problem()


def _lines(part: "Part") -> Iterator[str]:
    yield f"{part.level:8}  {part.name:12}  {part.summary}"
    for advice, reasons in groupby(part.reasons, key=lambda reason: reason.advice):
        yield from (f"{'':10}{reason.level}: {reason.text}" for reason in reasons)
        yield f"{'':10}What to do: {advice}"


@click.command("prune")
@click.option("--older", type=Duration(), default="90d", show_default=True, help="Only what was over for so long.")
@click.option("--apply", is_flag=True, help="Remove it; otherwise it is only listed.")
@click.option("--landed", is_flag=True, help="Also landed files of days before the calendar's first.")
@click.option("--all", "all_names", is_flag=True, help="List everything, not only examples.")
def prune(older: dt.timedelta, apply: bool, landed: bool, all_names: bool) -> None:
    """List what is kept and needed no longer, and how many bytes it takes; with --apply, remove it.

    Logs of runs, records of runs whose days have run again since, messages of alerts, pages and exports that were not
    written again since, and what killed processes left.
    Landed files, rows, quarantined rows and the newest event of each day stay: a full rebuild needs nothing else than
    landed files, and the UI shows the state of each day as before. To retire old days, set start in settings.toml to a
    later one: runs of earlier days are refused, nothing reads their files, and --landed removes these.
    """
    from ecom_assets.orchestration.home import in_dagster_home
    from ecom_assets.orchestration.retention import retired

    known, now = settings.load(), dt.datetime.now(dt.UTC)
    with in_dagster_home() as instance:
        found = list(retired(known, instance, now - older, now, landed=landed))
        for line in text.retired(found, all_names):
            click.echo(line)
        for item in found if apply else ():
            item.remove()
    total = f"{len(found):,} things, {sum(item.bytes for item in found):,} bytes"
    if not found:
        click.echo("Nothing is old enough and needed no longer.")
    else:
        click.echo(f"Removed {total}." if apply else f"{total} would go; --apply removes them.")
