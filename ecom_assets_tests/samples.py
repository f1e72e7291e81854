"""Small typed frames for tests, derived from the contracts."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import combinations, count
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
from polars.testing import assert_frame_equal

from ecom_assets.contract import Kind, Model, Promise, Rule, contract, feed_contract, is_feed
from ecom_assets.days import Reach, Window, same_day

DAY = dt.date(2024, 1, 1)
NOON = dt.datetime.fromisoformat("2024-01-01 12:00")

POLARS_TYPES: Mapping[Kind, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "decimal": pl.Decimal(18, 4),
    "rate": pl.Decimal(18, 10),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us"),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
}

_CANDIDATES: Mapping[Kind, Sequence[Any]] = {
    "text": ["a", "b", "AAA"],
    "integer": [0, 1, 2, -1],
    "decimal": [Decimal(0), Decimal(1), Decimal(2), Decimal(-1)],
    "rate": [Decimal(1), Decimal("0.5"), Decimal(0), Decimal(-1)],
    "date": [DAY, DAY + dt.timedelta(days=1), DAY - dt.timedelta(days=1)],
    "timestamp": [NOON, NOON + dt.timedelta(days=2), NOON - dt.timedelta(days=2)],
    "float": [0.0, 1.0, 2.0, -1.0],
    "boolean": [False, True],
}


def promise_of(model: type[Model]) -> Promise:
    """The facts of a feed's or a table's model."""
    return feed_contract(model) if is_feed(model) else contract(model)


def _frame(model: type[Model], rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    kinds = {name: column.kind for name, column in promise_of(model).columns.items()}
    columns: dict[str, list[Any]] = {name: [] for name in kinds}
    for row in rows:
        if unknown := row.keys() - kinds.keys():
            raise KeyError(f"{promise_of(model).name} has no column {', '.join(sorted(unknown))}.")
        for name, kind in kinds.items():
            columns[name].append(_value(kind, row[name]))
    return pl.DataFrame(columns, schema={name: POLARS_TYPES[kind] for name, kind in kinds.items()})


def _value(kind: Kind, value: Any) -> Any:
    match kind, value:
        case (("decimal" | "rate"), str() | int() | float()):
            return Decimal(str(value))
        case "date", str():
            return dt.date.fromisoformat(value)
        case "timestamp", str():
            return dt.datetime.fromisoformat(value)
    return value


@cache
def _candidates(model: type[Model]) -> Mapping[str, list[Any]]:
    """For each column the values worth trying: those its checks allow, a few of its kind, those beside a bound."""
    schema, found = model.to_schema(), {}
    for name, column in promise_of(model).columns.items():
        checks = [check.statistics or {} for check in schema.columns[name].checks]
        allowed = [value for check in checks for value in check.get("allowed_values", [])]
        bounds = [check[end] for check in checks for end in ("min_value", "max_value") if check.get(end) is not None]
        beside = [_value(column.kind, bound + step) for bound in bounds for step in (0, 1, -1)]
        found[name] = [*allowed, *_CANDIDATES[column.kind], *beside]
    return found


@cache
def default_row(model: type[Model]) -> Mapping[str, Any]:
    """A row that keeps all rules: null where that is allowed, else the first good candidate."""
    row: dict[str, Any] = {}
    checked = promise_of(model)
    for name, column in checked.columns.items():
        if column.nullable:
            row[name] = None
            continue
        tried = pl.LazyFrame({name: _candidates(model)[name]}, schema={name: POLARS_TYPES[column.kind]})
        its_rules = [rule for rule in checked.hard_rules if rule.column == name]
        kept = collected(verdicts(its_rules, nw.from_native(tried), name))
        row[name] = kept.filter(pl.all_horizontal(rule.sentence for rule in its_rules))[name][0]
    nullable = [name for name, column in checked.columns.items() if column.nullable]
    for rule in checked.rules:
        if rule.column is None and not _keeps(model, rule, row):
            tried = [{**row, name: value} for name in nullable for value in _candidates(model)[name]]
            row = next((changed for changed in tried if _keeps(model, rule, changed)), row)
    return row


def _keeps(model: type[Model], rule: Rule, row: Mapping[str, Any]) -> bool:
    frame = nw.from_native(_frame(model, [row]).lazy())
    return bool(collected(verdicts([rule], frame))[rule.sentence][0])


def sample(model: type[Model], *rows: Mapping[str, Any]) -> nw.LazyFrame:
    """A typed frame with one row per mapping. What a row leaves out keeps the contract's rules.

    Numbers are zero or the next allowed value, text is "a" or the first allowed value, days are
    2024-01-01, moments its noon, and what may be null is null. Amounts, days and moments may be
    given as text ("9.99", "2024-01-01", "2024-01-01 10:00"). No rows give an empty typed frame.
    """
    return nw.from_native(_frame(model, [{**default_row(model), **row} for row in rows]).lazy())


def as_arrived(model: type[Model], *rows: Mapping[str, Any], on: dt.date = DAY) -> nw.LazyFrame:
    """The same of a table from a feed, as a table gets them that reads them by arrival: in the order of the file."""
    frame = collected(sample(model, *rows)).with_columns(
        arrived_on=pl.lit(on),
        source_file=pl.lit("a.csv"),
        record=pl.int_range(1, pl.len() + 1, dtype=pl.Int64()),
        is_retraction=pl.lit(value=False),
    )
    return nw.from_native(frame.lazy())


@cache
def _trials(model: type[Model], changed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The default row with that many values changed, in all ways, and which rules each keeps."""
    tried = [{name: value} for name, values in _candidates(model).items() for value in (None, *values)]
    changes = [dict(pair for one in several for pair in one.items()) for several in combinations(tried, changed)]
    frame = _frame(model, [{**default_row(model), **change} for change in changes])
    return frame, collected(verdicts(promise_of(model).hard_rules, nw.from_native(frame.lazy())))


def breaking_row(model: type[Model], rule: Rule) -> pl.DataFrame:
    """One row that breaks this hard rule, and if possible no other.

    It is the default row with one value changed, or two. Raises LookupError where none breaks it.
    """
    for changed in (1, 2):
        tried, kept = _trials(model, changed)
        others = kept.select(pl.sum_horizontal(~pl.all())).to_series()
        hits = [row for row, holds in enumerate(kept[rule.sentence]) if not holds]
        if hits:
            return tried[min(hits, key=lambda row: others[row])]
    raise LookupError(f"{promise_of(model).name}: no row tried breaks “{rule.sentence}”")


def verdicts(rules: Iterable[Rule], frame: nw.LazyFrame, *keep: str) -> nw.LazyFrame:
    """For each row, under the sentence of each rule, whether it keeps it; a null breaks it."""
    return frame.select(*keep, **{rule.sentence: rule.holds.fill_null(value=False) for rule in rules})


def broken_rules(model: type[Model], row: Mapping[str, Any]) -> list[str]:
    """The sentences of the rules, hard and soft, that a row breaks."""
    kept = collected(verdicts(promise_of(model).rules, sample(model, row))).row(0, named=True)
    return [sentence for sentence, holds in kept.items() if not holds]


def days(first: str | dt.date, last: str | dt.date | None = None) -> nw.LazyFrame:
    """What a transform gets as `days`: the days from first to last."""
    window = Window.parse(f"{first}..{last or first}")
    return nw.from_native(pl.LazyFrame({"day": list(window)}, schema={"day": pl.Date()}))


_connection = cache(duckdb.connect)
_numbers = count()


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
