"""Entities that change now and then; the version valid at any moment can be computed directly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ecom_assets.shop.draws import DAY, SECOND, Ints, below
from ecom_assets.shop.rows import Rows


@dataclass(frozen=True)
class Changes:
    """Each entity has one of the periods (in days) and changes once per period, on a day given by its number.

    The entities that change on a day are thus every n-th of a period, without a search among all. Moments are in
    microseconds since 1970.
    """

    seed: int
    stream: str
    periods: tuple[int, ...]

    def _period(self, numbers: Ints) -> Ints:
        return np.array(self.periods)[below(self.seed, f"{self.stream} period", numbers, len(self.periods))]

    def _rhythm(self, numbers: Ints, born_at: Ints) -> tuple[Ints, Ints]:
        """Returns the first change of each entity, on a day after its birth, and the time between changes."""
        period = self._period(numbers)
        day_after = born_at // DAY + 1
        time = below(self.seed, f"{self.stream} time", numbers, 86_400) * SECOND
        return (day_after + (numbers - day_after) % period) * DAY + time, period * DAY

    def changing(self, day: int, known: int) -> Ints:
        """Returns which of the first `known` entities, all born before, change on the day (counted from 1970)."""
        candidates = [np.arange(day % period, known, period) for period in self.periods]
        chosen = [
            numbers[self._period(numbers) == period] for numbers, period in zip(candidates, self.periods, strict=True)
        ]
        return np.sort(np.concatenate(chosen))

    def version(self, numbers: Ints, born_at: Ints, at: Ints | int) -> Ints:
        """Returns how many times each entity has changed up to the moment `at`."""
        first, period = self._rhythm(numbers, born_at)
        return ((at - first) // period + 1).clip(min=0)

    def rows(self, entity: str, known: int, born_at: Callable[[Ints], Ints], begins: int) -> Rows:
        """Returns the new versions of the first `known` entities on the day that begins at that moment.

        The columns are `entity`, `at` and `version`; `born_at` returns when entities were born.
        """
        numbers = self.changing(begins // DAY, known)
        born = born_at(numbers)
        version = self.version(numbers, born, begins + DAY - 1)
        return {entity: numbers, "at": self.changed_at(numbers, born, version), "version": version}

    def changed_at(self, numbers: Ints, born_at: Ints, version: Ints) -> Ints:
        """Returns when each entity got the given version, 1 or more."""
        first, period = self._rhythm(numbers, born_at)
        return first + (version - 1) * period
