"""Records of a topic: which ones can land, and the line that they land as."""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from json.scanner import make_scanner
from typing import Any, NamedTuple

from ecom_assets.landing.streamed import OFFSET

SCHEMA_HEADER = "schema-version"
SCHEMAS = frozenset({b"1"})
"""The versions of the schema that can be read. A record without the header has the first."""
MAX_BYTES = (1 << 20) - 64
"""The longest value that can land: a line with its offset is a record that the landing zone can read."""


class Record(NamedTuple):
    """A record as a broker has it. The timestamp is in milliseconds since 1970, UTC."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Unreadable(Exception):
    """The reason why a record cannot land."""


@dataclass(frozen=True)
class FeedFacts:
    """What has to be known of a feed: its name, the columns that name a thing, and those with its moments."""

    name: str
    id_columns: tuple[str, ...]
    event_column: str | None = None
    moment_column: str | None = None
    """The column that orders the versions of a thing."""


def read_record(record: Record, feed: FeedFacts) -> tuple[bytes, dict[str, Any]]:
    """Returns a record's line, with its end, and the values in it. Raises Unreadable.

    The line has the value's bytes as they were sent, after the offset. What passes here can be read from the file.
    """
    for name, version in record.headers or ():
        if name == SCHEMA_HEADER and version not in SCHEMAS:
            shown = (version or b"").decode(errors="backslashreplace")
            raise Unreadable(f"its schema version {shown!r} is not known")
    if record.value is None:
        values = retraction(record, feed)
        return _line(record.offset, json.dumps(values, ensure_ascii=False).encode()), values
    value = record.value
    if len(value) > MAX_BYTES:
        raise Unreadable(f"it has {len(value):,} bytes, more than the {MAX_BYTES:,} that can land")
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 from byte {error.start + 1} on") from error
    try:
        values = _decode(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not JSON: {error}") from error
    if not isinstance(values, dict) or not values:
        raise Unreadable("it is not a JSON object with columns and values")
    if "\\u" in text:
        _refuse_odd_characters(values)
    value = value.strip(b" \t\r\n")
    if b"\n" in value or b"\r" in value:  # between values alone: within a text, JSON has them escaped
        value = value.replace(b"\n", b" ").replace(b"\r", b" ")
    return _line(record.offset, value), values


def retraction(record: Record, feed: FeedFacts) -> dict[str, Any]:
    """Returns the row that says that there is nothing with the key of a tombstone any more. Raises Unreadable."""
    try:
        key = (record.key or b"").decode()
        if len(feed.id_columns) == 1:
            [name] = feed.id_columns
            ids = {name: key}
        else:
            given = _decode(key)
            ids = {name: given[name] for name in feed.id_columns}
        _refuse_odd_characters(ids)
        if not all(ids.values()):
            raise ValueError("it is empty")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        named = " and ".join(feed.id_columns)
        raise Unreadable(f"it is a tombstone, and its key does not name {named} of {feed.name}: {error!r}") from error
    moment = dt.datetime.fromtimestamp(record.timestamp / 1_000, dt.UTC).isoformat()
    return {**ids, **({feed.moment_column: moment} if feed.moment_column else {}), "is_deleted": True}


def _line(offset: int, value: bytes) -> bytes:
    return b'{"%b":%d,%b\n' % (OFFSET.encode(), offset, value[1:])


def _refuse_odd_characters(values: dict[str, Any]) -> None:
    """Raises Unreadable for NUL and half surrogate pairs, which no table can store."""
    text = json.dumps(values, ensure_ascii=False)
    if "\\u0000" in text.replace("\\\\", ""):  # without backslashes that were escaped themselves
        raise Unreadable("it has a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unreadable("it has half a surrogate pair") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


_scan: Callable[[str, int], tuple[Any, int]] = make_scanner(
    json.JSONDecoder(parse_constant=_refuse_constant)  # type: ignore[arg-type]
)


def _decode(text: str) -> Any:
    """Returns the value of a JSON text, in half the time of `json.loads`. Raises ValueError."""
    text = text.strip(" \t\r\n")
    try:
        value, end = _scan(text, 0)
    except StopIteration as error:
        raise ValueError(f"no value at character {error.value + 1}") from error
    if end != len(text):
        raise ValueError(f"more text after the value, from character {end + 1} on")
    return value
