"""The verbs in DuckDB: typed tables, text made typed, row hashes, rows judged by rules."""

import datetime as dt
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa

from ecom_assets.contract import Column, Contract, Kind
from ecom_assets.days import Window
from ecom_assets.declaration import DAYS_PARAMETER, Catalog, Declaration, Read
from ecom_assets.errors import UserError

SQL_TYPES: Mapping[Kind, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "decimal": "DECIMAL(18,4)",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
}
PROVENANCE = {"arrived_on": "DATE", "source_file": "VARCHAR", "record": "BIGINT"}
BRONZE_DERIVED = {"event_on": "DATE", "read_on": "DATE", "key_hash": "UBIGINT"}
BRONZE_COLUMNS = {
    **PROVENANCE,
    "unknown_columns": "VARCHAR",
    "problem": "VARCHAR",
    "raw_record": "VARCHAR",
    **BRONZE_DERIVED,
}
_FITS: Mapping[str, str] = {
    "BIGINT": r"(U?(TINY|SMALL)INT|U?INTEGER|BIGINT|HUGEINT)",
    "DECIMAL(18,4)": r"(DECIMAL\(\d+,[0-4]\)|(TINY|SMALL|BIG)INT|INTEGER)",
    "DOUBLE": r"(DOUBLE|FLOAT)",
    "TIMESTAMP": r"TIMESTAMP(_S|_MS)?",
}
_KIND_WORDS: Mapping[Kind, str] = {
    "integer": "no whole number",
    "decimal": "no amount with at most four decimals",
    "date": "no day like 2024-01-31",
    "timestamp": "no moment like 2024-01-31T10:00:00Z",
    "float": "no number",
    "boolean": "neither true nor false",
}
_RANDOM_NAME = re.compile(r"_[0-9a-f]{12,16}\b")
_HASH_DIGITS = 9


class ShapeError(UserError):
    """A transform's result does not have the columns or types of its contract."""


def quoted(name: str) -> str:
    """An identifier for SQL, whatever it holds; a dotted table name part by part."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def literal(text: str) -> str:
    """A text for SQL, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"


def among(column: str, days: Iterable[dt.date]) -> str:
    """The predicate that a date column holds one of these days; false where there are none."""
    listed = ", ".join(f"date '{day}'" for day in days)
    return f"{column} in ({listed})" if listed else "false"


def between(column: str, window: Window) -> str:
    """The predicate on a bare date column that prunes row groups."""
    return f"{quoted(column)} between date '{window.first}' and date '{window.last}'"


def columns_of(declaration: Declaration) -> dict[str, str]:
    """Column to SQL type of the table as it is stored."""
    columns = declaration.contract.columns.values()
    if declaration.is_bronze:
        return {**{column.name: "VARCHAR" for column in columns}, **BRONZE_COLUMNS}
    stored = {column.name: SQL_TYPES[column.kind] for column in columns}
    return {**stored, **PROVENANCE} if declaration.from_feed else stored


def quarantine_columns(bronze: Declaration) -> dict[str, str]:
    """Column to SQL type of the rows set aside: bronze's own, and why."""
    return {**columns_of(bronze), "reasons": "VARCHAR[]"}


