"""Frauds among the orders: by which pattern, and when a bank takes the money back.

Stolen cards pay dear goods from new accounts, often at night, abroad and with haste; cards are tested with several
cheap orders within minutes, of which many payments fail; accounts that were taken over order dear goods, sent
elsewhere. What a buyer denies later looks ordinary, so that no model finds it. The shop finds a part of the others
within days and cancels these. What is left is charged back 30 to 120 days later, the time that card schemes leave a
holder to complain, or never reported.
"""

from typing import NamedTuple

import numpy as np

from ecom_assets.shop.draws import DAY, HOUR, SECOND, Floats, Ints, choose, durations
from ecom_assets.shop.rows import pool


class Pattern(NamedTuple):
    """How the frauds of a pattern differ from other orders.

    `share` is the share of the orders that are or, of tests of cards, begin one; `fresh` of those from a new account,
    instead of a known one, or from none. The others are shares of the pattern's orders. `retry` is the probability that
    a further attempt to pay is needed.
    """

    name: str
    share: float
    caught: float
    fresh: float
    night: float
    abroad: float
    express: float
    retry: float


PATTERNS = [
    Pattern("stolen card", 0.005, 0.35, 0.55, 0.55, 0.45, 0.6, 0.35),
    Pattern("card testing", 0.0007, 0.5, 0.6, 0.6, 0.3, 0.1, 0.5),
    Pattern("account takeover", 0.002, 0.2, 0.0, 0.45, 0.7, 0.6, 0.15),
    Pattern("denied purchase", 0.0015, 0.0, 0.0, 0.0, 0.0, 0.15, 0.06),
]
STOLEN, TESTING, TAKEOVER, DENIED = range(4)
NONE = -1
NAMES = pool([pattern.name for pattern in PATTERNS])
_TRAITS = ("caught", "fresh", "night", "abroad", "express", "retry")
CAUGHT, FRESH, NIGHT, ABROAD, EXPRESS, RETRY = (
    np.array([getattr(pattern, trait) for pattern in PATTERNS]) for trait in _TRAITS
)

NIGHT_HOURS = 6
TESTS, TEST_PAUSE = 5, 3 * 60 * SECOND
"""Orders by which stolen cards are tested in a row, and the most time between two of them."""
CHOSEN_FROM = 4
"""Number of products of which a fraud takes the dearest, or a test of a card the cheapest."""
REPORTED_SHARE = 0.92
SOONEST_CHARGE_BACK, LONGEST_CHARGE_BACK = 30, 120
"""Days after an order in which the bank takes back what was paid for it."""


def patterns(rng: np.random.Generator, times: Ints) -> tuple[Ints, Ints]:
    """Returns the times of a day's orders in turn, and the pattern of each, or `NONE`."""
    count = len(times)
    shares = [pattern.share for pattern in PATTERNS]
    pattern = choose(rng.random(count), [*shares, 1 - sum(shares)])
    pattern = np.where(pattern < len(PATTERNS), pattern, NONE)
    is_at_night = is_(rng, NIGHT, pattern, 0.0)
    at = np.where(is_at_night, durations(rng, 0, NIGHT_HOURS * HOUR, count), times)
    turn = np.argsort(at, kind="stable")
    return _with_tests_in_a_row(rng, at[turn], pattern[turn])


def _with_tests_in_a_row(rng: np.random.Generator, at: Ints, pattern: Ints) -> tuple[Ints, Ints]:
    """Returns times and patterns, with the orders after the first test of a card as further tests."""
    at, pattern = at.copy(), pattern.copy()
    for first in np.flatnonzero(pattern == TESTING):
        row = slice(first, first + TESTS)
        passed = np.cumsum(durations(rng, 20 * SECOND, TEST_PAUSE, len(at[row])))
        at[row] = np.minimum(at[row], at[first] + passed - passed[0])
        pattern[row] = TESTING
    return at, pattern


def charged_back_at(rng: np.random.Generator, at: Ints, is_kept: np.ndarray) -> Ints:
    """Returns when the bank takes back what was paid for each order; -1 if it does not.

    More do so soon than late. `is_kept` says which orders are frauds that the shop has not found.
    """
    is_reported = is_kept & (rng.random(len(at)) < REPORTED_SHARE)
    wait = (LONGEST_CHARGE_BACK - SOONEST_CHARGE_BACK) * DAY * rng.random(len(at)) ** 1.5
    seconds = wait.astype(np.int64) // SECOND
    return np.where(is_reported, at + SOONEST_CHARGE_BACK * DAY + seconds * SECOND, -1)


def first_of_row(pattern: Ints) -> Ints:
    """Returns the place of each order; of tests of cards in a row, that of the first."""
    place = np.arange(len(pattern))
    goes_on = (pattern == TESTING) & (np.concatenate(([NONE], pattern[:-1])) == TESTING)
    first: Ints = np.maximum.accumulate(np.where(goes_on, 0, place)) if len(pattern) else place
    return first


def is_(rng: np.random.Generator, shares: Floats, pattern: Ints, otherwise: float | Floats) -> np.ndarray:
    """Returns for each order whether it has a trait, by its pattern's share, or that of orders without a pattern."""
    return rng.random(len(pattern)) < np.where(pattern == NONE, otherwise, shares[pattern])
