"""Commands that say how the platform itself is."""

import datetime as dt
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import click

from ecom_assets import settings

if TYPE_CHECKING:
    from ecom_assets.monitoring.report import Report
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
    for line in [report.to_json()] if as_json else _lines(report):
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


def _lines(report: "Report") -> Iterator[str]:
    for part in report.parts:
        yield f"{part.level:8}  {part.name:12}  {part.summary}"
        for advice, reasons in groupby(part.reasons, key=lambda reason: reason.advice):
            yield from (f"{'':10}{reason.level}: {reason.text}" for reason in reasons)
            yield f"{'':10}What to do: {advice}"
