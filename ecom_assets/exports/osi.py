"""The measures, tables and relationships as a semantic model in the Open Semantic Interchange format (OSI).

https://github.com/open-semantic-interchange/OSI
"""

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from ecom_assets.declaration import Catalog
from ecom_assets.exports.measures import MEASURES, UNKNOWN_DAYS, Measure, UnknownDays, description
from ecom_assets.exports.star import relationships
from ecom_assets.exports.tables import ExportedTable
from ecom_assets.exports.writing import Exporting, Written

VERSION = "0.1.1"
"""The version of the format's published schema."""
NAME = "ecom_assets"
_TIMES = ("DATE", "TIMESTAMP")


def osi(exporting: Exporting) -> Iterable[Written]:
    """Writes the semantic model as YAML."""
    path = exporting.path("osi/ecom_assets.osi.yaml")
    model = semantic_model(exporting.catalog, exporting.tables)
    path.write_text(yaml.safe_dump(model, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
    yield Written(path)


def semantic_model(catalog: Catalog, tables: Sequence[ExportedTable]) -> dict[str, Any]:
    """Returns the semantic model of exported tables.

    A measure of the last day has no expression in the standard, and is left out.
    """
    names = {table.name for table in tables}
    measures: list[Measure | UnknownDays] = [measure for measure in MEASURES if not measure.of_last_day]
    return {
        "version": VERSION,
        "semantic_model": [
            {
                "name": NAME,
                "description": "Star schema and measures of the shop; amounts in shop currency, days are business days",
                "datasets": [_dataset(table) for table in tables],
                "relationships": [
                    {
                        "name": f"{_name(found.table)}_{found.column}",
                        "from": _name(found.table),
                        "to": _name(found.dimension),
                        "from_columns": [found.column],
                        "to_columns": [found.key],
                    }
                    for found in relationships(tables)
                ],
                "metrics": [
                    {
                        "name": measure.name.lower().replace(" ", "_").replace("-", "_"),
                        "expression": _expression(measure.sql()),
                        "description": description(measure, catalog),
                        "ai_context": {"synonyms": [measure.name]},
                    }
                    for measure in [*measures, *UNKNOWN_DAYS]
                    if measure.table in names
                ],
            }
        ],
    }


def _name(table: str) -> str:
    return table.partition(".")[2]


def _expression(sql: str) -> dict[str, Any]:
    return {"dialects": [{"dialect": "ANSI_SQL", "expression": sql}]}


def _dataset(table: ExportedTable) -> dict[str, Any]:
    return {
        "name": _name(table.name),
        "source": f"snapshot.{table.name}",
        "primary_key": [*table.key],
        "description": table.description,
        "fields": [
            {
                "name": column.name,
                "expression": _expression(column.name),
                "dimension": {"is_time": column.sql_type in _TIMES},
                "description": column.description,
            }
            for column in table.columns
        ],
    }
