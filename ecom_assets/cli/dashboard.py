"""The command that starts the dashboard."""

import click

from ecom_assets import settings
from ecom_assets.cli.ports import HOST, check_port, port_option


@click.command("dashboard")
@port_option(settings.DASHBOARD_PORT)
def dashboard(port: int) -> None:
    """Start the dashboard: pages of charts over what was last published; Ctrl-C ends it.

    Only this machine can reach it.
    """
    check_port("dashboard", port)
    try:
        from ecom_assets.dashboard.server import serve
    except ModuleNotFoundError as error:
        raise click.ClickException(f"The dashboard needs {error.name}: pip install 'ecom_assets[dashboard]'") from error
    click.echo(f"The dashboard is on http://{HOST}:{port}. Ctrl-C ends it.")
    serve(HOST, port)
