"""What Dagster's pages say of a table: its columns, what its checks ask, its last weeks as a picture."""

import base64
import datetime as dt
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg

from ecom_assets.contract import Column, RuleKind
from ecom_assets.declaration import Declaration
from ecom_assets.engine.lineage import ColumnSource
from ecom_assets.landing.provenance import LANDED, ORIGIN, WHY, TechnicalColumn
from ecom_assets.orchestration._dagster import without_beta_warnings

PLOT_DAYS = 30
_WIDTH, _HEIGHT, _EDGE = 360, 60, 4
_KINDS = {"DATE": "date", "BIGINT": "integer", "VARCHAR": "text", "VARCHAR[]": "list of text"}


def about_table(declaration: Declaration, source: Callable[..., Any]) -> dict[str, Any]:
    """Metadata of a table's definition: columns, key, how far it reaches, where `source` stands."""
    promise = declaration.contract
    told: dict[str, Any] = {"dagster/column_schema": _columns(declaration), "day": promise.partition_column}
    if not declaration.is_bronze:
        told["primary_key"] = ", ".join(promise.primary_key)
    told |= {f"reads {read.table}": read.reach.name for read in declaration.reads}
    return told | code_reference(source)


def about_landed(declaration: Declaration, source: Callable[..., Any]) -> dict[str, Any]:
    """Metadata of the definition of the files that a bronze table reads."""
    return {"dagster/column_schema": _as_sent(declaration), **code_reference(source)}


def about_lineage(lineage: Iterable[ColumnSource]) -> dict[str, Any]:
    """Metadata of a table's rows: what its columns come from; nothing where nothing is known.

    Dagster keeps `dagster/column_lineage`, but only Dagster+ has a page for it: people read the list.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for source in lineage:
        tables = found.setdefault(source["column_name"], {})
        tables.setdefault(source["from_table"], []).append(source["from_column"])
    if not found:
        return {}
    lines = (
        f"- **{column}** from " + "; ".join(f"{table}: {', '.join(names)}" for table, names in tables.items())
        for column, tables in found.items()
    )
    deps = {
        column: [dg.TableColumnDep(table.split("."), name) for table, names in tables.items() for name in names]
        for column, tables in found.items()
    }
    return {
        "dagster/column_lineage": dg.TableColumnLineage(deps),
        "column lineage": dg.MetadataValue.md("\n".join(lines)),
    }


def about_quarantine(declaration: Declaration, source: Callable[..., Any]) -> dict[str, Any]:
    """Metadata of the definition of a table's quarantine."""
    return {"dagster/column_schema": _as_sent(declaration, *WHY, *LANDED), **code_reference(source)}


def quarantine_description(declaration: Declaration) -> str:
    """What a row of a table's quarantine is."""
    return (
        f"Rows of {declaration.bronze} that could not be accepted, as they came, with the reasons. "
        f"They are judged anew whenever their day of {declaration.name} runs."
    )


def contract_description(declaration: Declaration) -> str:
    """What decides whether a day of the table is stored."""
    promise = declaration.contract
    if declaration.is_bronze:
        return "A file arrives on each day on which one is due. Without it the day fails."
    keys, present = ", ".join(promise.primary_key), [c.name for c in promise.columns.values() if not c.nullable]
    asked = [rule.sentence for rule in promise.hard_rules if rule.kind is not RuleKind.PRESENT]
    asked.insert(0, f"Present: {', '.join(present)}")
    outcome = "A day that fails is not stored, and nothing is made of it."
    if declaration.from_feed:
        asked += [f"{column.name} is {_referred(column)}" for column in promise.references]
        head = f"Rows that break one of these are set aside; above {promise.max_bad_share:.1%} of its rows a day fails:"
        return _list(head, asked) + (
            f"\n\nOf accepted rows with the same {keys} the latest counts. A row set aside is no part of the share "
            f"any more once a later one of its {keys} is accepted. {outcome}"
        )
    asked += [f"The key is unique: {keys}"] if keys else []
    asked += [f"The day's amounts are those of {declaration.conserved_from}"] if declaration.conserved else []
    return _list("A day with a row that breaks one of these fails:", asked) + f"\n\n{outcome}"


