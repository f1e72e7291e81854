"""The tables that the API serves, and how their values are written."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from ecom_assets.contract import Column, Kind, Layer
from ecom_assets.declaration import Catalog, Declaration

LAYERS = (Layer.KPI, Layer.GOLD, Layer.FEATURES)
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


@dataclass(frozen=True)
class Served:
    """A table as the API serves it."""

    declaration: Declaration

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def columns(self) -> Mapping[str, Column]:
        return self.declaration.contract.columns

    @property
    def day(self) -> str:
        """The column of the business day."""
        return self.declaration.contract.partition_column

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows of all days apart, the day first."""
        return tuple(dict.fromkeys((self.day, *self.declaration.contract.primary_key)))

    @property
    def entity(self) -> str | None:
        """The column with the number of what a row is about, such as an order or a customer; None without one."""
        promise = self.declaration.contract
        names = [*promise.primary_key, *(promise.columns if promise.layer is Layer.GOLD else ())]
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
    """Returns the tables of the layers that are published, by name, in the order of the layers."""
    of_layers = [(LAYERS.index(t.contract.layer), t.name, t) for t in tables if t.contract.layer in LAYERS]
    return {name: Served(table) for _, name, table in sorted(of_layers, key=lambda found: found[:2])}


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
