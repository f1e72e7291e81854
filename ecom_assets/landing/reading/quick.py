"""Reading many text files per statement; a file that DuckDB rejects is read record by record."""

import csv
import mmap
import shutil
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_assets.landing.reading.lines import separator, unpacked_limit
from ecom_assets.landing.reading.patient import patient_batches
from ecom_assets.landing.reading.records import BATCH_ROWS, OURS, Dialect, batch_schema
from ecom_assets.landing.reading.statements import JsonLines, Shape, csv_shape, json_shape, open_parser, statement
from ecom_assets.landing.streamed import OFFSET
from ecom_assets.landing.zone import PARQUET, LandedFile, kind_of

_UNPACKED_BYTES = 256 << 20
"""Files are unpacked together up to about this size."""

_UNPACK_FACTOR = 8
_LOOKED_THROUGH_BYTES = 1 << 20


class _Source(NamedTuple):
    """A file and the path of its unpacked bytes."""

    file: LandedFile
    path: Path


class Stream:
    """What DuckDB scans: each scan is a new pass over the files."""

    def __init__(self, files: Sequence[LandedFile], columns: Sequence[str], dialect: Dialect) -> None:
        self._files, self._columns, self._dialect = tuple(files), tuple(columns), dialect

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        schema = batch_schema(self._columns)
        batches = _batches(self._files, self._columns, schema, self._dialect)
        return pa.RecordBatchReader.from_batches(schema, batches).__arrow_c_stream__(requested_schema)


def _batches(
    files: Sequence[LandedFile], columns: Sequence[str], schema: pa.Schema, dialect: Dialect
) -> Iterator[pa.RecordBatch]:
    for together in _bounded(files):
        with TemporaryDirectory(prefix="landing-") as scratch:
            groups: dict[Shape, list[_Source]] = {}
            for number, file in enumerate(together):
                source, shape = _prepare(file, columns, dialect, Path(scratch) / str(number))
                if shape is None:
                    yield from patient_batches(file, columns, schema, dialect)
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
) -> tuple[_Source, Shape | None]:
    """Unpacks a file and reads its header. Without a shape the file has to be read record by record.

    DuckDB accepts a truncated gzip as complete, hence the unpacking; and it keeps NUL bytes.
    """
    source = _Source(file, file.path)
    kind = kind_of(file.name)
    if file.is_closed or kind is None or kind == PARQUET or dialect.encoding != OURS.encoding:
        return source, None
    if kind.is_packed:
        source = _Source(file, unpacked)
        try:
            with pa.input_stream(str(file.path), compression="gzip") as packed, unpacked.open("wb") as plain:
                while (piece := packed.read(1 << 20)) and plain.tell() <= unpacked_limit(file.size):
                    plain.write(piece)
        except (OSError, pa.ArrowException):
            return source, None
        if source.path.stat().st_size > unpacked_limit(file.size):
            return source, None
    if source.path.stat().st_size == 0:
        return source, None
    with source.path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b"\0") >= 0:
            return source, None
        skipped, delimiter = (dialect.heading_lines, dialect.delimiter) if kind.format == "csv" else (0, "")
        for _ in range(skipped):
            content.readline()
        first_line = content.readline()
        if kind.format == "csv" and (said := separator(first_line)):
            skipped, delimiter, first_line = skipped + 1, said, content.readline()
        begins = content.tell() - len(first_line)
        is_odd = skipped > 0 and (content[: len(BOM_UTF8)] == BOM_UTF8 or content.find(b'"', 0, begins) >= 0)
        has_quotes = content.find(b'"', content.tell()) >= 0
        has_end = content[-1:] == b"\n"
    if is_odd:  # DuckDB 1.5 would skip such lines together with the rows after them
        return source, None
    if kind.format == "csv":
        alone = has_quotes and not _closes_quotes(source.path, delimiter)
        return source, csv_shape(first_line, columns, delimiter, source.path if alone else None, skipped)
    return source if has_end else _ended(source, unpacked), json_shape(first_line, file.offsets is not None)


def _ended(source: _Source, ended: Path) -> _Source:
    """Copies with a final line end: without it, DuckDB 2.0 silently drops a broken line between files."""
    if source.path != ended:
        shutil.copyfile(source.path, ended)
    with ended.open("ab") as stream:
        stream.write(b"\n")
    return source._replace(path=ended)


def _closes_quotes(path: Path, delimiter: str) -> bool:
    """Returns whether a file that is not large has no unclosed or misplaced quote."""
    if path.stat().st_size > _LOOKED_THROUGH_BYTES:
        return False
    try:
        with path.open(newline="", encoding=OURS.encoding) as text:
            deque(csv.reader(text, delimiter=delimiter, strict=True), maxlen=0)
    except (csv.Error, UnicodeDecodeError):
        return False
    return True


def _quick_or_patient(
    shape: Shape, sources: list[_Source], columns: Sequence[str], schema: pa.Schema, dialect: Dialect
) -> Iterator[pa.RecordBatch]:
    """Reads all sources in one statement; one that DuckDB rejects is read record by record, and the others go on."""
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
                    read = max(progress.records, alone.records)
                    yield from patient_batches(blamed.file, columns, schema, dialect, read)
            else:
                yield from patient_batches(blamed.file, columns, schema, dialect, progress.records)
            sources = sources[progress.source + 1 :]
        else:
            return


class _Progress:
    """The progress of a statement over several sources."""

    def __init__(self, skip: int = 0) -> None:
        self.skip = skip
        self.source = 0
        self.records = 0


def _quick(
    shape: Shape, sources: list[_Source], columns: Sequence[str], schema: pa.Schema, progress: _Progress
) -> Iterator[pa.RecordBatch]:
    """Runs one statement over all sources. DuckDB returns the rows in the order of the files and within them.

    No batch uses memory of Python or NumPy: an Arrow thread may free it while the process ends, and the interpreter
    would abort that thread.
    """
    names: dict[str, int] = {}
    name_of = pa.array([names.setdefault(source.file.stored_as, len(names)) for source in sources], pa.int32())
    days = pa.array([source.file.arrived_on for source in sources], pa.date32())
    offset = [OFFSET] if isinstance(shape, JsonLines) and shape.is_streamed else []
    read = statement(shape, [*columns, *offset], [source.path for source in sources])
    with open_parser() as parser:
        for batch in parser.sql(read).to_arrow_reader(BATCH_ROWS):
            source = batch.column(0).to_numpy()
            first_of_source = np.searchsorted(source, source)
            first_of_source[source == progress.source] -= progress.records
            record = pc.subtract(np.arange(1, len(source) + 1), first_of_source)
            progress.source, progress.records = int(source[-1]), record[-1].as_py()
            index = batch.column(0).cast(pa.int32())
            place = pc.add(batch.column(len(columns) + 1).cast(pa.int64()), 1) if offset else record
            rows = pa.RecordBatch.from_arrays(
                [
                    *batch.columns[1 : len(columns) + 1],
                    days.take(index),
                    pa.DictionaryArray.from_arrays(name_of.take(index), pa.array([*names])),
                    place,
                    *batch.columns[len(columns) + len(offset) + 1 :],
                ],
                schema=schema,
            )
            begin = max(progress.skip - record[0].as_py() + 1, 0)
            yield rows.slice(min(begin, len(record))) if progress.skip else rows
