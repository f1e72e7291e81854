"""Shared parts of commands: errors, Ctrl-C, and windows of days as arguments."""

import sys
from typing import Any

import click

from ecom_assets.cli.progress import ENDED_BY_USER
from ecom_assets.days import Window
from ecom_assets.errors import UserError


class Days(click.ParamType):
    """A window of days."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Window:
        if isinstance(value, Window):
            return value
        try:
            return Window.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Commands(click.Group):
    """Commands that show errors with a hint and without a traceback, and say what Ctrl-C has ended."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except KeyboardInterrupt as ended:
            click.echo(f"Ended: {ended}." if str(ended) else "Ended.", err=True)
            ctx.exit(ENDED_BY_USER)
        except (UserError, OSError) as error:
            raise click.ClickException(str(error)) from error
        except Exception as error:
            if advice := _advice(error):
                raise click.ClickException(f"{error}\n{advice}") from error
            raise


def _advice(error: Exception) -> str | None:
    """Returns what to do about an error of DuckDB's, or None if the user cannot do anything about it."""
    if "duckdb" not in sys.modules:  # Click ends `--help` by an exception, and help is to be quick.
        return None
    import duckdb

    if not isinstance(error, duckdb.Error):
        return None
    if "not a valid DuckDB database file" in str(error):
        return "Move the file away; ecom run rebuilds it from the landing zone."
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        return "The snapshot may be from an earlier version; ecom run --stale publishes it again."
    if isinstance(error, duckdb.IOException):
        return "Check that the disk has room, the file is writable, and no other program has it open."
    return None
