"""Levels of demand after each week, their spread, and how far they were from the demand of later weeks."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import nnls

from ecom_assets.models import smoothing
from ecom_assets.models.demand_history import NO_CATEGORY, DemandHistory
from ecom_assets.models.fitting import Floats, rounded
from ecom_assets.models.seasons import SEASON, seasons
from ecom_assets.models.smoothing import Flags, Integers

SLOW, FAST = 0.1, 0.3
"""Constants of the two levels."""
MOST_OF_USUAL, USUAL = 4.0, 0.2
"""What counts of a week's units, in usual weeks with demand, and the constant of what is usual.

Chosen, as the other constants were, on the first 40 weeks of Online Retail: the least error with a bias below 10 %.
"""
EQUAL = (0.5, 0.5)
"""Weights of the levels where nothing says which is better."""
OF_ERRORS = 0.15
"""Constant of squared errors."""
AHEAD = 4
"""Weeks for which the mix of levels is best."""
BACK, LATEST = 26, 0.8
"""Earlier cut-offs that count, each by so much less than the next."""
FIRST_ORIGIN = 6
"""Weeks before the first cut-off that counts."""
NEW = 8
"""Known weeks for which a product is new."""
_ALIKE = 20
"""Products with the same units, after which what they sold together counts as much as that each was met."""
_OWN_WEEKS = 6
"""Weeks after which a product's own errors count as much as the compound Poisson law."""
_FIRST_WEEKS = 4
"""Weeks after that of the first sale, which say how a new product starts."""
_FEWEST = 3
"""Products that say what others of their category are like."""


