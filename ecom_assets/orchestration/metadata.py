"""Metadata in Dagster's UI: columns, descriptions of checks, and some rows."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import dagster as dg

from ecom_assets.contract import (
    CORRECTED_ON_GOOD_DAYS,
    REFERS_TO_GOOD_DAYS,
    REFERS_TO_KNOWN,
    REFERS_WITHIN_CALENDAR,
    Column,
    RuleKind,
)
from ecom_assets.declaration import Declaration
from ecom_assets.engine.lineage import ColumnSource
from ecom_assets.landing.provenance import LANDED, ORIGIN, WHY, TechnicalColumn
from ecom_assets.orchestration._dagster import without_beta_warnings
from ecom_assets.warehouse.arriving import EXPECTED_OF_FILES
from ecom_assets.warehouse.silver import IS_NOT_REPEATED

PREVIEW_ROWS = 10
PREVIEW_COLUMNS = 8
PREVIEW_CHARACTERS = 24
"""Of a value; a longer one is cut."""
_KINDS = {"DATE": "date", "BIGINT": "integer", "VARCHAR": "text", "VARCHAR[]": "list of text"}


def about_table(declaration: Declaration, source: Callable[..., Any]) -> dict[str, Any]:
    """Returns metadata of a table's definition: columns, key, reaches, and the place of `source` in the code."""
    promise = declaration.contract
    about: dict[str, Any] = {"dagster/column_schema": _columns(declaration), "day": promise.partition_column}
    if not declaration.is_bronze:
        about["primary_key"] = ", ".join(promise.primary_key)
    about |= {f"reads {read.table}": read.reach.name for read in declaration.reads}
    return about | code_reference(source)


def about_landed(declaration: Declaration, source: Callable[..., Any]) -> dict[str, Any]:
    """Returns metadata of the definition of the files that a bronze table reads."""
    return {"dagster/column_schema": _as_sent(declaration), **code_reference(source)}


def about_lineage(lineage: Iterable[ColumnSource]) -> dict[str, Any]:
    """Returns metadata of a table's rows: the sources of its columns; empty if unknown.

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
    """Returns metadata of the definition of a table's quarantine."""
    return {"dagster/column_schema": _as_sent(declaration, *WHY, *LANDED), **code_reference(source)}


def quarantine_description(declaration: Declaration) -> str:
    """Returns the description of a table's quarantine."""
    return (
        f"Rows of {declaration.bronze} that were not accepted, as sent, with the reasons. "
        f"They are judged again whenever their day of {declaration.name} runs."
    )


def contract_description(declaration: Declaration) -> str:
    """Returns the description of the check that decides whether a day of the table is stored."""
    promise = declaration.contract
    if declaration.is_bronze:
        return "A file arrives on each day on which one is due; otherwise the day fails."
    keys, present = ", ".join(promise.primary_key), [c.name for c in promise.columns.values() if not c.may_be_null]
    asked = [rule.sentence for rule in promise.hard_rules if rule.kind is not RuleKind.PRESENT]
    asked.insert(0, f"Present: {', '.join(present)}")
    outcome = "A failed day is not stored, and tables that read it on the same day are blocked."
    if declaration.from_feed:
        asked += [f"{column.name} is {_referred(column)}" for column in promise.references]
        asked += [f"{column.name} has a rate in {column.converted_by}" for column in promise.converted]
        head = (
            f"Rows that break a rule are quarantined. A day fails if more than {promise.max_bad_share:.1%} of its "
            f"rows are, and at least {promise.min_bad_rows} or all; feeds.toml can set both limits per feed:"
        )
        retracting = " ".join(condition.sentence for condition in promise.retractions)
        unless = f"; there is none if it retracts its key: {retracting}" if retracting else "."
        return _list(head, asked) + (
            f"\n\nOf accepted rows with the same {keys}, the latest counts"
            f"{unless} A quarantined row no longer counts in the "
            f"share once a later row with its {keys} is accepted. Rows without a usable event day do not count "
            f"against a day with good rows. {outcome}"
        )
    asked += [
        f"Present if {table} has good rows on the day: {', '.join(c.name for c in columns if not c.nullable)}"
        for table, columns in promise.unknown_without.items()
    ]
    asked += [f"The key is unique: {keys}"] if keys else []
    asked += [f"The day's amounts are those of {declaration.conserved_from}"] if declaration.conserved else []
    return _list("A day with a row that breaks one of these rules fails:", asked) + f"\n\n{outcome}"


