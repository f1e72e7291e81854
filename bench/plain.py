"""The same queries by DuckDB alone, as one would write them in a script.

Included: the landed files as bronze tables of text by DuckDB's own readers, with arrival day and file name; silver
typed by `try_cast`, the latest version of each key, and the platform's transform; gold and kpi by the platform's
compiled transforms. Not included: ledger, hashes, rules, quarantine, references, record ordinals, late keys of other
days, transactions over several statements, unreadable files.
"""

from pathlib import Path
from typing import Any

import duckdb

from bench.child import spending
from ecom_assets import catalog
from ecom_assets.contract import Column
from ecom_assets.days import Window
from ecom_assets.declaration import DAYS_PARAMETER, Declaration
from ecom_assets.engine.compiling import compiled
from ecom_assets.engine.duckdb.tables import SQL_TYPES, Query, as_query, as_wanted, columns_of, days_query
from ecom_assets.landing.provenance import ORIGIN, sql_types
from ecom_assets.sql import literal, quoted

MEMORY_LIMIT = "8GB"
"""With 2 GB, DuckDB alone runs out of memory on the sessions of ten million events in one statement."""
_READERS = {
    ".csv": "read_csv({files}, header = true, all_varchar = true, delim = ',', quote = '\"', filename = true)",
    ".jsonl": "read_json({files}, format = 'newline_delimited', columns = {{{texts}}}, filename = true)",
    ".parquet": "read_parquet({files}, filename = true)",
}


def bronze_to_kpi(home: Path, days: str) -> dict[str, Any]:
    """Builds every table over one window in an empty database. Returns the time of each table."""
    tables = catalog.tables()
    sql = {d.name: compiled(d, tables).transform for d in tables if not d.is_bronze}
    seconds = []
    with duckdb.connect(home / "plain.duckdb", config={"memory_limit": MEMORY_LIMIT}) as con, spending() as spent:
        con.execute("set TimeZone = 'UTC'")
        con.execute(f"create view {DAYS_PARAMETER} as {days_query(Window.parse(days))}")
        for schema in {declaration.contract.layer for declaration in tables}:
            con.execute(f"create schema {schema}")
        for declaration in tables:
            with spending() as on_table:
                if declaration.is_bronze:
                    _read(con, declaration, home / "data" / "landing")
                else:
                    _transform(con, declaration, sql[declaration.name])
            seconds.append((declaration.name, on_table.wall))
    with duckdb.connect(home / "plain.duckdb", read_only=True) as con:
        rows = {name: con.execute(f"select count(*) from {quoted(name)}").fetchall()[0][0] for name in tables.names}
    return {"wall": spent.wall, "cpu": spent.cpu, "tables": seconds, "rows": rows}


def _read(con: duckdb.DuckDBPyConnection, declaration: Declaration, landing: Path) -> None:
    columns = list(declaration.feed_contract.columns)
    files = sorted((landing / declaration.feed_name).glob("*/*"))
    suffix = "." + files[0].name.removesuffix(".gz").rpartition(".")[2]
    texts = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in columns)
    reader = _READERS[suffix].format(files=f"[{', '.join(literal(str(file)) for file in files)}]", texts=texts)
    landed = {name for name, *_ in con.execute(f"describe from {reader}").fetchall()}
    listed = ", ".join(
        f"{quoted(column) if column in landed else 'null'}::varchar as {quoted(column)}" for column in columns
    )
    con.execute(f"""
        create table {quoted(declaration.name)} as
        select {listed}, split_part(filename, '/', -2)::date as arrived_on, split_part(filename, '/', -1) as source_file
        from {reader}""")


def _transform(con: duckdb.DuckDBPyConnection, declaration: Declaration, sql: str | None) -> None:
    """Builds a table with its compiled SQL; an eager transform has none and is called."""
    for read in declaration.reads:
        if read.parameter:
            rows = _latest(declaration) if declaration.from_feed else f"from {quoted(read.table)}"
            con.execute(f"create or replace temp view {quoted(read.parameter)} as {rows}")
    if sql is None:
        frames = {
            str(read.parameter): as_wanted(
                Query(con, f"from {quoted(str(read.parameter))}"), declaration.annotation(str(read.parameter))
            )
            for read in declaration.reads
        }
        sql = as_query(con, declaration.transform(**frames)).sql
    listed = ", ".join(quoted(column) for column in columns_of(declaration))
    con.execute(f"create table {quoted(declaration.name)} as select {listed} from ({sql})")


def _latest(declaration: Declaration) -> str:
    """Returns SQL for bronze rows, typed, in the latest version of each key."""
    feed, promise = declaration.feed_contract, declaration.contract
    typed = ", ".join(_typed(column) for column in feed.columns.values())
    event = quoted(feed.event_column)
    keys = ", ".join(quoted(column) for column in promise.primary_key)
    version = f"{quoted(feed.version_column)} desc nulls last, " if feed.version_column else ""
    day = quoted(promise.partition_column)
    days_of = [f"{quoted(c.day_of)}::date as {quoted(c.name)}" for c in promise.columns.values() if c.day_of]
    no_more = {"record": "null::bigint", "problems": "null::varchar[]"}
    kept = ", ".join(column for column in sql_types(ORIGIN) if column not in no_more)
    return f"""
        select *, coalesce({event}::date, arrived_on) as {day},
               {", ".join([*days_of, *(f"{value} as {name}" for name, value in no_more.items())])}
        from (select {typed}, {kept} from {quoted(declaration.bronze)})
        qualify row_number() over (partition by {keys} order by {version}arrived_on desc, source_file desc) = 1"""


def _typed(column: Column) -> str:
    text = f"nullif(trim({quoted(column.name)}), '')"
    if column.kind == "text":
        return f"{text} as {quoted(column.name)}"
    if column.kind == "timestamp":
        return f"try_cast({text} as timestamptz) at time zone 'UTC' as {quoted(column.name)}"
    return f"try_cast({text} as {SQL_TYPES[column.kind]}) as {quoted(column.name)}"
