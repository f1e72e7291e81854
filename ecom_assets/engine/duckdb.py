"""The verbs in DuckDB: typed tables, text made typed, row hashes, rows judged by rules."""

import datetime as dt
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa

from ecom_assets.contract import AMOUNT_DIGITS, Column, Contract, Kind
from ecom_assets.days import Window
from ecom_assets.declaration import Declaration, Read
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
_INTEGER_DIGITS = 9
_DAYS = ("date '1000-01-01'", "date '9999-12-31'")
_MOMENTS = ("timestamp '1000-01-02'", "timestamp '9999-12-30'")
"""Such that the business day of each is one of the days, in every time zone."""
_KIND_WORDS: Mapping[Kind, str] = {
    "integer": f"no whole number of at most {_INTEGER_DIGITS} digits",
    "decimal": f"no amount with at most {AMOUNT_DIGITS} digits before and 4 after the point",
    "date": "no day like 2024-01-31 of the years 1000 to 9999",
    "timestamp": "no moment like 2024-01-31T10:00:00Z of the years 1000 to 9999",
    "float": "no number",
    "boolean": "neither true nor false, nor yes, no, y, n, t, f, 1 or 0",
}
_TRUE, _FALSE = "('true', 'yes', 'y', 't', '1')", "('false', 'no', 'n', 'f', '0')"
_ZONE = r"(Z|UTC|GMT|[+-]\d\d(:?\d\d)?|[A-Za-z_]+/[A-Za-z_/+\d-]+)"
"""How a moment says its offset. Other short names are of several zones, or of one in which nobody thinks."""
_WRITTEN_MOMENT = rf"(?i)^\s*\d+[-/ \\]\d+[-/ \\]\d+\s*([T ]\s*\d+(:\d+){{1,2}}(\.\d*)?\s*{_ZONE}?)?\s*$"
_WRITTEN_DAY = r"^\s*\d+[-/ \\]\d+[-/ \\]\d+\s*(Z?$|[T +-]\s*\d)"
_FLOAT = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_HASH_DIGITS = 9


@dataclass(frozen=True)
class Query:
    """Rows that are still to be asked for: SQL, and the connection that can run it."""

    con: duckdb.DuckDBPyConnection
    sql: str

    def relation(self) -> duckdb.DuckDBPyRelation:
        """The rows as DuckDB's relation. Raises duckdb.Error where the SQL does not hold."""
        return self.con.sql(self.sql)


def connect(path: str | Path = ":memory:", *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection to a database. Raises duckdb.Error.

    In DuckDB 2.0, sorting may cut the upper bytes off a sum whose bounds it takes for known (duckdb issue 25886 is
    of the same part): there, what reckons with bounds is left out.
    """
    con = duckdb.connect(path, read_only=read_only)
    if duckdb.__version__.startswith("2.0."):
        con.execute("set disabled_optimizers = 'compressed_materialization,statistics_propagation'")
    return con


def is_locked_out(error: duckdb.IOException) -> bool:
    """Whether a database could not be opened because another program has it open."""
    return "lock" in str(error).lower()


class ShapeError(UserError):
    """A transform's result does not have the columns or types of its contract."""


def identifier(name: str) -> str:
    """A name for SQL, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def quoted(name: str) -> str:
    """A name for SQL, whatever it holds; a dotted table name part by part."""
    return ".".join(map(identifier, name.split(".")))


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


def stored_types(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Table to its columns and their SQL types, of all tables of the database in use."""
    found: dict[str, dict[str, str]] = {}
    for table, column, sql_type in con.execute(
        "select schema_name || '.' || table_name, column_name, data_type "
        "from duckdb_columns() semi join duckdb_tables() using (database_oid, table_oid) "
        "where database_name = current_database() order by table_oid, column_index"
    ).fetchall():
        found.setdefault(table, {})[column] = sql_type
    return found


def ensure_table(
    con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], standing: Mapping[str, str] | None = None
) -> None:
    """Make the table, or add the columns it lacks to those standing. A changed type is refused with ShapeError."""
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