def expectations_description(declaration: Declaration) -> str:
    """Returns the description of the check that only warns."""
    if declaration.is_bronze:
        return _list("Expectations; a day that misses one does not fail:", EXPECTED_OF_FILES)
    hoped = [rule.sentence for rule in declaration.contract.soft_rules]
    hoped += [REFERS_WITHIN_CALENDAR, REFERS_TO_KNOWN] if declaration.loose_references else []
    if declaration.from_feed:
        feed = declaration.feed_contract
        hoped += [REFERS_TO_GOOD_DAYS] if declaration.loose_references else []
        hoped += [feed.versions_meet] if feed.identifying else []
        hoped += [] if declaration.is_of_members else [IS_NOT_REPEATED]
        hoped += [CORRECTED_ON_GOOD_DAYS] if feed.event_column not in feed.primary_key else []
        hoped += ["No row is quarantined"]
    return _list("Expectations; a day that misses one does not fail:", hoped)


def preview_columns(declaration: Declaration) -> list[str]:
    """Returns the columns of a table that a preview shows: its key and others, as they come."""
    key = declaration.contract.primary_key
    names = [*key, *(name for name in declaration.contract.columns if name not in key)]
    return names[:PREVIEW_COLUMNS]


def preview(names: Sequence[str], rows: Iterable[Sequence[object]], column_count: int) -> str:
    """Returns rows as a Markdown table of a few kilobytes at most; long values are cut."""
    cells = [[_cell(value) for value in row] for row in rows]
    lines = [names, ["---"] * len(names), *cells]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    more = column_count - len(names)
    return f"{text}\n\n{more} more columns" if more > 0 else text


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    text = text if len(text) <= PREVIEW_CHARACTERS else f"{text[: PREVIEW_CHARACTERS - 1]}…"
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def main_measure(declaration: Declaration) -> str | None:
    """Returns the first column outside of the key: the main measure of a kpi table; None if it cannot be added up."""
    promise = declaration.contract
    name = next(name for name in promise.columns if name not in promise.primary_key)
    return name if promise.columns[name].kind in ("integer", "decimal") else None


def _columns(declaration: Declaration) -> dg.TableSchema:
    """Returns the table's columns with their constraints; bronze has text as sent, without constraints."""
    if declaration.is_bronze:
        return _as_sent(declaration, *LANDED)
    own = [
        dg.TableColumn(
            column.name,
            column.kind,
            column.description,
            dg.TableColumnConstraints(
                nullable=column.may_be_null,
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
    """Returns the constraints of a single column as texts, except type and nulls."""
    rules = [rule for rule in declaration.contract.hard_rules if rule.kind is RuleKind.COLUMN]
    asked = [rule.words for rule in rules if rule.column == column.name]
    return asked + ([_referred(column)] if column.references and declaration.from_feed else [])


def _referred(column: Column) -> str:
    return f"in {column.references}" + (" on the same day" if column.on_same_day else "")


def _list(head: str, sentences: Iterable[str]) -> str:
    return "\n".join([f"{head}\n", *(f"- {sentence}" for sentence in sentences)])


@without_beta_warnings()
def code_reference(source: Callable[..., Any]) -> dict[str, Any]:
    """Returns metadata of a definition: the place of its code."""
    place = dg.LocalFileCodeReference(
        file_path=inspect.getsourcefile(source) or __file__, line_number=inspect.getsourcelines(source)[1]
    )
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[place])}
