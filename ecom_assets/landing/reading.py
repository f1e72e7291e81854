"""How landed files become rows of text.

There are two ways: many good files at once inside DuckDB, and record by record in Python for a file that
DuckDB refuses, so that one broken line costs one row. For good records both give equal rows.
What the rows mean does not belong here.
"""

import csv
import glob
import gzip
import io
import json
import mmap
import re
import shutil
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import reduce
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ecom_assets.engine.duckdb import connect, identifier, literal
from ecom_assets.landing.zone import PARQUET, LandedFile, kind_of

RECORD_LIMIT = 1 << 20
"""Bytes a record may have; a longer one is set aside."""

UNPACKED_LIMIT, UNPACKED_RATIO = 64 << 20, 250
"""A gzip file is read until it has given this many bytes, and this many times its own. Exports give a tenth of that."""

PROVENANCE = ("arrived_on", "source_file", "record", "unknown_columns", "problem", "raw_record")
"""Columns that stand beside those of the file."""

PROBLEM, RAW = "_problem", "_raw"
"""Columns of a landed Parquet file that carry a record which could not be read further upstream."""


class Dialect(NamedTuple):
    """How text files are written. The landing zone's own are always the default."""

    delimiter: str = ","
    encoding: str = "utf-8"


_OURS = Dialect()
_RAW_LIMIT = 10_000
_BATCH_ROWS = 20_480
_UNPACKED_BYTES = 256 << 20
"""Files are unpacked together until they hold about this much."""

_UNPACK_FACTOR = 8
_LOOKED_THROUGH_BYTES = 1 << 20


def read(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[LandedFile],
    columns: Sequence[str],
    dialect: Dialect = _OURS,
) -> duckdb.DuckDBPyRelation:
    """The records of the files that repeat no other: the feed's columns as text, and where each came from.

    After `columns` (VARCHAR, as sent; an empty CSV field is NULL) follow arrived_on DATE, source_file VARCHAR,
    record BIGINT (ordinal in the file, from 1, of readable and unreadable records alike), unknown_columns VARCHAR
    (JSON object, or NULL), problem VARCHAR and raw_record VARCHAR (NULL for records that could be read).

    The relation reads the files whenever it is evaluated, in bounded memory, and may stand inside an open
    transaction: text is parsed on a connection of its own, and Parquet is tried on one before.
    Raises FileNotFoundError for a file that is gone.
    """
    streamed: list[LandedFile] = []
    groups: dict[_Parquet, list[LandedFile]] = {}
    for file in files:
        if file.duplicate_of is not None:
            continue
        if not file.path.exists():
            raise FileNotFoundError(f"{file.path} is no longer there.")
        shape = _parquet_shape(file.path, columns) if kind_of(file.name) == PARQUET else None
        if shape is None:
            streamed.append(file)
        else:
            groups.setdefault(shape, []).append(file)
    relations = []
    for shape, group in groups.items():
        sound, damaged = _sound(group)
        streamed += damaged
        if sound:
            relations.append(con.sql(_parquet_rows(shape, sound, columns)))
    if streamed or not relations:
        relations.append(con.from_arrow(_Stream(streamed, columns, dialect)))
    return reduce(lambda some, more: some.union(more), relations)


def header(file: LandedFile, dialect: Dialect = _OURS) -> tuple[str, ...] | None:
    """The columns a file says it has: CSV's first line, Parquet's schema, the keys of JSON's first record.

    None where it says nothing that can be read.
    """
    kind = kind_of(file.name)
    if kind == PARQUET:
        with suppress(OSError, pa.ArrowException):
            return _labels(pq.read_schema(file.path).names)
    elif kind and kind.format == "csv":
        for _, _, fields in _csv_rows(read_lines(file.path, dialect.encoding), dialect.delimiter):
            return None if isinstance(fields, Unreadable) else _labels(fields)
    elif kind:
        for line in read_lines(file.path, dialect.encoding):
            shape = _json_shape(line.content)
            return shape.usual_keys if shape else None
    return None


def _sound(files: list[LandedFile]) -> tuple[list[LandedFile], list[LandedFile]]:
    """The Parquet files that can be decoded to the end, and those that cannot."""
    with _parser() as parser:
        if _decodes(parser, [file.path for file in files]):
            return files, []
        sound = [file for file in files if _decodes(parser, [file.path])]
    return sound, [file for file in files if file not in sound]