def stored_types(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column to SQL type of a table that stands in the warehouse; empty where there is none."""
    schema, _, name = table.partition(".")
    return dict(
        con.execute(
            "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ?"
            " and database_name = current_database()",
            [schema, name],
        ).fetchall()
    )


def ensure_table(con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str]) -> None:
    """Make the table, or add the columns it lacks. A changed type is refused with ShapeError."""
    standing = stored_types(con, table)
    if not standing:
        con.execute(f"create schema if not exists {quoted(table.partition('.')[0])}")
        con.execute(f"create table {quoted(table)} ({', '.join(f'{quoted(c)} {t}' for c, t in columns.items())})")
        return
    for name, sql_type in columns.items():
        if name not in standing:
            con.execute(f"alter table {quoted(table)} add column {quoted(name)} {sql_type}")
        elif standing[name] != sql_type:
            raise ShapeError(
                f"{table}.{name} is stored as {standing[name]} and declared as {sql_type}. Give the column a new "
                f"name, or rebuild: drop the table and run all its days again."
            )


def check_shape(name: str, relation: duckdb.DuckDBPyRelation, columns: Mapping[str, str]) -> None:
    """Refuse a result that lacks a column or would have to be cast with loss. Raises ShapeError."""
    found = dict(zip(relation.columns, map(str, relation.types), strict=True))
    for column, wanted in columns.items():
        if column not in found:
            raise ShapeError(f"{name}: transform gives no column {column}; it gives {', '.join(found)}.")
        if found[column] not in (wanted, '"NULL"') and not re.fullmatch(_FITS.get(wanted, "(?!)"), found[column]):
            raise ShapeError(
                f"{name}.{column}: transform gives {found[column]}, the contract says {wanted}; cast it in transform."
            )


def as_relation(con: duckdb.DuckDBPyConnection, frame: Any) -> duckdb.DuckDBPyRelation:
    """A narwhals, Polars or pandas frame as a relation of this connection."""
    native = frame.to_native() if isinstance(frame, (nw.LazyFrame, nw.DataFrame)) else frame
    if isinstance(native, duckdb.DuckDBPyRelation):
        return native
    if hasattr(native, "collect"):
        native = native.collect()
    if isinstance(native, pd.DataFrame):
        native = pa.Table.from_pandas(native, preserve_index=False)
    elif hasattr(native, "to_arrow"):
        native = native.to_arrow()
    return con.from_arrow(native)


def as_wanted(relation: duckdb.DuckDBPyRelation, wanted: Any) -> Any:
    """A relation as the frame that an annotation asks for: Polars, pandas on Arrow, else narwhals over the relation."""
    if wanted is pl.DataFrame:
        return relation.pl()
    if wanted is pd.DataFrame:
        return relation.to_arrow_table().to_pandas(types_mapper=pd.ArrowDtype)  # days and amounts stay what they are
    return nw.from_native(relation)


def days_relation(con: duckdb.DuckDBPyConnection, window: Window) -> duckdb.DuckDBPyRelation:
    """The days of a window, as the transform's parameter `days` gets them."""
    return con.sql(
        f"select unnest(generate_series(date '{window.first}', date '{window.last}', interval 1 day))::date as day"
    )


def read_table(
    con: duckdb.DuckDBPyConnection, source: Declaration, read: Read, window: Window, calendar: Window
) -> duckdb.DuckDBPyRelation:
    """The rows of an input that a window reaches."""
    reached = read.reach.window(window, calendar)
    names = ", ".join(quoted(column) for column in source.contract.columns)
    return con.sql(
        f"select {names} from {quoted(source.name)} where {between(str(source.contract.partition_column), reached)}"
    )


def _moment(text: str, time_zone: str) -> str:
    """SQL: text to a naive UTC timestamp; texts without offset are in the time zone."""
    with_zone = f"(try_cast({text} as timestamptz) at time zone 'UTC')"
    if time_zone == "UTC":
        return with_zone
    offset = rf"regexp_matches({text}, ':\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?|[A-Z][A-Za-z_/]+)$')"
    local = f"(timezone({literal(time_zone)}, try_cast({text} as timestamp)) at time zone 'UTC')"
    return f"case when {offset} then {with_zone} else {local} end"


def _business_day(moment: str, time_zone: str) -> str:
    if time_zone == "UTC":
        return f"{moment}::date"
    return f"timezone({literal(time_zone)}, timezone('UTC', {moment}))::date"


def _typed(column: Column, feed_zone: str) -> str:
    """SQL: the text of a column made typed, null where it cannot be read."""
    text = f"nullif(trim({quoted(column.name)}), '')"
    match column.kind:
        case "text":
            return text
        case "integer":
            whole = f"regexp_full_match({text}, '[+-]?\\d+(\\.0*)?')"
            return f"case when {whole} then try_cast(split_part({text}, '.', 1) as bigint) end"
        case "decimal":
            exact = f"regexp_full_match({text}, '[+-]?(\\d+\\.?|\\d*\\.\\d{{1,4}}0*)')"
            return f"case when {exact} then try_cast({text} as decimal(18,4)) end"
        case "timestamp":
            return _moment(text, feed_zone)
        case _:
            return f"try_cast({text} as {SQL_TYPES[column.kind]})"


def _spelled_alike(column: Column, feed_zone: str) -> str:
    """SQL: one text for all spellings of a value; the text itself where it cannot be read."""
    return f"coalesce(({_typed(column, feed_zone)})::varchar, {quoted(column.name)})"


def as_bronze(
    landed: duckdb.DuckDBPyRelation, feed: Contract, feed_zone: str, shop_zone: str, calendar: Window
) -> duckdb.DuckDBPyRelation:
    """Landed records with the day on which they happened and a hash of their key.

    A record whose event day is unreadable, before the calendar or more than a day after its arrival
    is read under its arrival day. Equal keys have equal hashes; the reverse need not hold.
    """
    moment = _typed(feed.columns[str(feed.event_column)], feed_zone)
    key = ", ".join(_spelled_alike(feed.columns[name], feed_zone) for name in feed.primary_key)
    named = ", ".join(quoted(column) for column in feed.columns)
    kept = "arrived_on, source_file, record, unknown_columns, problem, raw_record"
    usable = f"happened_on between date '{calendar.first}' and arrived_on + 1"
    return landed.select(
        f"{named}, {kept}, {_business_day(f'({moment})', shop_zone)} as happened_on, hash({key}) as key_hash"
    ).select(
        f"{named}, {kept}, case when {usable} then happened_on end as event_on, "
        f"coalesce(case when {usable} then happened_on end, arrived_on) as read_on, key_hash"
    )


def parse(
    con: duckdb.DuckDBPyConnection, declaration: Declaration, window: Window, feed_zone: str
) -> duckdb.DuckDBPyRelation:
    """Bronze rows by event day, typed, each with its origin and what could not be read of it.

    Rows of other days whose key stands in the window too come along: they may win over it.
    """
    feed = declaration.feed
    assert feed is not None
    columns = list(feed.columns.values())
    bronze = quoted(declaration.bronze)
    texts = ", ".join(f"{quoted(c.name)}, {_typed(c, feed_zone)} as {quoted('typed ' + c.name)}" for c in columns)
    typed = ", ".join(f"{quoted('typed ' + c.name)} as {quoted(c.name)}" for c in columns)
    complaints = {
        "problem is not null": "problem",
        "problem is null and event_on is null": literal(f"{feed.event_column} gives no usable day"),
    }
    for c in columns:
        if c.kind != "text":
            unread = f"{quoted('typed ' + c.name)} is null and nullif(trim({quoted(c.name)}), '') is not null"
            complaints[unread] = literal(f"{c.name} is {_KIND_WORDS[c.kind]}")
    cases = ", ".join(f"case when {when} then {what} end" for when, what in complaints.items())
    some = " or ".join(f"({when})" for when in complaints)
    rivals = f"""
        select b.* from {bronze} b
        join (select distinct m.arrived_on, m.source_file, m.record from ledger.moves m
              join ledger.moves mine using (table_name, key_hash)
              where m.table_name = {literal(declaration.bronze)} and {_named_between("mine.read_on", window)}
                and not ({_named_between("m.read_on", window)})) r
          on b.arrived_on = r.arrived_on and b.source_file = r.source_file and b.record = r.record"""
    rows = f"select * from {bronze} where {between('read_on', window)}"
    if declaration.keys_can_move:
        rows = f"{rows} union all {rivals}"
    return con.sql(f"""
        select {typed}, read_on as {quoted(str(declaration.contract.partition_column))},
               arrived_on, source_file, record,
               case when {some} then list_filter([{cases}], x -> x is not null) end as problems
        from (select {texts}, read_on, event_on, problem, arrived_on, source_file, record from ({rows}))""")


def _named_between(column: str, window: Window) -> str:
    return f"{column} between date '{window.first}' and date '{window.last}'"


def row_hash(columns: Mapping[str, str]) -> str:
    """SQL: a hash over (column name, value) of the non-null columns, whatever their order.

    An added column changes nothing where it is null. Floats are hashed rounded.
    """
    combined = "0::ubigint"
    for name, sql_type in sorted(columns.items()):
        value = f"round({quoted(name)}, {_HASH_DIGITS})" if sql_type == "DOUBLE" else quoted(name)
        one = f"case when {quoted(name)} is null then 0::ubigint else hash({literal(name)}, {value}) end"
        combined = f"xor({combined}, {one})"
    return f"hash({combined})"


def content_hash(declaration: Declaration) -> str:
    """SQL: the hash of what counts as a row's content.

    In bronze that is all but what is derived; in tables from a feed, all but where the row came from.
    """
    beside = BRONZE_DERIVED if declaration.is_bronze else PROVENANCE if declaration.from_feed else {}
    return row_hash({name: kind for name, kind in columns_of(declaration).items() if name not in beside})


@dataclass(frozen=True)
class Compiled:
    """A table's transform and rules as SQL: what is hashed is what runs.

    `transform` reads views named after the transform's parameters; None where it is eager.
    `judge` reads a view `rows_to_judge` and adds a boolean `broken <n>` per hard rule and `warned <n>`
    per soft one, true where the rule is broken. `meaning` is the same text for the same meaning.
    """

    transform: str | None
    judge: str
    meaning: str


_COMPILED: WeakKeyDictionary[Declaration, Compiled] = WeakKeyDictionary()


def compiled(declaration: Declaration, shapes: Mapping[str, Mapping[str, str]]) -> Compiled:
    """Transform and rules worked out once in a process, on empty inputs of these columns and types.

    Building a query step by step costs tens of milliseconds, running its text again does not.
    """
    if declaration in _COMPILED:
        return _COMPILED[declaration]
    with duckdb.connect() as con:
        inputs: dict[str, Any] = {}
        for parameter, columns in shapes.items():
            ensure_table(con, f"main.{parameter}", columns)
            inputs[parameter] = as_wanted(con.sql(f"from {quoted(parameter)}"), declaration.annotation(parameter))
        result = as_relation(con, declaration.transform(**inputs))
        stored = columns_of(declaration)
        check_shape(declaration.name, result, stored)
        ensure_table(con, "main.rows_to_judge", {**stored, **_beside(declaration)})
        judge = _judged(con.sql("from rows_to_judge"), declaration.contract).sql_query()
        transform = None if declaration.is_eager else result.sql_query()
    made = inspect.getsource(declaration.transform) if transform is None else transform
    names: dict[str, str] = {}
    stable = _RANDOM_NAME.sub(lambda found: names.setdefault(found[0], f"_{len(names)}"), f"{made}\n{judge}")
    sentences = [f"{rule.sentence} {rule.hard}" for rule in declaration.contract.rules]
    _COMPILED[declaration] = Compiled(transform, judge, "\n".join([stable, *sentences]))
    return _COMPILED[declaration]


def shapes_of(declaration: Declaration, catalog: Catalog) -> dict[str, dict[str, str]]:
    """Parameter to the columns and types that its frame has."""
    shapes = {}
    for read in declaration.reads:
        if read.parameter:
            parsed = read.reach.by_event and declaration.from_feed
            shapes[read.parameter] = (
                {**columns_of(declaration), **_beside(declaration)}
                if parsed
                else {c.name: SQL_TYPES[c.kind] for c in catalog[read.table].contract.columns.values()}
            )
    if declaration.wants_days:
        shapes[DAYS_PARAMETER] = {"day": "DATE"}
    return shapes


def _beside(declaration: Declaration) -> dict[str, str]:
    """Columns that rows have beside the stored ones while they are judged."""
    return {"problems": "VARCHAR[]"} if declaration.from_feed else {"row hash": "UBIGINT"}


def transformed(declaration: Declaration, frames: Mapping[str, Any]) -> Any:
    """The transform's result; from DuckDB relations by its compiled SQL, else by calling it."""
    relations = {
        name: frame.to_native()
        for name, frame in frames.items()
        if isinstance(frame, nw.LazyFrame) and isinstance(frame.to_native(), duckdb.DuckDBPyRelation)
    }
    if not relations or len(relations) < len(frames):
        return declaration.transform(**frames)
    shapes = {name: dict(zip(r.columns, map(str, r.types), strict=True)) for name, r in relations.items()}
    sql = compiled(declaration, shapes).transform
    if sql is None:
        return declaration.transform(**frames)
    *others, (last_name, last) = relations.items()
    for name, relation in others:
        relation.query(name, f"from {quoted(name)}")  # names the relation for this connection only, unlike create_view
    return nw.from_native(last.query(last_name, sql))


def judged(declaration: Declaration, rows: duckdb.DuckDBPyRelation, catalog: Catalog) -> duckdb.DuckDBPyRelation:
    """The rows of a table with a boolean column per rule, true where it is broken."""
    return rows.query("rows_to_judge", compiled(declaration, shapes_of(declaration, catalog)).judge)


def _judged(rows: duckdb.DuckDBPyRelation, promise: Contract) -> duckdb.DuckDBPyRelation:
    broken = {
        f"{kind} {n}": ~rule.holds.fill_null(value=False)
        for kind, rules in (("broken", promise.hard_rules), ("warned", promise.soft_rules))
        for n, rule in enumerate(rules)
    }
    return nw.from_native(rows).with_columns(**broken).to_native() if broken else rows
