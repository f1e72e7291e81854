"""Reading a file record by record, so that one broken record costs one row."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from ecom_assets.landing.reading.lines import Line, csv_body, csv_rows, decoded, read_lines, unreadable_record
from ecom_assets.landing.reading.parquet import parquet_records
from ecom_assets.landing.reading.records import (
    BATCH_ROWS,
    OURS,
    RAW_LIMIT,
    Dialect,
    Record,
    Unreadable,
    column_labels,
    no_known_column,
)
from ecom_assets.landing.streamed import OFFSET
from ecom_assets.landing.zone import PARQUET, LandedFile, kind_of

_CLOSED = "the file cannot be opened; let the user who runs the platform read it"
_UNKNOWN_KIND = (
    "the file has no known format: its name must be UTF-8 and end in .csv, .jsonl, .ndjson (each also with .gz) "
    "or .parquet; rename it"
)


def patient_batches(
    file: LandedFile, columns: Sequence[str], schema: pa.Schema, dialect: Dialect, skip: int = 0
) -> Iterator[pa.RecordBatch]:
    """Yields a file record by record, after the first `skip`. An unreadable record is one with a problem.

    A record of a stream has its offset plus 1 as number; one that cannot be read, a negative number.
    """
    numbered = _of_stream(file, columns, file.offsets.first) if file.offsets else _numbered(file, columns, dialect)
    records = islice(numbered, skip, None)
    while some := list(islice(records, BATCH_ROWS)):
        values = zip(*(record.values for _, record in some), strict=True)
        yield pa.RecordBatch.from_arrays(
            [
                *(pa.array(column, pa.string()) for column in values),
                pa.array([file.arrived_on] * len(some), pa.date32()),
                pa.array([file.stored_as] * len(some)).dictionary_encode(),
                pa.array([number for number, _ in some], pa.int64()),
                pa.array([record.unknown for _, record in some], pa.string()),
                pa.array([record.problem for _, record in some], pa.string()),
                pa.array([record.raw for _, record in some], pa.string()),
            ],
            schema=schema,
        )


def _numbered(file: LandedFile, columns: Sequence[str], dialect: Dialect) -> Iterator[tuple[int, Record]]:
    yield from enumerate(_records(file, columns, dialect), 1)


def _of_stream(file: LandedFile, columns: Sequence[str], first: int) -> Iterator[tuple[int, Record]]:
    """Yields the records of a stream without their offsets, and their numbers."""
    for number, record in _numbered(file, [*columns, OFFSET], OURS):
        *values, offset = record.values
        yield int(offset) + 1 if offset else -first - number, record._replace(values=values)


def _records(file: LandedFile, columns: Sequence[str], dialect: Dialect) -> Iterator[Record]:
    nothing = (None,) * len(columns)
    kind = kind_of(file.name)
    if file.is_closed:
        records = iter([Record(nothing, problem=_CLOSED, raw=file.name)])
    elif kind is None:
        records = iter([Record(nothing, problem=_UNKNOWN_KIND, raw=file.name)])
    elif kind == PARQUET:
        records = parquet_records(file, columns)
    elif kind.format == "csv":
        records = _csv_records(*csv_body(file.path, dialect), columns)
    else:
        records = _json_records(read_lines(file.path, dialect.encoding), columns)
    for record in records:
        yield record if record.problem is None else record._replace(values=nothing)


def _csv_records(lines: Iterator[Line], delimiter: str, columns: Sequence[str]) -> Iterator[Record]:
    rows = csv_rows(lines, delimiter)
    header: tuple[str, ...] = ()
    for line, content, fields in rows:
        if isinstance(fields, Unreadable):
            yield unreadable_record(line, content, f"{fields} (expected the header)")
            return
        header = column_labels(fields)
        break
    if header and not set(header) & set(columns):
        yield Record((), problem=no_known_column(header, columns), raw=content[:RAW_LIMIT].decode().rstrip("\r\n"))
        return
    place_of = {name: place for place, name in enumerate(header)}
    places = [place_of.get(name) for name in columns]
    others = [(name, place) for name, place in place_of.items() if name not in columns]
    for line, content, fields in rows:
        if isinstance(fields, Unreadable):
            yield unreadable_record(line, content, str(fields))
            continue
        if len(fields) == len(header) + 1 and not fields[-1]:
            fields.pop()
        if len(fields) != len(header):
            yield unreadable_record(
                line,
                content,
                f"has {len(fields)} fields where the header has {len(header)}; correct it and land the file again",
            )
            continue
        values = [None if place is None else fields[place] or None for place in places]
        unknown = {name: fields[place] for name, place in others if fields[place]}
        yield Record(values, _compact(unknown) if unknown else None)


def _json_records(lines: Iterator[Line], columns: Sequence[str]) -> Iterator[Record]:
    for line in lines:
        try:
            if line.problem:
                raise Unreadable(line.problem)
            text = decoded(line.content).strip(" \t\r\n")
            if not text:
                continue
            yield _json_record(text, columns)
        except Unreadable as problem:
            yield unreadable_record(line, line.content, str(problem))


def _json_record(text: str, columns: Sequence[str]) -> Record:
    try:
        found = _DECODER.decode(text)
        _compact(found).encode()
    except UnicodeEncodeError as error:
        raise Unreadable("contains half a surrogate pair; correct it and land the file again") from error
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.colno}"
        raise Unreadable(f"is broken JSON ({reason}); correct it and land the file again") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is broken JSON ({error}); correct it and land the file again") from error
    if not isinstance(found, dict):
        raise Unreadable("is JSON but not an object; write each record as {…} on its own line")
    values = [_value(found.get(name)) for name in columns]
    if any(value is not None and "\0" in value for value in values):
        raise Unreadable("contains a NUL character; remove it and land the file again")
    unknown = {name: value for name, value in found.items() if name not in columns}
    return Record(values, _compact(unknown) if unknown else None)


class _Number(str):
    """A JSON number, as the text that was sent."""


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs)) if len({name for name, _ in pairs}) < len(pairs) else dict(pairs)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(
    parse_int=_Number, parse_float=_Number, parse_constant=_refuse_constant, object_pairs_hook=_first_wins
)


def _compact(value: Any) -> str:
    """Returns a JSON value as text without spaces; numbers as sent."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_compact(key)}:{_compact(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    if isinstance(value, _Number):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _value(value: Any) -> str | None:
    if value is None:
        return None
    return str(value) if isinstance(value, str) else _compact(value)
