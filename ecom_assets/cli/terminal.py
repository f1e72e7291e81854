"""Log messages on the terminal."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click

PRODUCT = logging.getLogger("ecom_assets")


class _Terminal(logging.Handler):
    """Writes each message to standard error, one line; at level DEBUG with time, level, module and traceback.

    Dagster passes on what the product logs in a run, and what other assets log by `context.log`: the former are marked
    when they are shown, and not shown twice. Of Dagster's own events none is shown.
    """

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", None)
        if hasattr(record, "is_shown") or (meta and meta["dagster_event"]):
            return
        record.is_shown = True
        detailed = self.level <= logging.DEBUG
        click.echo(meta["orig_message"] if meta else self.format(record) if detailed else record.getMessage(), err=True)


TERMINAL = _Terminal(logging.INFO)
TERMINAL.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))


@contextmanager
def shown(level: int) -> Iterator[None]:
    """Shows log messages at this level or above."""
    TERMINAL.setLevel(level)
    before = PRODUCT.level
    PRODUCT.setLevel(logging.DEBUG)
    PRODUCT.addHandler(TERMINAL)
    try:
        yield
    finally:
        PRODUCT.removeHandler(TERMINAL)
        PRODUCT.setLevel(before)
        TERMINAL.setLevel(logging.INFO)
