"""What laws of ordering know of each customer: how many repeat orders, when the last one, since when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
import polars as pl

from ecom_assets.models.fitting import Floats, most_likely

_COLUMNS = ("repeat_orders", "last_order_age", "age")


@dataclass(frozen=True)
class Histories:
    """One element per customer, or per group of equal customers."""

    repeat_orders: Floats
    """Days with an order after that of the first."""
    last_order_age: Floats
    """Days from the first order to the last; 0 without a repeat order."""
    age: Floats
    """Days from the first order to the cut-off."""

    @classmethod
    def of(cls, customers: pl.DataFrame) -> Self:
        """Returns the histories of customers, in their order, from the columns of the same names.

        A missing or negative number counts as 0, and a last order after the cut-off as one on it.
        """
        known = customers.select(
            pl.col(column).cast(pl.Float64).fill_nan(0).fill_null(0).clip(lower_bound=0) for column in _COLUMNS
        ).with_columns(last_order_age=pl.min_horizontal("last_order_age", "age"))
        return cls(*(known[column].to_numpy() for column in _COLUMNS))

    def grouped(self) -> tuple[Self, Floats]:
        """Returns the different histories, in order, and how many customers have each."""
        rows = pl.DataFrame({column: getattr(self, column) for column in _COLUMNS})
        groups = rows.group_by(_COLUMNS).len().sort(_COLUMNS)
        return type(self)(*(groups[column].to_numpy() for column in _COLUMNS)), groups["len"].cast(
            pl.Float64
        ).to_numpy()


class HasLikelihood(Protocol):
    """A law of ordering that says how likely histories are."""

    def log_likelihoods(self, known: Histories) -> Floats:
        """Returns the logarithm of the likelihood of each history."""


Law = TypeVar("Law", bound=HasLikelihood)


def most_likely_law(
    law: Callable[..., Law], histories: Histories, starts: Sequence[Sequence[float]], in_days: Sequence[bool]
) -> Law:
    """Returns the most likely law of some customers, sought from some parameters.

    Starts count time in the mean age of customers, so that they suit any shop; `in_days` says which parameters do.
    """
    groups, weights = histories.grouped()
    mean_age = float(histories.age.mean()) if histories.age.any() else 1.0

    def mean(parameters: Floats) -> float:
        return float(np.average(law(*parameters).log_likelihoods(groups), weights=weights))

    return law(*most_likely(mean, starts, units=[mean_age if is_time else 1.0 for is_time in in_days]))
