"""Tables of numbers: rows before their names and texts are written out."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from ecom_assets.shop.draws import DAY, Ints

Rows = Mapping[str, Ints]
"""Columns of equal length. `at` is the moment that decides the event day, `arrives` the arrival day,
both since 1970, in microseconds and days. `is_resent` is 1 where a row arrives once more, as it was."""

LAGS = (0, 1, 2, 7, 30)
LAG_WEIGHTS = [0.964, 0.025, 0.008, 0.002, 0.001]
RESENT_SHARE = 0.001
RESENT_LAGS = (1, 2)
LONGEST_LAG = max(LAGS) + max(RESENT_LAGS)

_FOUR_DIGITS = np.array([f"{number:04}" for number in range(10_000)], dtype="S4").view(np.uint32)


def take(rows: Rows, which: Ints | np.ndarray) -> Rows:
    """The rows at the given places, or where a mask is true."""
    return {name: values[which] for name, values in rows.items()}


def concat(parts: Sequence[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def marked(rows: Rows, is_resent: int) -> Rows:
    """The rows with `is_resent` set."""
    return {**rows, "is_resent": np.full(len(rows["at"]), is_resent)}


def send(rng: np.random.Generator, rows: Rows, known_at: Ints, longest_lag: int = max(LAGS)) -> Rows:
    """Adds the arrival day: most rows arrive on the day they are known, some later, a few once more.

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
    """The pool's texts at the given places. The place -1 gives null: the pool's last value has to be null."""
    return pool.gather(np.where(places < 0, len(pool) - 1, places))


def pool(values: Sequence[str]) -> pl.Series:
    """A pool of texts for `texts`."""
    return pl.Series([*values, None], dtype=pl.String)


def numbered(prefix: str, numbers: Ints, width: int) -> pl.Series:
    """Numbers as ids: a letter and `width` digits, a multiple of four; -1 gives null.

    The texts are laid out as Arrow keeps them, four digits at a time: formatting number by number is the
    larger part of a day's time otherwise. Raises ValueError for a number that has more digits.
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
    """Timestamps; -1 gives null."""
    moments = timestamps(microseconds)
    return moments.set(pl.Series(microseconds < 0), None)


def days_of(numbers: Ints) -> pl.Series:
    """Days since 1970 as dates; -1 gives null."""
    days = pl.Series(numbers, dtype=pl.Int64).to_frame("day")
    return days.select(pl.when(pl.col("day") >= 0).then(pl.col("day").cast(pl.Int32).cast(pl.Date))).to_series()


def amounts(cents: Ints) -> pl.Series:
    """Cents as DECIMAL(18,4): a 128-bit integer of ten-thousandths."""
    words = np.empty((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents * 100
    words[:, 1] = cents >> 63
    kind = pa.decimal128(18, 4)
    decimals = pa.Decimal128Array.from_buffers(kind, len(cents), [None, pa.py_buffer(words)])
    return pl.Series(values=pa.array([], kind) if not len(cents) else decimals)


def frame(columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    return pl.DataFrame([values.alias(name) for name, values in columns.items()])
