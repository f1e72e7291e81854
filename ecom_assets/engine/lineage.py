"""Column lineage: the input columns from which each column of a table is computed.

A column comes from all that its own expression names, conditions, window and order included. What only
decides which rows exist is not a source: filters, conditions of joins, what is counted.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar

import duckdb

from ecom_assets.contract import EXTRA
from ecom_assets.declaration import DAYS_PARAMETER, Catalog, Declaration
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.landing.provenance import ORIGIN, UNKNOWN_COLUMNS, sql_types

_Column = tuple[str, str]
_Sources = frozenset[_Column]
_Table = Mapping[str, _Sources]
"""The columns of a table, and the sources of each."""
_T = TypeVar("_T")
_PLAIN_STAR = {"class", "type", "relation_name", "query_location", "query_location_length"}


class ColumnSource(TypedDict):
    """One source column of a column of a table."""

    column_name: str
    from_table: str
    from_column: str


def column_lineage(
    con: duckdb.DuckDBPyConnection, declaration: Declaration, catalog: Catalog, sql: str
) -> list[ColumnSource]:
    """Returns the sources of the columns of a table, one table up; `sql` is its transform.

    Literals, counts of rows and the days of the window come from no column. Empty where the SQL has a form
    that transforms do not compile to.
    """
    try:
        found = read_off(con, sql, _inputs(declaration, catalog))
        return [
            ColumnSource(column_name=name, from_table=table, from_column=column)
            for name in columns_of(declaration)
            for table, column in sorted(found[name])
        ]
    except (LookupError, RecursionError):
        return []


def read_off(con: duckdb.DuckDBPyConnection, sql: str, inputs: Mapping[str, _Table]) -> _Table:
    """Returns the columns of a query over these inputs, with DuckDB's own parser.

    Raises LookupError for SQL of a form that relations do not compile to.
    """
    [(tree,)] = con.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()
    return _query(json.loads(tree)["statements"][0]["node"], inputs)


def _inputs(declaration: Declaration, catalog: Catalog) -> dict[str, _Table]:
    """Returns the tables that a transform reads, by parameter."""
    inputs: dict[str, _Table] = {DAYS_PARAMETER: {"day": frozenset()}}
    for read in declaration.reads:
        if read.parameter:
            source = catalog[read.table]
            origins: Mapping[str, Collection[str]] = {name: [name] for name in source.contract.columns}
            if source.is_bronze:
                origins = _origins(catalog.typed_by(source))
            inputs[read.parameter] = {
                name: frozenset((read.table, origin) for origin in of_column) for name, of_column in origins.items()
            }
    return inputs


def _origins(declaration: Declaration) -> dict[str, Collection[str]]:
    """Returns the bronze columns of each column of typed bronze. A rule of the shop may look at any column."""
    feed, promise = declaration.feed_contract, declaration.contract
    origins: dict[str, Collection[str]] = {name: [name] for name in (*feed.columns, *sql_types(ORIGIN))}
    computed = promise.columns.values()
    origins |= {
        column.name: [source]
        for column in computed
        if (source := column.day_of or column.latest_of or column.original_of)
    }
    by_rule = [column.name for column in computed if column.by_rule is not None]
    origins |= dict.fromkeys(by_rule, feed.columns)
    if EXTRA in promise.columns:
        origins[EXTRA] = [UNKNOWN_COLUMNS.name]
    return {**origins, promise.partition_column: [feed.event_column], "problems": [], "is_retraction": feed.columns}


def _query(query: Any, inputs: Mapping[str, _Table]) -> _Table:
    for step in query["cte_map"]["map"]:  # DuckDB 2.0 names each step of a relation
        inputs = {**inputs, step["key"]: _query(step["value"]["query_node"], inputs)}
    if query["type"] == "SET_OPERATION_NODE":
        return _stacked([_query(part, inputs) for part in _parts(query)])
    tables = _tables(query["from_table"], inputs)
    columns: list[tuple[str, _Sources]] = []
    for item in query["select_list"]:
        if item["class"] == "STAR":
            columns += _starred(item, tables)
        else:
            columns.append((item["alias"] or item["column_names"][-1], _expression(item, tables)))
    return _unambiguous(columns)


def _parts(query: Any) -> Any:
    """Returns the inputs of a union: a list in DuckDB 2.0, two sides in 1.5."""
    if query["setop_type"] != "UNION":
        raise LookupError(query["setop_type"])
    return query.get("children") or (query["left"], query["right"])


def _stacked(parts: list[_Table]) -> _Table:
    return {name: _all(found) for name, *found in zip(parts[0], *(part.values() for part in parts), strict=True)}


def _starred(star: Any, tables: Mapping[str, _Table]) -> Iterable[tuple[str, _Sources]]:
    if more := {name for name, value in star.items() if value} - _PLAIN_STAR:
        raise LookupError(more)
    for alias in [star["relation_name"]] if star["relation_name"] else tables:
        yield from tables[alias].items()


def _tables(part: Any, inputs: Mapping[str, _Table]) -> Mapping[str, _Table]:
    """Returns the tables that a query selects from, by alias."""
    if part.get("column_name_alias"):
        raise LookupError(part["column_name_alias"])
    match part["type"]:
        case "BASE_TABLE":
            return {part["alias"] or part["table_name"]: inputs[part["table_name"]]}
        case "SUBQUERY":
            return {part["alias"]: _query(part["subquery"]["node"], inputs)}
        case "JOIN":
            left, right = _tables(part["left"], inputs), _tables(part["right"], inputs)
            return left if part["join_type"] in ("SEMI", "ANTI") else _unambiguous([*left.items(), *right.items()])
        case other:
            raise LookupError(other)


def _expression(parts: Any, tables: Mapping[str, _Table]) -> _Sources:
    """Returns the sources of all columns named in an expression, or in several."""
    found, waiting = set[_Column](), [parts]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            match part.get("class"):
                case "COLUMN_REF":
                    *alias, name = part["column_names"]
                    named = [tables[one] for one in alias] or [table for table in tables.values() if name in table]
                    if not named:
                        raise LookupError(name)
                    for table in named:
                        found |= table[name]
                case "SUBQUERY" | "STAR" | "LAMBDA" as other:
                    raise LookupError(other)
                case _:
                    waiting += part.values()
    return frozenset(found)


def _all(sources: Iterable[_Sources]) -> _Sources:
    return frozenset[_Column]().union(*sources)


def _unambiguous(named: Sequence[tuple[str, _T]]) -> dict[str, _T]:
    if len(found := dict(named)) < len(named):
        raise LookupError([name for name, _ in named])
    return found