def expectations_description(declaration: Declaration) -> str:
    """What is only warned about."""
    if declaration.is_bronze:
        return "Every record of the day's files can be read."
    hoped = [rule.sentence for rule in declaration.contract.soft_rules]
    hoped += ["No row is set aside"] if declaration.from_feed else []
    return _list("Warned about; no reason for a day to fail:", hoped)


def main_measure(declaration: Declaration) -> str:
    """The first column that is not of the key: what a kpi table is mostly looked at for, and may be added up."""
    promise = declaration.contract
    return next(name for name in promise.columns if name not in promise.primary_key)


def plot(measure: str, values: Mapping[dt.date, float]) -> str:
    """A line over the days as Markdown with an SVG inside, about a kilobyte. At least one value.

    Days without a value are passed over.
    """
    days = sorted(values)
    low, high = min(0.0, *values.values()), max(0.0, *values.values())
    across, up = max((days[-1] - days[0]).days, 1), (high - low) or 1.0
    points = [
        (
            _EDGE + (day - days[0]).days / across * (_WIDTH - 2 * _EDGE),
            _HEIGHT - _EDGE - (values[day] - low) / up * (_HEIGHT - 2 * _EDGE),
        )
        for day in days
    ]
    line, (end_x, end_y) = " ".join(f"{x:.0f},{y:.0f}" for x, y in points), points[-1]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}">'
        f'<polyline points="{line}" fill="none" stroke="#4f43dd" stroke-width="1.5"/>'
        f'<circle cx="{end_x:.0f}" cy="{end_y:.0f}" r="3" fill="#4f43dd"/></svg>'
    )
    said = f"{measure}, {days[0]} to {days[-1]}: at last {values[days[-1]]:,.6g}, at most {max(values.values()):,.6g}"
    return f"![{said}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})\n\n{said}"


def _columns(declaration: Declaration) -> dg.TableSchema:
    """The table's columns with what is asked of each; bronze holds text as sent, and asks nothing."""
    if declaration.is_bronze:
        return _as_sent(declaration, *LANDED)
    own = [
        dg.TableColumn(
            column.name,
            column.kind,
            column.description,
            dg.TableColumnConstraints(
                nullable=column.nullable,
                unique=declaration.contract.primary_key == (column.name,),
                other=_asked(declaration, column),
            ),
        )
        for column in declaration.contract.columns.values()
    ]
    return dg.TableSchema(own + (_beside(ORIGIN) if declaration.from_feed else []))


def _as_sent(declaration: Declaration, *beside: TechnicalColumn) -> dg.TableSchema:
    sent = [dg.TableColumn(c.name, "text", c.description) for c in declaration.feed_contract.columns.values()]
    return dg.TableSchema(sent + _beside(beside))


def _beside(columns: Iterable[TechnicalColumn]) -> list[dg.TableColumn]:
    return [dg.TableColumn(column.name, _KINDS[column.sql_type], column.description) for column in columns]


def _asked(declaration: Declaration, column: Column) -> list[str]:
    """What is asked of a single column, in words, its type and nulls apart."""
    rules = [rule for rule in declaration.contract.hard_rules if rule.kind is RuleKind.COLUMN]
    asked = [rule.words for rule in rules if rule.column == column.name]
    return asked + ([_referred(column)] if column.references and declaration.from_feed else [])


def _referred(column: Column) -> str:
    return f"in {column.references}" + (" on the same day" if column.on_same_day else "")


def _list(head: str, sentences: Iterable[str]) -> str:
    return "\n".join([f"{head}\n", *(f"- {sentence}" for sentence in sentences)])


@without_beta_warnings()
def code_reference(source: Callable[..., Any]) -> dict[str, Any]:
    """Metadata of a definition: where its code stands."""
    place = dg.LocalFileCodeReference(
        file_path=inspect.getsourcefile(source) or __file__, line_number=inspect.getsourcelines(source)[1]
    )
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[place])}
