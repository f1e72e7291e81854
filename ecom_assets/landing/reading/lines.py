"""The lines of text files and the fields of CSV records, one by one, with the reason if one cannot be read."""

import gzip
import io
import re
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections import deque
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from ecom_assets.landing.reading.records import LAND_WHOLE, OURS, RAW_LIMIT, RECORD_LIMIT, Dialect, Record, Unreadable

UNPACKED_LIMIT, UNPACKED_RATIO = 64 << 20, 250
"""A gzip file is read up to this many bytes and this many times its size. Exports reach a tenth of that."""


def unpacked_limit(packed: int) -> int:
    """Returns the bytes to which a gzip file of a size in bytes may unpack."""
    return max(UNPACKED_LIMIT, packed * UNPACKED_RATIO)


class Line(NamedTuple):
    """A line with its end, or with the reason why it cannot be read."""

    number: int
    content: bytes
    problem: str | None = None


def read_lines(path: Path, encoding: str) -> Iterator[Line]:
    """Yields the lines of a plain or gzipped file, within the limits of a record and of unpacking, as UTF-8.

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


def _chunks(path: Path, encoding: str) -> Iterator[bytes]:
    """Yields the file's bytes, unpacked, as UTF-8 without a byte-order mark. Raises Unreadable where they break off.

    A byte that is invalid in the encoding becomes a surrogate, which is invalid UTF-8 too.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        assert isinstance(stream, gzip.GzipFile | io.BufferedReader)

        def pieces() -> Iterator[bytes]:
            room = unpacked_limit(path.stat().st_size)
            try:
                while piece := stream.read1(1 << 18):
                    room -= len(piece)
                    if room < 0 and isinstance(stream, gzip.GzipFile):
                        raise Unreadable(
                            f"the gzip file unpacks to more than {UNPACKED_RATIO} times its size; {LAND_WHOLE} in parts"
                        )
                    yield piece
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise Unreadable(f"the gzip file is cut off or damaged here ({error}); {LAND_WHOLE}") from error

        parts = pieces()
        first = next(parts, b"")
        while 0 < len(first) < len(BOM_UTF8) and (more := next(parts, b"")):
            first += more
        if first.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            encoding = "utf-16"
        if encoding != OURS.encoding:
            byte_by_byte = "\n".encode(encoding) == b"\n"  # else one that is left out moves all that follow
            decoder = getincrementaldecoder(encoding)("surrogateescape" if byte_by_byte else "strict")
            try:
                yield decoder.decode(first).removeprefix("\ufeff").encode(errors="surrogatepass")
                for part in parts:
                    yield decoder.decode(part).encode(errors="surrogatepass")
                yield decoder.decode(b"", final=True).encode(errors="surrogatepass")
            except UnicodeError as error:
                raise Unreadable(f"the {encoding} text breaks off here ({error}); {LAND_WHOLE}") from error
        else:
            yield first.removeprefix(BOM_UTF8)
            yield from parts


def _line(number: int, content: bytes, encoding: str, is_cut: bool) -> Line:
    if is_cut or len(content) > RECORD_LIMIT:
        return Line(number, content, f"longer than {RECORD_LIMIT} bytes; split it and land the file again")
    if encoding != OURS.encoding:
        shown = content.decode(errors="surrogatepass").encode(errors="backslashreplace")
        if shown != content:
            return Line(
                number, shown, f"contains bytes that are not {encoding} text; correct it and land the file again"
            )
    return Line(number, content)


def decoded(content: bytes) -> str:
    """Returns the text of a record. Raises Unreadable if it is not UTF-8."""
    if b"\0" in content:
        raise Unreadable("contains a NUL byte; write the file as UTF-8 text and land it again")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        wrong = content[error.start]
        raise Unreadable(
            f"byte 0x{wrong:02X} at position {error.start + 1} is not UTF-8; write the file as UTF-8 and land it again"
        ) from error


def unreadable_record(line: Line, content: bytes, reason: str) -> Record:
    """Returns an unreadable record that starts on the line, with the reason.

    Only the last line of a file can have no line end: if it cannot be read, the file is cut off in it.
    """
    if not content.endswith((b"\n", b"\r")) and len(content) < RECORD_LIMIT and LAND_WHOLE not in reason:
        reason += f". The file ends in this line; if it is cut off, {LAND_WHOLE}"
    text = content[:RAW_LIMIT].decode(errors="backslashreplace").rstrip("\r\n").replace("\0", "\\x00")
    more = f" … ({len(content)} bytes)" if len(content) > RAW_LIMIT else ""
    return Record((), problem=f"line {line.number}: {reason}", raw=text + more)


_QUOTED = re.compile(r' *"((?:[^"]|"")*+)("?)')


def csv_fields(text: str, delimiter: str) -> list[str] | None:
    """Returns the fields of a CSV record, or None while a quote is open. Raises Unreadable if quoting is broken."""
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


_SEPARATOR = re.compile(rb'"?sep=([^"\r\n])"?\r?\n?', re.IGNORECASE)


def separator(line: bytes) -> str | None:
    """Returns the delimiter that a line such as sep=; says, which Excel writes before the header; None for others."""
    found = _SEPARATOR.fullmatch(line.removeprefix(BOM_UTF8))
    return found[1].decode("latin-1") if found else None


def csv_body(path: Path, dialect: Dialect) -> tuple[Iterator[Line], str]:
    """Returns the lines of a CSV file from its header on, and its delimiter."""
    lines, delimiter = read_lines(path, dialect.encoding), dialect.delimiter
    lines = islice(lines, dialect.heading_lines, None)
    first = next(lines, None)
    if first and not first.problem and (said := separator(first.content)):
        return lines, said
    return chain([first] if first else [], lines), delimiter


def csv_rows(lines: Iterator[Line], delimiter: str) -> Iterator[tuple[Line, bytes, list[str] | Unreadable]]:
    """Yields each record's first line, bytes and fields, or the reason why it has no fields.

    An unclosed quote costs only its own line: reading continues with the next.
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
            fields = csv_fields(decoded(content).rstrip("\r\n"), delimiter)
            while fields is None:
                following = waiting.popleft() if waiting else next(lines, None)
                taken += [following] if following else []
                if not following or following.problem or len(content) + len(following.content) > RECORD_LIMIT:
                    waiting.extendleft(reversed(taken))
                    content = line.content
                    is_last = not following and not taken
                    advice = f"before the file ends; {LAND_WHOLE}" if is_last else "; close it and land the file again"
                    raise Unreadable(f"a quote is opened and never closed{' ' if is_last else ''}{advice}")
                content += following.content
                if b'"' in following.content:
                    fields = csv_fields(decoded(content).rstrip("\r\n"), delimiter)
        except Unreadable as problem:
            yield line, content, problem
        else:
            yield line, content, fields