def _decodes(parser: duckdb.DuckDBPyConnection, paths: Sequence[Path], limit: int = 2**62) -> bool:
    rows = f"select * from read_parquet($files, hive_partitioning = false) limit {limit}"
    try:
        parser.execute(f"select bit_xor(hash(t)) from ({rows}) t", {"files": [_exactly(path) for path in paths]})
    except duckdb.Error:
        return False
    return True


def _parser() -> duckdb.DuckDBPyConnection:
    """A connection on which reading may fail without harm to the caller's transaction."""
    return connect()


def _parquet_rows(shape: "_Parquet", files: Sequence[LandedFile], columns: Sequence[str]) -> str:
    paths = ", ".join(literal(_exactly(file.path)) for file in files)
    names = ", ".join(literal(file.name) for file in files)
    days = ", ".join(f"DATE {literal(file.arrived_on.isoformat())}" for file in files)
    given = ", ".join(identifier(name) for name in columns)
    return f"""
        select {given}, [{days}][place] as arrived_on, [{names}][place] as source_file,
            file_row_number + 1 as record, unknown_columns, problem, raw_record
        from (select file_index::BIGINT + 1 as place, * from ({_query(shape, columns, f"[{paths}]")}))"""


class _Stream:
    """What DuckDB scans: a fresh pass over the files each time it asks."""

    def __init__(self, files: Sequence[LandedFile], columns: Sequence[str], dialect: Dialect) -> None:
        self._files, self._columns, self._dialect = tuple(files), tuple(columns), dialect

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        schema = _schema(self._columns)
        batches = _batches(self._files, self._columns, schema, self._dialect)
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
    delimiter: str
    alone: Path | None
    """The file, where it has to be read by a statement of its own: among several, DuckDB 1.5 takes a quote that
    never closes for the end of its file, and says nothing. A large file is not looked through for one."""


class _JsonLines(NamedTuple):
    usual_keys: tuple[str, ...]


class _Parquet(NamedTuple):
    names: tuple[str, ...]
    types: tuple[str, ...]
    texts: tuple[str, ...]


_Shape = _Csv | _JsonLines
"""Files of equal shape can be read by one statement."""


def _batches(
    files: Sequence[LandedFile], columns: Sequence[str], schema: pa.Schema, dialect: Dialect
) -> Iterator[pa.RecordBatch]:
    for together in _bounded(files):
        with TemporaryDirectory(prefix="landing-") as scratch:
            groups: dict[_Shape, list[_Source]] = {}
            for number, file in enumerate(together):
                source, shape = _prepare(file, columns, dialect, Path(scratch) / str(number))
                if shape is None:
                    yield from _patient(file, columns, schema, dialect)
                else:
                    groups.setdefault(shape, []).append(source)
            for shape, sources in groups.items():
                yield from _quick_or_patient(shape, sources, columns, schema, dialect)


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


def _prepare(
    file: LandedFile, columns: Sequence[str], dialect: Dialect, unpacked: Path
) -> tuple[_Source, _Shape | None]:
    """Unpack a file and look at its header. Without a shape the file needs the patient way.

    DuckDB takes a truncated gzip for a whole one, hence the unpacking; and it keeps NUL bytes.
    """
    source = _Source(file, file.path)
    kind = kind_of(file.name)
    if kind is None or kind == PARQUET or dialect.encoding != _OURS.encoding:
        return source, None
    if kind.is_packed:
        source = _Source(file, unpacked)
        try:
            with pa.input_stream(str(file.path), compression="gzip") as packed, unpacked.open("wb") as plain:
                while (piece := packed.read(1 << 20)) and plain.tell() <= _unpacked_limit(file.size):
                    plain.write(piece)
        except (OSError, pa.ArrowException):
            return source, None
        if source.path.stat().st_size > _unpacked_limit(file.size):
            return source, None
    if source.path.stat().st_size == 0:
        return source, None
    with source.path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b"\0") >= 0:
            return source, None
        first_line = content.readline()
        has_quotes = content.find(b'"', len(first_line)) >= 0
        has_end = content[-1:] == b"\n"
    if kind.format == "csv":
        alone = has_quotes and not _closes_quotes(source.path, dialect.delimiter)
        return source, _csv_shape(first_line, columns, dialect.delimiter, source.path if alone else None)
    return source if has_end else _ended(source, unpacked), _json_shape(first_line)


