"""Maximum likelihood: the most likely parameters of a law, rounded so that a refit gives the same."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

Floats = NDArray[np.float64]

DIGITS = 5
"""Significant digits of fitted parameters: those that the optimiser determines, whatever the machine."""
_FURTHEST = 7.0
"""Logarithms of parameters are sought between minus and plus this, so that a law without one of its parts is finite."""
_IMPOSSIBLE = 1e9
"""In place of a log-likelihood that is not finite."""


def rounded(value: float) -> float:
    """Returns a number with the digits that parameters keep."""
    return float(f"{value:.{DIGITS - 1}e}")


def most_likely(
    log_likelihood: Callable[[Floats], float], starts: Sequence[Sequence[float]], units: Sequence[float]
) -> list[float]:
    """Returns the positive parameters with the largest log-likelihood, which is the mean of observations, rounded.

    Their logarithms, in units of their own, are sought by L-BFGS-B (Byrd, Lu, Nocedal, Zhu 1995, SIAM Journal on
    Scientific Computing 16(5)): roughly from each start, then precisely from the best end, the first of equal ones.
    """

    def parameters(logarithms: Floats) -> Floats:
        return np.asarray(np.exp(logarithms) * np.array(units))

    def loss(logarithms: Floats) -> float:
        found = log_likelihood(parameters(logarithms))
        return -found if math.isfinite(found) else _IMPOSSIBLE

    def lowest(start: Floats, derivative: str, precision: float) -> OptimizeResult:
        bounds = [(-_FURTHEST, _FURTHEST)] * len(start)
        options = {"maxiter": 200, "ftol": precision, "gtol": 1e-8}
        return minimize(loss, start, method="L-BFGS-B", jac=derivative, bounds=bounds, options=options)

    rough = [lowest(np.log(start), "2-point", 1e-6) for start in starts]
    best = min(rough, key=lambda end: float(end.fun))
    return [rounded(value) for value in parameters(lowest(best.x, "3-point", 1e-13).x)]
