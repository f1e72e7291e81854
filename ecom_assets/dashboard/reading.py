"""Reading for many sessions at once: the newest snapshot, and what it answered before."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import duckdb

from ecom_assets.dashboard.answers import Answer, Published, answer, nothing, published
from ecom_assets.dashboard.declared import Chart
from ecom_assets.dashboard.filters import Filters
from ecom_assets.dashboard.pages import CHARTS
from ecom_assets.errors import UserError
from ecom_assets.serving.snapshots import Snapshots

KEPT_ANSWERS = 200
"""Those of some pages; of years by day and channel, an answer has some megabytes."""
FAILURES = (UserError, duckdb.Error, OSError)
"""What may be wrong with a snapshot, perhaps for a moment: no answer is kept then."""


class Reader:
    """Answers charts from the snapshots behind a path; what a snapshot has answered once is kept."""

    def __init__(self, path: Path) -> None:
        self._snapshots = Snapshots(path)
        self._published = lru_cache(maxsize=2)(self._read_published)
        self._answers = lru_cache(maxsize=KEPT_ANSWERS)(self._read_answer)

    def newest(self) -> tuple[str | None, str]:
        """Returns the name of the newest snapshot; without one, why there is none."""
        try:
            return self._snapshots.newest(), ""
        except FAILURES as error:
            return None, str(error)

    def published(self, snapshot: str) -> Published:
        """Returns what all charts of a snapshot need. Raises SnapshotGone, or one of FAILURES."""
        return self._published(snapshot)

    def answer(self, snapshot: str, chart: Chart, filters: Filters) -> Answer:
        """Returns what a snapshot says to a chart, or why it cannot be asked. Raises SnapshotGone."""
        try:
            return self._answers(snapshot, chart.name, replace(filters, page=chart.name))
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            return nothing(chart, f"The snapshot is of another version; ecom run --stale publishes it again. {error}")
        except FAILURES as error:
            return nothing(chart, str(error))

    def follow(self) -> None:
        """Opens what is published, and closes what is old, also while nobody looks."""
        self._snapshots.follow()

    def _read_published(self, snapshot: str) -> Published:
        with self._snapshots.reading(snapshot) as reading:
            return published(reading.con)

    def _read_answer(self, snapshot: str, name: str, filters: Filters) -> Answer:
        about = self.published(snapshot)
        with self._snapshots.reading(snapshot) as reading:
            return answer(reading.con, about, CHARTS[name], filters)


@lru_cache(maxsize=1)
def reader(path: Path) -> Reader:
    """Returns the one reader of the process, which follows what is published."""
    made = Reader(path)
    made.follow()
    return made
