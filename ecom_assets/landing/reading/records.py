"""Records of landed files, whichever way they are read."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

from ecom_assets.landing.provenance import LANDED, SOURCE_FILE

RECORD_LIMIT = 1 << 20
"""Maximum bytes of a record; a longer one is quarantined."""

LAND_WHOLE = "land the whole file"
"""What the problem of a file that is cut off or damaged advises, and no other problem: it tells them apart."""

PROBLEM, RAW = "_problem", "_raw"
"""Columns of a landed Parquet file that carry a record which could not be read upstream."""


class Dialect(NamedTuple):
    """The format of text files. The landing zone's own files always have the default.

    The header of CSV comes after `heading_lines`, and after a line such as sep=; which says the delimiter to Excel.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    heading_lines: int = 0


OURS = Dialect()
_ARROW_TYPES = {"DATE": pa.date32(), "VARCHAR": pa.string(), "BIGINT": pa.int64()}
RAW_LIMIT = 10_000
BATCH_ROWS = 20_480


class Unreadable(Exception):
    """The reason why a record, or the rest of a file, cannot be read, and what to do."""


class Record(NamedTuple):
    """A record: its values, or the problem why it has none."""

    values: Sequence[str | None]
    unknown: str | None = None
    problem: str | None = None
    raw: str | None = None


def batch_schema(columns: Sequence[str]) -> pa.Schema:
    """Returns the columns of landed records: the feed's, as text, and their provenance."""
    schema = pa.schema(
        [
            *((name, pa.string()) for name in columns),
            *((column.name, _ARROW_TYPES[column.sql_type]) for column in LANDED),
        ]
    )
    place = schema.get_field_index(SOURCE_FILE.name)
    return schema.set(place, pa.field(SOURCE_FILE.name, pa.dictionary(pa.int32(), pa.string())))


def column_labels(names: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of a header, stripped; an empty or repeated name gets its position appended."""
    labels: dict[str, None] = {}
    for place, name in enumerate(names, 1):
        stripped = name.strip()
        labels[stripped if stripped and stripped not in labels else f"{stripped} (column {place})".strip()] = None
    return tuple(labels)


def no_known_column(header: Iterable[str], columns: Sequence[str]) -> str:
    """Returns the problem of a file whose header names no column of the feed."""
    found, wanted = ", ".join(header), ", ".join(columns)
    return (
        f"the header has none of the feed's columns; found: {found[:500]}; wanted: {wanted}; "
        "name the columns, separated by commas, and land the file again"
    )