def _ended(source: _Source, ended: Path) -> _Source:
    """A copy with an end of its last line: among several files, DuckDB 2.0 drops a broken one without, silently."""
    if source.path != ended:
        shutil.copyfile(source.path, ended)
    with ended.open("ab") as stream:
        stream.write(b"\n")
    return source._replace(path=ended)


def _closes_quotes(path: Path, delimiter: str) -> bool:
    """Whether a file that is not large has no quote that stays open or stands where it should not."""
    if path.stat().st_size > _LOOKED_THROUGH_BYTES:
        return False
    try:
        with path.open(newline="", encoding=_OURS.encoding) as text:
            deque(csv.reader(text, delimiter=delimiter, strict=True), maxlen=0)
    except (csv.Error, UnicodeDecodeError):
        return False
    return True


def _unpacked_limit(packed: int) -> int:
    return max(UNPACKED_LIMIT, packed * UNPACKED_RATIO)


def _json_shape(first_line: bytes) -> _JsonLines | None:
    try:
        first = json.loads(first_line)
    except ValueError:
        return None
    return _JsonLines(tuple(first)) if isinstance(first, dict) else None


def _csv_shape(first_line: bytes, columns: Sequence[str], delimiter: str, alone: Path | None) -> _Csv | None:
    try:
        fields = _fields(first_line.removeprefix(BOM_UTF8).decode().rstrip("\r\n"), delimiter)
    except (UnicodeDecodeError, Unreadable):
        return None
    if fields is None or len(fields) < 2 or "\r" in first_line.decode().rstrip("\r\n"):
        return None
    header = _labels(fields)
    return _Csv(header, delimiter, alone) if set(header) & set(columns) else None


def _parquet_shape(path: Path, columns: Sequence[str]) -> _Parquet | None:
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return None
    names = _labels(schema.names)
    if not {*columns, PROBLEM} & set(names):
        return None
    texts = tuple(_as_text(f"c{place}", kind) for place, kind in enumerate(schema.types))
    return _Parquet(names, tuple(map(str, schema.types)), texts)


def _as_text(value: str, kind: pa.DataType) -> str:
    """The text of a Parquet value, whatever the session's settings."""
    if pa.types.is_nested(kind):
        return f"to_json({value})::VARCHAR"
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return f"({value} at time zone 'UTC')::VARCHAR || '+00'"
    return f"{value}::VARCHAR"


def _labels(names: Iterable[str]) -> tuple[str, ...]:
    """The names of a header, stripped; a name that is empty or was there before gets its place added."""
    labels: dict[str, None] = {}
    for place, name in enumerate(names, 1):
        stripped = name.strip()
        labels[stripped if stripped and stripped not in labels else f"{stripped} (column {place})".strip()] = None
    return tuple(labels)


def _quick_or_patient(
    shape: _Shape, sources: list[_Source], columns: Sequence[str], schema: pa.Schema, dialect: Dialect
) -> Iterator[pa.RecordBatch]:
    """All sources in one statement; where DuckDB refuses one, that one is read patiently and the others go on."""
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
                    yield from _patient(blamed.file, columns, schema, dialect, max(progress.records, alone.records))
            else:
                yield from _patient(blamed.file, columns, schema, dialect, progress.records)
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
    paths = [_exactly(source.path) for source in sources]
    with _parser() as parser:
        for batch in parser.sql(_query(shape, columns), params={"files": paths}).to_arrow_reader(_BATCH_ROWS):
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


