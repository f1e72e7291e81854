"""Long work on the terminal: how far it is, and how Ctrl-C ends it."""

import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TypeVar

from ecom_assets.cli.terminal import TERMINAL

Result = TypeVar("Result")

TICK_SECONDS = 0.2
FIRST_SECONDS = 5.0
"""Seconds of work before the first line of a log file, and before the first guess of the time left."""
LINE_SECONDS = 20.0
"""Seconds between two lines of a log file."""
ENDED_BY_USER = 130
"""The exit code of a command that Ctrl-C has ended."""
GUESSED_FROM = 0.05
"""The share that must be done before the time left is guessed."""
_WIDTH = 24


class Progress:
    """How far some work is. If the share that is done gets less, the work is of several runs, and the next has begun.

    `rest` says of what the time left is, if that is not all; `ended` what is so if the work ends before its next step.
    """

    def __init__(self, ended: str = "", rest: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._ended, self._rest, self._clock = ended, rest, clock
        self._began, self._step, self._share = clock(), "starting", 0.0
        self.is_ending = False
        """Whether the work is to end before its next step."""

    def told(self, step: str, share: float) -> None:
        """Notes what comes next, and the share of the work that is done, 0 to 1. Raises KeyboardInterrupt to end it."""
        if self.is_ending:
            raise KeyboardInterrupt(self._ended)
        if share < self._share:
            self._began = self._clock()
        self._step, self._share = step, share

    def line(self) -> str:
        """Returns it as a line: how much is done after which time, what comes next, and a guess of the time left."""
        took = self._clock() - self._began
        minutes, seconds = divmod(int(took), 60)
        left = ""
        if took >= FIRST_SECONDS and GUESSED_FROM <= self._share < 1:
            left = f"; about {_rounded(took * (1 - self._share) / self._share)} left{self._rest}"
        return f"{self._share:4.0%} after {minutes}:{seconds:02}, now {self._step}{left}"

    def bar(self) -> str:
        """Returns the line with a bar before it."""
        return f"[{'#' * int(self._share * _WIDTH):-<{_WIDTH}}]{self.line()}"


def _rounded(seconds: float) -> str:
    """Returns a time in tens of seconds, in minutes or in hours: a guess is not more exact."""
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def watched(work: Callable[[Callable[[str, float], object]], Result], ended: str = "", rest: str = "") -> Result:
    """Returns what the work returns, and shows meanwhile how far it is.

    The work gets a function that it calls with its next step and the share that is done. It has a thread of its own, so
    that Ctrl-C ends it only there: then this raises KeyboardInterrupt with the text `ended`. A second Ctrl-C ends the
    process at once.
    """
    progress, is_said = Progress(ended, rest), False
    with _ending(progress), ThreadPoolExecutor(1, initializer=_block_interrupts) as thread, _shown(progress) as show:
        future = thread.submit(work, progress.told)
        while not wait([future], TICK_SECONDS).done:
            with suppress(Exception):  # what only decorates must not end the work
                show()
            if progress.is_ending and not is_said:
                TERMINAL.say("Ending as soon as this step is done; Ctrl-C once more ends it now.")
                is_said = True
        return future.result()


def _block_interrupts() -> None:
    """Keeps Ctrl-C from this thread, and from the processes that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


@contextmanager
def _ending(progress: Progress) -> Iterator[None]:
    """Lets a first Ctrl-C end the work before its next step, and a second one the process."""

    def interrupt(number: int, frame: object) -> None:
        if progress.is_ending:
            os._exit(ENDED_BY_USER)
        progress.is_ending = True

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _shown(progress: Progress) -> Iterator[Callable[[], None]]:
    """Yields what shows the progress: a bar on a terminal, else a line now and then; nothing with --quiet."""
    if TERMINAL.level > logging.INFO:
        yield lambda: None
    elif sys.stderr.isatty():
        with TERMINAL.drawing() as draw:
            yield lambda: draw(progress.bar()[: shutil.get_terminal_size().columns - 1])
    else:
        due = time.monotonic() + FIRST_SECONDS

        def show() -> None:
            nonlocal due
            if time.monotonic() >= due:
                due = time.monotonic() + LINE_SECONDS
                TERMINAL.say(f"Progress:{progress.line()}.")

        yield show
