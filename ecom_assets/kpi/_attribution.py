"""The attribution models, and the weights of channels: removal effects of a Markov chain, Shapley values."""

from collections.abc import Mapping

import numpy as np

MODELS = ["first", "last", "last_non_direct", "linear", "position_based", "time_decay", "markov", "shapley"]


def conversion_probability(
    steps: Mapping[tuple[str, str], int], *, start: str, conversion: str, without: str | None = None
) -> float:
    """Returns the probability that a first-order Markov chain gets from `start` to `conversion`; 0 to 1.

    Args:
        steps: Number of times that each step from one state to another is taken.
        start: The state in which all journeys begin.
        conversion: The target state. A state without an outgoing step ends a journey.
        without: A state to remove: journeys that reach it never reach `conversion`.
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
    """Returns, for each state but `start`, the share of conversions that would be lost without it; 0 to 1.

    Anderl, Becker, von Wangenheim, Schumann (2016), Mapping the customer journey, International Journal of
    Research in Marketing 33(3). All zero if there is no conversion at all.
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
    """Returns the Shapley value of each channel; `worth` maps a set of channels to the value of its journeys.

    The worth of a coalition is the value of all journeys within it. The value of a journey is then shared equally among
    its channels: Zhao, Mahboobi, Bagheri (2018), Shapley Value Methods for Attribution Modeling in Online
    Advertising, arXiv:1804.05327, after Harsanyi's dividends.
    """
    values: dict[str, float] = {}
    for channels in sorted(worth, key=sorted):
        for channel in sorted(channels):
            values[channel] = values.get(channel, 0.0) + worth[channels] / len(channels)
    return values
