"""The columns that rows from feeds have in addition to the feed's own, each declared once.

SQL, Arrow schemas, Dagster's metadata and the data dictionary are derived from them. This module imports nothing, so
that readers of the snapshot can use it too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TechnicalColumn:
    """A column, its SQL type and its description."""

    name: str
    sql_type: str
    description: str


SOURCE_FILE = TechnicalColumn("source_file", "VARCHAR", "Name of its file, or of its stream")
ORIGIN = (
    TechnicalColumn("arrived_on", "DATE", "Arrival day"),
    SOURCE_FILE,
    TechnicalColumn("record", "BIGINT", "Number of its record in the file, from 1; in a stream, its offset plus 1"),
)
"""Provenance of a row; together they identify a landed record."""

PROBLEM = TechnicalColumn("problem", "VARCHAR", "Reason why the record cannot be read; null if it can")
RAW_RECORD = TechnicalColumn("raw_record", "VARCHAR", "The record's text, if it cannot be read")
UNKNOWN_COLUMNS = TechnicalColumn(
    "unknown_columns", "VARCHAR", "Values of columns that the feed does not declare, as JSON"
)
AS_READ = (
    UNKNOWN_COLUMNS,
    PROBLEM,
    RAW_RECORD,
)
"""Results of reading a record, in addition to the feed's columns."""

EVENT_ON = TechnicalColumn(
    "event_on", "DATE", "Event day; null if unknown, outside the calendar or after the arrival day and the next"
)
READ_ON = TechnicalColumn(
    "read_on", "DATE", "Day of silver that reads it: the event day, or the arrival day if there is none"
)
KEY_HASH = TechnicalColumn(
    "key_hash",
    "UBIGINT",
    "Hash of its primary key, or of the columns by which its groups are complete; null if a part of the key is missing",
)
DERIVED = (EVENT_ON, READ_ON, KEY_HASH)
"""Computed from the record with settings and contract, and computed again when these change."""

LANDED = (*ORIGIN, *AS_READ)
"""Columns of landed records after the feed's columns."""

BRONZE = (*LANDED, *DERIVED)
"""Columns of bronze after the feed's columns."""

REASONS = TechnicalColumn("reasons", "VARCHAR[]", "Reasons why it is quarantined")
REASON_CODES = TechnicalColumn(
    "reason_codes", "VARCHAR[]", "A code per reason, in the same order; it stays if the reason is reworded"
)
WHY = (REASONS, REASON_CODES)
"""The reasons of a quarantined row and their codes, in the same order."""

QUARANTINE = (*BRONZE, *WHY)
"""Columns of a quarantine table after the feed's columns."""

WINNER = tuple(
    replace(
        column,
        name=f"by_{column.name}",
        description=f"{column.description}, of the row that supersedes it; null for a retraction",
    )
    for column in ORIGIN
)
SUPERSEDED = (
    *ORIGIN,
    READ_ON,
    TechnicalColumn(
        "kind",
        "VARCHAR",
        "duplicate (the content of another row), superseded (replaced by a later version), conflict (replaced by a "
        "version that differs in all that identifies it: perhaps another thing under the same key) or retraction (the "
        "latest version says that its key has been deleted; no row counts)",
    ),
    *WINNER,
)
"""Columns of a table of superseded rows."""


def sql_types(columns: Iterable[TechnicalColumn]) -> dict[str, str]:
    """Returns the SQL type of each column, in order."""
    return {column.name: column.sql_type for column in columns}


def column_list(columns: Iterable[TechnicalColumn], table: str = "") -> str:
    """Returns SQL for the columns, separated by commas, of a table if one is named."""
    prefix = f"{table}." if table else ""
    return ", ".join(f"{prefix}{column.name}" for column in columns)
