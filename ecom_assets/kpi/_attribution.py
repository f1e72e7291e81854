"""The attribution models, and how much each channel brings about: removal effects of a Markov chain, Shapley values."""

from collections.abc import Mapping

import numpy as np

MODELS = ["first", "last", "last_non_direct", "linear", "position_based", "time_decay", "markov", "shapley"]


def conversion_probability(
    steps: Mapping[tuple[str, str], int], *, start: str, conversion: str, without: str | None = None
) -> float:
    """The probability that a first-order Markov chain comes from `start` to `conversion`; 0 to 1.

    Args:
        steps: How often each step from a state to a state is taken.
        start: The state in which all journeys begin.
        conversion: The state that counts. States without a step onward end a journey.
        without: A state that is taken out: who comes to it never comes to `conversion`.
    """
    states = sorted({state for state, _ in steps} - {without})
    place = {state: n for n, state in enumerate(states)}
    moves, converts = np.zeros((len(states), len(states))), np.zeros(len(states))
    taken = {state: sum(count for (origin, _), count in steps.items() if origin == state) for state in states}
    for (origin, target), count in sorted(steps.items()):
        if origin in place:
            if target in place:
                moves[place[origin], place[target]] = count / taken[origin]
            elif target == conversion:
                converts[place[origin]] = count / taken[origin]
    reached = np.linalg.solve(np.eye(len(states)) - moves, converts)
    return float(reached[place[start]])


def removal_effects(steps: Mapping[tuple[str, str], int], *, start: str, conversion: str) -> dict[str, float]:
    """For each state between, the share of conversions that would be lost without it; 0 to 1.

    Anderl, Becker, von Wangenheim, Schumann (2016), Mapping the customer journey, International Journal of
    Research in Marketing 33(3). Zero where there is no conversion at all.
    """
    overall = conversion_probability(steps, start=start, conversion=conversion)
    between = sorted({state for state, _ in steps} - {start})
    if overall == 0:
        return dict.fromkeys(between, 0.0)
    return {
        state: 1 - conversion_probability(steps, start=start, conversion=conversion, without=state) / overall
        for state in between
    }


def shapley_values(worth: Mapping[frozenset[str], float]) -> dict[str, float]:
    """The Shapley value of each channel, where `worth` is what journeys with exactly these channels brought.

    A coalition is worth what all journeys within it brought. The worth of a journey then falls to its channels in
    equal parts: Zhao, Mahboobi, Bagheri (2018), Shapley Value Methods for Attribution Modeling in Online
    Advertising, arXiv:1804.05327, after Harsanyi's dividends.
    """
    values: dict[str, float] = {}
    for channels in sorted(worth, key=sorted):
        for channel in sorted(channels):
            values[channel] = values.get(channel, 0.0) + worth[channels] / len(channels)
    return values