def _query(shape: _Shape | _Parquet, columns: Sequence[str], files: str = "$files") -> str:
    """The statement that reads sources of one shape: file_index, columns, unknown_columns, problem, raw_record.

    `files` is SQL for the list of their paths.
    """
    if isinstance(shape, _JsonLines):
        return _json_query(shape.usual_keys, columns)
    names = shape.header if isinstance(shape, _Csv) else shape.names
    if isinstance(shape, _Csv):
        texts = tuple(f"c{place}" for place in range(len(names)))
        typed = ", ".join(f"{text}: 'VARCHAR'" for text in texts)
        place_in_file = ""
        source = f"""read_csv({files}, columns = {{{typed}}}, auto_detect = false, header = true,
            delim = {literal(shape.delimiter)}, quote = '"', escape = '"', nullstr = '',
            strict_mode = true, null_padding = false, max_line_size = {RECORD_LIMIT}, hive_partitioning = false)"""
    else:
        texts, place_in_file = shape.texts, "file_row_number, "
        places = ", ".join(f"c{place}" for place in range(len(names)))
        source = f"read_parquet({files}, hive_partitioning = false) as t({places})"
    text_of = dict(zip(names, texts, strict=True))
    known = [f"{text_of.get(name, 'NULL::VARCHAR')} as {identifier(name)}" for name in columns]
    noted = (PROBLEM, RAW) if isinstance(shape, _Parquet) else ()
    problem, raw = (text_of.get(name, "NULL::VARCHAR") for name in noted) if noted else ("NULL::VARCHAR",) * 2
    others = ", ".join(f"{literal(name)}, {text}" for name, text in text_of.items() if name not in {*columns, *noted})
    unknown = f"nullif(json_merge_patch('{{}}', json_object({others}))::VARCHAR, '{{}}')" if others else "NULL::VARCHAR"
    return f"""
        select file_index, {place_in_file}{", ".join(known)},
            {unknown} as unknown_columns, {problem} as problem, {raw} as raw_record
        from {source}"""


_RISKY_NUMBER = r"[:\[,]\s*-?(?:[0-9.]{16,}|0\.0000|[0-9]+\.[0-9]+0\s*[,\]}]|[0-9.]+[eE])|-0\s*[,\]}]"
"""Numbers that DuckDB might write otherwise than they were sent."""

_NOT_STRICT = r",\s*[\]}]|[:\[,]\s*-?(?:NaN|nan|NAN|Inf|inf|INF)|\\u00[01]"
"""What DuckDB's JSON accepts and we do not, or writes in a way of its own."""

_QUOTABLE = r'"((?:[^"\\]|\\.)*)"|(-?[0-9][-+.0-9eE]*)'
"""A JSON string or number; both become strings, so that a number keeps its text."""


_ODD_VALUE = r'":\s*(?:[\[{NIi]|n[^u]|-[^1-9]|-?[0-9]*(?:[0-9.]{16}|\.[0-9]*(?:[0-9]0\s*[,}]|[eE]|0000)|[eE]))'
"""A value that is nested, or that DuckDB might write otherwise. RE2 skips fast to the text it begins with."""

_ODD_END = r",\s*\}"


def _json_query(usual_keys: Sequence[str], columns: Sequence[str]) -> str:
    """Plain lines, with the first line's keys and values that DuckDB keeps as sent, are taken apart at once."""
    paths = ", ".join(literal("/" + name.replace("~", "~0").replace("/", "~1")) for name in columns)
    known = f"[{', '.join(map(literal, columns))}]"
    usual = f"[{', '.join(map(literal, usual_keys))}]::VARCHAR[]"
    only_known = "true" if set(usual_keys) <= set(columns) else "false"
    without = literal(json.dumps(dict.fromkeys(columns)))
    odd_text = " or ".join(f"contains(line, {literal(text)})" for text in (" :", "\t:", "\r", "\\u00"))
    texts = literal(json.dumps(dict.fromkeys(columns, "VARCHAR")))
    special = literal(f"{_RISKY_NUMBER}|{_NOT_STRICT}")
    refuse = "error('Not for this way of reading.')"
    listed = ", ".join(
        f"coalesce(plain_values[{literal(name)}], v[{place}]) as {identifier(name)}"
        for place, name in enumerate(columns, 1)
    )
    return f"""
        with lines as (
            select file_index, json::VARCHAR as line,
                json_keys(line) = {usual} and starts_with(line, '{{') and strlen(line) <= {RECORD_LIMIT}
                and not regexp_matches(line, {literal(_ODD_VALUE)}) and not regexp_matches(line, {literal(_ODD_END)})
                and not ({odd_text}) as plain
            from read_ndjson_objects($files, maximum_object_size = {16 * RECORD_LIMIT}, hive_partitioning = false)
        ), known as (
            select *, case when plain then {only_known} else list_has_all({known}, json_keys(line)) end as all_known,
                case when not plain then regexp_matches(line, {special}) end as special
            from lines
        ), read as (
            select file_index, all_known,
                case when plain then line
                    when strlen(line) > {RECORD_LIMIT} or not starts_with(ltrim(line), '{{') or contains(line, '\r')
                        then {refuse}
                    when not special then line
                    when not all_known or regexp_matches(line, {literal(_NOT_STRICT)})
                        or regexp_matches(line, '[{{\\[].*[{{\\[]') then {refuse}
                    else regexp_replace(line, {literal(_QUOTABLE)}, '"\\1\\2"', 'g')
                end as line,
                plain
            from known
        ), picked as (
            select file_index, line, all_known, case when plain then from_json(line, {texts}) end as plain_values,
                case when not plain then json_extract_string(line, [{paths}]) end as v
            from read
        )
        select file_index, {listed},
            case when not all_known then json_merge_patch(line, {without})::VARCHAR end as unknown_columns,
            NULL::VARCHAR as problem, NULL::VARCHAR as raw_record
        from picked"""


