"""Transforms and rules as SQL: compiled once, cached in the warehouse, run as text.

Building a query step by step takes tens of milliseconds; running its text again does not.
"""

import hashlib
import inspect
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import duckdb
import narwhals as nw

from ecom_assets.contract import Contract, Rule, RuleKind
from ecom_assets.declaration import DAYS_PARAMETER, Catalog, Declaration
from ecom_assets.engine.duckdb.tables import (
    REASONS_TYPE,
    SQL_TYPES,
    Query,
    ShapeError,
    as_query,
    as_wanted,
    check_shape,
    columns_of,
    columns_read,
    ensure_table,
    parsed_columns,
    version_columns,
)
from ecom_assets.engine.lineage import ColumnSource, column_lineage
from ecom_assets.engine.reachable_code import reachable_code, versions_imported
from ecom_assets.errors import UserError, is_interrupt
from ecom_assets.sql import literal, quoted

_PACKAGE = Path(__file__).resolve().parent.parent
_SUMMABLE = ("decimal", "integer")
_RANDOM_NAME = re.compile(r"(?:_|\bfilter|\bnw)[0-9a-f]{12,16}\b")
"""What DuckDB and narwhals call what has no name."""
_NOT_OF_CODE = (
    *(UserError, OSError, MemoryError, duckdb.OperationalError, duckdb.InternalError),
    *(duckdb.FatalException, duckdb.InterruptException),
)
"""Errors that running the same code again may not raise, and those that say themselves what to do."""


class BrokenCode(UserError):
    """The code of a table cannot be compiled or run; the text says in which file and line."""


MISTAKES = (BrokenCode, ShapeError)
"""What stops a table, and it alone, until its code has changed."""


@dataclass(frozen=True)
class Compiled:
    """A table's transform and rules as SQL: what is hashed is what runs.

    `transform` reads tables named after the transform's parameters; None if it is eager.
    `judge` reads a table `rows_to_judge` and adds a boolean `broken <n>` per hard rule and `warned <n>`
    per soft one, true if the rule is broken, and `retracts` for a table whose rows may retract their key.
    `meaning` is the same text for the same meaning. `lineage` has the sources of the columns; empty if
    the transform is eager. `conserved` reads `rows_to_judge` and some of the inputs, and returns a day's
    sums that differ; None without control totals.
    """

    transform: str | None
    judge: str
    meaning: str
    lineage: Sequence[ColumnSource]
    conserved: str | None


_COMPILED: WeakKeyDictionary[Declaration, Compiled] = WeakKeyDictionary()
_OURS: WeakSet[Declaration] = WeakSet()
_ONE_AT_A_TIME = Lock()


def may_keep(declarations: Iterable[Declaration]) -> None:
    """Marks these tables as cacheable for later processes: only files of this package define them."""
    _OURS.update(declarations)


def may_be_kept(declaration: Declaration) -> bool:
    """Returns whether only files of this package define what a table compiles to."""
    return declaration in _OURS


def provide(catalog: Catalog, kept: Mapping[str, Compiled]) -> None:
    """Uses these by table instead of compiling, for cacheable tables."""
    for declaration in catalog:
        if may_be_kept(declaration) and declaration.name in kept:
            _COMPILED.setdefault(declaration, kept[declaration.name])


@cache
def made_of() -> str:
    """Returns a hash of all that SQL and eager transforms may come from: this package and the libraries it imports.

    The files are read once, so that it is the hash of the code that this process has loaded.
    """
    return _made_of(sorted(_PACKAGE.rglob("*.py")))


def made_of_files() -> str:
    """Returns the same of the files as they are now: of what a process that starts now would load."""
    return _made_of_versions(tuple((file, *_version(file)) for file in sorted(_PACKAGE.rglob("*.py"))))


def _version(file: Path) -> tuple[int, int]:
    about = file.stat()
    return about.st_mtime_ns, about.st_size


@lru_cache(maxsize=1)
def _made_of_versions(files: tuple[tuple[Path, int, int], ...]) -> str:
    return _made_of([file for file, *_ in files])


def _made_of(files: Sequence[Path]) -> str:
    sources = [file.read_text(encoding="utf-8") for file in files]
    return hashlib.blake2b("\n".join([*versions_imported(sources), *sources]).encode(), digest_size=8).hexdigest()


def compiled(declaration: Declaration, catalog: Catalog) -> Compiled:
    """Returns a table's compiled transform and rules.

    Raises ShapeError if its columns differ from the contract's, BrokenCode if its code does not work.
    """
    if declaration not in _COMPILED:
        with _naming_mistakes(declaration):
            _COMPILED[declaration] = _compile(declaration, catalog)
    return _COMPILED[declaration]


