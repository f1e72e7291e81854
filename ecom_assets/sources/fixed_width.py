"""Fixed-width files: each field of a line has a fixed position, without separators."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ecom_assets.landing.reading.lines import decoded, read_lines, unreadable_record
from ecom_assets.landing.reading.records import PROBLEM, RAW, Unreadable

_BATCH_LINES = 20_480
_SHOWN = 100


@dataclass(frozen=True)
class Layout:
    """The first and last character of each field, counted from 1. Heading lines are skipped."""

    places: Mapping[str, tuple[int, int]]
    heading_lines: int = 0

    @property
    def width(self) -> int:
        return max(last for _, last in self.places.values())

    def outside(self, line: str) -> str:
        """Text of a line outside of its fields."""
        ends = [(0, 0), *sorted(self.places.values()), (len(line) + 1, 0)]
        return "".join(line[last : first - 1] for (_, last), (first, _) in pairwise(ends)).strip()


def write_parquet(source: Path, target: Path, layout: Layout, encoding: str) -> None:
    """Writes the lines of a plain or gzipped file as Parquet, for `reading.read`.

    Fields are text without surrounding blanks, null if blank. A line that ends too early, has text outside of its
    fields, is too long or cannot be decoded becomes a record with that problem.
    """
    records = _records(source, layout, encoding)
    schema = pa.schema([(name, pa.string()) for name in (*layout.places, PROBLEM, RAW)])
    with pq.ParquetWriter(target, schema) as writer:
        while some := list(islice(records, _BATCH_LINES)):
            writer.write_batch(pa.RecordBatch.from_pylist(some, schema))


def _records(source: Path, layout: Layout, encoding: str) -> Iterator[dict[str, str | None]]:
    for line in read_lines(source, encoding):
        try:
            if line.problem:
                raise Unreadable(line.problem)
            if line.number > layout.heading_lines and (text := decoded(line.content).rstrip("\r\n")).strip():
                yield _fields(text, layout)
        except Unreadable as problem:
            record = unreadable_record(line, line.content, str(problem))
            yield {PROBLEM: record.problem, RAW: record.raw}


def _fields(line: str, layout: Layout) -> dict[str, str | None]:
    if len(line) < layout.width:
        raise Unreadable(
            f"ends at character {len(line)}, but the map's places end at {layout.width}; "
            "correct it and land the file again"
        )
    if outside := layout.outside(line):
        raise Unreadable(f"has {outside[:_SHOWN]!r} outside of the map's places; correct it and land the file again")
    return {name: line[first - 1 : last].strip() or None for name, (first, last) in layout.places.items()}
