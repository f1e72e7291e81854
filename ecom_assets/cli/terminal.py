"""Log messages on the terminal."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pkgutil import iter_modules
from typing import TextIO

import click

import ecom_assets

_CLEARED = "\r\x1b[K"
"""Goes to the start of a terminal's line, and clears the line."""
PRODUCT = logging.getLogger("ecom_assets")


class _Terminal(logging.Handler):
    """Writes each message to standard error, one line; at level DEBUG with time, level, module and traceback.

    Dagster passes on what the product logs in a run, and what other assets log by `context.log`: the former are marked
    when they are shown, and not shown twice. Of Dagster's own events none is shown.
    """

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._one_at_a_time = threading.Lock()
        self._screen: TextIO | None = None

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", None)
        if hasattr(record, "is_shown") or (meta and meta["dagster_event"]):
            return
        record.is_shown = True
        detailed = self.level <= logging.DEBUG
        self.say(meta["orig_message"] if meta else self.format(record) if detailed else record.getMessage())

    def say(self, text: str) -> None:
        """Writes a line to standard error."""
        with self._one_at_a_time:
            if self._screen:
                click.echo(f"{_CLEARED}{text}", file=self._screen, color=True)
            else:
                click.echo(text, err=True)

    @contextmanager
    def drawing(self) -> Iterator[Callable[[str], None]]:
        """Yields a function that shows a line below all messages, in place of the one before; for terminals alone.

        All is written to the terminal itself: Dagster copies what a run writes to standard error into the run's log.
        """

        def draw(line: str) -> None:
            with self._one_at_a_time:
                click.echo(f"{_CLEARED}{line}", file=screen, nl=False, color=True)

        with os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding, errors="replace") as screen:
            self._screen = screen
            try:
                yield draw
            finally:
                self._screen = None
                draw("")


TERMINAL = _Terminal(logging.INFO)
TERMINAL.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))


@contextmanager
def shown(level: int) -> Iterator[None]:
    """Shows log messages at this level or above.

    A run of Dagster sets the level of the product's logger, to that of dagster.yaml: the parts of the product are asked
    for more by their own.
    """
    TERMINAL.setLevel(level)
    before = PRODUCT.level
    PRODUCT.setLevel(logging.DEBUG)
    PRODUCT.addHandler(TERMINAL)
    parts = [PRODUCT.getChild(part.name) for part in iter_modules(ecom_assets.__path__)]
    try:
        for part in parts:
            part.setLevel(level if level < logging.INFO else logging.NOTSET)
        yield
    finally:
        for part in parts:
            part.setLevel(logging.NOTSET)
        PRODUCT.removeHandler(TERMINAL)
        PRODUCT.setLevel(before)
        TERMINAL.setLevel(logging.INFO)
