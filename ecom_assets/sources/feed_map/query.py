"""A feed's own SQL: what it reads, where its rows come from, and its mistakes in the words of the map."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import permutations, takewhile
from typing import Any

import duckdb

from ecom_assets.contract import FeedContract, Kind
from ecom_assets.engine.duckdb.parsing import midnight_text, moment_text
from ecom_assets.errors import suggestion
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.provenance import ORIGIN as ORIGIN_COLUMNS
from ecom_assets.landing.provenance import sql_types
from ecom_assets.sql import connect, identifier

ORIGIN = "origin"
"""The column of a source's table that says where a line comes from: its arrival day, file and record."""
LINES = "origins"
"""The column of a statement's rows that lists the origins of all lines of a group."""
NO_AMOUNT_FROM = "9e11"
"""The amount from which on one stands for a text that is none, as the macros make it."""
LANDED = "landed"
"""The schema of the tables of what has landed: `landed.orders`."""

_ORIGIN_TYPE = "STRUCT(" + ", ".join(f"{name} {kind}" for name, kind in sql_types(ORIGIN_COLUMNS).items()) + ")"
_Node = dict[str, Any]


class QueryError(Exception):
    """A mistake in a statement: its line in the statement, from 1, and what to do."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Lookup:
    """A left join of a statement, to the table `of`.

    `sql` gives each of its rows, with the origin of the line, whether the join finds something (`found`) and the text
    that it looks for (`sought`, null if the join does not compare).
    """

    of: str
    sql: str


@dataclass(frozen=True)
class Readings:
    """Calls of macros that read texts in a SELECT of a statement, whose nodes these are."""

    select: _Node
    calls: tuple[_Node, ...]

    def sql(self) -> str:
        """Returns SQL for the origin of each line, and of each call the text that it gets and what it makes of it.

        Those are called `sent 0` and `made 0`, by the number of the call.
        """
        added = list[_Node]()
        for number, call in enumerate(self.calls):
            sent = _call("concat", [call["children"][0]])
            formats = self._formats(number)
            made = call if formats is None else _call("try_strptime", [sent, formats])
            added += [_named(sent, f"sent {number}"), _named(made, f"made {number}")]
        return _text({**self.select, "select_list": [*self.select["select_list"], *added]})

    def unfit(self, number: int) -> str:
        """Returns SQL for whether a call cannot read its text, or only in another way than by its formats."""
        made = identifier(f"made {number}")
        if self._formats(number) is not None:
            return f"{made} is null"
        is_amount = self.calls[number]["function_name"].lower() in ("amount", "rounded")
        return f"abs({made})::double >= {NO_AMOUNT_FROM}" if is_amount else f"isinf({made})"

    def written(self, number: int) -> str:
        """Returns a call as it is written."""
        nothing = {"type": "EMPTY", "alias": "", "sample": None, "query_location": 0}
        call = {**self.select, "cte_map": {"map": []}, "where_clause": None, "from_table": nothing}
        text = _text({**call, "select_list": [self.calls[number]]})
        return text.removeprefix("SELECT ").replace("main.list_value(", "list_value(")

    def apart(self) -> list["Readings"]:
        """Returns each call for itself."""
        return [Readings(self.select, (call,)) for call in self.calls]

    def _formats(self, number: int) -> _Node | None:
        call = self.calls[number]
        has_formats = call["function_name"].lower() == "moment" and len(call["children"]) > 1
        return call["children"][1] if has_formats else None


@dataclass(frozen=True)
class Query:
    """A feed's statement, parsed.

    `sources` are the names of the tables that it reads besides its own, `landed` the feeds of which it reads what has
    landed; `aliases` has the names of both in it, `columns` the names of columns in it, in lower case. `driving` are
    the sources that the first table of `from` leads to, of each part of a union. `numbers_lines` says that it calls
    `line_number`; `told_apart` are the columns of its conditions and of what these name, and `has_star` that it
    takes all columns of a table.
    """

    feed: str
    text: str
    tree: _Node
    sources: tuple[str, ...]
    landed: tuple[str, ...]
    aliases: Mapping[str, str]
    columns: frozenset[str]
    driving: tuple[str, ...]
    numbers_lines: bool
    told_apart: frozenset[str]
    has_star: bool

    def traced(self) -> str:
        """Returns the statement with the columns `origin` and, where it groups, `origins`."""
        node, _ = _Tracer(self.sources).traced(self.tree, {})
        return _text(node)

    def lookups(self) -> list[Lookup]:
        """Returns the left joins between the tables that lead to the lines from which rows come.

        Those whose misses are what the statement wants are not among them: `where o.order_id is null`.
        """
        tracer = _Tracer(self.sources)
        tracer.traced(self.tree, {})
        return [Lookup(of, _text(node)) for of, node in tracer.lookups]

    def pieces(self) -> tuple[list[str], frozenset[str]]:
        """Returns which pieces of nested JSON it takes apart by `unnest` in FROM, and the other words that it has.

        The former is SQL for the origin and the text of each such piece of which a row is made. The words are those of
        all texts and names, in lower case, but for the key under which an array that it takes apart stands.
        """
        tracer = _Tracer(self.sources)
        tracer.traced(self.tree, {})
        taken = {id(function) for _, function in tracer.pieces}
        words = set[str]()
        for node in _nodes_but(self.tree, taken):
            words.update(_words(node))
        for _, function in tracer.pieces:
            named = [word for node in _nodes(function) for word in _words(node)]
            words.update(named[:-1])
        return [_text(node) for node, _ in tracer.pieces], frozenset(words)

    def readings(self) -> list[Readings]:
        """Returns the calls of `amount`, `moment` and their like, of each SELECT that leads to the rows' lines."""
        tracer = _Tracer(self.sources)
        tracer.traced(self.tree, {})
        return [Readings(node, tuple(calls)) for node, calls in tracer.readings]


