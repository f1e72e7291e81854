"""Following the runs of this process: how far they are, told to whoever shows it and may end them."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import dagster as dg

Told = Callable[[str, float], object]
"""Gets what a run does next and the share of it that is done, 0 to 1. It may raise KeyboardInterrupt to end the run."""
LANDING = "landing"
"""The step in which files land."""

_followers: list[Told] = []
_runs: list["Steps"] = []


class RunEnded(dg.DagsterExecutionInterruptedError):
    """A follower has ended the run between two tables; the text says how far it came."""


@contextmanager
def followed(told: Told) -> Iterator[None]:
    """Tells how far the runs are that this process executes meanwhile."""
    _followers.append(told)
    try:
        yield
    finally:
        _followers.remove(told)


class Steps:
    """The steps of a run, which all count the same: how long one takes is known once it has ended."""

    def __init__(self, names: Collection[str]) -> None:
        self.left, self._count, self._is_to_end = set(names), len(names), False

    def tell(self, what: str, part: float = 0.0) -> None:
        """Tells what comes next, and the share of the current step that is done, 0 to 1."""
        done = self._count - len(self.left)
        for told in _followers:
            try:
                told(what, (done + part) / self._count)
            except KeyboardInterrupt:
                self.end()

    def end(self) -> None:
        """Lets the run end before the next table."""
        self._is_to_end = True

    def may_end(self) -> None:
        """Raises RunEnded if a follower wants it, or whoever has canceled the run.

        A run does not end before a synthetic shop has landed its files: no table would be stale for want of them.
        """
        if self._is_to_end and LANDING not in self.left:
            raise RunEnded(f"{self._count - len(self.left)} of {self._count} steps are done")


@contextmanager
def steps(names: Collection[str]) -> Iterator[Steps]:
    """Yields the steps of a run, for `tell_part` and `may_end` meanwhile."""
    _runs.append(Steps(names))
    try:
        yield _runs[-1]
    finally:
        _runs.pop()


def tell_part(what: str, part: float) -> None:
    """Tells which part of the current step comes next, and the share of the step that is done, 0 to 1."""
    for run in _runs[-1:]:
        run.tell(what, part)


def may_end() -> None:
    """Lets the current run end here if a follower wants it: before a table is written. Raises RunEnded."""
    for run in _runs[-1:]:
        run.may_end()
