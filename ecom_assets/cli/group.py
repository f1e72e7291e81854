"""Shared parts of commands: errors, Ctrl-C, and windows of days as arguments."""

import errno
import sys
from typing import Any

import click

from ecom_assets.cli.progress import ENDED_BY_USER
from ecom_assets.days import Window
from ecom_assets.errors import UserError

_DAMAGED = ("not a valid DuckDB database file", "Corrupt database file", "Could not read enough bytes")
_OF_THE_DISK = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


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
        except UserError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            more = "\necom doctor says what is wrong." if error.errno in _OF_THE_DISK else ""
            raise click.ClickException(f"{error}{more}") from error
        except Exception as error:
            if type(error).__module__.startswith("sqlalchemy."):
                why = str(getattr(error, "orig", error)).partition("\n")[0]
                hint = "Check that the disk has room, and that its files are writable: ecom doctor says more."
                raise click.ClickException(f"Dagster's storage cannot be used: {why}.\n{hint}") from error
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
    if any(sign in str(error) for sign in _DAMAGED):
        return "Move the file away; ecom run --stale rebuilds it from the landing zone."
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        return "The snapshot may be from an earlier version; ecom run --stale publishes it again."
    if isinstance(error, duckdb.IOException):
        return "Check that the disk has room, the file is writable, and no other program has it open."
    return None