def _nodes_but(tree: Any, left_out: Collection[int]) -> Iterator[_Node]:
    if isinstance(tree, dict) and id(tree) not in left_out:
        yield tree
        for inner in tree.values():
            yield from _nodes_but(inner, left_out)
    elif isinstance(tree, list):
        for inner in tree:
            yield from _nodes_but(inner, left_out)


def _words(node: _Node) -> list[str]:
    """Returns the words of a name or a text, in lower case."""
    texts = node.get("column_names", [])[-1:]
    if node.get("type") == "VALUE_CONSTANT" and isinstance(value := node["value"].get("value"), str):
        texts = [value]
    return [word.lower() for text in texts for word in re.findall(r"\w+", text)]


def _text(node: _Node) -> str:
    tree = {"error": False, "statements": [{"node": node, "named_param_map": []}]}
    with _parser().cursor() as con:
        [(text,)] = con.execute("select json_deserialize_sql(?::json)", [json.dumps(tree)]).fetchall()
    return str(text)


def _parsed(text: str) -> _Node:
    with _parser().cursor() as con:
        [(told,)] = con.execute("select json_serialize_sql(?)", [text]).fetchall()
    parsed: _Node = json.loads(told)
    return parsed


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return connect()


def parse(feed: str, text: str, sources: Collection[str]) -> Query:
    """Returns a feed's statement. Raises QueryError unless it is one SELECT that says the same on every run."""
    parsed = _parsed(text)
    if parsed["error"]:
        place = int(parsed.get("position") or 0)
        raise QueryError(parsed["error_message"].rstrip("!"), text.count("\n", 0, place) + 1)
    if len(parsed["statements"]) != 1:
        raise QueryError("sql must be one SELECT statement.")
    tree = parsed["statements"][0]["node"]
    for node in _nodes(tree):
        if node.get("class") == "FUNCTION" and node["function_name"].lower() in _changing():
            line = text.count("\n", 0, node["query_location"]) + 1
            raise QueryError(f"{node['function_name']}() would give other rows each time; use a column.", line)
    named = {entry["key"].lower() for node in _nodes(tree) for entry in node.get("cte_map", {}).get("map", ())}
    known = {name.lower(): name for name in sources}
    tables = [node for node in _nodes(tree) if node.get("type") == "BASE_TABLE"]
    found: dict[str, str] = {}
    landed: dict[str, str] = {}
    for table in tables:
        name = table["table_name"].lower()
        line = text.count("\n", 0, table["query_location"]) + 1
        if table["schema_name"].lower() == LANDED:
            if name not in (feeds := feed_contracts()):
                raise QueryError(f"unknown feed {LANDED}.{table['table_name']}{suggestion(name, feeds)}", line)
            landed[(table["alias"] or name).lower()] = name
        elif name in known and not table["schema_name"]:
            found[(table["alias"] or name).lower()] = known[name]
        elif name not in named:
            raise QueryError(f"unknown source {table['table_name']!r}{suggestion(table['table_name'], sources)}", line)
    columns = {name.lower() for node in _nodes(tree) for name in node.get("column_names", ()) if isinstance(name, str)}
    used = tuple(dict.fromkeys(found.values()))
    numbers = any(str(node.get("function_name", "")).lower() == "line_number" for node in _nodes(tree))
    tracer = _Tracer(used)
    tracer.traced(tree, {})
    has_star = any(node.get("class") == "STAR" for node in _nodes(tree))
    driving = tuple(dict.fromkeys(tracer.driving or used))
    if not driving:
        raise QueryError(f"sql reads no source, of whose lines rows are made; these are {', '.join(sources)}.")
    before = tuple(dict.fromkeys(landed.values()))
    aliases = {**found, **{alias: f"{LANDED}.{name}" for alias, name in landed.items()}}
    reads = (used, before, aliases, frozenset(columns), driving)
    return Query(feed, text, tree, *reads, numbers, _told_apart(tree), has_star)