def _exactly(path: Path) -> str:
    """A path for DuckDB, which takes one with * ? or [ for a pattern. It finds none where a backslash stands too."""
    return glob.escape(str(path))


class _Record(NamedTuple):
    """A record read patiently: its values, or why there are none."""

    values: Sequence[str | None]
    unknown: str | None = None
    problem: str | None = None
    raw: str | None = None


class Unreadable(Exception):
    """Why a record, or the rest of a file, cannot be read, and what to do."""


def _patient(
    file: LandedFile, columns: Sequence[str], schema: pa.Schema, dialect: Dialect, skip: int = 0
) -> Iterator[pa.RecordBatch]:
    """A file record by record, without its first `skip` records. What cannot be read is a record with a problem."""
    records = islice(enumerate(_records(file, columns, dialect), 1), skip, None)
    while some := list(islice(records, _BATCH_ROWS)):
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


def _records(file: LandedFile, columns: Sequence[str], dialect: Dialect) -> Iterator[_Record]:
    nothing = (None,) * len(columns)
    kind = kind_of(file.name)
    if kind is None:
        records = iter([_Record(nothing, problem=_UNKNOWN_KIND, raw=file.name)])
    elif kind == PARQUET:
        records = _parquet_records(file, columns)
    elif kind.format == "csv":
        records = _csv_records(read_lines(file.path, dialect.encoding), columns, dialect.delimiter)
    else:
        records = _json_records(read_lines(file.path, dialect.encoding), columns)
    for record in records:
        yield record if record.problem is None else record._replace(values=nothing)


_UNKNOWN_KIND = (
    "the file is of no known kind: its name has to be UTF-8 and to end in .csv, .jsonl, .ndjson (each also with .gz) "
    "or .parquet; rename it"
)


def _no_known_column(header: Iterable[str], columns: Sequence[str]) -> str:
    found, wanted = ", ".join(header), ", ".join(columns)
    return (
        f"none of the feed's columns is in the header; found: {found[:500]}; wanted: {wanted}; "
        "name the columns, separated by commas, and land the file again"
    )


class Line(NamedTuple):
    """A line with its end, or with the reason why it is none."""

    number: int
    content: bytes
    problem: str | None = None