def as_query(con: duckdb.DuckDBPyConnection, frame: Any) -> Query:
    """A query, or a narwhals, Polars or pandas frame, as a query of this connection."""
    if isinstance(frame, Query):
        return frame
    native = frame.to_native() if isinstance(frame, (nw.LazyFrame, nw.DataFrame)) else frame
    if isinstance(native, duckdb.DuckDBPyRelation):
        native = native.to_arrow_table()
    elif hasattr(native, "collect"):
        native = native.collect()
    if isinstance(native, pd.DataFrame):
        native = pa.Table.from_pandas(native, preserve_index=False)
    elif hasattr(native, "to_arrow"):
        native = native.to_arrow()
    con.register("transformed", native)
    return Query(con, "select * from transformed")


def as_wanted(query: Query, wanted: Any) -> Any:
    """A query as the frame that an annotation asks for: Polars, pandas on Arrow, else the query itself."""
    if wanted is pl.DataFrame:
        return query.relation().pl()
    if wanted is pd.DataFrame:
        arrow = query.relation().to_arrow_table()
        return arrow.to_pandas(types_mapper=pd.ArrowDtype)  # days and amounts stay what they are
    return query


def days_query(window: Window) -> str:
    """SQL: the days of a window, as the transform's parameter `days` gets them."""
    return f"select unnest(generate_series(date '{window.first}', date '{window.last}', interval 1 day))::date as day"


def read_query(source: Declaration, read: Read, window: Window, calendar: Window) -> str:
    """SQL: the rows of an input that a window reaches."""
    reached = read.reach.window(window, calendar)
    names = ", ".join(quoted(column) for column in source.contract.columns)
    return f"select {names} from {quoted(source.name)} where {between(str(source.contract.partition_column), reached)}"


def _within(value: str, first: str, last: str) -> str:
    """SQL: a value that lies between two others, else null."""
    return f"case when {value} between {first} and {last} then {value} end"


def written_day(text: str, sql_type: str) -> str:
    """SQL: the day or moment that a text writes in digits, else null.

    DuckDB's casts take words too, such as epoch and infinity, and any behind a day.
    """
    return f"case when regexp_matches({text}, '{_WRITTEN_DAY}') then try_cast({text} as {sql_type}) end"


def _moment(text: str, time_zone: str) -> str:
    """SQL: text to a naive UTC timestamp; texts without offset are in the time zone.

    Years without four digits are no moments: what is computed from them overflows.
    """
    written = f"case when regexp_matches({text}, '{_WRITTEN_MOMENT}') then {text} end"
    # At the very end of time even try_cast raises.
    with_zone = _within(f"(try(try_cast({written} as timestamptz)) at time zone 'UTC')", *_MOMENTS)
    if time_zone == "UTC":
        return with_zone
    has_zone = rf"regexp_matches({text}, '(?i):\d+(\.\d*)?\s*{_ZONE}\s*$')"
    plain = _within(f"try_cast({written} as timestamp)", *_MOMENTS)
    local = f"(timezone({literal(time_zone)}, {plain}) at time zone 'UTC')"
    return f"case when {has_zone} then {with_zone} else {local} end"


def _business_day(moment: str, time_zone: str) -> str:
    if time_zone == "UTC":
        return f"{moment}::date"
    return f"timezone({literal(time_zone)}, timezone('UTC', {moment}))::date"


def moment_text(text: str, time_zone: str) -> str:
    """SQL: the text of a moment in UTC, with its offset; the text itself where that is no moment.

    Texts without offset are in the time zone.
    """
    moment = _moment(f"trim({text})", time_zone)
    return f"coalesce({moment}::varchar || '+00', {text})"


def _typed(column: Column, feed_zone: str) -> str:
    """SQL: the text of a column made typed, null where it cannot be read."""
    text = f"nullif(trim({quoted(column.name)}), '')"
    match column.kind:
        case "text":
            return f"nullif({stripped(quoted(column.name))}, '')"
        case "integer":
            whole = f"regexp_full_match({text}, '[+-]?0*\\d{{1,{_INTEGER_DIGITS}}}(\\.0*)?')"
            return f"case when {whole} then try_cast(split_part({text}, '.', 1) as bigint) end"
        case "decimal":
            before, after = f"\\d{{1,{AMOUNT_DIGITS}}}", "\\.\\d{1,4}0*"
            exact = f"regexp_full_match({text}, '[+-]?0*({before}\\.?|({before})?{after})')"
            return f"case when {exact} then try_cast({text} as decimal(18,4)) end"
        case "date":
            # From 2.0 on, DuckDB's cast takes no zone behind a day.
            return _within(written_day(f"regexp_replace({text}, '\\s*Z$', '')", "date"), *_DAYS)
        case "timestamp":
            return _moment(text, feed_zone)
        case "float":
            number = f"try_cast({text} as double)"
            return f"case when regexp_full_match({text}, '{_FLOAT}') and isfinite({number}) then {number} end"
        case "boolean":
            return f"case when lower({text}) in {_TRUE} then true when lower({text}) in {_FALSE} then false end"


