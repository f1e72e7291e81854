"""A Power BI project (PBIP) on the exported Parquet files: tables, relationships and measures as text (TMDL).

https://learn.microsoft.com/power-bi/developer/projects/projects-overview
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ecom_assets.declaration import Catalog
from ecom_assets.exports.measures import MEASURES, UNKNOWN_DAYS, Measure, UnknownDays, description
from ecom_assets.exports.star import DATES, Relationship, relationships
from ecom_assets.exports.tables import ExportedColumn, ExportedTable
from ecom_assets.exports.writing import Exporting, Written
from ecom_assets.serving.report import Unit

NAME = "shop"
PARAMETER = "ParquetFolder"
"""The parameter of the model that names the folder of the Parquet files."""
DEFAULT_FOLDER = "C:\\export\\parquet"
_SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric"
_TYPES = {
    "VARCHAR": ("string", "type text", ""),
    "BIGINT": ("int64", "Int64.Type", "#,0"),
    "DECIMAL(18,4)": ("decimal", "Currency.Type", "#,0.00"),
    "DECIMAL(38,4)": ("decimal", "Currency.Type", "#,0.00"),
    "DATE": ("dateTime", "type date", "yyyy-mm-dd"),
    "TIMESTAMP": ("dateTime", "type datetime", "yyyy-mm-dd hh:nn:ss"),
    "BOOLEAN": ("boolean", "type logical", ""),
}
_NUMBER = ("double", "type number", "0.0000")
"""Type in the model, type in M and format of a column; a fixed decimal number has four decimals, as our amounts."""
_FORMATS = {Unit.MONEY: "#,0.00", Unit.COUNT: "#,0", Unit.SHARE: "0.0 %", Unit.RATIO: "0.00"}
_MEASURES = "Measures"


def pbip(exporting: Exporting) -> Iterable[Written]:
    """Writes the project."""
    for name, text in project(exporting.catalog, exporting.tables).items():
        path = exporting.path(f"pbip/{name}")
        path.write_text(text, encoding="utf-8")
        yield Written(path)


def project(catalog: Catalog, tables: Sequence[ExportedTable]) -> dict[str, str]:
    """Returns the files of the project by their paths."""
    related = relationships(tables)
    names = [_name(table.name) for table in tables]
    model, report = f"{NAME}.SemanticModel", f"{NAME}.Report"
    return {
        f"{NAME}.pbip": _json(
            "pbip/pbipProperties/1.0.0",
            version="1.0",
            artifacts=[{"report": {"path": report}}],
            settings={"enableAutoRecovery": True},
        ),
        f"{model}/definition.pbism": _json("item/semanticModel/definitionProperties/1.0.0", version="4.2", settings={}),
        f"{model}/definition/database.tmdl": "database\n\tcompatibilityLevel: 1600\n",
        f"{model}/definition/model.tmdl": _model([*names, _MEASURES]),
        f"{model}/definition/expressions.tmdl": _parameter(),
        f"{model}/definition/relationships.tmdl": "\n".join(map(_relationship, related)),
        f"{model}/definition/tables/{_MEASURES}.tmdl": _measures(catalog, {table.name for table in tables}),
        **{f"{model}/definition/tables/{_name(t.name)}.tmdl": _table(t, related) for t in tables},
        f"{report}/definition.pbir": _json(
            "item/report/definitionProperties/2.0.0",
            version="4.0",
            datasetReference={"byPath": {"path": f"../{model}"}},
        ),
        f"{report}/definition/version.json": _json("item/report/definition/versionMetadata/1.0.0", version="1.0.0"),
        f"{report}/definition/report.json": _json(
            "item/report/definition/report/1.0.0", layoutOptimization="None", themeCollection={}
        ),
        f"{report}/definition/pages/pages.json": _json(
            "item/report/definition/pagesMetadata/1.0.0", pageOrder=["first"], activePageName="first"
        ),
        f"{report}/definition/pages/first/page.json": _json(
            "item/report/definition/page/1.0.0",
            name="first",
            displayName="Page 1",
            displayOption="FitToPage",
            height=720,
            width=1280,
        ),
    }


def _json(schema: str, **content: Any) -> str:
    return json.dumps({"$schema": f"{_SCHEMAS}/{schema}/schema.json", **content}, indent=2) + "\n"


def _name(table: str) -> str:
    return table.partition(".")[2]


def _tag(*names: str) -> str:
    """Returns the identifier that the model keeps of an object whose name may change; the same each time."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("ecom_assets", *names))))


def _about(text: str, indent: str = "") -> Iterator[str]:
    yield from (f"{indent}/// {line}".rstrip() for line in text.splitlines())


