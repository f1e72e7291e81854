"""Tables of numbers: rows before they get names and texts."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from ecom_assets.shop.draws import DAY, Ints

Rows = Mapping[str, Ints]
"""Columns of equal length. `at` is the moment that decides the event day, `arrives` the arrival day,
both since 1970, in microseconds and days. `is_resent` is 1 if a row is sent again unchanged."""

LAGS = (0, 1, 2, 7, 30)
LAG_WEIGHTS = [0.964, 0.025, 0.008, 0.002, 0.001]
RESENT_SHARE = 0.001
RESENT_LAGS = (1, 2)
LONGEST_LAG = max(LAGS) + max(RESENT_LAGS)

_FOUR_DIGITS = np.array([f"{number:04}" for number in range(10_000)], dtype="S4").view(np.uint32)


def take(rows: Rows, which: Ints | np.ndarray) -> Rows:
    """Returns the rows at the given positions, or where a mask is true."""
    return {name: values[which] for name, values in rows.items()}


def concat(parts: Sequence[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def marked(rows: Rows, is_resent: int) -> Rows:
    """Returns the rows with `is_resent` set."""
    return {**rows, "is_resent": np.full(len(rows["at"]), is_resent)}


def send(rng: np.random.Generator, rows: Rows, known_at: Ints, longest_lag: int = max(LAGS)) -> Rows:
    """Returns the rows with arrival day: most arrive on the day they are known, some later, a few twice.

    `known_at` is in microseconds since 1970. No row is sent more than `longest_lag` days late.
    """
    count = len(known_at)
    lag = np.array(LAGS)[np.searchsorted(np.cumsum(LAG_WEIGHTS)[:-1], rng.random(count), side="right")]
    sent = {**marked(rows, is_resent=0), "arrives": known_at // DAY + np.minimum(lag, longest_lag)}
    again = np.flatnonzero(rng.random(count) < RESENT_SHARE)
    resent = marked(take(sent, again), is_resent=1)
    later = rng.choice(RESENT_LAGS, len(again))
    return concat([sent, {**resent, "arrives": resent["arrives"] + later}])


def texts(pool: pl.Series, places: Ints) -> pl.Series:
    """Returns the pool's texts at the given positions; null at -1: the pool's last value must be null."""
    return pool.gather(np.where(places < 0, len(pool) - 1, places))


def pool(values: Sequence[str]) -> pl.Series:
    """Returns a pool of texts for `texts`."""
    return pl.Series([*values, None], dtype=pl.String)


def numbered(prefix: str, numbers: Ints, width: int) -> pl.Series:
    """Returns numbers as ids: a letter and `width` digits, a multiple of four; null for -1.

    The texts are written in Arrow's layout, four digits at a time: formatting each number would take most of a
    day's time. Raises ValueError for a number that has more digits.
    """
    count = len(numbers)
    if count and numbers.max() >= 10**width:
        raise ValueError(f"The number {numbers.max()} has more than the {width} digits of a {prefix} id.")
    places = [f"digits_{place}" for place in range(width // 4)]
    letters = np.empty(count, np.dtype([("prefix", "S1"), *((place, np.uint32) for place in places)]))
    letters["prefix"] = prefix.encode()
    rest = np.maximum(numbers, 0)
    for place in reversed(places):
        rest, four = np.divmod(rest, 10_000)
        letters[place] = _FOUR_DIGITS[four]
    ends = np.arange(0, (count + 1) * (1 + width), 1 + width, dtype=np.int32)
    known = np.packbits(numbers >= 0, bitorder="little")
    return pl.Series(values=pa.StringArray.from_buffers(count, *map(pa.py_buffer, (ends, letters, known))))


def timestamps(microseconds: Ints) -> pl.Series:
    return pl.Series(microseconds).cast(pl.Datetime("us"))


def timestamps_or_null(microseconds: Ints) -> pl.Series:
    """Returns timestamps; null for -1."""
    moments = timestamps(microseconds)
    return moments.set(pl.Series(microseconds < 0), None)


def days_of(numbers: Ints) -> pl.Series:
    """Returns days since 1970 as dates; null for -1."""
    days = pl.Series(numbers, dtype=pl.Int64).to_frame("day")
    return days.select(pl.when(pl.col("day") >= 0).then(pl.col("day").cast(pl.Int32).cast(pl.Date))).to_series()


def amounts(cents: Ints) -> pl.Series:
    """Returns cents as DECIMAL(18,4): a 128-bit integer of ten-thousandths."""
    words = np.empty((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents * 100
    words[:, 1] = cents >> 63
    kind = pa.decimal128(18, 4)
    decimals = pa.Decimal128Array.from_buffers(kind, len(cents), [None, pa.py_buffer(words)])
    return pl.Series(values=pa.array([], kind) if not len(cents) else decimals)


def frame(columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    return pl.DataFrame([values.alias(name) for name, values in columns.items()])