@contextmanager
def _naming_mistakes(declaration: Declaration) -> Iterator[None]:
    """Raises BrokenCode for an error of a table's code."""
    try:
        yield
    except _NOT_OF_CODE:
        raise
    except Exception as error:
        if is_interrupt(error):
            raise
        cause: BaseException = error
        while cause.__cause__ or cause.__context__:
            cause = cause.__cause__ or cause.__context__ or cause
        said = dict.fromkeys(f"{type(one).__name__}: {str(one).partition(chr(10))[0]}" for one in (error, cause))
        text = ", from ".join(words.rstrip(".:! ") for words in said)
        raise BrokenCode(f"{declaration.name} cannot run: {_place(error, declaration)}: {text}.") from error


def _place(error: Exception, declaration: Declaration) -> str:
    """Returns file and line of a table's code at which an error was raised: the innermost, without the engine's."""
    own, engine = inspect.getsourcefile(declaration.transform), Path(__file__).parent
    places = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == own or {_PACKAGE, engine} & {*Path(frame.filename).parents} == {_PACKAGE}
    ]
    where, line = places[-1] if places else (own, inspect.getsourcelines(declaration.transform)[1])
    path = Path(where or "")
    shown = path.relative_to(_PACKAGE.parent) if _PACKAGE in path.parents else path
    return f"{shown}, line {line}"


def _compile(declaration: Declaration, catalog: Catalog) -> Compiled:
    """Returns transform and rules, compiled on empty inputs."""
    with _empty_database() as con:
        inputs: dict[str, Any] = {}
        for parameter, columns in _shapes(declaration, catalog).items():
            ensure_table(con, f"main.{parameter}", columns)
            inputs[parameter] = as_wanted(Query(con, f"from {quoted(parameter)}"), declaration.annotation(parameter))
        result = declaration.transform(**inputs)
        native = result.to_native() if isinstance(result, nw.LazyFrame) else result
        lazy = native if isinstance(native, duckdb.DuckDBPyRelation) and not declaration.is_eager else None
        stored = columns_of(declaration)
        check_shape(declaration.name, as_query(con, result).relation() if lazy is None else lazy, stored)
        ensure_table(con, "main.rows_to_judge", {**stored, **_beside(declaration)})
        judge = _judged(con.sql("from rows_to_judge"), declaration.contract).sql_query()
        transform = None if lazy is None else lazy.sql_query()
        lineage = column_lineage(con, declaration, catalog, transform) if transform else []
        conserved = _conserved(con, declaration) if declaration.conserved else None
    stable = with_stable_names("\n".join(filter(None, [transform, judge, conserved])))
    promise = declaration.contract
    sentences = [f"{rule.sentence} {rule.hard}" for rule in (*promise.rules, *promise.retractions)]
    code = [] if transform else [reachable_code(declaration.transform)]
    return Compiled(transform, judge, "\n".join([*code, stable, *sentences]), lineage, conserved)


def with_stable_names(sql: str) -> str:
    """Returns SQL with numbers in place of random names: the same text each time that something is compiled."""
    names: dict[str, str] = {}
    return _RANDOM_NAME.sub(lambda found: names.setdefault(found[0], f"_{len(names)}"), sql)


@contextmanager
def _empty_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Returns a database in memory, for one caller at a time; opening one costs as much as many queries."""
    with _ONE_AT_A_TIME:
        con = _database()
        con.begin()
        try:
            yield con
        finally:
            con.rollback()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def _conserved(con: duckdb.DuckDBPyConnection, declaration: Declaration) -> str:
    """Returns SQL for day, column, sum and control total where these differ. Raises ShapeError for other types."""
    assert declaration.conserved is not None
    frames = {
        str(read.parameter): nw.from_native(con.sql(f"from {quoted(str(read.parameter))}"))
        for read in declaration.conserved_reads
    }
    due = declaration.conserved(**frames).to_native()
    promise = declaration.contract
    amounts = [name for name in due.columns if name != promise.partition_column]
    strange = {name for name in amounts if name not in promise.columns or promise.columns[name].kind not in _SUMMABLE}
    if strange or promise.partition_column not in due.columns:
        raise ShapeError(
            f"{declaration.name}: conserved must return {promise.partition_column} and amounts or integers of the "
            f"table; found {', '.join(due.columns)}."
        )
    day = quoted(promise.partition_column)
    sums = {name: f"coalesce(sum({quoted(name)}), 0)::decimal(38, 4) as {quoted(name)}" for name in amounts}
    due_sums = ", ".join(sums.values())
    stored = {name: f"coalesce(stored.{quoted(name)}, 0)" for name in amounts}
    for name in amounts:
        if promise.columns[name].unknown_without:  # unknown on a day with rows: there is nothing to compare
            sums[name] = f"sum({quoted(name)})::decimal(38, 4) as {quoted(name)}"
            stored[name] = f"case when stored.day is null then 0 else stored.{quoted(name)} end"
    sides = ", ".join(
        f"{{'name': {literal(name)}, 'stored': {stored[name]}, 'due': coalesce(due.{quoted(name)}, 0)}}"
        for name in amounts
    )
    return f"""
        with stored as (select {day} as day, {", ".join(sums.values())} from rows_to_judge group by all),
        due as (select {day} as day, {due_sums} from ({due.sql_query()}) group by all)
        select day, side.name, side.stored, side.due
        from (select day, unnest([{sides}]) as side from stored full join due using (day))
        where side.stored <> side.due"""


def _shapes(declaration: Declaration, catalog: Catalog) -> dict[str, dict[str, str]]:
    """Returns the columns and types of each parameter's frame."""
    shapes = {}
    for read in declaration.reads:
        if read.parameter:
            source = catalog[read.table]
            if read.reach.by_arrival:
                shapes[read.parameter] = version_columns(catalog.typed_by(source))
            elif read.reach.by_event and declaration.from_feed:
                shapes[read.parameter] = {**parsed_columns(declaration), **_beside(declaration)}
            else:
                columns = {column.name: SQL_TYPES[column.kind] for column in source.contract.columns.values()}
                shapes[read.parameter] = {name: columns[name] for name in columns_read(source, read)}
    if declaration.wants_days:
        shapes[DAYS_PARAMETER] = {"day": "DATE"}
    return shapes


