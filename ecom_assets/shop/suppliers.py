"""Suppliers of the shop, and their lead times."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from ecom_assets.shop.changes import Changes
from ecom_assets.shop.customers import COUNTRY_NAMES
from ecom_assets.shop.draws import Ints, below, choose, generator, uniforms
from ecom_assets.shop.names import CITIES, COUNTRY_WEIGHTS, names
from ecom_assets.shop.rows import Rows, concat, frame, numbered, send, take, texts, timestamps
from ecom_assets.shop.timetable import Timetable

SUPPLIERS = 16
SHORTEST_LEAD, LEADS = 2, 5
LONGEST_LEAD = SHORTEST_LEAD + LEADS - 1


def supplier_ids(numbers: Ints) -> pl.Series:
    return numbered("S", numbers, 4)


@dataclass(frozen=True)
class Suppliers:
    """All suppliers exist when the shop opens. Now and then one moves, or its lead time changes."""

    timetable: Timetable

    @property
    def seed(self) -> int:
        return self.timetable.seed

    @cached_property
    def _changes(self) -> Changes:
        return Changes(self.seed, "supplier", periods=(120, 240, 365))

    def of(self, product: Ints) -> Ints:
        """Returns the supplier of each product."""
        return below(self.seed, "supplier of", product, SUPPLIERS)

    def lead_days(self, supplier: Ints, at: Ints | int) -> Ints:
        """Days from an order at the moment `at` until the goods come, as the supplier's profile says."""
        return self._lead_days(supplier, self._changes.version(supplier, self._born_at(supplier), at))

    def _born_at(self, supplier: Ints) -> Ints:
        return np.full_like(supplier, self.timetable.begins(0))

    def _lead_days(self, supplier: Ints, version: Ints) -> Ints:
        return SHORTEST_LEAD + below(self.seed, "lead time", supplier * 4096 + (version + 1) // 2, LEADS)

    def rows(self, day: int) -> Rows:
        """Returns the profiles created or changed on the day."""
        new = np.arange(SUPPLIERS if day == 0 else 0)
        made = {"supplier": new, "at": self._born_at(new), "version": np.zeros_like(new)}
        changed = self._changes.rows("supplier", SUPPLIERS if day else 0, self._born_at, self.timetable.begins(day))
        rows = concat([made, changed])
        rows = take(rows, np.argsort(rows["at"], kind="stable"))
        return send(generator(self.seed, "suppliers sent", day), rows, rows["at"])

    def frame(self, rows: Rows) -> pl.DataFrame:
        supplier, version = rows["supplier"], rows["version"]
        country = choose(uniforms(self.seed, "supplier country", supplier), COUNTRY_WEIGHTS)
        city = country * CITIES + below(self.seed, "supplier city", supplier * 4096 + version // 2, CITIES)
        return frame(
            {
                "supplier_id": supplier_ids(supplier),
                "changed_at": timestamps(rows["at"]),
                "name": texts(names(self.seed).brands, supplier) + " Wholesale",
                "city": texts(names(self.seed).cities, city),
                "country": texts(COUNTRY_NAMES, country),
                "lead_time_days": pl.Series(self._lead_days(supplier, version)),
            }
        )
