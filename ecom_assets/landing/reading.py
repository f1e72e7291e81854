"""How landed files become rows of text.

There are two ways: many good files at once inside DuckDB, and record by record in Python for a file that
DuckDB refuses, so that one broken line costs one row. For good records both give equal rows.
What the rows mean does not belong here.
"""

import csv
import gzip
import io
import json
import mmap
import os
import re
import shutil
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ecom_assets.landing.zone import LandedFile

RECORD_LIMIT = 1 << 20
"""Bytes a record may have; a longer one is set aside."""

PROBLEM, RAW = "_problem", "_raw"
"""Columns of a landed Parquet file that carry a record which could not be read further upstream."""

_RAW_LIMIT = 10_000
_BATCH_ROWS = 65_536
_UNPACKED_BYTES = 256 << 20
"""Files are unpacked together until they hold about this much."""

_UNPACK_FACTOR = 8


def read(
    con: duckdb.DuckDBPyConnection, files: Sequence[LandedFile], columns: Sequence[str]
) -> duckdb.DuckDBPyRelation:
    """The records of the files that repeat no other: the feed's columns as text, and where each came from.

    After `columns` (VARCHAR, as sent; an empty CSV field is NULL) follow arrived_on DATE, source_file VARCHAR,
    record BIGINT (ordinal in the file, from 1, of readable and unreadable records alike), unknown_columns VARCHAR
    (JSON object, or NULL), problem VARCHAR and raw_record VARCHAR (NULL for records that could be read).

    The relation reads the files whenever it is evaluated, in bounded memory, and may stand inside an open
    transaction: the files are parsed on a connection of their own. Raises FileNotFoundError for a file that is gone.
    """
    firsts = [file for file in files if file.duplicate_of is None]
    for file in firsts:
        if not file.path.exists():
            raise FileNotFoundError(f"{file.path} is no longer there.")
    return con.from_arrow(_Stream(firsts, columns))


class _Stream:
    """What DuckDB scans: a fresh pass over the files each time it asks."""

    def __init__(self, files: Sequence[LandedFile], columns: Sequence[str]) -> None:
        self._files, self._columns = tuple(files), tuple(columns)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        schema = _schema(self._columns)
        batches = _batches(self._files, self._columns, schema)
        return pa.RecordBatchReader.from_batches(schema, batches).__arrow_c_stream__(requested_schema)


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema(
        [
            *((name, pa.string()) for name in columns),
            ("arrived_on", pa.date32()),
            ("source_file", pa.dictionary(pa.int32(), pa.string())),
            ("record", pa.int64()),
            ("unknown_columns", pa.string()),
            ("problem", pa.string()),
            ("raw_record", pa.string()),
        ]
    )


class _Source(NamedTuple):
    """A file, and where its bytes lie unpacked."""

    file: LandedFile
    path: Path


class _Csv(NamedTuple):
    header: tuple[str, ...]


class _JsonLines(NamedTuple):
    pass


class _Parquet(NamedTuple):
    names: tuple[str, ...]
    types: tuple[str, ...]
    nested: tuple[bool, ...]


_Shape = _Csv | _JsonLines | _Parquet
"""Files of equal shape can be read by one statement."""


