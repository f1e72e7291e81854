"""Small typed frames for tests, derived from the contracts."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
from polars.testing import assert_frame_equal

from ecom_assets.contract import Kind, Rule, Table, contract
from ecom_assets.days import Reach, Window, same_day

DAY = dt.date(2024, 1, 1)
NOON = dt.datetime.fromisoformat("2024-01-01 12:00")

POLARS_TYPES: Mapping[Kind, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "decimal": pl.Decimal(18, 4),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us"),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
}

_CANDIDATES: Mapping[Kind, Sequence[Any]] = {
    "text": ["a", "b"],
    "integer": [0, 1, 2, -1],
    "decimal": [Decimal(0), Decimal(1), Decimal(2), Decimal(-1)],
    "date": [DAY, DAY + dt.timedelta(days=1), DAY - dt.timedelta(days=1)],
    "timestamp": [NOON, NOON + dt.timedelta(days=2), NOON - dt.timedelta(days=2)],
    "float": [0.0, 1.0, 2.0, -1.0],
    "boolean": [False, True],
}


def _frame(model: type[Table], rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    kinds = {name: column.kind for name, column in contract(model).columns.items()}
    columns: dict[str, list[Any]] = {name: [] for name in kinds}
    for row in rows:
        if unknown := row.keys() - kinds.keys():
            raise KeyError(f"{contract(model).name} has no column {', '.join(sorted(unknown))}.")
        for name, kind in kinds.items():
            columns[name].append(_value(kind, row[name]))
    return pl.DataFrame(columns, schema={name: POLARS_TYPES[kind] for name, kind in kinds.items()})


def _value(kind: Kind, value: Any) -> Any:
    match kind, value:
        case "decimal", str() | int() | float():
            return Decimal(str(value))
        case "date", str():
            return dt.date.fromisoformat(value)
        case "timestamp", str():
            return dt.datetime.fromisoformat(value)
    return value


def _holds(rule: Rule, frame: pl.DataFrame) -> list[bool]:
    """Which rows keep the rule; a null breaks it."""
    kept = nw.from_native(frame).select(kept=rule.holds.fill_null(value=False))
    return kept.to_native()["kept"].to_list()


@cache
def _candidates(model: type[Table]) -> Mapping[str, list[Any]]:
    """For each column the values worth trying: those its checks allow, a few of its kind, those beside a bound."""
    schema, found = model.to_schema(), {}
    for name, column in contract(model).columns.items():
        checks = [check.statistics or {} for check in schema.columns[name].checks]
        allowed = [value for check in checks for value in check.get("allowed_values", [])]
        bounds = [check[end] for check in checks for end in ("min_value", "max_value") if check.get(end) is not None]
        beside = [_value(column.kind, bound + step) for bound in bounds for step in (0, 1, -1)]
        found[name] = [*allowed, *_CANDIDATES[column.kind], *beside]
    return found


@cache
def default_row(model: type[Table]) -> Mapping[str, Any]:
    """A row that keeps all hard rules of one column: null where that is allowed, else the first good candidate."""
    row: dict[str, Any] = {}
    checked = contract(model)
    for name, column in checked.columns.items():
        if column.nullable:
            row[name] = None
            continue
        tried = pl.DataFrame({name: _candidates(model)[name]}, schema={name: POLARS_TYPES[column.kind]})
        good = [True] * tried.height
        for rule in checked.hard_rules:
            if rule.sentence.startswith(f"{name} is "):
                good = [both and one for both, one in zip(good, _holds(rule, tried), strict=True)]
        row[name] = tried[name][good.index(True)]
    return row


def sample(model: type[Table], *rows: Mapping[str, Any]) -> nw.LazyFrame:
    """A typed frame with one row per mapping. What a row leaves out keeps the contract's rules.

    Numbers are zero or the next allowed value, text is "a" or the first allowed value, days are
    2024-01-01, moments its noon, and what may be null is null. Amounts, days and moments may be
    given as text ("9.99", "2024-01-01", "2024-01-01 10:00"). No rows give an empty typed frame.
    """
    return nw.from_native(_frame(model, [{**default_row(model), **row} for row in rows]).lazy())


def breaking_row(model: type[Table], rule: Rule) -> pl.DataFrame:
    """One row that breaks this hard rule, and if possible no other.

    It is the default row with one value changed, or two. Raises LookupError where none breaks it.
    """
    default, candidates = default_row(model), {name: [None, *tried] for name, tried in _candidates(model).items()}
    changes = [{name: value} for name, values in candidates.items() for value in values]
    for pairs in (changes, [{**one, **other} for one, other in itertools.combinations(changes, 2)]):
        tried = _frame(model, [{**default, **change} for change in pairs])
        broken = {other.sentence: [not kept for kept in _holds(other, tried)] for other in contract(model).hard_rules}
        others = [sum(row) for row in zip(*broken.values(), strict=True)]
        hits = [row for row, hit in enumerate(broken[rule.sentence]) if hit]
        if hits:
            return tried[min(hits, key=lambda row: others[row])]
    raise LookupError(f"{contract(model).name}: no row tried breaks “{rule.sentence}”")


def days(first: str | dt.date, last: str | dt.date | None = None) -> nw.LazyFrame:
    """What a transform gets as `days`: the days from first to last."""
    window = Window.parse(f"{first}..{last or first}")
    return nw.from_native(pl.LazyFrame({"day": list(window)}, schema={"day": pl.Date()}))


_connection = cache(duckdb.connect)
_numbers = itertools.count()


def on_duckdb(frame: nw.LazyFrame) -> nw.LazyFrame:
    """The same rows as a table of an in-memory DuckDB that all frames of the test process share."""
    table, con = f"sample_{next(_numbers)}", _connection()
    con.register("arriving", frame.collect("pyarrow").to_native())
    con.execute(f"create temp table {table} as from arriving")
    con.unregister("arriving")
    return nw.from_native(con.table(table))


def collected(frame: nw.LazyFrame) -> pl.DataFrame:
    """The rows as a Polars frame, on whichever engine they are."""
    collected: pl.DataFrame = frame.collect("polars").to_native()
    return collected


def run(transform: Callable[..., nw.LazyFrame], *frames: nw.LazyFrame) -> nw.LazyFrame:
    """What a transform makes of Polars frames, after asserting that it makes the same inside DuckDB."""
    by_polars = collected(transform(*frames))
    by_duckdb = collected(transform(*map(on_duckdb, frames)))
    assert_frame_equal(by_polars, by_duckdb, check_row_order=False, check_dtypes=True, check_exact=True)
    return nw.from_native(by_polars.lazy())


def rows(frame: nw.LazyFrame, *columns: str) -> list[Any]:
    """The values of one column, or tuples of several, in ascending order; nulls come first."""
    found = collected(frame).select(columns).sort(columns)
    return found[columns[0]].to_list() if len(columns) == 1 else found.rows()


def run_window(
    transform: Callable[..., nw.LazyFrame],
    window: Window,
    inputs: Mapping[str, tuple[nw.LazyFrame, str]],
    reads: Mapping[str, Reach],
    partition_column: str,
) -> pl.DataFrame:
    """What a run over the window stores: each input within its reach, the result within the window.

    Args:
        inputs: For each parameter of the transform its rows of all days and the column with their day.
        reads: The reach of an input, where it is not its own day.
    """
    calendar = Window(dt.date(2000, 1, 1), dt.date(2100, 1, 1))
    within = {}
    for name, (frame, day) in inputs.items():
        reach = reads.get(name, same_day).window(window, calendar)
        within[name] = frame.filter(nw.col(day).is_between(reach.first, reach.last))
    made = collected(transform(**within))
    return made.filter(pl.col(partition_column).is_between(window.first, window.last))
