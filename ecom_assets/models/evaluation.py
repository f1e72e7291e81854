"""What models are scored by, on what happened after their cut-off."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ecom_assets.models.fitting import Floats

REPEATS = 1000
"""Samples of a bootstrap."""
_SEED = 20_240_101
_LEAST_SHARE = 1e-4
"""A bin's share counts as this at least, where a population is compared with another."""


def auc(scores: Floats, happened: NDArray[np.bool_]) -> float:
    """Returns the probability that something that happened was scored above something that did not, ties half.

    Mann and Whitney 1947, by ranks. It is 0.5 if all of them happened, or none.
    """
    hits = int(happened.sum())
    misses = happened.size - hits
    if not hits or not misses:
        return 0.5
    ranks = float(pl.Series(scores).rank().to_numpy()[happened].sum())
    return (ranks - hits * (hits + 1) / 2) / (hits * misses)


def rmse(predicted: Floats, actual: Floats) -> float:
    """Returns the root of the mean squared error; 0 of nothing."""
    return math.sqrt(float(np.square(predicted - actual).mean())) if actual.size else 0.0


def mae(predicted: Floats, actual: Floats) -> float:
    """Returns the mean absolute error; 0 of nothing. Of sparse counts, it favours models that predict too little."""
    return float(np.abs(predicted - actual).mean()) if actual.size else 0.0


def bias(predicted: Floats, actual: Floats) -> float:
    """Returns by which share the sum of predictions exceeds the actual sum; 0 if that is 0."""
    total = float(actual.sum())
    return float(predicted.sum()) / total - 1 if total else 0.0


def correlation(predicted: Floats, actual: Floats) -> float:
    """Returns Pearson's correlation; 0 where either is constant."""
    if actual.size < 2 or not np.ptp(predicted) or not np.ptp(actual):
        return 0.0
    return float(np.corrcoef(predicted, actual)[0, 1])


def calibration(predicted: Floats, actual: Floats, groups: int = 10) -> pl.DataFrame:
    """Returns the mean prediction and the actual mean of groups of equal size, from the lowest predictions up.

    Columns: `group` from 1, `count`, `predicted`, `actual`. Equal predictions are in the group of the first of them.
    """
    position = (pl.Series(predicted).rank("min").to_numpy().astype(np.int64) - 1) * groups // max(predicted.size, 1)
    rows = pl.DataFrame({"group": position + 1, "predicted": predicted, "actual": actual})
    means = (pl.col("predicted").mean(), pl.col("actual").cast(pl.Float64).mean())
    return rows.group_by("group").agg(pl.len().cast(pl.Int64).alias("count"), *means).sort("group")


def calibration_slope(predicted: Floats, actual: Floats, groups: int = 10) -> float:
    """Returns the slope of actual on predicted means of groups, by least squares; 1 where all predictions are equal.

    Cox 1958, "Two Further Applications of a Model for Binary Regression", Biometrika 45, here of means. Below 1,
    predictions are too far apart; above 1, too close together.
    """
    of_groups = calibration(predicted, actual, groups)
    if of_groups.height < 2:
        return 1.0
    slope, _ = np.polyfit(of_groups["predicted"], of_groups["actual"], 1, w=np.sqrt(of_groups["count"]))
    return float(slope)


def expected_calibration_error(predicted: Floats, actual: Floats, groups: int = 10) -> float:
    """Returns the mean distance of actual from predicted means of groups, by their size (Naeini et al. 2015, AAAI)."""
    of_groups = calibration(predicted, actual, groups)
    distance = (pl.col("predicted") - pl.col("actual")).abs()
    return float(of_groups.select((distance * pl.col("count")).sum()).item()) / max(predicted.size, 1)


def population_stability(before: Floats, after: Floats, groups: int = 10) -> float:
    """Returns the population stability index of two samples in groups of equal size of the first; 0 without rows.

    Σ (after - before) ln(after / before) of shares, which is the divergence of Jeffreys 1946; from 0.2 on, the
    population counts as changed (Siddiqi 2006, "Credit Risk Scorecards").
    """
    if not before.size or not after.size:
        return 0.0
    edges = np.unique(np.quantile(before, np.arange(1, groups) / groups))
    bins = [np.bincount(np.searchsorted(edges, sample), minlength=edges.size + 1) for sample in (before, after)]
    was, now = (np.maximum(counts / counts.sum(), _LEAST_SHARE) for counts in bins)
    return float(((now - was) * np.log(now / was)).sum())


def of_lists(lists: pl.DataFrame, wanted: pl.DataFrame, unit: str, most: int) -> pl.DataFrame:
    """Returns recall and NDCG of the first so many products of each unit's list, in order of units.

    `lists` has unit, `product_id` and `rank` from 1; `wanted` unit and `product_id`, and only its units are scored.
    Recall is hits by the number wanted, which counts as `most` at most. NDCG is that of Järvelin and Kekäläinen 2002,
    ACM Transactions on Information Systems 20(4), with gain 1 of each product wanted.
    """
    goals = wanted.select(unit, "product_id").unique()
    first = lists.filter(pl.col("rank") <= most).sort(unit, "rank")
    hits = first.join(goals, on=[unit, "product_id"], how="semi", maintain_order="left")
    gain = 1 / (pl.col("rank") + 1).log(2)
    ideal = pl.DataFrame({"possible": range(1, most + 1)}).with_columns(
        pl.col("possible").cast(pl.Int64), ideal=(1 / (pl.col("possible") + 1).log(2)).cum_sum()
    )
    possible = goals.group_by(unit).agg(possible=pl.len().cast(pl.Int64).clip(upper_bound=most))
    return (
        possible.join(ideal, on="possible")
        .join(hits.group_by(unit, maintain_order=True).agg(hits=pl.len(), gain=gain.sum()), on=unit, how="left")
        .select(
            unit,
            recall=pl.col("hits").fill_null(0) / pl.col("possible"),
            ndcg=pl.col("gain").fill_null(0) / pl.col("ideal"),
        )
        .sort(unit)
    )


def coverage(lists: pl.DataFrame, products: int, most: int) -> float:
    """Returns the share of so many products that is within the first of any list; 0 without products."""
    return lists.filter(pl.col("rank") <= most)["product_id"].n_unique() / products if products else 0.0


@dataclass(frozen=True)
class Difference:
    """A difference, with the interval that holds 95 % of bootstrap samples."""

    value: float
    low: float
    high: float

    @property
    def is_better(self) -> bool:
        """Whether it is above 0 at 95 %."""
        return self.low > 0


def paired_difference(challenger: Floats, champion: Floats, repeats: int = REPEATS) -> Difference:
    """Returns by how much the mean score of a challenger exceeds that of a champion, on the same units.

    Units are drawn with replacement, with a fixed seed; percentiles of Efron 1979, Annals of Statistics 7(1). The
    difference of nothing is 0. Compared with zeros, it is the interval of a mean.
    """
    difference = challenger - champion
    if not difference.size:
        return Difference(0.0, 0.0, 0.0)
    draws = np.random.default_rng(_SEED)
    means = [float(draws.choice(difference, difference.size).mean()) for _ in range(repeats)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float(difference.mean()), float(low), float(high))