def _batches(files: Sequence[LandedFile], columns: Sequence[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for together in _bounded(files):
        with TemporaryDirectory(prefix="landing-") as scratch:
            groups: dict[_Shape, list[_Source]] = {}
            for number, file in enumerate(together):
                source, shape = _prepare(file, Path(scratch) / str(number))
                if shape is None:
                    yield from _patient(file, columns, schema)
                else:
                    groups.setdefault(shape, []).append(source)
            for shape, sources in groups.items():
                yield from _quick_or_patient(shape, sources, columns, schema)


def _bounded(files: Sequence[LandedFile]) -> Iterator[list[LandedFile]]:
    together: list[LandedFile] = []
    room = _UNPACKED_BYTES
    for file in files:
        room -= file.size * _UNPACK_FACTOR if file.name.endswith(".gz") else 0
        if room < 0 and together:
            yield together
            together, room = [], _UNPACKED_BYTES
        together.append(file)
    yield together


def _prepare(file: LandedFile, unpacked: Path) -> tuple[_Source, _Shape | None]:
    """Unpack a file and look at its header. Without a shape the file needs the patient way.

    DuckDB takes a truncated gzip for a whole one, hence the unpacking; and it keeps NUL bytes.
    """
    source = _Source(file, file.path)
    name = file.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return source, _parquet_shape(file.path) if name == file.name else None
    if not name.endswith((".csv", ".jsonl", ".ndjson")):
        return source, None
    if name != file.name:
        source = _Source(file, unpacked)
        try:
            with pa.input_stream(str(file.path), compression="gzip") as packed, unpacked.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
        except (OSError, pa.ArrowException):
            return source, None
    if source.path.stat().st_size == 0:
        return source, None
    with source.path.open("rb") as plain, mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b"\0") >= 0:
            return source, None
        first_line = content.readline()
    return source, _csv_shape(first_line) if name.endswith(".csv") else _JsonLines()


def _csv_shape(first_line: bytes) -> _Csv | None:
    try:
        fields = _fields(first_line.removeprefix(BOM_UTF8).decode().rstrip("\r\n"))
    except (UnicodeDecodeError, _Unreadable):
        return None
    if fields is None or len(fields) < 2 or "\r" in first_line.decode().rstrip("\r\n"):
        return None
    return _Csv(_labels(fields))


def _parquet_shape(path: Path) -> _Parquet | None:
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return None
    nested = tuple(pa.types.is_nested(kind) for kind in schema.types)
    return _Parquet(_labels(schema.names), tuple(map(str, schema.types)), nested)


def _labels(names: Iterable[str]) -> tuple[str, ...]:
    """The names of a header, stripped; a name that is empty or was there before gets its place added."""
    labels: dict[str, None] = {}
    for place, name in enumerate(names, 1):
        stripped = name.strip()
        labels[stripped if stripped and stripped not in labels else f"{stripped} (column {place})".strip()] = None
    return tuple(labels)


def _quick_or_patient(
    shape: _Shape, sources: list[_Source], columns: Sequence[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """All sources in one statement; where DuckDB refuses one, that one is read patiently and the others go on."""
    if not isinstance(shape, _JsonLines):
        names = shape.header if isinstance(shape, _Csv) else shape.names
        if not {*columns, PROBLEM} & set(names):
            for source in sources:
                yield _unreadable_file(source.file, _no_known_column(names, columns), schema)
            return
    while sources:
        progress = _Progress()
        try:
            yield from _quick(shape, sources, columns, schema, progress)
        except (duckdb.Error, OSError, pa.ArrowException):
            blamed = sources[progress.source]
            if len(sources) > 1:
                alone = _Progress(skip=progress.records)
                try:
                    yield from _quick(shape, [blamed], columns, schema, alone)
                except (duckdb.Error, OSError, pa.ArrowException):
                    yield from _patient(blamed.file, columns, schema, skip=max(progress.records, alone.records))
            else:
                yield from _patient(blamed.file, columns, schema, skip=progress.records)
            sources = sources[progress.source + 1 :]
        else:
            return


class _Progress:
    """How far a statement over several sources has come."""

    def __init__(self, skip: int = 0) -> None:
        self.skip = skip
        self.source = 0
        self.records = 0


def _quick(
    shape: _Shape, sources: list[_Source], columns: Sequence[str], schema: pa.Schema, progress: _Progress
) -> Iterator[pa.RecordBatch]:
    """One statement over all sources. DuckDB gives the rows in the order of the files and within them."""
    names = pa.array([source.file.name for source in sources])
    days = pa.array([source.file.arrived_on for source in sources], pa.date32())
    paths = [str(source.path) for source in sources]
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        for batch in con.execute(_query(shape, columns), {"files": paths}).to_arrow_reader(_BATCH_ROWS):
            source = batch.column(0).to_numpy().astype(np.int32)
            record = np.arange(1, len(source) + 1) - np.searchsorted(source, source)
            record[source == progress.source] += progress.records
            progress.source, progress.records = int(source[-1]), int(record[-1])
            rows = pa.RecordBatch.from_arrays(
                [
                    *batch.columns[1 : len(columns) + 1],
                    days.take(pa.array(source)),
                    pa.DictionaryArray.from_arrays(source, names),
                    pa.array(record),
                    *batch.columns[len(columns) + 1 :],
                ],
                schema=schema,
            )
            yield rows.slice(min(max(progress.skip - int(record[0]) + 1, 0), len(record))) if progress.skip else rows


def _query(shape: _Shape, columns: Sequence[str]) -> str:
    """The statement that reads sources of one shape: file_index, the columns, unknown columns, problem, raw record."""
    if isinstance(shape, _JsonLines):
        return _json_query(columns)
    if isinstance(shape, _Csv):
        names = shape.header
        places = ", ".join(f"c{place}: 'VARCHAR'" for place in range(len(names)))
        values = [f"c{place}" for place in range(len(names))]
        source = f"""read_csv($files, columns = {{{places}}}, auto_detect = false, header = true, delim = ',',
            quote = '"', escape = '"', nullstr = '', strict_mode = true, null_padding = false,
            max_line_size = {RECORD_LIMIT}, hive_partitioning = false)"""
    else:
        names = shape.names
        values = [
            f"to_json(c{place})::VARCHAR" if nested else f"c{place}::VARCHAR"
            for place, nested in enumerate(shape.nested)
        ]
        places = ", ".join(f"c{place}" for place in range(len(names)))
        source = f"read_parquet($files, hive_partitioning = false) as t({places})"
    value_of = dict(zip(names, values, strict=True))
    known = [value_of.get(name, "NULL::VARCHAR") for name in columns]
    unknown = ", ".join(
        f"{_text(name)}, {value}" for name, value in value_of.items() if name not in {*columns, PROBLEM, RAW}
    )
    others = f"nullif(json_merge_patch('{{}}', json_object({unknown}))::VARCHAR, '{{}}')" if unknown else "NULL"
    problem, raw = (
        (value_of.get(PROBLEM, "NULL"), value_of.get(RAW, "NULL")) if isinstance(shape, _Parquet) else ("NULL", "NULL")
    )
    listed = ", ".join([*known, f"{others}::VARCHAR", f"{problem}::VARCHAR", f"{raw}::VARCHAR"])
    return f"select file_index, {listed} from {source}"


_RISKY_NUMBER = r"[:\[,]\s*-?(?:[0-9.]{16,}|0\s*[,\]}]|0\.0000|[0-9]+\.[0-9]+0\s*[,\]}]|[0-9.]+[eE])"
"""Numbers that DuckDB might write otherwise than they were sent."""

_NOT_STRICT = r",\s*[\]}]|[:\[,]\s*-?(?:NaN|nan|NAN|Inf|inf|INF)|\\u00[01]"
"""What DuckDB's JSON accepts and we do not, or writes in a way of its own."""

_QUOTABLE = r'"((?:[^"\\]|\\.)*)"|(-?[0-9][-+.0-9eE]*)'
"""A JSON string or number; both become strings, so that a number keeps its text."""


def _json_query(columns: Sequence[str]) -> str:
    paths = ", ".join(_text("/" + name.replace("~", "~0").replace("/", "~1")) for name in columns)
    known = ", ".join(_text(name) for name in columns)
    without = _text(json.dumps(dict.fromkeys(columns)))
    listed = ", ".join(f"v[{place}]" for place in range(1, len(columns) + 1))
    return f"""
        with lines as (
            select file_index, json::VARCHAR as line, regexp_matches(line, {_text(_RISKY_NUMBER)}) as risky,
                list_has_all([{known}], json_keys(line)) as all_known
            from read_ndjson_objects($files, maximum_object_size = {16 * RECORD_LIMIT}, hive_partitioning = false)
        ), strict as (
            select *, case when strlen(line) > {RECORD_LIMIT} or not starts_with(ltrim(line), '{{')
                or regexp_matches(line, {_text(_NOT_STRICT)})
                or (risky and (not all_known or regexp_matches(line, '[{{\\[].*[{{\\[]')))
                then error('Not for this way of reading.') end as refused
            from lines
        )
        select file_index, {listed}, unknown, NULL::VARCHAR, NULL::VARCHAR
        from (
            select file_index,
                json_extract_string(
                    case when risky then regexp_replace(line, {_text(_QUOTABLE)}, '"\\1\\2"', 'g') else line end,
                    [{paths}]
                ) as v,
                case when not all_known then json_merge_patch(line, {without})::VARCHAR end as unknown
            from strict where refused is null
        )"""


def _text(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


class _Record(NamedTuple):
    """A record read patiently: its values, or why there are none."""

    values: Sequence[str | None]
    unknown: str | None = None
    problem: str | None = None
    raw: str | None = None


class _Unreadable(Exception):
    """Why a record cannot be read, and what to do."""


def _patient(
    file: LandedFile, columns: Sequence[str], schema: pa.Schema, skip: int = 0
) -> Iterator[pa.RecordBatch]:
    """A file record by record, without its first `skip` records. What cannot be read is a record with a problem."""
    records = islice(enumerate(_records(file, columns), 1), skip, None)
    while some := list(islice(records, _BATCH_ROWS // 8)):
        values = zip(*(record.values for _, record in some), strict=True)
        yield pa.RecordBatch.from_arrays(
            [
                *(pa.array(column, pa.string()) for column in values),
                pa.array([file.arrived_on] * len(some), pa.date32()),
                pa.DictionaryArray.from_arrays(np.zeros(len(some), np.int32), pa.array([file.name])),
                pa.array([number for number, _ in some], pa.int64()),
                pa.array([record.unknown for _, record in some], pa.string()),
                pa.array([record.problem for _, record in some], pa.string()),
                pa.array([record.raw for _, record in some], pa.string()),
            ],
            schema=schema,
        )


def _records(file: LandedFile, columns: Sequence[str]) -> Iterator[_Record]:
    nothing = (None,) * len(columns)
    name = file.name.removesuffix(".gz")
    if name.endswith(".csv"):
        records = _csv_records(_lines(file), columns)
    elif name.endswith((".jsonl", ".ndjson")):
        records = _json_records(_lines(file), columns)
    elif name.endswith(".parquet") and name == file.name:
        records = _parquet_records(file, columns)
    else:
        records = iter([_Record(nothing, problem=_UNKNOWN_SUFFIX, raw=file.name)])
    for record in records:
        yield record if record.problem is None else record._replace(values=nothing)


_UNKNOWN_SUFFIX = (
    "the file is of no known kind: the name has to end in .csv, .jsonl, .ndjson (each also with .gz) or .parquet"
)


def _no_known_column(header: Iterable[str], columns: Sequence[str]) -> str:
    found, wanted = ", ".join(header), ", ".join(columns)
    return (
        f"line 1: none of the feed's columns is in the header; found: {found[:500]}; wanted: {wanted}; "
        "name the columns, separated by commas, and land the file again"
    )


def _unreadable_file(file: LandedFile, problem: str, schema: pa.Schema) -> pa.RecordBatch:
    values: dict[str, Any] = dict.fromkeys(schema.names)
    values |= {"arrived_on": file.arrived_on, "record": 1, "problem": problem, "raw_record": file.name}
    source = pa.DictionaryArray.from_arrays(np.zeros(1, np.int32), pa.array([file.name]))
    return pa.RecordBatch.from_arrays(
        [source if name == "source_file" else pa.array([values[name]], schema.field(name).type) for name in schema.names],
        schema=schema,
    )


class _Line(NamedTuple):
    """A line with its end, or with the reason why it is none."""

    number: int
    content: bytes
    problem: str | None = None


def _chunks(file: LandedFile) -> Iterator[bytes]:
    """The file's bytes, unpacked, as UTF-8 without a byte-order mark. Raises _Unreadable where they break off."""
    with gzip.open(file.path) if file.name.endswith(".gz") else file.path.open("rb") as stream:
        assert isinstance(stream, gzip.GzipFile | io.BufferedReader)

        def pieces() -> Iterator[bytes]:
            try:
                while piece := stream.read1(1 << 18):
                    yield piece
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise _Unreadable(f"the gzip file is cut off or damaged here ({error}); land the whole file") from error

        parts = pieces()
        first = next(parts, b"")
        while 0 < len(first) < len(BOM_UTF8) and (more := next(parts, b"")):
            first += more
        if first.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            decoder = getincrementaldecoder("utf-16")()
            try:
                yield decoder.decode(first).encode()
                for part in parts:
                    yield decoder.decode(part).encode()
                yield decoder.decode(b"", final=True).encode()
            except UnicodeError as error:
                raise _Unreadable(f"the UTF-16 text breaks off here ({error}); land the whole file") from error
        else:
            yield first.removeprefix(BOM_UTF8)
            yield from parts


def _lines(file: LandedFile) -> Iterator[_Line]:
    """The file's lines. Ends are \\n, \\r\\n and \\r."""
    number, pending, dropped = 1, b"", 0
    too_long = f"longer than {RECORD_LIMIT} bytes; split it and land the file again"
    try:
        for chunk in _chunks(file):
            parts = (pending + chunk).splitlines(keepends=True)
            pending = b""
            if parts and not parts[-1].endswith(b"\n"):
                pending = parts.pop()
            for part in parts:
                yield _Line(number, part, too_long if dropped or len(part) > RECORD_LIMIT else None)
                number, dropped = number + 1, 0
            if len(pending) > RECORD_LIMIT:
                dropped += len(pending) - RECORD_LIMIT
                pending = pending[:RECORD_LIMIT]
    except _Unreadable as cut:
        yield _Line(number, pending, str(cut))
    else:
        if pending:
            yield _Line(number, pending, too_long if dropped else None)


def _set_aside(line: _Line, content: bytes, reason: str) -> _Record:
    text = content[:_RAW_LIMIT].decode(errors="backslashreplace").rstrip("\r\n").replace("\0", "\\x00")
    more = f" … ({len(content)} bytes)" if len(content) > _RAW_LIMIT else ""
    return _Record((), problem=f"line {line.number}: {reason}", raw=text + more)


def _decoded(content: bytes) -> str:
    """The text of a record. Raises _Unreadable where it is not UTF-8."""
    if b"\0" in content:
        raise _Unreadable("holds a NUL byte; write the file as UTF-8 text and land it again")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        wrong = content[error.start]
        raise _Unreadable(
            f"byte 0x{wrong:02X} at position {error.start + 1} is not UTF-8; write the file as UTF-8 and land it again"
        ) from error


_QUOTED = re.compile(r' *"((?:[^"]|"")*+)("?)')
_AFTER_QUOTED = re.compile(r" *(,|\Z)")


def _fields(text: str) -> list[str] | None:
    """The fields of a CSV record, or None while a quote is open. Raises _Unreadable where quoting is broken."""
    if '"' not in text:
        return text.split(",")
    fields, place = [], 0
    while True:
        if quoted := _QUOTED.match(text, place):
            if not quoted[2]:
                return None
            after = _AFTER_QUOTED.match(text, quoted.end())
            if after is None:
                raise _Unreadable("text follows a closing quote; write quotes inside a field twice")
            fields.append(quoted[1].replace('""', '"'))
            place, last = after.end(), not after[1]
        else:
            comma = text.find(",", place)
            last = comma < 0
            fields.append(text[place:] if last else text[place:comma])
            place = comma + 1
        if last:
            return fields


def _csv_rows(lines: Iterator[_Line]) -> Iterator[tuple[_Line, bytes, list[str] | _Unreadable]]:
    """Each record's first line, bytes and fields, or why it has none.

    A quote that never closes costs its own line only: reading goes on with the next.
    """
    waiting: deque[_Line] = deque()
    while line := (waiting.popleft() if waiting else next(lines, None)):
        if line.problem:
            yield line, line.content, _Unreadable(line.problem)
            continue
        if not line.content.strip(b"\r\n"):
            continue
        try:
            fields = _fields(_decoded(line.content).rstrip("\r\n"))
            content, taken = line.content, list[_Line]()
            while fields is None:
                following = waiting.popleft() if waiting else next(lines, None)
                taken += [following] if following else []
                if not following or following.problem or len(content) + len(following.content) > RECORD_LIMIT:
                    waiting.extendleft(reversed(taken))
                    content = line.content
                    raise _Unreadable("a quote is opened and never closed; close it and land the file again")
                content += following.content
                if b'"' in following.content:
                    fields = _fields(_decoded(content).rstrip("\r\n"))
        except _Unreadable as problem:
            yield line, content, problem
        else:
            yield line, content, fields


def _csv_records(lines: Iterator[_Line], columns: Sequence[str]) -> Iterator[_Record]:
    rows = _csv_rows(lines)
    header: tuple[str, ...] = ()
    for line, content, fields in rows:
        if isinstance(fields, _Unreadable):
            yield _set_aside(line, content, f"{fields} (this was to be the header)")
            return
        header = _labels(fields)
        break
    if header and not set(header) & set(columns):
        yield _Record((), problem=_no_known_column(header, columns), raw=content[:_RAW_LIMIT].decode().rstrip("\r\n"))
        return
    place_of = {name: place for place, name in enumerate(header)}
    places = [place_of.get(name) for name in columns]
    others = [(name, place) for name, place in place_of.items() if name not in columns]
    for line, content, fields in rows:
        if isinstance(fields, _Unreadable):
            yield _set_aside(line, content, str(fields))
            continue
        if len(fields) == len(header) + 1 and not fields[-1]:
            fields.pop()
        if len(fields) != len(header):
            yield _set_aside(
                line,
                content,
                f"has {len(fields)} fields where the header has {len(header)}; correct it and land the file again",
            )
            continue
        values = [None if place is None else fields[place] or None for place in places]
        unknown = {name: fields[place] for name, place in others if fields[place]}
        yield _Record(values, _compact(unknown) if unknown else None)


class _Number(str):
    """A JSON number in the text in which it was sent."""


def _compact(value: Any) -> str:
    """A JSON value as text without spaces; numbers as they were sent."""
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


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs)) if len({name for name, _ in pairs}) < len(pairs) else dict(pairs)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


_DECODER = json.JSONDecoder(
    parse_int=_Number, parse_float=_Number, parse_constant=_refuse_constant, object_pairs_hook=_first_wins
)


def _json_records(lines: Iterator[_Line], columns: Sequence[str]) -> Iterator[_Record]:
    for line in lines:
        try:
            if line.problem:
                raise _Unreadable(line.problem)
            text = _decoded(line.content).strip(" \t\r\n")
            if not text:
                continue
            yield _json_record(text, columns)
        except _Unreadable as problem:
            yield _set_aside(line, line.content, str(problem))


def _json_record(text: str, columns: Sequence[str]) -> _Record:
    try:
        found = _DECODER.decode(text)
        _compact(found).encode()
    except UnicodeEncodeError as error:
        raise _Unreadable("holds half a surrogate pair; correct it and land the file again") from error
    except (ValueError, RecursionError) as error:
        raise _Unreadable(f"is broken JSON ({error}); correct it and land the file again") from error
    if not isinstance(found, dict):
        raise _Unreadable("is JSON, but no object; write each record as {…} on a line of its own")
    values = [_value(found.get(name)) for name in columns]
    if any(value is not None and "\0" in value for value in values):
        raise _Unreadable("holds a NUL character; remove it and land the file again")
    unknown = {name: value for name, value in found.items() if name not in columns}
    return _Record(values, _compact(unknown) if unknown else None)


def _parquet_records(file: LandedFile, columns: Sequence[str]) -> Iterator[_Record]:
    """The rows before the damage, then one unreadable record for what follows."""
    problem = "the Parquet file is damaged; land it again"
    shape = _parquet_shape(file.path)
    rows = 0
    if shape is not None:
        query = _query(shape, columns)
        rows = _readable_rows(query, file.path)
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'")
            result = con.execute(f"{query} limit {rows}", {"files": [str(file.path)]})
            while some := result.fetchmany(_BATCH_ROWS // 8):
                for _, *values, unknown, noted, raw in some:
                    yield _Record(values, unknown, noted, raw)
        problem = f"the Parquet file is damaged after {rows} rows; land it again"
    yield _Record((), problem=problem, raw=f"{file.name} ({os.path.getsize(file.path)} bytes)")


def _readable_rows(query: str, path: Path) -> int:
    """How many rows can be read before the damage."""
    low, high = 0, pq.read_metadata(path).num_rows
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("set timezone = 'UTC'")
        while low < high:
            middle = (low + high + 1) // 2
            try:
                con.execute(f"{query} limit {middle}", {"files": [str(path)]}).fetchall()
                low = middle
            except duckdb.Error:
                high = middle - 1
    return low
