"""What a request asks of a table: its parameters, the SQL that answers them, and cursors."""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from ecom_assets.api.published import Served, parsed, plain
from ecom_assets.contract import Layer
from ecom_assets.engine.duckdb.tables import SQL_TYPES
from ecom_assets.errors import UserError, suggestion
from ecom_assets.sql import quoted

MAX_LIMIT = 1_000
DEFAULT_LIMIT = 100
PART_ROWS = 50_000
FORMATS = {
    "json": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
RESERVED = ("from", "to", "columns", "sort", "limit", "cursor", "format")


class BadQuestion(UserError):
    """A parameter of a request is unknown, or has an impossible value. `parameter` is its name."""

    def __init__(self, parameter: str, text: str) -> None:
        super().__init__(text)
        self.parameter = parameter


@dataclass(frozen=True)
class Question:
    """Rows of a table that are asked for: of which days, with which values, which columns, in which order."""

    table: Served
    first: dt.date | None = None
    last: dt.date | None = None
    equal: Mapping[str, tuple[Any, ...]] | None = None
    columns: tuple[str, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    """Columns, and whether they descend; the key follows."""
    limit: int | None = None
    places: tuple[int, ...] | None = None
    """The rowids among which all of its rows are, if they are known."""

    @property
    def order(self) -> tuple[tuple[str, bool], ...]:
        """The columns that order the rows, no two alike."""
        named = {name for name, _ in self.sort}
        return (*self.sort, *((name, False) for name in self.table.key if name not in named))

    @property
    def print(self) -> str:
        """A hash of all but the limit: a cursor holds for no other question."""
        equal = sorted((name, list(map(str, values))) for name, values in (self.equal or {}).items())
        text = repr((self.table.name, str(self.first), str(self.last), equal, self.columns, self.sort))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def sql(self, after: Sequence[Any] | None = None, beside: bool = False) -> tuple[str, list[Any]]:
        """Returns a query with its parameters: the rows, or those after a place in the order.

        If `beside`, the columns of the order follow those asked for. Few rows of many are found first, by their places
        or by the columns of the order alone: DuckDB would read the other columns of all rows to sort them.
        """
        columns = [*self.columns, *(name for name, _ in self.order if beside)]
        where, given = self._where()
        if after is not None:
            condition, place = self._after(after)
            where += f" and {condition}"
            given += place
        order = ", ".join(f"{quoted(name)} {'desc' if down else 'asc'} nulls last" for name, down in self.order)
        limit = f" limit {self.limit}" if self.limit is not None else ""
        listed, table, ordered = ", ".join(map(quoted, columns)), quoted(self.table.name), f"order by {order}{limit}"
        if self.places is not None:
            found = f"from {table} where {at_places(self.places)}"
            query = f"select {listed} from found where {where} {ordered}"
        elif self.limit is not None and self._is_of_many:
            found = f"select rowid from {table} where {where} {ordered}"
            query = f"select {listed} from {table} where rowid in (from found) {ordered}"
        else:
            return f"select {listed} from {table} where {where} {ordered}", given
        return f"with found as materialized ({found}) {query}", given

    @property
    def _is_of_many(self) -> bool:
        """Whether there may be many rows to sort: measures have few a day, and a view has no rowids."""
        is_bounded = bool(self.first or self.last)
        return not (is_bounded or self.table.is_view or self.table.layer is Layer.KPI)

    def counts(self) -> tuple[str, list[Any]]:
        """Returns a query with its parameters for the days of the rows and their number on each, in order."""
        where, given = self._where()
        day = quoted(self.table.day)
        return f"select {day}, count(*) from {quoted(self.table.name)} where {where} group by all order by all", given

    def _where(self) -> tuple[str, list[Any]]:
        where, given = ["true"], []
        day = quoted(self.table.day)
        for bound, sign in ((self.first, ">="), (self.last, "<=")):
            if bound:
                where.append(f"{day} {sign} ?")
                given.append(bound)
        for name, values in (self.equal or {}).items():
            kind = SQL_TYPES[self.table.columns[name].kind]
            where.append(f"{quoted(name)} in ({', '.join([f'?::{kind}'] * len(values))})")
            given += values
        return " and ".join(where), given

    def _after(self, place: Sequence[Any]) -> tuple[str, list[Any]]:
        """Returns the condition on rows after a place in the order; nulls come last."""
        cases, given = [], []
        for n, ((name, down), value) in enumerate(zip(self.order, place, strict=True)):
            if value is None:
                continue  # nothing comes after null
            parts = []
            for (earlier, _), same in zip(self.order[:n], place, strict=False):
                parts.append(f"{quoted(earlier)} is not distinct from ?::{self._type(earlier)}")
                given.append(same)
            parts.append(f"({quoted(name)} {'<' if down else '>'} ?::{self._type(name)} or {quoted(name)} is null)")
            given.append(value)
            cases.append(f"({' and '.join(parts)})")
        return f"({' or '.join(cases) or 'false'})", given

    def _type(self, name: str) -> str:
        return SQL_TYPES[self.table.columns[name].kind]


def at_places(places: Sequence[int]) -> str:
    """Returns SQL for a row that has one of some rowids. DuckDB leaves out what is beyond their range."""
    if not places:
        return "false"
    return f"rowid between {min(places)} and {max(places)} and rowid in ({', '.join(map(str, places))})"


def parts(question: Question, con: duckdb.DuckDBPyConnection) -> list[tuple[str, list[Any]]]:
    """Returns a question in the order of days as queries of a part of the days each, so that no sort needs much memory.

    A part has about PART_ROWS rows, or those of a day. With a limit it is one query.
    """
    if question.limit is not None:
        return [question.sql()]
    found: list[list[dt.date]] = []
    rows = 0
    for day, count in con.execute(*question.counts()).fetchall():
        if not found or rows + count > PART_ROWS:
            found.append([])
            rows = 0
        found[-1].append(day)
        rows += count
    if not found:
        return [question.sql()]
    return [replace(question, first=days[0], last=days[-1]).sql() for days in found]


def asked(table: Served, given: Sequence[tuple[str, str]]) -> Question:
    """Returns what the parameters of a request ask of a table. Raises BadQuestion for the first that is wrong."""
    filters = {column.name: column for column in table.filters}
    known = [*RESERVED, *filters]
    first = last = limit = None
    equal: dict[str, list[Any]] = {}
    columns, sort = tuple(table.columns), tuple[tuple[str, bool], ...]()
    seen: set[str] = set()
    for name, text in given:
        if name not in known:
            raise BadQuestion(name, f"{table.name} has no parameter {name!r}{suggestion(name, known)}")
        if name in RESERVED and name in seen:
            raise BadQuestion(name, f"{name} is given twice.")
        seen.add(name)
        match name:
            case "from":
                first = _value(name, "date", text)
            case "to":
                last = _value(name, "date", text)
            case "columns":
                columns = tuple(dict.fromkeys(_column(table, name, one) for one in text.split(",")))
            case "sort":
                parts = [(_column(table, name, one.removeprefix("-")), one.startswith("-")) for one in text.split(",")]
                sort = tuple(dict(parts).items())
            case "limit":
                limit = _value(name, "integer", text)
                if not 1 <= limit <= MAX_LIMIT:
                    raise BadQuestion(name, f"limit is {text}; it is a number from 1 to {MAX_LIMIT:,}.")
            case "cursor" | "format":
                pass
            case _:
                equal.setdefault(name, []).append(_value(name, filters[name].kind, text))
    return Question(table, first, last, {name: tuple(values) for name, values in equal.items()}, columns, sort, limit)


def _value(name: str, kind: Any, text: str) -> Any:
    try:
        return parsed(kind, text)
    except ValueError as error:
        examples = {"date": "a day like 2024-01-31", "integer": "a whole number", "boolean": "true or false"}
        raise BadQuestion(name, f"{name} is {text!r}; it is {examples.get(kind, 'a text')}.") from error


def _column(table: Served, parameter: str, name: str) -> str:
    if name not in table.columns:
        raise BadQuestion(parameter, f"{table.name} has no column {name!r}{suggestion(name, table.columns)}")
    return name


CURSOR = r"[A-Za-z0-9_-]{60,}"
"""Pattern of a cursor."""


class UnknownCursor(UserError):
    """A cursor that this server did not write, or that belongs to another question."""


class Cursors:
    """Writes and reads cursors: the place after the last row of a page, in one snapshot, for one question.

    They are signed, and hold as long as the process.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def write(self, question: Question, snapshot: str, place: Sequence[Any]) -> str:
        """Returns the cursor after a row, whose values of the order are given."""
        body = json.dumps([snapshot, question.print, [plain(value) for value in place]]).encode()
        return base64.urlsafe_b64encode(self._signature(body) + body).decode().rstrip("=")

    def read(self, question: Question, cursor: str) -> tuple[str, list[Any]]:
        """Returns the snapshot and the values of the order. Raises BadQuestion for what is no cursor, UnknownCursor."""
        if not re.fullmatch(CURSOR, cursor):
            raise BadQuestion("cursor", "cursor is not one that a page gave.")
        try:
            data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            data = b""
        signature, body = data[:32], data[32:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise UnknownCursor("The cursor is not one that a page of this server gave, since it was last started.")
        snapshot, of_question, place = json.loads(body)
        if of_question != question.print:
            raise UnknownCursor("The cursor belongs to a page with other parameters. Only limit and format may differ.")
        kinds = [question.table.columns[name].kind for name, _ in question.order]
        texts = zip(kinds, place, strict=True)
        return snapshot, [parsed(kind, value) if isinstance(value, str) else value for kind, value in texts]

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, "sha256")
