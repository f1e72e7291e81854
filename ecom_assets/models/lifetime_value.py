"""Lifetime value and churn: how often each customer is going to order, for how much, and who is overdue.

Orders follow Pareto/NBD, or BG/NBD if it is asked for, and their values Gamma-Gamma. Time is counted in days. Customers
come as a frame with one row each:

| column | meaning |
| --- | --- |
| customer_id | number, kept as it is |
| repeat_orders | days with an order after that of the first |
| last_order_age | days from the first order to the last; 0 without a repeat order |
| age | days from the first order to the cut-off |
| mean_repeat_value | mean value of those days after the first; null without any |
| mean_value | mean value of all days with an order |

Fallbacks: below `FEWEST` customers, or `FEWEST_REPEATING` with a repeat order, all customers order at the mean rate of
the shop, which is 0 if nobody ordered again. Where repeat orders of fewer than `FEWEST_REPEATING` customers have a
value above 0, or all have the same, each order is expected to have the mean of those that are above 0, and without any
the mean of all orders, where a value below 0 counts as 0. A customer without repeat order, or with a value that is not
above 0, is expected to spend what customers spend on average.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import polars as pl

from ecom_assets.models.bg_nbd import BGNBD
from ecom_assets.models.fitting import Floats, rounded
from ecom_assets.models.gamma_gamma import GammaGamma
from ecom_assets.models.histories import Histories
from ecom_assets.models.pareto_nbd import ParetoNBD
from ecom_assets.models.staying import NBD, SteadyRate

FEWEST, FEWEST_REPEATING = 100, 20
"""Customers, and customers with a repeat order, from which on a law is fitted."""
USUAL = 0.95
"""A customer is overdue after this share of the waits of such a customer, had he or she not left."""
MOST_DAYS = 3650
"""No customer is expected later than this, nor overdue for longer."""
COLUMNS = {
    "customer_id": pl.String,
    "expected_orders_7d": pl.Float64,
    "expected_orders_30d": pl.Float64,
    "expected_orders_90d": pl.Float64,
    "expected_orders_365d": pl.Float64,
    "chance_of_order_30d": pl.Float64,
    "chance_of_order_90d": pl.Float64,
    "chance_active": pl.Float64,
    "days_until_overdue": pl.Int64,
    "expected_order_value": pl.Float64,
    "expected_value_365d": pl.Float64,
}
"""What `predict` returns, with its types."""

_LAWS: dict[str, type[ParetoNBD | BGNBD | NBD | SteadyRate]] = {
    law.__name__: law for law in (ParetoNBD, BGNBD, NBD, SteadyRate)
}


@dataclass(frozen=True)
class MeanValue:
    """Every order is expected to have the same value, in the currency of the values."""

    value: float

    def expected_value(self, orders: Floats, means: Floats) -> Floats:
        """Returns the value, for each customer."""
        return np.full_like(orders, self.value)


@dataclass(frozen=True)
class LifetimeValue:
    """The law of orders and that of their values, each with its parameters."""

    orders: ParetoNBD | BGNBD | NBD | SteadyRate
    values: GammaGamma | MeanValue

    def to_json(self) -> str:
        """Returns names and parameters of the laws; equal laws have equal text."""
        laws = {name: {"law": type(law).__name__, **asdict(law)} for name, law in vars(self).items()}
        return json.dumps(laws, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Returns the laws that a text of `to_json` names. Raises ValueError, KeyError, TypeError if it is none."""
        known: dict[str, dict[str, Any]] = json.loads(text)
        orders, values = known["orders"], known["values"]
        of_values = {law.__name__: law for law in (GammaGamma, MeanValue)}
        return cls(_LAWS[orders.pop("law")](**orders), of_values[values.pop("law")](**values))


def fit(customers: pl.DataFrame, law: str = "ParetoNBD") -> LifetimeValue:
    """Returns the most likely laws of some customers; that of orders is ParetoNBD, BGNBD, NBD or SteadyRate."""
    return fit_each(customers, [law])[law]