def complaints_of(texts: Iterable[str], column: Column, promised: Contract, feed_zone: str) -> Mapping[str, str]:
    """What texts would be set aside for in a column of a feed, by the column alone; those only that would be.

    White space and case of a text column are not held against it: some tables do away with them.
    """
    asked = list(dict.fromkeys(texts))
    if not asked:
        return {}
    spellings = [(text, text) for text in asked]
    if column.kind == "text":
        spellings += [(text, text.strip().lower()) for text in asked]
    name, sent = quoted(column.name), ", ".join(f"({literal(text)}, {literal(as_read)})" for text, as_read in spellings)
    with connect() as con:
        rows = con.sql(
            f'select "as sent", {_typed(column, feed_zone)} as {name} from (values {sent}) t ("as sent", {name})'
        )
        read = nw.from_native(rows.pl())
    is_blank = nw.col("as sent").str.strip_chars() == ""
    rules = {f"{column.name} is {_KIND_WORDS.get(column.kind)}": is_blank | ~nw.col(column.name).is_null()}
    rules |= {rule.complaint: rule.holds for rule in promised.hard_rules if rule.column == column.name}
    found: dict[str, str] = {}
    for complaint, holds in rules.items():
        kept = set(read.filter(holds)["as sent"].to_list())
        found |= {text: complaint for text in asked if text not in kept and text not in found}
    return found


def stripped(text: str) -> str:
    """SQL: a text without the white space around it. To look at both ends first costs less than to strip."""
    has_some = f"least(ord({text}), ord(right({text}, 1))) <= {ord(' ')}"
    return f"(case when {has_some} then trim({text}, {literal(string.whitespace)}) else {text} end)"


def _spelled_alike(column: Column, feed_zone: str) -> str:
    """SQL: one text for all spellings of a value; the text itself where it cannot be read."""
    return f"coalesce(({_typed(column, feed_zone)})::varchar, {quoted(column.name)})"


def bronze_query(landed: str, feed: Contract, feed_zone: str, shop_zone: str, calendar: Window) -> str:
    """SQL: landed records with the day on which they happened and a hash of their key.

    A record whose event day is unreadable, outside the calendar or more than a day after its arrival is
    read under its arrival day. Equal keys have equal hashes; the reverse need not hold. A record that cannot
    be read or lacks a part of its key has none.
    """
    event = feed.columns[str(feed.event_column)]
    happened = _typed(event, feed_zone)
    happened_on = happened if event.kind == "date" else _business_day(f"({happened})", shop_zone)
    key = _key_hash([_spelled_alike(feed.columns[name], feed_zone) for name in feed.primary_key])
    has_key = " and ".join(f"{stripped(quoted(name))} <> ''" for name in feed.primary_key)
    named = ", ".join(quoted(column) for column in feed.columns)
    kept = "arrived_on, source_file, record, unknown_columns, problem, raw_record"
    last_day = "arrived_on + 1"
    if calendar.last != dt.date.max:
        last_day = f"least({last_day}, date '{calendar.last}')"
    usable = f"happened_on between date '{calendar.first}' and {last_day}"
    return f"""
        select {named}, {kept}, case when {usable} then happened_on end as event_on,
               coalesce(case when {usable} then happened_on end, arrived_on) as read_on, key_hash
        from (select {named}, {kept}, {happened_on} as happened_on,
                     case when problem is null and {has_key} then {key} end as key_hash
              from {landed})"""