def _beside(declaration: Declaration) -> dict[str, str]:
    """Additional columns of rows while they are judged."""
    return {"problems": REASONS_TYPE} if declaration.from_feed else {"row hash": "UBIGINT"}


def transformed(declaration: Declaration, inputs: Mapping[str, Query], catalog: Catalog) -> Any:
    """Returns the transform's result: a query if the transform is lazy, else the frame that it makes.

    An eager transform is called, and what it reads is loaded into memory. Raises ShapeError, BrokenCode.
    """
    if inputs and (sql := compiled(declaration, catalog).transform):
        con = next(iter(inputs.values())).con
        return Query(con, over({name: query.sql for name, query in inputs.items()}, sql))
    with _naming_mistakes(declaration):
        return declaration.transform(
            **{name: as_wanted(query, declaration.annotation(name)) for name, query in inputs.items()}
        )


def judged(declaration: Declaration, rows: str, catalog: Catalog) -> str:
    """Returns SQL for the rows of a table with a boolean column per rule, true if it is broken."""
    return over({"rows_to_judge": rows}, compiled(declaration, catalog).judge)


def broken_conditions(declaration: Declaration) -> dict[str, str]:
    """Returns a condition in SQL per rule, by the rule's id, that is true of the rows of the table that break it."""
    promise = declaration.contract
    with _empty_database() as con:
        ensure_table(con, "main.rows_to_judge", columns_of(declaration))
        rows = nw.from_native(con.sql("from rows_to_judge"))
        return {rule.id: _expression(rows.select(_=~_holds(rule, promise)).to_native()) for rule in promise.rules}


def _expression(selected: duckdb.DuckDBPyRelation) -> str:
    """Returns SQL for the one column "_" of a relation."""
    found = re.match(r"SELECT (.*) AS _ FROM \(", selected.sql_query(), re.DOTALL)
    assert found
    return found[1]


def over(inputs: Mapping[str, str], sql: str) -> str:
    """Returns SQL with its inputs, SQL too, as named subqueries, which are not materialized."""
    named = ", ".join(f"{quoted(name)} as not materialized ({query})" for name, query in inputs.items())
    return f"with {named} select * from ({sql})"


def _holds(rule: Rule, promise: Contract) -> nw.Expr:
    """Returns whether a rule holds: also if it needs columns that are unknown on the day, and null all together."""
    unknown = {
        table: nw.all_horizontal(
            *(nw.col(column.name).is_null() for column in columns if not column.nullable), ignore_nulls=False
        )
        for table, columns in promise.unknown_without.items()
    }
    if not unknown:
        return rule.holds.fill_null(value=False)
    if rule.kind is RuleKind.PRESENT:
        without = promise.columns[str(rule.column)].unknown_without
        return rule.holds | unknown[without] if without else rule.holds
    return nw.coalesce(rule.holds, nw.any_horizontal(*unknown.values(), ignore_nulls=False))


def _judged(rows: duckdb.DuckDBPyRelation, promise: Contract) -> duckdb.DuckDBPyRelation:
    broken = {
        f"{kind} {n}": ~_holds(rule, promise)
        for kind, rules in (("broken", promise.hard_rules), ("warned", promise.soft_rules))
        for n, rule in enumerate(rules)
    }
    if promise.retractions:
        broken["retracts"] = nw.any_horizontal(
            *(condition.holds.fill_null(value=False) for condition in promise.retractions), ignore_nulls=False
        )
    return nw.from_native(rows).with_columns(**broken).to_native() if broken else rows
