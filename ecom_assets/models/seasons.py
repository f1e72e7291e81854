"""Seasons of weekly demand: how much more or less of a category sells in each week of the year.

Ratios to the mean of a year around each week (Macaulay 1931, "The Smoothing of Time Series"), smoothed over five weeks.
An index is drawn to 1 by how much of its variation chance explains (James and Stein 1961): weeks without a season get
none. Below two years, no week is known to be like the one a year ago, and all have 1.
"""

import numpy as np

from ecom_assets.models.fitting import Floats

SEASON = 52
"""Weeks of a year."""
_SMOOTHING = np.array([1, 2, 3, 2, 1]) / 9
_LEAST, _MOST = 0.2, 5.0
"""An index is within these."""


def seasons(totals: Floats) -> Floats:
    """Returns the index of weeks after the end of some series, the next week first: an array (series, 52).

    `totals` has units by series and week, (series, weeks).
    """
    series, weeks = totals.shape
    if weeks < 2 * SEASON:
        return np.ones((series, SEASON))
    ends = [0.5, *np.ones(SEASON - 1), 0.5]
    means = np.stack([np.convolve(of_series, ends, mode="valid") for of_series in totals]) / SEASON
    middle = totals[:, SEASON // 2 : weeks - SEASON // 2]
    ratios = np.divide(middle, means, out=np.ones_like(middle), where=means > 0)
    place = (np.arange(SEASON // 2, weeks - SEASON // 2) - weeks) % SEASON
    index = np.stack([ratios[:, place == week].mean(axis=1) for week in range(SEASON)], axis=1)
    index = index / index.mean(axis=1, keepdims=True)
    around = np.stack([np.roll(index, shift, axis=1) for shift in (-2, -1, 0, 1, 2)])
    smooth = np.tensordot(_SMOOTHING, around, axes=1)
    noise = np.square(index - smooth).mean(axis=1) * np.square(_SMOOTHING).sum() / (1 - _SMOOTHING.max())
    varies = smooth.var(axis=1)
    kept = np.divide(np.maximum(varies - noise, 0), varies, out=np.zeros(series), where=varies > 0)
    drawn = np.clip(1 + kept[:, None] * (smooth - 1), _LEAST, _MOST)
    return np.asarray(drawn / drawn.mean(axis=1, keepdims=True))
