"""Things that change now and then, so that the version in force at any moment can be computed by itself."""

from dataclasses import dataclass

from ecom_assets.shop.draws import DAY, Ints, uniforms


@dataclass(frozen=True)
class Changes:
    """Entity i changes first within a period of its birth and then once in each period.

    Periods last from `shortest` to `longest` days, drawn per entity.
    """

    seed: int
    stream: str
    shortest: int
    longest: int

    def _rhythm(self, numbers: Ints, born_at: Ints) -> tuple[Ints, Ints]:
        spread = uniforms(self.seed, f"{self.stream} period", numbers)
        period = ((self.shortest + spread * (self.longest - self.shortest)) * 86_400).astype(int) * 1_000_000
        phase = (uniforms(self.seed, f"{self.stream} phase", numbers) * (period // 1_000_000)).astype(int) * 1_000_000
        return born_at + DAY + phase, period

    def version(self, numbers: Ints, born_at: Ints, at: Ints | int) -> Ints:
        """How often each entity has changed up to the moment `at` (microseconds since 1970)."""
        first, period = self._rhythm(numbers, born_at)
        return ((at - first) // period + 1).clip(min=0)

    def changed_at(self, numbers: Ints, born_at: Ints, version: Ints) -> Ints:
        """When each entity became the given version; version 0 is its birth."""
        first, period = self._rhythm(numbers, born_at)
        changed = first + (version - 1) * period
        changed[version == 0] = born_at[version == 0]
        return changed
