"""Gamma-Gamma: values of a customer's orders vary about a mean of the customer, and means vary among customers.

Fader and Hardie 2013, "The Gamma-Gamma Model of Monetary Value", after Colombo and Jiang 1999. A value is gamma
distributed with shape p and rate nu, and nu among customers with shape q and rate gamma. How often customers order is
taken to say nothing about the values of their orders.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import gammaln

from ecom_assets.models.fitting import Floats, most_likely, rounded

_STARTS = ((1.0, 1.0, 1.0), (5.0, 3.0, 0.5), (0.5, 5.0, 5.0))
"""Shape p, what q exceeds its least value by, and gamma in the mean value."""
_LEAST_Q = 1.1
"""At 1 and below, the values of customers have no mean."""


@dataclass(frozen=True)
class GammaGamma:
    """The law with its parameters: gamma is in the currency of the values, p and q have no unit."""

    p: float
    q: float
    gamma: float

    @classmethod
    def fit(cls, orders: Floats, means: Floats) -> Self:
        """Returns the most likely law of customers with a number of orders, from 1, and their mean value, above 0."""
        (numbers, values), weights = np.unique(np.stack([orders, means]), axis=1, return_counts=True)

        def mean(parameters: Floats) -> float:
            p, excess, gamma = parameters
            law = cls(p, _LEAST_Q + excess, gamma)
            return float(np.average(law.log_likelihoods(numbers, values), weights=weights))

        p, excess, gamma = most_likely(mean, _STARTS, units=(1, 1, float(means.mean())))
        return cls(p, rounded(_LEAST_Q + excess), gamma)

    def log_likelihoods(self, orders: Floats, means: Floats) -> Floats:
        """Returns the logarithm of the likelihood of each customer's mean value (equation 1a)."""
        shape = self.p * orders
        return np.asarray(
            gammaln(shape + self.q)
            - gammaln(shape)
            - gammaln(self.q)
            + self.q * math.log(self.gamma)
            + (shape - 1) * np.log(means)
            + shape * np.log(orders)
            - (shape + self.q) * np.log(self.gamma + orders * means)
        )

    def expected_value(self, orders: Floats, means: Floats) -> Floats:
        """Returns the expected value of an order (equation 5); of customers with no orders, that of all of them."""
        return np.asarray(self.p * (self.gamma + orders * means) / (self.p * orders + self.q - 1))
