"""Data contracts: what the published tables promise, in the Open Data Contract Standard (ODCS), one per table.

https://bitol-io.github.io/open-data-contract-standard/v3.1.0/
"""

from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import yaml

from ecom_assets.contract import Rule, RuleKind
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.engine.compiling import broken_conditions
from ecom_assets.exports.star import Relationship, relationships
from ecom_assets.exports.tables import ExportedColumn, ExportedTable, exported, table_of
from ecom_assets.exports.writing import Exporting, Written
from ecom_assets.sql import identifier, quoted

API_VERSION = "v3.1.0"
OWNER = "data-platform"
SNAPSHOT = "snapshot.duckdb"
"""The database of the contracts, as seen from the data folder."""
_NUMBERS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
_LOGICAL_TYPES = {
    "VARCHAR": "string",
    "BIGINT": "integer",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "DOUBLE": "number",
    "BOOLEAN": "boolean",
}


def contracts(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """Returns the contract of each table and view of the layers in the snapshot, by its name."""
    declared = {table.name: table for table in catalog if table.contract.layer.is_published}
    tables = {**{name: table_of(table) for name, table in declared.items()}, **{t.name: t for t in exported(catalog)}}
    references: dict[str, list[Relationship]] = {}
    for found in relationships(tables.values()):
        versions = f"{found.dimension}_versions"
        to = replace(found, dimension=versions if versions in tables else found.dimension)
        references.setdefault(found.table, []).append(to)
    return {
        name: _contract(table, declared.get(name), references.get(name, [])) for name, table in sorted(tables.items())
    }


def odcs(exporting: Exporting) -> Iterable[Written]:
    """Writes a contract per table as YAML."""
    for name, contract in contracts(exporting.catalog).items():
        path = exporting.path(f"odcs/{name}.odcs.yaml")
        path.write_text(yaml.safe_dump(contract, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
        yield Written(path)


def _contract(
    table: ExportedTable, declaration: Declaration | None, references: Iterable[Relationship]
) -> dict[str, Any]:
    layer, _, name = table.name.partition(".")
    primary_key = declaration.contract.primary_key if declaration else table.key
    rules = declaration.contract.rules if declaration else ()
    properties = [_property(column, primary_key, rules) for column in table.columns]
    if declaration:
        day = next(p for p in properties if p["name"] == declaration.contract.partition_column)
        day |= {"partitioned": True, "partitionKeyPosition": 1}
    quality = _quality(declaration) if declaration else []
    for found in references:
        prop = next(p for p in properties if p["name"] == found.column)
        target = found.dimension.partition(".")[2]
        prop["relationships"] = [{"to": f"{found.dimension}.odcs.yaml#/schema/{target}/properties/{found.key}"}]
        quality.append(_reference(found))
    schema = {
        "id": name,
        "name": name,
        "physicalName": name,
        "physicalType": "table" if declaration else "view",
        "logicalType": "object",
        "description": table.description,
        "properties": properties,
        **({"quality": quality} if quality else {}),
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"ecom_assets.{table.name}",
        "name": table.name,
        "version": version("ecom_assets"),
        "status": "active",
        "domain": layer,
        "description": {"purpose": table.description},
        "team": {"name": OWNER},
        "servers": [{"server": "snapshot", "type": "duckdb", "database": SNAPSHOT, "schema": layer}],
        "schema": [schema],
    }


def _property(column: ExportedColumn, primary_key: tuple[str, ...], rules: Iterable[Rule]) -> dict[str, Any]:
    limits = {
        name: limit for rule in rules if rule.hard and rule.column == column.name for name, limit in rule.limits.items()
    }
    numbers = {name: limits[name] for name in _NUMBERS if name in limits}
    found: dict[str, Any] = {
        "id": column.name,
        "name": column.name,
        "logicalType": _LOGICAL_TYPES.get(column.sql_type, "number"),
        "physicalType": column.sql_type,
        "description": column.description,
        "required": not column.may_be_null,
    }
    if column.name in primary_key:
        found |= {"primaryKey": True, "primaryKeyPosition": primary_key.index(column.name) + 1}
    if numbers:
        found["logicalTypeOptions"] = numbers
    if "enum" in limits:
        valid = {"metric": "invalidValues", "arguments": {"validValues": limits["enum"]}, "mustBe": 0}
        found["quality"] = [{"type": "library", **valid, "dimension": "conformity"}]
    if column.personal:
        found |= {"classification": "personal", "tags": ["personal"]}
    return found


def _quality(declaration: Declaration) -> list[dict[str, Any]]:
    """Returns the rules that the properties do not say: a query each that counts the rows that break it."""
    conditions = broken_conditions(declaration)
    return [
        {
            "id": rule.id,
            "name": rule.id,
            "description": rule.sentence,
            "type": "sql",
            "query": f"SELECT count(*) FROM ${{table}} WHERE {conditions[rule.id]}",
            "mustBe": 0,
            "dimension": "consistency" if rule.kind is RuleKind.BUSINESS else "conformity",
            "severity": "error" if rule.hard else "warning",
        }
        for rule in declaration.contract.rules
        if not rule.limits and not _is_required(rule, declaration)
    ]


def _is_required(rule: Rule, declaration: Declaration) -> bool:
    return rule.kind is RuleKind.PRESENT and not declaration.contract.columns[str(rule.column)].may_be_null


def _reference(found: Relationship) -> dict[str, Any]:
    """Returns the rule that a column has only values of a dimension's key, or none."""
    name = identifier(found.column)
    keys = f"SELECT {identifier(found.key)} FROM {quoted(found.dimension)}"
    return {
        "id": f"{found.column}_reference",
        "name": f"{found.column}_reference",
        "description": f"{found.column} is null or in a row of {found.dimension}",
        "type": "sql",
        "query": f"SELECT count(*) FROM ${{table}} WHERE {name} IS NOT NULL AND {name} NOT IN ({keys})",
        "mustBe": 0,
        "dimension": "consistency",
        "severity": "error",
    }
