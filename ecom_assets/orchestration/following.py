"""Following the runs of this process: how far they are, told to whoever shows it and may end them."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

Told = Callable[[str, float], object]
"""Gets what a run does next and the share of it that is done, 0 to 1. It may raise KeyboardInterrupt to end the run."""

_followers: list[Told] = []
_runs: list["Steps"] = []


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
        self.left, self.count = set(names), len(names)

    @property
    def done(self) -> int:
        """The number of steps that have ended."""
        return self.count - len(self.left)

    def tell(self, next_one: str, part: float = 0.0) -> None:
        """Tells what comes next, a step or a part of one. Raises KeyboardInterrupt if the run is to end here."""
        for told in _followers:
            told(next_one, (self.done + part) / self.count)


@contextmanager
def steps(names: Collection[str]) -> Iterator[Steps]:
    """Yields the steps of a run, of which `tell_part` tells meanwhile."""
    _runs.append(Steps(names))
    try:
        yield _runs[-1]
    finally:
        _runs.pop()


def tell_part(name: str, part: float = 0.0) -> None:
    """Tells which step or part of one begins, and the share of the step that is done, 0 to 1.

    A run does not end within a step.
    """
    with suppress(KeyboardInterrupt):
        for run in _runs[-1:]:
            run.tell(name, part)
