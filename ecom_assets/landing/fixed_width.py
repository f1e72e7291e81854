"""Files of fixed width: each field of a line stands where the layout says, and nothing separates them."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice, pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ecom_assets.landing.reading import PROBLEM, RAW

_BATCH_LINES = 20_480


@dataclass(frozen=True)
class Layout:
    """Where fields stand in a line: their first and last character, counted from 1. Heading lines are passed over."""

    places: Mapping[str, tuple[int, int]]
    heading_lines: int = 0

    @property
    def width(self) -> int:
        return max(last for _, last in self.places.values())

    def beside(self, line: str) -> str:
        """What a line holds where no field stands."""
        ends = [(0, 0), *sorted(self.places.values()), (len(line) + 1, 0)]
        return "".join(line[last : first - 1] for (_, last), (first, _) in pairwise(ends)).strip()


def write_parquet(source: Path, target: Path, layout: Layout, encoding: str) -> None:
    """Write the lines of a plain or gzipped file as Parquet, for `reading.read`.

    Fields are text without the blanks around them, null where blank. A line that ends too early, holds text beside
    its fields, or cannot be decoded becomes a record with that problem.
    """
    records = _records(source, layout, encoding)
    schema = pa.schema([(name, pa.string()) for name in (*layout.places, PROBLEM, RAW)])
    with pq.ParquetWriter(target, schema) as writer:
        while some := list(islice(records, _BATCH_LINES)):
            writer.write_batch(pa.RecordBatch.from_pylist(some, schema))


def _records(source: Path, layout: Layout, encoding: str) -> Iterator[dict[str, str | None]]:
    number = 0
    with (
        gzip.open(source) if source.suffix == ".gz" else source.open("rb") as content,
        TextIOWrapper(content, encoding, errors="surrogateescape") as lines,
    ):
        try:
            for number, text in enumerate(lines, 1):
                line = text.rstrip("\n")
                if number > layout.heading_lines and line.strip():
                    yield _record(number, line, layout, encoding)
        except (EOFError, OSError, zlib.error, UnicodeError) as error:
            reason = f"the file breaks off or is damaged here ({error}); land the whole file"
            yield {PROBLEM: f"line {number + 1}: {reason}", RAW: ""}


def _record(number: int, line: str, layout: Layout, encoding: str) -> dict[str, str | None]:
    readable = line.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    problem = None
    if readable != line:
        problem = f"holds bytes that are not {encoding} text"
    elif len(line) < layout.width:
        problem = f"ends at character {len(line)}, where the map's places go to {layout.width}"
    elif beside := layout.beside(line):
        problem = f"holds {beside!r} where the map places nothing"
    if problem:
        return {PROBLEM: f"line {number}: {problem}; correct it and land the file again", RAW: readable}
    return {name: line[first - 1 : last].strip() or None for name, (first, last) in layout.places.items()}
