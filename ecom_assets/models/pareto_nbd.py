"""Pareto/NBD: customers order at random at a rate of their own, and leave unnoticed at a moment of their own.

Schmittlein, Morrison, Colombo 1987, Management Science 33(1). Rates of orders are gamma distributed with shape r and
rate alpha, those of leaving with shape s and rate beta. The formulas are those of Fader and Hardie 2005, "A Note on
Deriving the Pareto/NBD Model and Related Expressions", rewritten so that all terms are positive and none overflows.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import exprel, gammaln

from ecom_assets.models.fitting import Floats
from ecom_assets.models.histories import Histories, most_likely_law

_STARTS = ((0.5, 0.5, 0.5, 0.5), (1.0, 0.2, 0.5, 2.0), (2.0, 2.0, 2.0, 5.0))
"""In the mean age as the unit of time."""
_MOST_TERMS = 300
"""Of a continued fraction: enough for 12 digits where alpha and beta differ by a factor of up to 200."""


@dataclass(frozen=True)
class ParetoNBD:
    """The law with its parameters: r and s have no unit, alpha and beta are in days."""

    r: float
    alpha: float
    s: float
    beta: float

    @classmethod
    def fit(cls, histories: Histories) -> Self:
        """Returns the most likely law of some customers."""
        return most_likely_law(cls, histories, _STARTS, in_days=(False, True, False, True))

    def log_likelihoods(self, known: Histories) -> Floats:
        """Returns the logarithm of the likelihood of each history, in days (equation 19)."""
        shape = self.r + known.repeat_orders
        return np.asarray(
            gammaln(shape)
            - gammaln(self.r)
            + self.r * math.log(self.alpha)
            + self.s * math.log(self.beta)
            + self._log_silence(shape, known.last_order_age, known.age)
        )

    def chance_active(self, known: Histories) -> Floats:
        """Returns the probability that customers have not left by the cut-off (equation 24)."""
        shape = self.r + known.repeat_orders
        active = self._log_kernel(shape, known.age)
        return np.exp(active - self._log_silence(shape, known.last_order_age, known.age))

    def expected_orders(self, known: Histories, days: float) -> Floats:
        """Returns the expected number of days with an order in so many days after the cut-off (equation 41)."""
        longer = np.log1p(days / (self.beta + known.age))
        stay = (self.beta + known.age) * longer * exprel((1 - self.s) * longer)
        rate = (self.r + known.repeat_orders) / (self.alpha + known.age)
        return np.asarray(self.chance_active(known) * rate * stay)

    def chance_of_order(self, known: Histories, days: float) -> Floats:
        """Returns the probability of an order in so many days after the cut-off.

        An active customer orders nothing with the likelihood of a silence of that length, given the history.
        """
        shape = self.r + known.repeat_orders
        silent = self._log_silence(shape, known.age, known.age + days) - self._log_kernel(shape, known.age)
        return self.chance_active(known) * -np.expm1(np.minimum(silent, 0))

    def _log_kernel(self, shape: Floats, age: Floats) -> Floats:
        """(alpha + age)^-shape (beta + age)^-s, of a customer who is active at an age."""
        return np.asarray(-shape * np.log(self.alpha + age) - self.s * np.log(self.beta + age))

    def _log_silence(self, shape: Floats, start: Floats, end: Floats) -> Floats:
        """Of a customer who is active at the start, and until the end active or left: the kernel without an order.

        It is kernel(end) + s ∫ (alpha + u)^-shape (beta + u)^-(s + 1) du from start to end.
        """
        share = self.s / (shape + self.s)
        from_end, from_start = np.split(self._tail(np.tile(shape, 2), np.concatenate([end, start])), 2)
        still = self._log_kernel(shape, end) + np.log1p(-np.minimum(share * from_end, 1 - 1e-16))
        left = self._log_kernel(shape, start) + np.log(share * from_start)
        return np.logaddexp(still, left)

    def _tail(self, shape: Floats, age: Floats) -> Floats:
        """The integral above from an age on without end, by share and kernel(age): between 0 and 1 / share.

        By Euler's transformation of the note's hypergeometric functions, with the larger of alpha and beta first.
        """
        total = shape + self.s
        if self.alpha >= self.beta:
            return _hypergeometric(shape, total + 1, (self.alpha - self.beta) / (self.alpha + age))
        ratio = (self.alpha + age) / (self.beta + age)
        one = np.full_like(shape, self.s + 1)
        return ratio * _hypergeometric(one, total + 1, (self.beta - self.alpha) / (self.beta + age))


def _hypergeometric(b: Floats, c: Floats, z: Floats) -> Floats:
    """Returns Gauss's hypergeometric function 2F1(1, b; c; z) for 0 < b < c and 0 <= z < 1, by Gauss's fraction.

    Gauss 1813, Disquisitiones generales circa seriem infinitam: here all partial fractions lie between 0 and 1, where
    SciPy's hyp2f1 overflows for b of hundreds. Of c there are few values, each with its b: those of numbers of orders.
    """
    root = math.sqrt(1 - z.max(initial=0))
    terms = min(_MOST_TERMS, int(30 / max(math.log1p(root) - math.log1p(-root), 0.01)) + 4) if root < 1 else 4
    _, first, place = np.unique(c, return_index=True, return_inverse=True)
    b, c = b[first], c[first]
    value, factors = np.ones_like(z), np.empty_like(z)
    for term in range(terms, 0, -1):
        half = term // 2
        top = (b + half) * (c - 1 + half) if term % 2 else half * (c - b + half - 1)
        np.take(top / ((c + term - 2) * (c + term - 1)), place, out=factors)
        np.divide(z, value, out=value)
        np.subtract(1, np.multiply(value, factors, out=value), out=value)
    return 1 / value
