"""Processor time of one process by part, without overlaps."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


class Parts:
    """Charges all processor time since the start of the process to parts: to the innermost that is open."""

    def __init__(self, part: str) -> None:
        self.seconds: dict[str, float] = {}
        self._open = [part]
        self._charged = 0.0

    def turn_to(self, part: str) -> None:
        """Charges what no other part takes to this part from now on. The time until now is charged before."""
        self.stop()
        self._open[0] = part

    def is_at(self, part: str) -> bool:
        """Returns whether this part takes what no other takes."""
        return self._open[0] == part

    def stop(self) -> None:
        """Charges the time until now."""
        now = time.process_time()
        self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._charged
        self._charged = now

    @contextmanager
    def of(self, owner: Any, name: str, part: Callable[..., str | None]) -> Iterator[None]:
        """Charges calls of a function to the part that `part` returns for their arguments, or to none."""
        inner = getattr(owner, name)

        def charged(*args: Any, **named: Any) -> Any:
            to = part(*args)
            if to is None:
                return inner(*args, **named)
            self.stop()
            self._open.append(to)
            try:
                return inner(*args, **named)
            finally:
                self.stop()
                self._open.pop()

        with mock.patch.object(owner, name, charged):
            yield
