"""Laws of ordering in which nobody leaves: floors of those with leaving, and what a small shop falls back to."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import gammaln

from ecom_assets.models.fitting import Floats, rounded
from ecom_assets.models.histories import Histories, most_likely_law

_STARTS = ((0.5, 0.5), (2.0, 2.0))
"""In the mean age as the unit of time."""


@dataclass(frozen=True)
class NBD:
    """Customers order at random at a rate of their own, gamma distributed with shape r and rate alpha, in days.

    Ehrenberg 1959, "The Pattern of Consumer Purchases", Applied Statistics 8(1).
    """

    r: float
    alpha: float

    @classmethod
    def fit(cls, histories: Histories) -> Self:
        """Returns the most likely law of some customers."""
        return most_likely_law(cls, histories, _STARTS, in_days=(False, True))

    def log_likelihoods(self, known: Histories) -> Floats:
        """Returns the logarithm of the likelihood of each history, in days."""
        shape = self.r + known.repeat_orders
        start = gammaln(shape) - gammaln(self.r) + self.r * math.log(self.alpha)
        return np.asarray(start - shape * np.log(self.alpha + known.age))

    def chance_active(self, known: Histories) -> Floats:
        """Returns 1 for each customer."""
        return np.ones_like(known.age)

    def expected_orders(self, known: Histories, days: float) -> Floats:
        """Returns the expected number of days with an order in so many days after the cut-off."""
        return (self.r + known.repeat_orders) / (self.alpha + known.age) * days

    def chance_of_order(self, known: Histories, days: float) -> Floats:
        """Returns the probability of an order in so many days after the cut-off."""
        return -np.expm1((self.r + known.repeat_orders) * np.log1p(-days / (self.alpha + known.age + days)))


@dataclass(frozen=True)
class SteadyRate:
    """All customers order at random at the same rate, in orders per day."""

    rate: float

    @classmethod
    def fit(cls, histories: Histories) -> Self:
        """Returns the repeat orders of some customers per day of theirs; 0 without a day."""
        days = float(histories.age.sum())
        return cls(rounded(float(histories.repeat_orders.sum()) / days) if days else 0.0)

    def chance_active(self, known: Histories) -> Floats:
        """Returns 1 for each customer."""
        return np.ones_like(known.age)

    def expected_orders(self, known: Histories, days: float) -> Floats:
        """Returns the expected number of days with an order in so many days after the cut-off."""
        return np.full_like(known.age, self.rate * days)

    def chance_of_order(self, known: Histories, days: float) -> Floats:
        """Returns the probability of an order in so many days after the cut-off."""
        return np.full_like(known.age, -math.expm1(-self.rate * days))


def as_in_the_past(known: Histories, days: float) -> Floats:
    """Returns the orders that so many days bring at each customer's rate so far, of one day at least."""
    return np.asarray(known.repeat_orders / np.maximum(known.age, 1) * days)


def none_at_all(known: Histories, days: float) -> Floats:
    """Returns 0 for each customer: of all floors the one with the lowest mean absolute error."""
    return np.zeros_like(known.age)
