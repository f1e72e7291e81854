"""The data dictionary: what each table holds and promises, generated from the declarations."""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ecom_assets import catalog
from ecom_assets.contract import WORDS_FOR_NOTHING, Column, RuleKind
from ecom_assets.days import Reach
from ecom_assets.declaration import Declaration
from ecom_assets.serving.published_tables import (
    BESIDE_THE_LAYERS,
    MISSING_VALUES,
    PublishedTable,
    PublishedView,
    TablesByFeed,
)

_WORDS = ", ".join(f"`{word}`" for word in WORDS_FOR_NOTHING)
HEAD = f"""\
# Data dictionary

Generated from the declarations by `ecom dictionary`; changes belong there.

Amounts are DECIMAL(18,4) in shop currency, moments are UTC, days are the shop's business days. Every table
is stored by day: all rows of a day are stored and keep the contract, or none are. Rows of bronze, and those of
silver that come from it, also name their origin: `arrived_on`, `source_file` and `record`.

A landed row is quarantined if it has an amount of ten billion or more, a whole number of a billion or more, or a day
or moment outside the years 1000 to 9999, so that sums and differences of silver always fit their types. It is also
quarantined if a text is not a valid value of its column's type. Days and moments are written in digits, e.g. 2024-01-31
or 2024-01-31T10:00:00Z, not in words such as epoch or today. NaN and infinity are not valid numbers. True is true, yes,
y, t or 1, and false is false, no, n, f or 0, in any case; on and off are not valid, since they may be another state.

Values of columns that are personal say who a person is or were written by one. Profiles and alerts show none of them;
the tables, the quarantine and the API do.

Exports write words for nothing in place of an empty value. In the columns of silver for which that is said, these words
count as missing, in any case and with white space around them: {_WORDS}.
Bronze keeps them, and {MISSING_VALUES.name} counts them per table, day and column.
"""
BESIDE = """\
## Beside the tables

Readers open `snapshot.duckdb`. It holds the tables of gold, kpi, features and predictions, and:
"""


def text() -> str:
    """Returns the dictionary of all tables, in Markdown."""
    parts = [HEAD]
    tables = sorted(catalog.tables(), key=lambda table: table.name)
    for layer, package in catalog.LAYERS.items():
        parts.append(f"## {layer}\n\n{inspect.getdoc(package)}\n")
        parts += [_table(table) for table in tables if table.contract.layer is layer]
    return "\n".join([*parts, BESIDE, *map(_published, BESIDE_THE_LAYERS)])


def write(path: Path) -> None:
    """Writes the dictionary to a file, in UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(), encoding="utf-8")


def _table(declaration: Declaration) -> str:
    promise = declaration.contract
    lines = [f"### {declaration.name}", "", promise.description, ""]
    if not declaration.is_bronze:
        lines.append(f"- Key: {', '.join(promise.primary_key)}")
    lines.append(f"- Day: {promise.partition_column}")
    lines += [f"- Reads {read.table}: {reach_text(read.reach)}" for read in declaration.reads]
    lines += ["", "| column | type | null | description |", "| --- | --- | --- | --- |"]
    lines += [_row(column, declaration) for column in promise.columns.values()]
    if rules := list(rules_of(declaration)):
        lines += ["", *(f"- {rule}" for rule in rules)]
    if declaration.view:
        name, query = declaration.view
        lines += ["", f"View {name}:", "", "```sql", query.strip(), "```"]
    return "\n".join([*lines, ""])


def _published(table: PublishedTable) -> str:
    lines = [f"### {table.name}", "", table.row, ""]
    if isinstance(table, TablesByFeed) and table.has_feed_columns:
        lines += ["The feed's columns, as text, and:", ""]
    if isinstance(table, PublishedView) and table.extends:
        lines += [f"The columns of {table.extends}, and:", ""]
    lines += ["| column | type | description |", "| --- | --- | --- |"]
    lines += [
        f"| {column.name} | {column.sql_type} | {column.description}{'; personal' if column.personal else ''} |"
        for column in table.columns
    ]
    if isinstance(table, PublishedView) and table.query:
        lines += ["", "```sql", table.query.strip(), "```"]
    return "\n".join([*lines, ""])


def reach_text(reach: Reach) -> str:
    """Returns the days of an input that a day reads, as text."""
    if reach.by_event:
        return "rows with that event day, whenever they arrived"
    if reach.by_arrival:
        return "rows that arrived on that day, whenever they happened"
    if reach.is_same_day:
        return "the same day"
    if not reach.needed:
        return "the same day, if it has good rows"
    if reach.key:
        of = f" in {reach.keys_of}" if reach.keys_of else ""
        if reach.days_alone:
            return f"{reach_text(replace(reach, key=None))}, only the days of each {reach.key} that occurs on the day"
        return f"{reach_text(replace(reach, key=None))}, only rows whose {reach.key} occurs on the day{of}"
    first = "all days" if reach.before is None else _days_away(reach.before, "before")
    last = "all days after" if reach.after is None else _days_away(reach.after, "after")
    if reach.before is None:
        return "all days" if reach.after is None else f"all days up to {last}"
    return f"{first} and {last}" if reach.after is None else f"{first} to {last}"


def _days_away(count: int, side: str) -> str:
    return "the same day" if count == 0 else f"{count} day{'' if count == 1 else 's'} {side}"


def kind_of(column: Column, declaration: Declaration) -> tuple[str, bool]:
    """Returns the kind of a column of a table, and whether it may be null: bronze has everything as sent, as text."""
    return ("text", True) if declaration.is_bronze else (column.kind, column.may_be_null)


def facts_of(column: Column, declaration: Declaration) -> Iterator[str]:
    """Yields what else there is to say of a column of a table: what it refers to, and when it has no value."""
    if column.references and not declaration.is_bronze:
        yield f"key of {column.references}{' on the same day' if column.on_same_day else ''}"
    if column.merged_by:
        yield f"merged by {column.merged_by}"
    if column.converted_by and not declaration.is_bronze:
        yield f"rates are in {column.converted_by}"
    if column.words_for_nothing and declaration.from_feed:
        yield "words for nothing are missing"
    if column.unknown_without:
        yield f"null on days on which {column.unknown_without} has no good rows"


def _row(column: Column, declaration: Declaration) -> str:
    kind, may_be_null = kind_of(column, declaration)
    tag = ["personal"] if column.personal else []
    description = "; ".join([column.description, *facts_of(column, declaration), *tag]).replace("|", "\\|")
    return f"| {column.name} | {kind} | {'yes' if may_be_null else 'no'} | {description} |"


def rules_of(declaration: Declaration) -> Iterator[str]:
    """Yields the rules beyond the columns' types and nulls; bronze has none."""
    if declaration.is_bronze:
        return
    for rule in declaration.contract.rules:
        if rule.kind is not RuleKind.PRESENT:
            yield f"{rule.sentence}{'' if rule.hard else ' (expectation)'}"
    if declaration.from_feed:
        promise = declaration.contract
        yield from (f"{condition.sentence} It retracts its key." for condition in promise.retractions)
        yield (
            f"A day fails if more than {promise.max_bad_share:.0%} of its rows are bad, and at least "
            f"{promise.min_bad_rows} or all; feeds.toml can set both limits."
            if promise.max_bad_share < 1
            else "Bad rows fail no day; feeds.toml can set limits."
        )
    if declaration.conserved:
        yield f"Control totals: the day's amounts are those of {declaration.conserved_from}."
