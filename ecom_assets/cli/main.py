"""The `ecom` command."""

import logging
from pathlib import Path

import click

from ecom_assets import settings
from ecom_assets.cli import alerts, land, look, run, watch
from ecom_assets.cli.api import api, api_key
from ecom_assets.cli.dashboard import dashboard
from ecom_assets.cli.export import export
from ecom_assets.cli.group import Commands
from ecom_assets.cli.pages import docs, profile
from ecom_assets.cli.stream import produce, stream
from ecom_assets.cli.terminal import shown
from ecom_assets.cli.today import today
from ecom_assets.cli.ui import ui


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--verbose", "level", flag_value=logging.DEBUG, type=int, help="Show more progress messages, with times.")
@click.option("--quiet", "level", flag_value=logging.WARNING, type=int, help="Show only results, warnings and errors.")
@click.pass_context
def main(ctx: click.Context, level: int | None) -> None:
    """An e-commerce data platform. Data lives in ./data, or in the folder that ECOM_DATA names."""
    ctx.with_resource(shown(level or logging.INFO))


@click.command("dictionary")
def dictionary() -> None:
    """Write the data dictionary, the architecture page and that of how well anomalies are noticed."""
    from ecom_assets.documentation import anomalies, architecture
    from ecom_assets.documentation import dictionary as pages

    for page, path in (
        (pages, Path("data", "README.md")),
        (architecture, Path("docs", "architecture.md")),
        (anomalies, Path("docs", "anomalies-measured.md")),
    ):
        page.write(settings.PROJECT / path)
        click.echo(f"Wrote {path}.")


for command in (
    *(run.demo, land.land, land.draft_map, land.shop, run.run, run.stale, run.verify),
    *(look.bad, look.quarantine, look.detection, look.why, look.predict, look.query, look.report),
    *(alerts.alerts, ui, api, api_key, dashboard, export, stream, produce, today),
    *(watch.monitor, watch.doctor, watch.prune),
    *(dictionary, docs, profile),
):
    main.add_command(command)
