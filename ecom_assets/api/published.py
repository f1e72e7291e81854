"""The tables that the API serves, and how their values are written."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from ecom_assets.contract import Column, Kind, Layer
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.engine.duckdb.tables import SQL_TYPES
from ecom_assets.serving.published_tables import DAILY_QUALITY, RESTATEMENTS, PublishedView

LAYERS = (Layer.KPI, Layer.GOLD, Layer.FEATURES, Layer.PREDICTIONS)
_SCHEMAS: Mapping[Kind, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer", "format": "int64"},
    "decimal": {"type": "string", "format": "decimal"},
    "rate": {"type": "string", "format": "decimal"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
    "float": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
}
_TRUTHS = {"true": True, "false": False}


_KINDS: Mapping[str, Kind] = {"DECIMAL(38,4)": "decimal", **{sql: kind for kind, sql in SQL_TYPES.items()}}


@dataclass(frozen=True)
class Served:
    """A table or view as the API serves it. `key` are the columns that tell rows of all days apart, the day first."""

    name: str
    description: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    is_view: bool = False

    @classmethod
    def table(cls, declaration: Declaration) -> "Served":
        """Returns the table of a declaration."""
        promise = declaration.contract
        return cls(promise.name, promise.description, promise.columns, promise.key_by_day)

    @classmethod
    def view(cls, view: PublishedView) -> "Served":
        """Returns a view that is beside the tables."""
        columns = {
            c.name: Column(c.name, _KINDS[c.sql_type], c.name not in view.key, c.description) for c in view.columns
        }
        return cls(view.name, view.row, columns, view.key, is_view=True)

    @property
    def layer(self) -> Layer:
        return Layer(self.name.partition(".")[0])

    @property
    def day(self) -> str:
        """The column of the business day."""
        return self.key[0]

    @property
    def entity(self) -> str | None:
        """The column with the number of what a row is about, such as an order or a customer; None without one."""
        names = [*self.key, *(self.columns if self.layer is Layer.GOLD else ())]
        return next((name for name in names if name.endswith("_id") and self.columns[name].kind == "text"), None)

    @property
    def filters(self) -> list[Column]:
        """The columns by whose values rows can be chosen: all but amounts, rates, fractions and moments."""
        return [c for c in self.columns.values() if c.kind in ("text", "integer", "boolean", "date")]

    def row_schema(self) -> dict[str, Any]:
        """Returns the JSON schema of a row."""
        properties = {name: schema(column) for name, column in self.columns.items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}


def served(tables: Catalog) -> dict[str, Served]:
    """Returns what is published of the layers, by name, in the order of the layers."""
    found = [Served.table(table) for table in tables if table.contract.layer in LAYERS]
    found += [Served.view(view) for view in (DAILY_QUALITY, RESTATEMENTS)]
    return {table.name: table for table in sorted(found, key=lambda table: (LAYERS.index(table.layer), table.name))}


def schema(column: Column) -> dict[str, Any]:
    """Returns the JSON schema of a column's values."""
    found = dict(_SCHEMAS[column.kind])
    if column.may_be_null:
        found["type"] = [found["type"], "null"]
    return {**found, "description": column.description}


def _day(text: str) -> dt.date:
    if len(text) != len("2024-01-31"):
        raise ValueError(text)
    return dt.date.fromisoformat(text)


def _integer(text: str) -> int:
    number = int(text, 10)
    if not text.isascii() or "_" in text or not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return number


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not number.is_finite():
        raise ValueError(text)
    return number


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.removesuffix("Z"))


_PARSED: Mapping[Kind, Callable[[str], Any]] = {
    "text": str,
    "integer": _integer,
    "decimal": _decimal,
    "rate": _decimal,
    "date": _day,
    "timestamp": _moment,
    "float": float,
    "boolean": _TRUTHS.__getitem__,
}


def parsed(kind: Kind, text: str) -> Any:
    """Returns the value that a text stands for. Raises ValueError."""
    try:
        return _PARSED[kind](text)
    except KeyError as error:
        raise ValueError(text) from error


def as_json(value: Any, plain_of: Callable[[Any], Any]) -> Any:
    """Returns what a value holds as JSON has it: `plain_of` is asked for all that is neither an object nor a list."""
    if isinstance(value, dict):
        return {str(name): as_json(each, plain_of) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(each, plain_of) for each in value]
    return plain_of(value)


def plain(value: Any) -> Any:
    """Returns a value as JSON has it: decimals as exact text, moments in UTC, null for what is no number."""
    match value:
        case dt.datetime():
            return f"{value.isoformat()}Z"
        case dt.date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case float():
            return value if math.isfinite(value) else None
        case _:
            return value
