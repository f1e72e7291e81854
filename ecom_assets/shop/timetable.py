"""The number of customers, products, orders and lines per day."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from ecom_assets.shop.draws import DAY, Floats, Ints, generator
from ecom_assets.shop.scale import Scale

YEARS_OPEN = 10
CAMPAIGN_DAYS = range(28, 35)
CAMPAIGN_LIFT = 1.6
SLOW_DAY = 0.4
WEEKDAYS = np.array([1.0, 0.95, 0.92, 0.95, 1.0, 1.12, 1.06])


def is_campaign(day: int) -> bool:
    """Returns whether the day, counted from the start, is in the yearly campaign week."""
    return day % 365 in CAMPAIGN_DAYS


@dataclass(frozen=True)
class Timetable:
    """The numbers of each day, for all days on which the shop sells. Days count from 0."""

    start: date
    seed: int
    scale: Scale

    def begins(self, day: int) -> int:
        """Returns the midnight at which the day begins, in microseconds since 1970."""
        return ((self.start - date(1970, 1, 1)).days + day) * DAY

    @cached_property
    def days(self) -> int:
        """Days on which the shop sells."""
        return self.scale.days or 365 * YEARS_OPEN

    @cached_property
    def demand(self) -> Floats:
        """Demand per day, 1 on an ordinary day."""
        day = np.arange(self.days)
        first = self.start.timetuple().tm_yday
        season = 1 + 0.15 * np.cos(2 * np.pi * (first + day - 345) / 365.25)
        campaign = np.where(np.isin(day % 365, CAMPAIGN_DAYS), CAMPAIGN_LIFT, 1.0)
        demand: Floats = WEEKDAYS[(self.start.weekday() + day) % 7] * season * campaign
        demand[[slow for slow in self.scale.slow_days if slow < self.days]] *= SLOW_DAY
        demand[[quiet for quiet in self.scale.quiet_days if quiet < self.days]] = 0
        return demand

    def _numbers(self, stream: str, mean: Floats, total: float) -> Ints:
        rng = generator(self.seed, stream)
        if self.scale.days is None or not mean.any():
            return rng.poisson(mean)
        return rng.multinomial(round(total), mean / mean.sum())

    def _starts(self, stream: str, at_start: int, per_day: float, rhythm: Floats) -> Ints:
        numbers = self._numbers(stream, per_day * rhythm, per_day * self.days)
        return at_start + np.concatenate(([0], np.cumsum(numbers)))

    @cached_property
    def customers(self) -> Ints:
        """Number of customers known before each day (and, last, after all)."""
        return self._starts("registrations", self.scale.customers_at_start, self.scale.customers_per_day, self.demand)

    @cached_property
    def products(self) -> Ints:
        """Number of products known before each day (and, last, after all)."""
        return self._starts("assortment", self.scale.products_at_start, self.scale.products_per_day, np.ones(self.days))

    @cached_property
    def orders(self) -> Ints:
        """Number of orders placed before each day (and, last, in all)."""
        return self._starts("orders", 0, self.scale.orders_per_day, self.demand)

    @cached_property
    def further_lines(self) -> Ints:
        """Number of lines of each day's orders beyond their first."""
        per_order = self.scale.lines_per_order - 1
        orders = np.diff(self.orders)
        return self._numbers("lines", per_order * orders, per_order * self.scale.orders_per_day * self.days)
