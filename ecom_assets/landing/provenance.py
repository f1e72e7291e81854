"""The columns that rows from feeds have beside the feed's own, each declared once.

SQL, Arrow schemas, Dagster's pages and the data dictionary follow from it. It imports nothing, so that readers of the
snapshot can use it too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TechnicalColumn:
    """A column, its SQL type, and a sentence on what it holds."""

    name: str
    sql_type: str
    description: str


SOURCE_FILE = TechnicalColumn("source_file", "VARCHAR", "File it came in")
ORIGIN = (
    TechnicalColumn("arrived_on", "DATE", "Arrival day"),
    SOURCE_FILE,
    TechnicalColumn("record", "BIGINT", "Number of its record in the file, from 1"),
)
"""Where a row came from: together they identify a landed record."""

PROBLEM = TechnicalColumn("problem", "VARCHAR", "Why the record cannot be read; null if it can")
RAW_RECORD = TechnicalColumn("raw_record", "VARCHAR", "The record's text, if it cannot be read")
AS_READ = (
    TechnicalColumn("unknown_columns", "VARCHAR", "Values of columns that the feed does not declare, as JSON"),
    PROBLEM,
    RAW_RECORD,
)
"""What reading a record gave beside the values of the feed's columns."""

EVENT_ON = TechnicalColumn(
    "event_on", "DATE", "Event day; null if unknown, outside the calendar or after the arrival day and the next"
)
READ_ON = TechnicalColumn(
    "read_on", "DATE", "Day of silver that reads it: the event day, or the arrival day if there is none"
)
KEY_HASH = TechnicalColumn("key_hash", "UBIGINT", "Hash of its primary key; null if a part of it is missing")
DERIVED = (EVENT_ON, READ_ON, KEY_HASH)
"""What is computed from the record by settings and contract, and computed again when these change."""

LANDED = (*ORIGIN, *AS_READ)
"""What reading gives after the feed's columns."""

BRONZE = (*LANDED, *DERIVED)
"""What bronze stores after the feed's columns."""

REASONS = TechnicalColumn("reasons", "VARCHAR[]", "Why it is quarantined")
REASON_CODES = TechnicalColumn(
    "reason_codes", "VARCHAR[]", "A code per reason, in the same order; it stays if the reason is reworded"
)
WHY = (REASONS, REASON_CODES)
"""Why a row is in quarantine, the reasons and their codes in the same order."""

QUARANTINE = (*BRONZE, *WHY)
"""What a quarantine table stores after the feed's columns."""

WINNER = tuple(
    replace(column, name=f"by_{column.name}", description=f"{column.description}, of the row that counts")
    for column in ORIGIN
)
SUPERSEDED = (
    *ORIGIN,
    READ_ON,
    TechnicalColumn(
        "kind", "VARCHAR", "duplicate (the content of another row) or superseded (replaced by a later version)"
    ),
    *WINNER,
)
"""What a table of superseded rows stores."""


def sql_types(columns: Iterable[TechnicalColumn]) -> dict[str, str]:
    """Column to SQL type, in order."""
    return {column.name: column.sql_type for column in columns}


def column_list(columns: Iterable[TechnicalColumn], table: str = "") -> str:
    """SQL: the columns, separated by commas, of a table if one is named."""
    prefix = f"{table}." if table else ""
    return ", ".join(f"{prefix}{column.name}" for column in columns)