def fit_each(customers: pl.DataFrame, laws: Iterable[str]) -> dict[str, LifetimeValue]:
    """Returns the same by each of some laws of orders: that of values is fitted once."""
    known = Histories.of(customers)
    repeating = int((known.repeat_orders > 0).sum())
    enough = len(customers) >= FEWEST and repeating >= FEWEST_REPEATING
    values = _values(customers, known)
    return {law: LifetimeValue(_LAWS[law if enough else "SteadyRate"].fit(known), values) for law in laws}


def predict(fitted: LifetimeValue, customers: pl.DataFrame) -> pl.DataFrame:
    """Returns one row per customer, in their order, with the columns of `COLUMNS`; all numbers are finite.

    `expected_orders_…` count days with an order, `chance_of_order_…` are probabilities of at least one, in so many days
    after the cut-off. `chance_active` is the probability not to have left; it says less about who orders again than
    `chance_of_order_90d` does. `expected_value_365d` is the value of the orders expected in 365 days, not discounted.

    `days_until_overdue` counts to the day on which the silence since the last order exceeds `USUAL` of the waits that
    the customer's own orders make likely; 0 or below for those who are overdue. An active customer with x repeat orders
    in t days has a rate that is gamma distributed with shape r + x and rate alpha + t: waits are Lomax distributed.
    """
    known = Histories.of(customers)
    orders, means = _repeat_values(customers, known)
    value = fitted.values.expected_value(orders, means)
    in_year = fitted.orders.expected_orders(known, 365)
    return pl.DataFrame(
        {
            "customer_id": customers["customer_id"],
            "expected_orders_7d": fitted.orders.expected_orders(known, 7),
            "expected_orders_30d": fitted.orders.expected_orders(known, 30),
            "expected_orders_90d": fitted.orders.expected_orders(known, 90),
            "expected_orders_365d": in_year,
            "chance_of_order_30d": fitted.orders.chance_of_order(known, 30),
            "chance_of_order_90d": fitted.orders.chance_of_order(known, 90),
            "chance_active": fitted.orders.chance_active(known),
            "days_until_overdue": np.ceil(_usual_wait(fitted, known) - (known.age - known.last_order_age)),
            "expected_order_value": value,
            "expected_value_365d": in_year * value,
        }
    ).cast(COLUMNS)  # type: ignore[arg-type]


def _usual_wait(fitted: LifetimeValue, known: Histories) -> Floats:
    """Days from the last order, within which `USUAL` of waits end."""
    law = fitted.orders
    if isinstance(law, SteadyRate):
        wait = -math.log1p(-USUAL) / law.rate if law.rate else math.inf
        return np.full_like(known.age, min(wait, MOST_DAYS))
    exponent = np.minimum(-math.log1p(-USUAL) / (law.r + known.repeat_orders), 700)
    return np.asarray(np.minimum((law.alpha + known.last_order_age) * np.expm1(exponent), MOST_DAYS))


def _repeat_values(customers: pl.DataFrame, known: Histories) -> tuple[Floats, Floats]:
    """Repeat orders and the mean of their values, both 0 for customers who tell nothing of values."""
    means = _numbers(customers, "mean_repeat_value")
    tells = (known.repeat_orders > 0) & (means > 0)
    return np.where(tells, known.repeat_orders, 0.0), np.where(tells, means, 0.0)


def _values(customers: pl.DataFrame, known: Histories) -> GammaGamma | MeanValue:
    orders, means = _repeat_values(customers, known)
    telling = orders > 0
    if telling.sum() >= FEWEST_REPEATING and np.ptp(means[telling]) > 1e-9 * means.max():
        return GammaGamma.fit(orders[telling], means[telling])
    if telling.any():
        return MeanValue(rounded(float(np.average(means[telling], weights=orders[telling]))))
    every = np.maximum(_numbers(customers, "mean_value"), 0)
    return MeanValue(rounded(float(np.average(every, weights=known.repeat_orders + 1))) if every.size else 0.0)


def _numbers(customers: pl.DataFrame, column: str) -> Floats:
    """A column of numbers; 0 for what is no finite number."""
    numbers = customers[column].cast(pl.Float64).fill_null(0).to_numpy()
    return np.where(np.isfinite(numbers), numbers, 0.0)