def _model(tables: Iterable[str]) -> str:
    lines = [
        "model Model",
        "\tculture: en-US",
        "\tdefaultPowerBIDataSourceVersion: powerBI_V3",
        "\tdiscourageImplicitMeasures",
        "\tsourceQueryCulture: en-US",
        "",
        "annotation __PBI_TimeIntelligenceEnabled = 0",
        "",
        *(f"ref table {name}" for name in tables),
        "",
        f"ref expression {PARAMETER}",
        "",
    ]
    return "\n".join(lines)


def _parameter() -> str:
    meta = 'meta [IsParameterQuery=true, Type="Text", IsParameterQueryRequired=true]'
    return "\n".join(
        [
            "/// Folder with the Parquet files of an export",
            f'expression {PARAMETER} = "{DEFAULT_FOLDER}" {meta}',
            f"\tlineageTag: {_tag(PARAMETER)}",
            "",
        ]
    )


def _relationship(found: Relationship) -> str:
    return "\n".join(
        [
            f"relationship {_tag('relationship', found.table, found.column)}",
            f"\tfromColumn: {_name(found.table)}.{found.column}",
            f"\ttoColumn: {_name(found.dimension)}.{found.key}",
            "",
        ]
    )


def _table(table: ExportedTable, related: Iterable[Relationship]) -> str:
    name = _name(table.name)
    keys = {found.key for found in related if found.dimension == table.name}
    lines = [*_about(table.description), f"table {name}", f"\tlineageTag: {_tag(name)}"]
    if table.name == DATES:
        lines.append("\tdataCategory: Time")
    for column in table.columns:
        lines += ["", *_column(name, column, is_key=column.name in keys)]
    types = ", ".join(f'{{"{column.name}", {_types(column)[1]}}}' for column in table.columns)
    may_lack = [column.name for column in table.columns if column.name in keys and column.may_be_null]
    lines += [
        "",
        f"\tpartition {name} = m",
        "\t\tmode: import",
        "\t\tsource =",
        "\t\t\t\tlet",
        f'\t\t\t\t\tSource = Parquet.Document(File.Contents({PARAMETER} & "\\{table.name}.parquet")),',
        f"\t\t\t\t\tTyped = Table.TransformColumnTypes(Source, {{{types}}}),",
        f"\t\t\t\t\tRows = {_rows(may_lack)}",
        "\t\t\t\tin",
        "\t\t\t\t\tRows",
        "",
    ]
    return "\n".join(lines)


def _rows(keys: Sequence[str]) -> str:
    """Returns M for the rows: without those that lack a key, which no other row refers to."""
    have = " and ".join(f"[{key}] <> null" for key in keys)
    return f"Table.SelectRows(Typed, each {have})" if keys else "Typed"


def _types(column: ExportedColumn) -> tuple[str, str, str]:
    return _TYPES.get(column.sql_type, _NUMBER)


def _column(table: str, column: ExportedColumn, *, is_key: bool) -> Iterator[str]:
    kind, _, shown = _types(column)
    yield from _about(column.description, "\t")
    yield f"\tcolumn {column.name}"
    yield f"\t\tdataType: {kind}"
    if is_key:
        yield "\t\tisKey"
    if shown:
        yield f"\t\tformatString: {shown}"
    yield f"\t\tlineageTag: {_tag(table, column.name)}"
    yield "\t\tsummarizeBy: none"
    yield f"\t\tsourceColumn: {column.name}"


def _measures(catalog: Catalog, tables: set[str]) -> str:
    """Returns the table of all measures: one of a table of its own may have the name of a column."""
    lines = [f"table {_MEASURES}", f"\tlineageTag: {_tag(_MEASURES)}"]
    measures: list[Measure | UnknownDays] = [*MEASURES, *UNKNOWN_DAYS]
    for measure in measures:
        if measure.table in tables:
            unit = measure.unit if isinstance(measure, Measure) else Unit.COUNT
            lines += [
                "",
                *_about(description(measure, catalog), "\t"),
                f"\tmeasure '{measure.name}' = {measure.dax()}",
                f"\t\tformatString: {_FORMATS[unit]}",
                f"\t\tdisplayFolder: {_name(measure.table)}",
                f"\t\tlineageTag: {_tag(_MEASURES, measure.name)}",
            ]
    lines += [
        "",
        "\tcolumn Measure",
        "\t\tdataType: string",
        "\t\tisHidden",
        f"\t\tlineageTag: {_tag(_MEASURES, 'Measure')}",
        "\t\tsummarizeBy: none",
        "\t\tsourceColumn: Measure",
        "",
        f"\tpartition {_MEASURES} = m",
        "\t\tmode: import",
        "\t\tsource = #table(type table [Measure = text], {})",
        "",
    ]
    return "\n".join(lines)
