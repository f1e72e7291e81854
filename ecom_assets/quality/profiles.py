"""Profiles: what the values of each published table look like, in all of its rows, and what has changed since."""

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb

from ecom_assets.contract import Column, Kind
from ecom_assets.declaration import Declaration
from ecom_assets.sql import literal, quoted

MEMORY_LIMIT = "256MB"
SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the values in order, those up to which a value of `quantiles` is the largest."""
BARS = 60
TOP = 10
MOST_CATEGORIES = 50
"""The most different values of a text of which all are kept, so that a new one is noticed."""
MOST_CHARACTERS = 200
"""Of a value; a longer one is cut."""
_NUMBERS: Collection[Kind] = ("integer", "decimal", "rate", "float")
_MOMENTS: Collection[Kind] = ("date", "timestamp")
_SECONDS_PER_DAY = 86_400


class Bars(NamedTuple):
    """A histogram: rows by values from `low` to `high`, in parts of equal width.

    What is less than `low` or more than `high` counts in the first or last bar.
    """

    low: float
    high: float
    counts: list[int]


@dataclass(frozen=True)
class ColumnProfile:
    """The values of a column. Values are as SQL writes them as text; of a personal column there are none."""

    name: str
    kind: Kind
    personal: bool
    rows: int
    nulls: int
    empty: int
    """Texts with nothing in them but spaces."""
    distinct: int
    """Different values, nulls left out."""
    low: str | None = None
    high: str | None = None
    mean: float | None = None
    """Of numbers; values that are not finite are left out."""
    quantiles: tuple[str, ...] = ()
    """By SHARES: values that occur."""
    lengths: tuple[int, float, int] | None = None
    """Characters of texts: least, mean, most."""
    top: tuple[tuple[str, int], ...] = ()
    """The most frequent values with their rows; all of them if there are few."""
    examples: tuple[str, ...] = ()
    bars: Bars | None = None

    @property
    def median(self) -> str | None:
        return self.quantiles[SHARES.index(0.5)] if self.quantiles else None

    @property
    def categories(self) -> dict[str, int] | None:
        """All values with their rows, of a text or truth value that has few; otherwise None."""
        is_category = self.kind in ("text", "boolean") and len(self.top) == self.distinct
        return dict(self.top) if is_category else None


@dataclass(frozen=True)
class TableProfile:
    """A table in a snapshot, whose name is the moment at which it was published."""

    table: str
    snapshot: str
    rows: int
    columns: Mapping[str, ColumnProfile]
    day: str
    """The column with the day of a row."""

    @property
    def days(self) -> ColumnProfile:
        """The days on which there are rows."""
        return self.columns[self.day]

    def masked(self, personal: Collection[str]) -> "TableProfile":
        """Returns it without the values of some columns, which may not have been personal when it was made."""
        columns = {
            name: ColumnProfile(name, c.kind, True, c.rows, c.nulls, c.empty, c.distinct, lengths=c.lengths)
            if name in personal
            else c
            for name, c in self.columns.items()
        }
        return replace(self, columns=columns)

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, text: str) -> dict[str, "TableProfile"]:
        """Returns profiles of a table by snapshot. Raises ValueError, TypeError or KeyError for another text."""
        return {snapshot: cls._of(found) for snapshot, found in json.loads(text).items()}

    @classmethod
    def _of(cls, found: dict[str, Any]) -> "TableProfile":
        columns = {}
        for name, given in found.pop("columns").items():
            lists = {key: tuple(given[key]) for key in ("quantiles", "examples")}
            lists["top"] = tuple((value, count) for value, count in given["top"])
            lengths, bars = given["lengths"], given["bars"]
            known = {**given, **lists, "lengths": lengths and tuple(lengths), "bars": bars and Bars(*bars)}
            columns[name] = ColumnProfile(**known)
        return cls(columns=columns, **found)


def published(con: duckdb.DuckDBPyConnection, tables: Collection[Declaration]) -> list[Declaration]:
    """Returns those of these tables that a snapshot has."""
    query = "select schema_name || '.' || table_name from duckdb_tables() where database_name = current_database()"
    found = {name for (name,) in con.execute(query).fetchall()}
    return sorted((table for table in tables if table.name in found), key=lambda table: table.name)


def profile(con: duckdb.DuckDBPyConnection, table: Declaration, snapshot: str) -> TableProfile:
    """Returns the profile of a table of the snapshot that a connection reads: exact figures of all rows."""
    promise = table.contract
    stored = con.table(table.name).columns
    with TemporaryDirectory() as folder:
        con.execute(f"set temp_directory = {literal(folder)}; set memory_limit = {literal(MEMORY_LIMIT)}")
        columns = {c.name: _column(con, table.name, c) for c in promise.columns.values() if c.name in stored}
    return TableProfile(table.name, snapshot, columns[promise.partition_column].rows, columns, promise.partition_column)


def _column(con: duckdb.DuckDBPyConnection, table: str, column: Column) -> ColumnProfile:
    name, of, is_text = quoted(column.name), quoted(table), column.kind == "text"
    asked = ["count(*)", f"count({name})", f"count(distinct {name})"]
    asked.append(f"count(*) filter (trim({name}) = '')" if is_text else "0")
    asked += [f"{part}(length({name}))" for part in ("min", "avg", "max")] if is_text else ["null"] * 3
    if column.personal:
        asked += ["null"] * 4
    else:
        is_number, is_ordered = column.kind in _NUMBERS, column.kind in (*_NUMBERS, *_MOMENTS)
        finite = f" filter (isfinite({name}))" if column.kind == "float" else ""
        asked += [_text(f"min({name})"), _text(f"max({name})"), f"avg({name}){finite}" if is_number else "null"]
        asked.append(f"quantile_disc({name}, {[*SHARES]}){finite}::varchar[]" if is_ordered else "null")
    [row] = con.execute(f"select {', '.join(asked)} from {of}").fetchall()
    rows, present, distinct, empty, shortest, mean_length, longest, low, high, mean, quantiles = row
    lengths = (shortest, mean_length, longest) if is_text and present else None
    counts = (rows, rows - present, empty, distinct)
    if column.personal or not present:
        return ColumnProfile(column.name, column.kind, column.personal, *counts, lengths=lengths)
    top = con.execute(
        f"select {_text(name)}, count(*) from {of} where {name} is not null group by {name} "
        f"order by count(*) desc, {name} limit {MOST_CATEGORIES}"
    ).fetchall()
    shown = top if distinct <= MOST_CATEGORIES and column.kind in ("text", "boolean") else top[:TOP]
    if top[0][1] == 1 and len(shown) < distinct:  # each value is its own
        shown = []
    examples = []
    if is_text and len(shown) < distinct:
        query = f"select {_text(name)} from {of} where {name} is not null group by {name} order by hash({name}) limit 3"
        examples = con.execute(query).fetchall()
    return ColumnProfile(
        *(column.name, column.kind, False, *counts),
        *(_cut(low), _cut(high), mean, tuple(quantiles or ()), lengths),
        top=tuple((str(_cut(value)), count) for value, count in shown),
        examples=tuple(str(_cut(value)) for (value,) in examples),
        bars=_bars(con, of, name, column.kind, quantiles) if quantiles and distinct > 1 else None,
    )


def _text(value: str) -> str:
    """Returns SQL for a value as text, one character too long if it is to be cut."""
    return f"left({value}::varchar, {MOST_CHARACTERS + 1})"


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def _bars(con: duckdb.DuckDBPyConnection, of: str, name: str, kind: Kind, quantiles: Collection[str]) -> Bars | None:
    """Returns the histogram between the first and the last hundredth of a column, or between its ends."""
    number = f"epoch({name})" if kind in _MOMENTS else f"{name}::double"
    if kind == "date":
        number = f"{number} / {_SECONDS_PER_DAY}"
    finite = f"{name} is not null and isfinite({number})"
    ends = con.execute(
        f"select quantile_disc(n, 0.01), quantile_disc(n, 0.99), min(n), max(n) from (select {number} as n from {of} "
        f"where {finite})"
    ).fetchall()
    low, high = ends[0][:2] if ends[0][0] != ends[0][1] and kind != "date" else ends[0][2:]
    if low is None or low == high:
        return None
    if kind in ("integer", "date"):
        width = max(1, math.ceil((high - low + 1) / BARS))
        count = math.ceil((high - low + 1) / width)
    else:
        count = BARS
        width = (high - low) / count
    place = f"least(greatest(floor(({number} - {low!r}) / {width!r}), 0), {count - 1})::int"
    found = dict(con.execute(f"select {place}, count(*) from {of} where {finite} group by all").fetchall())
    return Bars(low, low + count * width, [found.get(n, 0) for n in range(count)])


LEAST_SHARE, LEAST_FACTOR, LEAST_MOVE = 0.005, 2.0, 0.15
"""Changes that are named: of a share, by half a percent point and the factor; of a median or mean, by this part."""


def changes(before: TableProfile, now: TableProfile) -> list[str]:
    """Returns what has changed since an earlier profile, as sentences."""
    return [*_of_table(before, now), *(line for name in now.columns for line in _of_column(before, now, name))]


def _of_table(before: TableProfile, now: TableProfile) -> Iterator[str]:
    if now.rows < before.rows:
        yield f"There are fewer rows: {now.rows:,}, and there were {before.rows:,}."
    for name in sorted(before.columns.keys() - now.columns.keys()):
        yield f"The column {name} is gone."
    for name in sorted(now.columns.keys() - before.columns.keys()):
        yield f"The column {name} is new."


def _of_column(before: TableProfile, now: TableProfile, name: str) -> Iterator[str]:
    was, is_now = before.columns.get(name), now.columns[name]
    if was is None or not was.rows or not is_now.rows or was.personal != is_now.personal or was.kind != is_now.kind:
        return
    for word, old, new in (("null", was.nulls, is_now.nulls), ("empty", was.empty, is_now.empty)):
        share, earlier = new / is_now.rows, old / was.rows
        least, most = sorted((share, earlier))
        if most - least >= LEAST_SHARE and most >= LEAST_FACTOR * least:
            times = f", {share / earlier:.3g} times as many" if share > earlier > 0 else ""
            yield f"{name} is {word} in {share:.1%} of the rows, and was in {earlier:.1%}{times}."
    if was.categories is not None and is_now.categories is not None:
        for value in sorted(is_now.categories.keys() - was.categories.keys()):
            yield f"{name} has a new value: “{value}”, in {_rows(is_now.categories[value])}."
        for value in sorted(was.categories.keys() - is_now.categories.keys()):
            yield f"{name} no longer has the value “{value}”, which {_rows(was.categories[value])} had."
    if now.day != name and is_now.kind in _NUMBERS:
        yield from _moved(name, was, is_now)


def _moved(name: str, was: ColumnProfile, is_now: ColumnProfile) -> Iterator[str]:
    """Yields how a number has moved, if its median and its mean have: one alone jumps where values are few or large."""
    pairs = {"median": (was.median, is_now.median), "mean": (was.mean, is_now.mean)}
    moves = {
        word: (float(old), float(new))
        for word, (old, new) in pairs.items()
        if old is not None and new is not None and float(old)
    }
    parts = [(new - old) / abs(old) for old, new in moves.values()]
    if parts and (min(parts) >= LEAST_MOVE or max(parts) <= -LEAST_MOVE):
        [word, (old, new)] = next(iter(moves.items()))  # of a median of zero, the mean
        side = "higher" if new > old else "lower"
        yield f"{name} is {side}: its {word} is {new:,.4g}, and was {old:,.4g} ({parts[0]:+.0%})."


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
