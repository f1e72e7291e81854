"""Reproducible random numbers: by (seed, stream, day), or by (seed, stream, entity)."""

from functools import cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DAY = 86_400_000_000
HOUR = 3_600_000_000
MINUTE = 60_000_000
SECOND = 1_000_000

_HOURLY_TRAFFIC = np.array(
    [2, 1, 1, 1, 1, 2, 3, 5, 6, 7, 7, 7, 8, 8, 7, 7, 7, 8, 9, 11, 12, 11, 8, 5], dtype=np.float64
)
_BY_HOUR = np.concatenate(([0.0], np.cumsum(_HOURLY_TRAFFIC))) / _HOURLY_TRAFFIC.sum()


def generator(seed: int, stream: str, day: int = 0) -> np.random.Generator:
    """Returns a generator that depends only on seed, stream and day."""
    key = np.array([seed, crc32(stream.encode())], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, day, 0]))


@cache
def _salt(seed: int, stream: str) -> np.uint64:
    return generator(seed, stream).integers(2**64, dtype=np.uint64)


def uniforms(seed: int, stream: str, numbers: Ints) -> Floats:
    """Returns a fixed number in [0, 1) for each entity number: splitmix64's finaliser over (seed, stream, number)."""
    x = (numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ _salt(seed, stream)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(seed: int, stream: str, numbers: Ints, count: int) -> Ints:
    """A fixed integer from 0 to count - 1 for each entity number."""
    return (uniforms(seed, stream, numbers) * count).astype(np.int64)


def normals(seed: int, stream: str, numbers: Ints) -> Floats:
    """Returns a fixed draw from the standard normal distribution for each entity number.

    Box and Muller (1958), A note on the generation of random normal deviates, Annals of Mathematical Statistics 29.
    """
    radius = np.sqrt(-2 * np.log1p(-uniforms(seed, f"{stream} radius", numbers)))
    draws: Floats = radius * np.cos(2 * np.pi * uniforms(seed, f"{stream} angle", numbers))
    return draws


def choose(draws: Floats, weights: list[float]) -> Ints:
    """Returns choices 0, 1, … with the given weights, from uniform draws."""
    edges = np.cumsum(weights) / np.sum(weights)
    return np.searchsorted(edges[:-1], draws, side="right")


def times_of_day(rng: np.random.Generator, count: int) -> Ints:
    """Returns times of day in microseconds, in whole seconds, with a shop's busy and quiet hours."""
    hours = np.interp(rng.random(count), _BY_HOUR, np.arange(25))
    seconds: Ints = np.minimum((hours * 3600).astype(np.int64), 86_399)
    return seconds * SECOND


def durations(rng: np.random.Generator, low: int, high: int, count: int) -> Ints:
    """Durations in microseconds, in whole seconds, from low up to high."""
    return rng.integers(low // SECOND, high // SECOND, count) * SECOND


def popularity(seed: int, stream: str, count: int, alpha: float) -> Floats:
    """Returns running sums of Pareto(alpha) weights of the entities 0 to count - 1: a few have large weights."""
    return np.cumsum((1 - uniforms(seed, stream, np.arange(count))) ** (-1 / alpha))


def weights(running: Floats, numbers: Ints) -> Floats:
    """Returns the weights of some entities, from the running sums that `pick` uses."""
    before = np.where(numbers > 0, running[numbers - 1], 0.0)
    return running[numbers] - before


def pick(rng: np.random.Generator, weights: Floats, known: int, count: int) -> Ints:
    """Returns `count` draws from the first `known` entities by their running weights."""
    total = weights[known - 1] if known else 0.0
    places: Ints = np.searchsorted(weights[:known], rng.random(count) * total, side="right")
    return places