def _told_apart(tree: _Node) -> frozenset[str]:
    """Returns the columns of conditions, and those by which a CASE decides that conditions name."""
    conditions = [node["where_clause"] for node in _nodes(tree) if node.get("where_clause")]
    apart = _columns_of(conditions)
    cases = [node for node in _nodes(tree) if node.get("class") == "CASE" and node["alias"].lower() in apart]
    return apart | _columns_of([check["when_expr"] for case in cases for check in case["case_checks"]])


def _columns_of(tree: Any) -> frozenset[str]:
    """Returns the names of all columns in a part of a statement, in lower case."""
    return frozenset(node["column_names"][-1].lower() for node in _nodes(tree) if node.get("class") == "COLUMN_REF")


def _nodes(tree: Any) -> Iterator[_Node]:
    if isinstance(tree, dict):
        yield tree
        for inner in tree.values():
            yield from _nodes(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from _nodes(inner)


@cache
def _changing() -> frozenset[str]:
    """The functions that give other values each time."""
    with connect() as con:
        rows = con.execute("select function_name from duckdb_functions() where stability <> 'CONSISTENT'").fetchall()
    return frozenset(name for [name] in rows) - {"error"}


@cache
def _aggregates() -> frozenset[str]:
    with connect() as con:
        rows = con.execute("select function_name from duckdb_functions() where function_type = 'aggregate'").fetchall()
    return frozenset(name for [name] in rows)


_HOW = "select it, such as l.origin, or min(l.origin) as origin in a group."


class _Tracer:
    """Adds the origin of the outermost FROM's first table to a statement."""

    def __init__(self, sources: Collection[str]) -> None:
        self._sources = {name.lower(): name for name in sources}
        self.driving: list[str] = []
        self.lookups: list[tuple[str, _Node]] = []
        self.readings: list[tuple[_Node, list[_Node]]] = []
        self.pieces: list[tuple[_Node, _Node]] = []

    def traced(self, node: _Node, outer: Mapping[str, _Node]) -> tuple[_Node, bool]:
        """Returns the node with the column `origin`, and whether it has the column `origins` too.

        `outer` has the statements named by WITH. Raises QueryError if it is not known where rows come from.
        """
        ctes = {**outer, **{entry["key"].lower(): entry for entry in node.get("cte_map", {}).get("map", ())}}
        if node["type"] == "SET_OPERATION_NODE":
            return self._union(node, ctes)
        if node["type"] != "SELECT_NODE":
            raise QueryError(f"the origin of a row is not known; {_HOW}")
        if any(_output_name(item) == ORIGIN for item in node["select_list"]):
            with suppress(QueryError):
                table, alias, _, with_ctes = self._first(node, node["from_table"], ctes)
                self._look_up({**with_ctes, "from_table": table}, alias, outer)
            return node, False
        if any(each["type"] == "DISTINCT_MODIFIER" and not each["distinct_on_targets"] for each in node["modifiers"]):
            raise QueryError("distinct does not say which line a row comes from; write group by all instead.")
        node = {**node, "select_list": [_without(item, ORIGIN) for item in node["select_list"]]}
        table, alias, has_lines, node = self._first(node, node["from_table"], ctes)
        node["from_table"] = table
        self._look_up(node, alias, outer)
        origin, lines = _column(alias, ORIGIN), _column(alias, LINES)
        if _is_grouped(node):
            many = _call("flatten", [_call("list", [lines])]) if has_lines else _call("list", [origin])
            added = [_named(_call("min", [origin]), ORIGIN), _named(many, LINES)]
        else:
            added = [_named(origin, ORIGIN), *([_named(lines, LINES)] if has_lines else [])]
        if has_lines and not _is_grouped(node):
            node = {**node, "select_list": [_without(item, LINES) for item in node["select_list"]]}
        return {**node, "select_list": [*node["select_list"], *added]}, _is_grouped(node) or has_lines

    def _union(self, node: _Node, ctes: Mapping[str, _Node]) -> tuple[_Node, bool]:
        if node["setop_type"] not in ("UNION", "UNION_BY_NAME") or not node["setop_all"]:
            raise QueryError("the origin of a row is only known through union all; write that.")
        (left, some), (right, others) = (self.traced(node[side], ctes) for side in ("left", "right"))
        if some != others:
            if not some:
                left = _listing(left)
            else:
                right = _listing(right)
        return {**node, "left": left, "right": right}, some or others

    def _first(self, node: _Node, table: _Node, ctes: Mapping[str, _Node]) -> tuple[_Node, str, bool, _Node]:
        """Returns a FROM clause whose first table has an origin, its name, whether it lists lines, and the node."""
        match table["type"]:
            case "JOIN":
                if (side := table["join_type"].lower()) in ("right", "outer"):
                    raise QueryError(f"a {side} join has rows without a line of its first table; {_HOW}")
                left, alias, has_lines, node = self._first(node, table["left"], ctes)
                return {**table, "left": left}, alias, has_lines, node
            case "BASE_TABLE" if table["schema_name"]:
                raise QueryError(
                    f"{table['schema_name']}.{table['table_name']} has no lines to make rows of; begin with a source."
                )
            case "BASE_TABLE" if (name := table["table_name"].lower()) in ctes:
                own = ctes[name]["value"]
                others = dict(takewhile(lambda entry: entry[0] != name, ctes.items()))
                inner, has_lines = self.traced(own["query"]["node"], others)
                aliases = _more(own["aliases"], has_lines)
                value = {**own, "query": {**own["query"], "node": inner}, "aliases": aliases}
                entry = {"key": f"{name} with {ORIGIN}", "value": value}
                node = {**node, "cte_map": {"map": [*node["cte_map"]["map"], entry]}}
                alias = table["alias"] or table["table_name"]
                return {**table, "table_name": entry["key"], "alias": alias}, alias, has_lines, node
            case "BASE_TABLE":
                self.driving.append(self._sources[table["table_name"].lower()])
                return table, table["alias"] or table["table_name"], False, node
            case "SUBQUERY":
                inner, has_lines = self.traced(table["subquery"]["node"], ctes)
                alias = table["alias"] or "first table"
                names = _more(table["column_name_alias"], has_lines)
                subquery = {**table["subquery"], "node": inner}
                traced = {**table, "alias": alias, "subquery": subquery, "column_name_alias": names}
                return traced, alias, has_lines, node
        raise QueryError(f"the first table after from is not a source, so the origin of a row is not known; {_HOW}")

    def _look_up(self, node: _Node, alias: str, outer: Mapping[str, _Node]) -> None:
        """Adds what is said of a traced node: the calls that read texts, its left joins and what it takes apart."""
        table = node["from_table"]
        own = {entry["key"].lower() for entry in node["cte_map"]["map"]}
        named = [*(entry for key, entry in outer.items() if key not in own), *node["cte_map"]["map"]]
        plain = {**node, **_PLAIN, "cte_map": {"map": named}, "select_list": [_column(alias, ORIGIN)]}
        calls = {json.dumps(_without_places(call)): call for call in _calls_in(node["select_list"])}
        if calls:
            self.readings.append((plain, list(calls.values())))
        while table["type"] == "JOIN":
            joined = table["right"]
            if joined["type"] == "TABLE_FUNCTION" and joined["function"]["function_name"].lower() == "unnest":
                piece = _column(joined["alias"], [*joined["column_name_alias"], "unnest"][0])
                select_list = [*plain["select_list"], _named(_call("concat", [piece]), "piece")]
                self.pieces.append(({**plain, "select_list": select_list}, joined["function"]))
            name = joined.get("alias") or joined.get("table_name") or ""
            is_table = joined["type"] in ("BASE_TABLE", "SUBQUERY") and name
            if table["join_type"] == "LEFT" and is_table and not _wants_misses(node["where_clause"], name):
                is_own = joined["type"] == "BASE_TABLE" and joined["table_name"].lower() in self._sources
                from_table, marker = node["from_table"], ORIGIN
                if not (is_own or joined.get("schema_name")):
                    from_table, marker = _replaced(from_table, table, {**table, "right": _marked(joined, name)}), _FOUND
                select_list = [*plain["select_list"], _named(_column(name, marker), "found"), _sought(table, name)]
                schema = f"{joined['schema_name']}." if joined.get("schema_name") else ""
                of = schema + (joined.get("table_name") or name)
                self.lookups.append((of, {**plain, "select_list": select_list, "from_table": from_table}))
            table = table["left"]


def _more(names: Sequence[str], has_lines: bool) -> list[str]:
    return [*names, ORIGIN, *([LINES] if has_lines else [])] if names else []


def _listing(node: _Node) -> _Node:
    if node["type"] == "SET_OPERATION_NODE":
        return {**node, "left": _listing(node["left"]), "right": _listing(node["right"])}
    origin = next(item for item in node["select_list"] if _output_name(item) == ORIGIN)
    return {
        **node,
        "select_list": [*node["select_list"], _named(_call("list_value", [{**origin, "alias": ""}]), LINES)],
    }


def _output_name(item: _Node) -> str:
    return str(item["alias"] or (item["column_names"][-1] if item["class"] == "COLUMN_REF" else "")).lower()


def _without(item: _Node, name: str) -> _Node:
    """Returns a star without a column; anything else as it is."""
    if item["class"] != "STAR":
        return item
    excluded = [*item.get("qualified_exclude_list", ()), {"catalog": "", "schema": "", "table": "", "column": name}]
    return {**item, "qualified_exclude_list": excluded}


def _is_grouped(node: _Node) -> bool:
    is_aggregate = any(
        inner["function_name"].lower() in _aggregates()
        for item in [*node["select_list"], node["having"]]
        for inner in _outside_windows(item)
        if inner.get("class") == "FUNCTION"
    )
    return bool(node["group_expressions"]) or node["aggregate_handling"] == "FORCE_AGGREGATES" or is_aggregate


def _outside_windows(tree: Any) -> Iterator[_Node]:
    """Yields the nodes of an expression, but not those within windows and subqueries."""
    if isinstance(tree, dict) and tree.get("class") not in ("WINDOW", "SUBQUERY"):
        yield tree
        for inner in tree.values():
            yield from _outside_windows(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from _outside_windows(inner)


_FOUND = "is found"
_PLAIN: Mapping[str, Any] = {
    **{"modifiers": [], "group_expressions": [], "group_sets": [], "aggregate_handling": "STANDARD_HANDLING"},
    **{"having": None, "qualify": None, "sample": None},
}
"""What makes a SELECT one of all rows of its tables that meet the conditions."""


_READING = frozenset({"amount", "rounded", "moment", "epoch_moment"})


def _calls_in(tree: Any) -> Iterator[_Node]:
    """Yields the calls of macros that read texts, but for those within subqueries, and those for some lines only.

    The latter stand in CASE, in COALESCE after its first value, or in an aggregate with FILTER.
    """
    if isinstance(tree, list):
        for inner in tree:
            yield from _calls_in(inner)
    elif isinstance(tree, dict) and tree.get("class") not in ("SUBQUERY", "CASE") and not tree.get("filter"):
        if str(tree.get("function_name", "")).lower() in _READING and tree["children"]:
            yield _named(tree, "")
        is_choice = tree.get("type") == "OPERATOR_COALESCE"
        for inner in tree["children"][:1] if is_choice else tree.values():
            yield from _calls_in(inner)


def _without_places(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_places(value) for key, value in tree.items() if key != "query_location"}
    return [_without_places(each) for each in tree] if isinstance(tree, list) else tree


def _marked(joined: _Node, name: str) -> _Node:
    """Returns a joined table with a column that is true in each of its rows."""
    table = _parsed(f"select * from (select *, true as {identifier(_FOUND)} from t) a")["statements"][0]["node"]
    marked: _Node = table["from_table"]
    inner = {**marked["subquery"]["node"], "from_table": joined}
    return {**marked, "alias": name, "subquery": {**marked["subquery"], "node": inner}}


def _replaced(table: _Node, join: _Node, by: _Node) -> _Node:
    """Returns a FROM clause with another join in place of one."""
    return by if table is join else {**table, "left": _replaced(table["left"], join, by)}


def _wants_misses(where: _Node | None, name: str) -> bool:
    return any(node.get("type") == "OPERATOR_IS_NULL" and _reads(node, name) for node in _nodes(where))


def _sought(join: _Node, name: str) -> _Node:
    """Returns the text that a join compares with columns of its right table, null if there is none."""
    compared = [{**_column("", column), "column_names": [column]} for column in join["using_columns"]]
    for node in _nodes(join["condition"]):
        if node.get("type") == "COMPARE_EQUAL":
            for side, other in permutations((node["left"], node["right"])):
                compared += [side] if _reads(other, name) and not _reads(side, name) else []
    comma, null = _parsed("select ', ', null::varchar")["statements"][0]["node"]["select_list"]
    return _named(_call("concat_ws", [comma, *compared]) if compared else null, "sought")


def _reads(expression: _Node, name: str) -> bool:
    """Returns whether an expression has a column of a table, by its name."""
    columns = (node["column_names"] for node in _nodes(expression) if node.get("class") == "COLUMN_REF")
    return any(name.lower() in map(str.lower, column[:-1]) for column in columns)


def _column(table: str, name: str) -> _Node:
    return {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "column_names": [table, name]}


def _call(name: str, children: Sequence[_Node]) -> _Node:
    return {
        **{"class": "FUNCTION", "type": "FUNCTION", "alias": "", "function_name": name, "schema": ""},
        **{"children": list(children), "filter": None, "order_bys": {"type": "ORDER_MODIFIER", "orders": []}},
        **{"distinct": False, "is_operator": False, "export_state": False, "catalog": ""},
    }


def _named(item: _Node, name: str) -> _Node:
    return {**item, "alias": name}


_TYPES_OF: Mapping[Kind, tuple[str, ...]] = {
    "text": ("DECIMAL", "INT", "DATE", "BOOLEAN"),
    "integer": ("DECIMAL", "INT"),
    "decimal": ("DECIMAL", "INT"),
    "rate": ("DECIMAL", "INT", "DOUBLE", "FLOAT"),
    "float": ("DECIMAL", "INT", "DOUBLE", "FLOAT"),
    "boolean": ("BOOLEAN", "INT"),
    "date": ("DATE",),
    "timestamp": ("DATE", "TIMESTAMP"),
}
"""What the types of a statement's columns must contain, besides text, for each kind of a feed's column."""

_ADVICE: Mapping[Kind, str] = {
    "text": "make it a text",
    "integer": "use amount(...) or ::bigint",
    "decimal": "use amount(...) or ::decimal(18, 4), which are exact",
    "rate": "use ::decimal(18, 10), which is exact",
    "float": "make it a number",
    "boolean": "compare, such as x = 'yes'",
    "date": "use day_of(...) or ::date",
    "timestamp": "use moment(...)",
}


def complaints_of_columns(
    con: duckdb.DuckDBPyConnection, table: str, types: Mapping[str, str], promised: FeedContract
) -> list[str]:
    """Returns what is wrong with the columns of a statement, given by name with their types, for its feed.

    `table` has its rows, from which sample values are taken.
    """
    complaints = []
    lower = {name.lower() for name in types}
    for name, kind in types.items():
        column = promised.columns.get(name.lower())
        if name.lower() in (ORIGIN, LINES):
            continue
        if column is None:
            others = [known for known in promised.columns if known not in lower]
            complaints.append(f"{promised.name.partition('.')[2]} has no column {name!r}{suggestion(name, others)}")
        elif not _fits(kind, column.kind):
            value = identifier(name)
            sample = con.execute(f"select {value}::varchar from {table} where {value} is not null order by 1 limit 1")
            shown = "".join(f", for example {value}" for [value] in sample.fetchall())
            complaints.append(f"{name} is {kind}{shown}, but the feed has {column.kind}; {_ADVICE[column.kind]}.")
    for column in promised.columns.values():
        if column.name not in lower and not column.nullable:
            complaints.append(f"{promised.name.partition('.')[2]} needs {column.name} ({column.description}).")
    if types.get(ORIGIN, "") != _ORIGIN_TYPE:
        complaints.append(f"origin is {types.get(ORIGIN)}; select that of a source, such as min(l.origin) as origin.")
    return complaints


def _fits(sql_type: str, kind: Kind) -> bool:
    name = sql_type.strip('"')
    is_plain = name.startswith("DECIMAL(") or re.fullmatch(r"[A-Z ]+", name)
    any_known = name == "NULL" or any(known in name for known in _TYPES_OF[kind])
    return name in ("VARCHAR", "JSON") or (bool(is_plain) and any_known and name != "INTERVAL")


def as_text(name: str, sql_type: str, kind: Kind, time_zone: str) -> str:
    """Returns SQL for the text of a statement's column as it lands. What no row may have says why."""
    value = identifier(name)
    if sql_type == "TIMESTAMP WITH TIME ZONE":
        in_utc = f"({value} at time zone 'UTC')::varchar || '+00'"
        bare = midnight_text(value, time_zone)
        return f"case when isinf({value}) then 'not a moment' else coalesce({bare}, {in_utc}) end"
    text = f"{value}->>'$'" if sql_type == "JSON" else f"{value}::varchar"
    if sql_type.startswith("DECIMAL"):
        plain = rf"case when contains({text}, '.') then regexp_replace({text}, '\.?0*$', '') else {text} end"
        return f"case when abs({value})::double >= {NO_AMOUNT_FROM} then 'not an amount' else {plain} end"
    return moment_text(text, time_zone) if kind == "timestamp" else text


def mistake_of(error: duckdb.Error, columns: Collection[str]) -> QueryError:
    """Returns DuckDB's error about a statement as ours: its first sentence, the line, and a suggestion."""
    told = str(error).partition(": ")[2] or str(error)
    sentence = told.split("\n")[0].strip().rstrip("!.")
    at = re.search(r"^LINE (\d+): ", told, re.MULTILINE)
    shown = told[at.start() :].split(": ", 1)[1].split("\n")[0].strip() if at else ""
    hint = ""
    if missing := missing_column(error):
        hint = suggestion(missing, columns)
    elif meant := re.search(r"Did you mean (.*)", told):
        hint = f"; did you mean {meant[1]}"
    elif "No function matches" in sentence:
        sentence = sentence.partition(". You might need")[0].strip()
        hint = "; the columns of sources are text: amount(x) makes a number of one, moment(x) a moment."
        if re.search(r"'json_extract\w*\(.*BOOLEAN", sentence):
            hint = "; = and is bind before ->: write (x->>'key') = 'a', (x->'key') is null."
    return QueryError(f"{sentence}{hint}{f' In: {shown}' if shown else ''}", int(at[1]) if at else 1)


def missing_column(error: duckdb.Error) -> str | None:
    """Returns the column that a statement names and no table has, if that is the error."""
    found = re.search(r'Referenced column "(.*?)" not found|does not have a column named "(.*?)"', str(error))
    return (found[1] or found[2]) if found else None


def missing_in(error: duckdb.Error) -> str | None:
    """Returns the alias of the table of which a statement names a missing column, if it names one."""
    found = re.search(r'(?:Table|Values list) "(.*?)" does not have a column', str(error))
    return found[1].lower() if found else None