@dataclass(frozen=True)
class Levels:
    """What smoothing knows of products after each week, in units of a usual week: arrays (weeks + 1, products)."""

    units: Floats
    """Units by product and week without their season, (products, weeks), NaN where not known."""
    usual: Floats
    """The same without what is above `MOST_OF_USUAL`."""
    index: Floats
    """Index of weeks after the cut-off by category, (categories, 52)."""
    of_category: Integers
    is_alike: Flags
    """Which products have a category that says something of them."""
    weeks_listed: Floats
    """Weeks since each product was listed, 0 if unknown."""
    first: Integers
    slow: Floats
    fast: Floats
    variance: Floats
    """Mean squared errors of each product, of the fast level as forecast of the next week."""
    clumping: Floats
    """Mean square of a demand by its mean: the variance of a compound Poisson law by its mean."""
    age: Floats

    @classmethod
    def of(cls, history: DemandHistory) -> Self:
        totals = np.zeros((len(history.categories), history.weeks.shape[1]))
        np.add.at(totals, history.of_category, np.nan_to_num(history.weeks))
        index = seasons(totals)
        weeks = history.weeks.shape[1]
        units = history.weeks / index[history.of_category][:, (np.arange(weeks) - weeks) % SEASON]
        usual = smoothing.capped(units, MOST_OF_USUAL, USUAL)
        fast = smoothing.teunter_syntetos_babai(usual, FAST)
        size, squared = smoothing.sizes(usual, SLOW)
        return cls(
            units,
            usual,
            index,
            history.of_category,
            np.array(history.categories, dtype=str)[history.of_category] != NO_CATEGORY,
            history.products["weeks_listed"].fill_null(0).to_numpy().astype(np.float64),
            smoothing.first_demand(units),
            smoothing.teunter_syntetos_babai(usual, SLOW),
            fast,
            smoothing.squared_errors(units, fast, OF_ERRORS),
            np.divide(squared, size, out=np.zeros_like(size), where=size > 0),
            smoothing.ages(units),
        )

    @property
    def weeks(self) -> int:
        """Weeks known."""
        return int(self.units.shape[1])

    def origins(self, ahead: int) -> range:
        """Returns the earlier cut-offs that count, each with so many known weeks after it."""
        last = self.weeks - ahead
        return range(max(FIRST_ORIGIN, last - BACK + 1), last + 1)

    def best_mix(self) -> tuple[float, float]:
        """Returns the weights of both levels, not below 0 and rounded, with the least error at earlier cut-offs.

        Squared errors are by the scale of M5 (Makridakis, Spiliotis, Assimakopoulos 2022, International Journal of
        Forecasting 38(4)), the mean squared change from week to week, and count by a product's share in recent units.
        They are those of usual units, since what single large orders have above them is chance. Where there are
        products enough, both weights are then raised so that all units together were expected at earlier cut-offs.
        """
        slow, fast = self._least_errors()
        came, expected = np.zeros(len(self.units)), 0.0
        for origin in self.origins(AHEAD):
            ahead = self.units[:, origin : origin + AHEAD]
            counts = ~np.isnan(ahead) & (self.first < origin)[:, None]
            latest = LATEST ** (self.weeks - AHEAD - origin)
            came += latest * np.where(counts, ahead, 0.0).sum(axis=1)
            rates = slow * self.slow[origin] + fast * self.fast[origin]
            expected += latest * float((counts * rates[:, None]).sum())
        if came.any() and expected:
            alike = came.sum() ** 2 / np.square(came).sum()
            raised = 1 + (came.sum() / expected - 1) * alike / (alike + _ALIKE)
            slow, fast = slow * raised, fast * raised
        return rounded(float(slow)), rounded(float(fast))

    def _least_errors(self) -> tuple[float, float]:
        """The weights without that; `EQUAL` without earlier cut-offs, or a level there."""
        change = np.square(np.diff(self.units, axis=1))
        counts = ~np.isnan(change) & (np.arange(1, self.weeks) > self.first[:, None])
        changes = np.where(counts, change, 0.0).cumsum(axis=1)
        scales = changes / np.maximum(counts.cumsum(axis=1), 1)
        rows, targets = [np.zeros((0, 2))], [np.zeros(0)]
        for origin in self.origins(AHEAD):
            ahead = self.usual[:, origin : origin + AHEAD]
            known = ~np.isnan(ahead)
            scale = scales[:, origin - 2]
            sold = np.nansum(self.units[:, origin - AHEAD : origin], axis=1)
            used = (self.first < origin - 1) & (scale > 0) & known.any(axis=1) & (sold > 0)
            if used.any():
                target = np.where(known, ahead, 0.0).sum(axis=1)[used] / known.sum(axis=1)[used]
                share = sold[used] / sold[used].sum() * LATEST ** (self.weeks - AHEAD - origin)
                weight = np.sqrt(share / scale[used])
                rows.append(np.stack([self.slow[origin], self.fast[origin]], axis=1)[used] * weight[:, None])
                targets.append(target * weight)
        (slow, fast), _ = nnls(np.concatenate(rows), np.concatenate(targets)) if len(rows) > 1 else (EQUAL, 0.0)
        return (float(slow), float(fast)) if slow or fast else EQUAL

    def rates(self, mix: tuple[float, float], week: int) -> Floats:
        """Returns units expected in a usual week, from what was known after so many weeks; 0 without sales by then.

        A new product's is near its category's mean by how little its own weeks say (Efron and Morris 1975, Journal of
        the American Statistical Association 70(350)).
        """
        own = mix[0] * self.slow[week] + mix[1] * self.fast[week]
        age = self.age[week]
        is_new, is_old = (age > 0) & (age <= NEW) & self.is_alike, age > NEW
        others = self._by_category(is_old.astype(np.float64))
        means = self._by_category(np.where(is_old, own, 0.0)) / np.maximum(others, 1)
        apart = np.where(is_old, np.square(own - means[self.of_category]), 0.0)
        between = (self._by_category(apart) / np.maximum(others, 1))[self.of_category]
        within = self.variance[week] / np.maximum(age, 1)
        is_drawn = is_new & (others[self.of_category] >= _FEWEST) & (between + within > 0)
        trust = np.divide(between, between + within, out=np.ones_like(own), where=is_drawn)
        return np.asarray(trust * own + (1 - trust) * means[self.of_category])

    def rates_at_cut_off(self, mix: tuple[float, float]) -> Floats:
        """Returns the rates after all weeks known, where products without sales start as others did.

        These are new products of their category, or of the shop, or else all products. Each week listed without a sale
        lowers the rate, like that of a product whose chance of a sale is exponentially distributed.
        """
        rates = self.rates(mix, self.weeks)
        unsold = self.age[-1] == 0
        if not unsold.any() or unsold.all():
            return rates
        starts = self.first[:, None] + np.arange(1, _FIRST_WEEKS + 1)
        units = np.take_along_axis(self.units, np.minimum(starts, self.weeks - 1), axis=1)
        counts = (~np.isnan(units)).sum(axis=1)
        started = (self.first >= _FIRST_WEEKS) & (self.first < self.weeks - _FIRST_WEEKS) & (counts > 0)
        like = started if started.sum() >= _FEWEST else ~unsold
        values = np.nansum(units, axis=1) / np.maximum(counts, 1) if like is started else rates
        others = self._by_category(like.astype(np.float64))
        means = self._by_category(np.where(like, values, 0.0)) / np.maximum(others, 1)
        has_others = (others >= _FEWEST)[self.of_category] & self.is_alike
        start = np.where(has_others, means[self.of_category], values[like].mean())
        return np.where(unsold, start / (1 + self.weeks_listed), rates)

    def spreads(self, rates: Floats, week: int) -> Floats:
        """Returns the spread of demand in a usual week: the root of the product's own errors and of the law's."""
        age = self.age[week]
        usual = self.clumping[week][age > 0].mean() if (age > 0).any() else 0.0
        law = rates * np.where(age > 0, self.clumping[week], usual)
        unsure = np.where(age > 0, 0.0, np.square(rates))
        return np.asarray(np.sqrt((age * self.variance[week] + _OWN_WEEKS * (law + unsure)) / (age + _OWN_WEEKS)))

    def errors(self, mix: tuple[float, float], after: int, weeks: int) -> tuple[Floats, Floats]:
        """Returns errors of units in so many weeks after some more, in spreads, at earlier cut-offs, and weights."""
        found, weights = [np.zeros(0)], [np.zeros(0)]
        for origin in self.origins(after + weeks):
            rates = self.rates(mix, origin)
            spreads = self.spreads(rates, origin) * np.sqrt(weeks)
            error = self.units[:, origin + after : origin + after + weeks].sum(axis=1) - weeks * rates
            used = (self.first < origin - 1) & (spreads > 0) & ~np.isnan(error)
            found.append(error[used] / spreads[used])
            weights.append(np.full(int(used.sum()), LATEST ** (self.weeks - after - weeks - origin)))
        return np.concatenate(found), np.concatenate(weights)

    def errors_of_categories(self, mix: tuple[float, float], after: int) -> tuple[Floats, Floats]:
        """Returns errors of the units of categories in one week, in sums of their products' spreads, and weights."""
        found, weights = [np.zeros(0)], [np.zeros(0)]
        for origin in self.origins(after + 1):
            rates = self.rates(mix, origin)
            units = self.units[:, origin + after]
            error = self._by_category(np.where(np.isnan(units), 0.0, units - rates))
            spread = self._by_category(self.spreads(rates, origin))
            used = spread > 0
            found.append(error[used] / spread[used])
            weights.append(np.full(int(used.sum()), LATEST ** (self.weeks - after - 1 - origin)))
        return np.concatenate(found), np.concatenate(weights)

    def _by_category(self, values: Floats) -> Floats:
        return np.bincount(self.of_category, values, minlength=len(self.index)).astype(np.float64)
