"""The command that starts the dashboard."""

import click

from ecom_assets import settings
from ecom_assets.cli.ports import HOST, check_port, port_option


@click.command("dashboard")
@click.option("--host", default=HOST, show_default=True, help="Address to listen on; it asks nobody who they are.")
@port_option(settings.DASHBOARD_PORT)
def dashboard(host: str, port: int) -> None:
    """Start the dashboard: pages of charts over what was last published; Ctrl-C ends it.

    By default only this machine can reach it.
    """
    check_port("dashboard", port, host)
    try:
        from ecom_assets.dashboard.server import serve
    except ModuleNotFoundError as error:
        raise click.ClickException(f"The dashboard needs {error.name}: pip install 'ecom_assets[dashboard]'") from error
    click.echo(f"The dashboard is on http://{host}:{port}. Ctrl-C ends it.")
    serve(host, port)
