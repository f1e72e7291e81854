"""BG/NBD: customers order at random at a rate of their own, and may leave after each order.

Fader, Hardie, Lee 2005, "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model", Marketing
Science 24(2). Rates of orders are gamma distributed with shape r and rate alpha, chances to leave are beta distributed
with a and b. A customer without a repeat order has not left.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import betainc, betaln, expit, gammaln

from ecom_assets.models.fitting import Floats
from ecom_assets.models.histories import Histories, most_likely_law

_STARTS = ((0.5, 0.5, 1.0, 2.0), (1.0, 0.2, 0.5, 5.0), (2.0, 2.0, 2.0, 2.0))
"""In the mean age as the unit of time."""
_MOST_ORDERS = 2000


@dataclass(frozen=True)
class BGNBD:
    """The law with its parameters: alpha is in days, r, a and b have no unit."""

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fit(cls, histories: Histories) -> Self:
        """Returns the most likely law of some customers."""
        return most_likely_law(cls, histories, _STARTS, in_days=(False, True, False, False))

    def log_likelihoods(self, known: Histories) -> Floats:
        """Returns the logarithm of the likelihood of each history, in days (equation 6)."""
        shape = self.r + known.repeat_orders
        return np.asarray(
            gammaln(shape)
            - gammaln(self.r)
            + self.r * math.log(self.alpha)
            - shape * np.log(self.alpha + known.age)
            + betaln(self.a, self.b + known.repeat_orders)
            - betaln(self.a, self.b)
            + np.logaddexp(0, self._log_odds_of_having_left(known))
        )

    def chance_active(self, known: Histories) -> Floats:
        """Returns the probability that customers have not left by the cut-off (Fader, Hardie, Lee 2008, a note)."""
        return np.asarray(expit(-self._log_odds_of_having_left(known)))

    def expected_orders(self, known: Histories, days: float) -> Floats:
        """Returns the expected number of days with an order in so many days after the cut-off (equation 10).

        Summed over orders, as the probability that so many would be made without leaving times that of having stayed
        until then, which is exact also for a = 1 and for many orders. Those after the first 2000 are not counted.
        """
        shape, stays = self.r + known.repeat_orders, self.b + known.repeat_orders
        share = days / (self.alpha + known.age + days)
        stayed, expected = np.ones_like(share), np.zeros_like(share)
        for earlier in range(_MOST_ORDERS):
            next_one = betainc(earlier + 1, shape, share) * stayed
            expected += next_one
            if (next_one <= 1e-12 * expected).all():
                break
            stayed *= (stays + earlier) / (self.a + stays + earlier)
        return np.asarray(expected * self.chance_active(known))

    def chance_of_order(self, known: Histories, days: float) -> Floats:
        """Returns the probability of an order in so many days after the cut-off."""
        shape = self.r + known.repeat_orders
        silent = shape * np.log1p(-days / (self.alpha + known.age + days))
        return self.chance_active(known) * -np.expm1(silent)

    def _log_odds_of_having_left(self, known: Histories) -> Floats:
        """Minus infinity without a repeat order."""
        shape = self.r + known.repeat_orders
        silence = np.log((self.alpha + known.age) / (self.alpha + known.last_order_age))
        odds = math.log(self.a) - np.log(self.b + np.maximum(known.repeat_orders, 1) - 1) + shape * silence
        return np.where(known.repeat_orders > 0, odds, -np.inf)