def _chunks(path: Path, encoding: str) -> Iterator[bytes]:
    """The file's bytes, unpacked, as UTF-8 without a byte-order mark. Raises Unreadable where they break off.

    A byte that is no text in the encoding becomes a surrogate, which is no UTF-8 either.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        assert isinstance(stream, gzip.GzipFile | io.BufferedReader)

        def pieces() -> Iterator[bytes]:
            room = _unpacked_limit(path.stat().st_size)
            try:
                while piece := stream.read1(1 << 18):
                    room -= len(piece)
                    if room < 0 and isinstance(stream, gzip.GzipFile):
                        raise Unreadable(
                            f"the gzip file unpacks to more than {UNPACKED_RATIO} times its size; land it in parts"
                        )
                    yield piece
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise Unreadable(f"the gzip file is cut off or damaged here ({error}); land the whole file") from error

        parts = pieces()
        first = next(parts, b"")
        while 0 < len(first) < len(BOM_UTF8) and (more := next(parts, b"")):
            first += more
        if first.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            encoding = "utf-16"
        if encoding != _OURS.encoding:
            byte_by_byte = "\n".encode(encoding) == b"\n"  # else one that is left out moves all that follow
            decoder = getincrementaldecoder(encoding)("surrogateescape" if byte_by_byte else "strict")
            try:
                yield decoder.decode(first).removeprefix("\ufeff").encode(errors="surrogatepass")
                for part in parts:
                    yield decoder.decode(part).encode(errors="surrogatepass")
                yield decoder.decode(b"", final=True).encode(errors="surrogatepass")
            except UnicodeError as error:
                raise Unreadable(f"the {encoding} text breaks off here ({error}); land the whole file") from error
        else:
            yield first.removeprefix(BOM_UTF8)
            yield from parts


def read_lines(path: Path, encoding: str) -> Iterator[Line]:
    """The lines of a plain or gzipped file, within the limits of a record and of unpacking, as UTF-8.

    Ends are \\n, \\r\\n and \\r. A byte-order mark is left out.
    """
    number, pending, dropped = 1, b"", 0
    try:
        for chunk in _chunks(path, encoding):
            parts = (pending + chunk).splitlines(keepends=True)
            pending = b""
            if parts and not parts[-1].endswith(b"\n"):
                pending = parts.pop()
            for part in parts:
                yield _line(number, part, encoding, is_cut=dropped > 0)
                number, dropped = number + 1, 0
            if len(pending) > RECORD_LIMIT:
                dropped += len(pending) - RECORD_LIMIT
                pending = pending[:RECORD_LIMIT]
    except Unreadable as cut:
        yield Line(number, pending, str(cut))
    else:
        if pending:
            yield _line(number, pending, encoding, is_cut=dropped > 0)


def _line(number: int, content: bytes, encoding: str, is_cut: bool) -> Line:
    if is_cut or len(content) > RECORD_LIMIT:
        return Line(number, content, f"longer than {RECORD_LIMIT} bytes; split it and land the file again")
    if encoding != _OURS.encoding:
        shown = content.decode(errors="surrogatepass").encode(errors="backslashreplace")
        if shown != content:
            return Line(number, shown, f"holds bytes that are not {encoding} text; correct it and land the file again")
    return Line(number, content)


def set_aside(line: Line, content: bytes, reason: str) -> _Record:
    """A record that begins on the line, with the reason why it cannot be read."""
    text = content[:_RAW_LIMIT].decode(errors="backslashreplace").rstrip("\r\n").replace("\0", "\\x00")
    more = f" … ({len(content)} bytes)" if len(content) > _RAW_LIMIT else ""
    return _Record((), problem=f"line {line.number}: {reason}", raw=text + more)


def decoded(content: bytes) -> str:
    """The text of a record. Raises Unreadable where it is not UTF-8."""
    if b"\0" in content:
        raise Unreadable("holds a NUL byte; write the file as UTF-8 text and land it again")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        wrong = content[error.start]
        raise Unreadable(
            f"byte 0x{wrong:02X} at position {error.start + 1} is not UTF-8; write the file as UTF-8 and land it again"
        ) from error


_QUOTED = re.compile(r' *"((?:[^"]|"")*+)("?)')


def _fields(text: str, delimiter: str) -> list[str] | None:
    """The fields of a CSV record, or None while a quote is open. Raises Unreadable where quoting is broken."""
    if '"' not in text:
        return text.split(delimiter)
    fields, place = [], 0
    while True:
        if quoted := _QUOTED.match(text, place):
            if not quoted[2]:
                return None
            place = quoted.end()
            while text.startswith(" ", place):
                place += 1
            last = place == len(text)
            if not last and text[place] != delimiter:
                raise Unreadable("text follows a closing quote; write quotes inside a field twice")
            fields.append(quoted[1].replace('""', '"'))
            place += 1
        else:
            end = text.find(delimiter, place)
            last = end < 0
            fields.append(text[place:] if last else text[place:end])
            place = end + 1
        if last:
            return fields


def _csv_rows(lines: Iterator[Line], delimiter: str) -> Iterator[tuple[Line, bytes, list[str] | Unreadable]]:
    """Each record's first line, bytes and fields, or why it has none.

    A quote that never closes costs its own line only: reading goes on with the next.
    """
    waiting: deque[Line] = deque()
    while line := (waiting.popleft() if waiting else next(lines, None)):
        if line.problem:
            yield line, line.content, Unreadable(line.problem)
            continue
        if not line.content.strip(b"\r\n"):
            continue
        content, taken = line.content, list[Line]()
        try:
            fields = _fields(decoded(content).rstrip("\r\n"), delimiter)
            while fields is None:
                following = waiting.popleft() if waiting else next(lines, None)
                taken += [following] if following else []
                if not following or following.problem or len(content) + len(following.content) > RECORD_LIMIT:
                    waiting.extendleft(reversed(taken))
                    content = line.content
                    raise Unreadable("a quote is opened and never closed; close it and land the file again")
                content += following.content
                if b'"' in following.content:
                    fields = _fields(decoded(content).rstrip("\r\n"), delimiter)
        except Unreadable as problem:
            yield line, content, problem
        else:
            yield line, content, fields


def _csv_records(lines: Iterator[Line], columns: Sequence[str], delimiter: str) -> Iterator[_Record]:
    rows = _csv_rows(lines, delimiter)
    header: tuple[str, ...] = ()
    for line, content, fields in rows:
        if isinstance(fields, Unreadable):
            yield set_aside(line, content, f"{fields} (this was to be the header)")
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
        if isinstance(fields, Unreadable):
            yield set_aside(line, content, str(fields))
            continue
        if len(fields) == len(header) + 1 and not fields[-1]:
            fields.pop()
        if len(fields) != len(header):
            yield set_aside(
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


def _json_records(lines: Iterator[Line], columns: Sequence[str]) -> Iterator[_Record]:
    for line in lines:
        try:
            if line.problem:
                raise Unreadable(line.problem)
            text = decoded(line.content).strip(" \t\r\n")
            if not text:
                continue
            yield _json_record(text, columns)
        except Unreadable as problem:
            yield set_aside(line, line.content, str(problem))


def _json_record(text: str, columns: Sequence[str]) -> _Record:
    try:
        found = _DECODER.decode(text)
        _compact(found).encode()
    except UnicodeEncodeError as error:
        raise Unreadable("holds half a surrogate pair; correct it and land the file again") from error
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.colno}"
        raise Unreadable(f"is broken JSON ({reason}); correct it and land the file again") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is broken JSON ({error}); correct it and land the file again") from error
    if not isinstance(found, dict):
        raise Unreadable("is JSON, but no object; write each record as {…} on a line of its own")
    values = [_value(found.get(name)) for name in columns]
    if any(value is not None and "\0" in value for value in values):
        raise Unreadable("holds a NUL character; remove it and land the file again")
    unknown = {name: value for name, value in found.items() if name not in columns}
    return _Record(values, _compact(unknown) if unknown else None)


def _parquet_records(file: LandedFile, columns: Sequence[str]) -> Iterator[_Record]:
    """The rows before the damage, then one unreadable record for what follows; all rows where there is none."""
    problem = "the Parquet file is damaged; land it again"
    shape = _parquet_shape(file.path, columns)
    if shape is None:
        with suppress(OSError, pa.ArrowException):
            problem = _no_known_column(pq.read_schema(file.path).names, columns)
    else:
        query = _query(shape, columns)
        with TemporaryDirectory(prefix="landing-") as scratch, _parser() as parser:
            link = Path(scratch) / "file"  # for DuckDB may find none under its own path
            link.symlink_to(file.path.absolute())
            there = pq.read_metadata(link).num_rows
            rows = _readable_rows(parser, link, there)
            result = parser.execute(f"{query} limit {rows}", {"files": [_exactly(link)]})
            while some := result.fetchmany(_BATCH_ROWS):
                for _, _, *values, unknown, noted, raw in some:
                    yield _Record(values, unknown, noted, raw)
        if rows == there:
            return
        problem = f"the Parquet file is damaged after {rows} rows; land it again"
    yield _Record((), problem=problem, raw=f"{file.name} ({file.size} bytes)")


def _readable_rows(parser: duckdb.DuckDBPyConnection, path: Path, high: int) -> int:
    """How many rows, of `high`, can be decoded before the damage."""
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        if _decodes(parser, [path], middle):
            low = middle
        else:
            high = middle - 1
    return low
