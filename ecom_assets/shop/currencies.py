"""Orders in other currencies than the shop's, and the rates of these.

All amounts of such an order, and what is paid and refunded of it, are in its own currency.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ecom_assets.shop.draws import DAY, Ints, below, generator, uniforms
from ecom_assets.shop.rows import days_of, frame
from ecom_assets.shop.timetable import Timetable

CODES = pl.Series(["USD", "GBP", "SEK"])
BASE_RATES = np.array([0.92, 1.17, 0.088])
SWING, JITTER, SWING_DAYS = 0.04, 0.004, 90
SATURDAY = 5


@dataclass(frozen=True)
class Currencies:
    """The currencies of orders, and what a unit of each is worth on a day."""

    timetable: Timetable

    def of_orders(self, number: Ints) -> pl.Series:
        """Returns the currency of each order; null for the shop's."""
        seed = self.timetable.seed
        is_foreign = uniforms(seed, "foreign orders", number) < self.timetable.scale.foreign_share
        codes = CODES.gather(below(seed, "currency", number, len(CODES)))
        return codes.to_frame("code").select(pl.when(pl.Series(is_foreign)).then("code")).to_series()

    def rates(self, day: int) -> pl.DataFrame:
        """Returns the rates of a day; none on week-ends, but for the shop's first day."""
        weekday = (self.timetable.start.weekday() + day) % 7
        count = len(CODES) if day == 0 or weekday < SATURDAY else 0
        noise = generator(self.timetable.seed, "rates", day).normal(0, JITTER, len(CODES))
        swing = 1 + SWING * np.sin(2 * np.pi * day / SWING_DAYS) + noise
        on = np.full(count, self.timetable.begins(day) // DAY)
        rates = pl.Series((BASE_RATES * swing)[:count], dtype=pl.Float64).round(6).cast(pl.Decimal(18, 6))
        return frame({"currency": CODES[:count], "rate_on": days_of(on), "rate": rates})
