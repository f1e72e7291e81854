"""The ports on which servers listen."""

import socket
from collections.abc import Callable
from typing import Any

import click

HOST = "127.0.0.1"


def port_option(default: int) -> Callable[[Any], Any]:
    """Returns the option of a server's port."""
    kind = click.IntRange(1, 65_535)
    return click.option("--port", default=default, show_default=True, type=kind, help="Port to listen on.")


def check_port(command: str, port: int, host: str = HOST) -> None:
    """Raises ClickException if a port of this machine cannot be used, with another one to try."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            text = f"Port {port} cannot be used: {error.strerror}. Take another one: ecom {command} --port {port + 1}"
            raise click.ClickException(text) from error
