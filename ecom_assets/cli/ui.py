"""The command that starts Dagster."""

import os
import sys
from pathlib import Path

import click

from ecom_assets import settings
from ecom_assets.cli.ports import HOST, check_port, port_option


@click.command("ui")
@port_option(3000)
def ui(port: int) -> None:
    """Start Dagster's web server, and its daemon, which runs schedules and sensors; Ctrl-C ends both.

    They print warnings, errors, and a line for each table of a run. Only this machine can reach the web server.
    """
    from ecom_assets.orchestration.home import in_dagster_home, prepare

    check_port("ui", port)
    with in_dagster_home() as instance:
        prepare(instance)
        environment = dict(os.environ)
    click.echo(f"Dagster is on http://{HOST}:{port} in some seconds. Ctrl-C ends it.")
    sys.stdout.flush()
    os.chdir(settings.dagster_home())
    words = ["dg", "dev", "--host", HOST, "--port", str(port), "--log-level", "warning"]
    workspace = settings.PROJECT / "workspace.yaml"
    os.execve(Path(sys.executable).with_name("dg"), [*words, "--workspace", str(workspace)], environment)