def _key_hash(parts: Sequence[str]) -> str:
    """SQL: a hash of the texts of a key's parts.

    Keys that are counted up have hashes that lie near each other, so that looking for those of a day passes over the
    row groups of other days. Few other texts end in so many digits that their hashes would be alike.
    """
    plain = f"hash({', '.join(parts)})"
    number = rf"try_cast(regexp_extract({parts[0]}, '\d{{7,12}}$') as ubigint)"
    return f"coalesce(({number} << 24) | ({plain} >> 40), {plain})"


def _useless_days(event: Column, shop_zone: str, calendar: Window) -> dict[str, str]:
    """SQL: when a record does not say on which of our days it happened, and what is said of it."""
    happened = quoted(f"typed {event.name}")
    on = happened if event.kind == "date" else _business_day(happened, shop_zone)
    early = f"{on} < date '{calendar.first}'"
    useless = "problem is null and event_on is null"
    return {
        f"{useless} and {happened} is null": literal(f"{event.name} gives no usable day"),
        f"{useless} and {early}": literal(f"{event.name} is before the calendar's first day, {calendar.first}"),
        f"{useless} and not {early}": literal(f"{event.name} is later than its arrival or the calendar's last day"),
    }


def parse_query(declaration: Declaration, window: Window, feed_zone: str, shop_zone: str, calendar: Window) -> str:
    """SQL: bronze rows by event day, typed, each with its origin and what could not be read of it.

    Business days of moments come along, by the shop's time zone.

    Rows of other days whose key stands in the window too come along: they may win over it.
    """
    feed = declaration.feed
    assert feed is not None
    columns = list(feed.columns.values())
    bronze = quoted(declaration.bronze)
    texts = ", ".join(f"{quoted(c.name)}, {_typed(c, feed_zone)} as {quoted('typed ' + c.name)}" for c in columns)
    typed = ", ".join(f"{quoted('typed ' + c.name)} as {quoted(c.name)}" for c in columns)
    for c in declaration.contract.columns.values():
        if c.day_of:
            typed += f", {_business_day(quoted('typed ' + c.day_of), shop_zone)} as {quoted(c.name)}"
    complaints = {
        "problem is not null": "problem",
        **_useless_days(feed.columns[str(feed.event_column)], shop_zone, calendar),
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
                and {_named_between("m.arrived_on", calendar)}
                and not ({_named_between("m.read_on", window)})) r
          on b.arrived_on = r.arrived_on and b.source_file = r.source_file and b.record = r.record"""
    rows = f"select * from {bronze} where {between('read_on', window)} and {_named_between('arrived_on', calendar)}"
    if declaration.keys_can_move:
        rows = f"{rows} union all {rivals}"
    return f"""
        select {typed}, read_on as {quoted(str(declaration.contract.partition_column))},
               arrived_on, source_file, record,
               case when {some} then list_filter([{cases}], lambda x: x is not null) end as problems
        from (select {texts}, read_on, event_on, problem, arrived_on, source_file, record from ({rows}))"""


def _named_between(column: str, window: Window) -> str:
    return f"{column} between date '{window.first}' and date '{window.last}'"


def row_hash(columns: Mapping[str, str]) -> str:
    """SQL: a hash over (column name, value) of the non-null columns, whatever their order.

    An added column changes nothing where it is null. Floats are hashed rounded. Each column's hash is hashed once more:
    DuckDB's hash of a name and a value is an XOR of theirs, so that equal values of two columns would cancel out and
    exchanged ones would not show.
    """
    combined = "0::ubigint"
    for name, sql_type in sorted(columns.items()):
        value = f"round({quoted(name)}, {_HASH_DIGITS})" if sql_type == "DOUBLE" else quoted(name)
        one = f"case when {quoted(name)} is null then 0::ubigint else hash(hash({literal(name)}, {value})) end"
        combined = f"xor({combined}, {one})"
    return f"hash({combined})"


def content_hash(declaration: Declaration) -> str:
    """SQL: the hash of what counts as a row's content.

    In bronze that is all but what is derived; in tables from a feed, all but where the row came from.
    """
    beside = BRONZE_DERIVED if declaration.is_bronze else PROVENANCE if declaration.from_feed else {}
    return row_hash({name: kind for name, kind in columns_of(declaration).items() if name not in beside})
