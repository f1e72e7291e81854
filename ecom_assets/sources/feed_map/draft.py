"""A first draft of a map, from the files of a folder: what can be guessed, and questions where nothing can."""

import datetime as dt
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from ecom_assets.contract import FeedContract
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.reading import Dialect, header
from ecom_assets.landing.reading.lines import read_lines
from ecom_assets.landing.zone import LandedFile, kind_of
from ecom_assets.settings import PACKAGE
from ecom_assets.sources.feed_map.model import FeedMap
from ecom_assets.sources.feed_map.reader import load_map
from ecom_assets.sources.json_records import write_lines
from ecom_assets.sql import connect, identifier, literal

_DAY = re.compile(r"\d{4}[-_.]?\d{2}[-_.]?\d{2}")
_DELIMITERS = ",;\t|"
_RECORDS = 100
"""Number of records of JSON that are looked at in a file."""
_MEANINGS = {
    "id": ("number", "no", "key", "code"),
    "ordered_at": ("created_at", "order_date", "date", "day", "purchased_at"),
    "updated_at": ("modified_at", "updated", "last_modified"),
    "changed_at": ("updated_at", "created_at", "date"),
    "returned_at": ("created_at", "refunded_at", "date"),
    "paid_at": ("processed_at", "created_at", "date"),
    "quantity": ("qty", "units", "count"),
    "unit_price": ("price", "item_price"),
    "product_id": ("sku", "item", "stock_code", "article", "variant_id"),
    "customer_id": ("customer", "buyer", "client"),
    "order_id": ("order", "invoice", "invoice_no", "order_number"),
    "shipping": ("shipping_total",),
    "tax": ("total_tax", "tax_total"),
    "discount": ("total_discount", "discount_total", "rebate"),
    "total": ("total_price", "grand_total"),
    "subtotal": ("subtotal_price",),
    "method": ("gateway", "payment_method"),
    "name": ("title",),
}
_CALLED = {
    "order_items": ("line_items", "lines", "items", "order_lines", "positions"),
    "returns": ("refunds",),
    "payments": ("transactions",),
    "shipments": ("fulfillments", "parcels"),
}
"""Other names of feeds, of files and of arrays in JSON."""
_FEW = 0.3
"""Share of a feed's required columns below which nothing is known of a file."""
_LIKE_A_SHIPPED_MAP = 0.5
"""Share of a file's columns from which on the map that names them may be meant."""


@dataclass(frozen=True)
class _Kind:
    """Files of one kind: their pattern, their columns, which of them are nested, and the keys in arrays of objects."""

    pattern: str
    columns: tuple[str, ...]
    delimiter: str
    nested: frozenset[str] = frozenset()
    arrays: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


def draft(folder: Path) -> str:
    """Returns the text of a map of the files in a folder, with what is not known as comments; empty without files."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    kinds: dict[_Kind, list[Path]] = {}
    for path in paths:
        if (kind := _kind(path, _DAY.sub("*", path.relative_to(folder).as_posix()))) is not None:
            kinds.setdefault(kind, []).append(path)
    sources, feeds = list[str](), list[str]()
    taken: dict[str, str] = {}
    for number, (kind, some) in enumerate(kinds.items(), 1):
        name = re.sub(r"\W+", "_", re.sub(r"\.\w+(\.gz)?$|\*", "", kind.pattern)).strip("_").lower()
        name = name if name and not name[0].isdigit() and name not in taken.values() else f"source_{number}"
        sources += ["", *_source(name, kind, some)]
        plain = [column for column in kind.columns if column not in kind.nested]
        feed = _feed_of(name, plain, [feed for feed in feed_contracts() if feed not in taken])
        taken[feed] = name
        feeds += ["", *_feed(feed, name, plain, sorted(kind.nested))]
        for key, columns in kind.arrays.items():
            inner = next((one for one, called in _CALLED.items() if key.lower() in (one, *called)), None)
            if inner and inner not in taken:
                taken[inner] = name
                feeds += ["", *_feed_of_array(inner, name, key, columns, plain)]
    head = [
        "# A draft: columns and files are guesses by their names. Answer the questions, then look at what it makes:",
        f"# ecom land --check MAP {folder}",
        *_shipped(list(kinds), folder),
    ]
    return "\n".join([*head, *sources, *feeds, ""]) if sources else ""


def _source(name: str, kind: _Kind, paths: Sequence[Path]) -> Iterator[str]:
    yield f"[sources.{name}]"
    yield f"files = {json.dumps(kind.pattern)}"
    if _DAY.search(paths[0].name):
        yield f"arrival_day = {{ file_name = {json.dumps(_DAY.sub('{day}', paths[0].name, count=1))} }}"
    elif _DAY.search(str(paths[0].parent.name)):
        yield f"arrival_day = {{ path = {json.dumps('*{day}/' + paths[0].name)} }}"
    else:
        day = dt.datetime.fromtimestamp(paths[0].stat().st_mtime, dt.UTC).date()
        yield f"arrival_day = {{ fixed = {day} }} # question: on which day did it arrive, or which column says it?"
    if kind.delimiter != ",":
        yield f"delimiter = {json.dumps(kind.delimiter)}"
    yield '# question: time_zone = "Europe/Berlin"? currency = "EUR"? decimal = ","?'


def _feed(feed: str, source: str, columns: Sequence[str], nested: Sequence[str]) -> Iterator[str]:
    matches = _matches(feed_contracts()[feed], columns)
    yield f"[feed.{feed}] # question: is this what the lines of {source} are?"
    yield f"source = {json.dumps(source)}"
    yield ""
    yield f"[feed.{feed}.columns]"
    for column in feed_contracts()[feed].columns.values():
        if column.name in matches:
            yield f"{column.name} = {json.dumps(matches[column.name])}"
        elif not column.nullable:
            yield f'# {column.name} = "…" # question: {column.description}'
    if others := [name for name in columns if name not in matches.values()]:
        yield f"# not used: {', '.join(others)}"
    if nested:
        yield f"# nested, so that it takes SQL to read them, such as x->>'key': {', '.join(nested)}"


def _feed_of_array(feed: str, source: str, key: str, columns: Sequence[str], of_record: Sequence[str]) -> Iterator[str]:
    """Yields a statement that makes a row of each element of an array."""
    inner = _matches(feed_contracts()[feed], columns)
    outer = _matches(feed_contracts()[feed], of_record)
    if "id" in of_record:
        outer["order_id"] = "id"
    counted = {name for name, one in feed_contracts()[feed].columns.items() if one.kind in ("decimal", "integer")}
    values = {"order_id": f"o.{_name(outer['order_id'])}"} if "order_id" in outer else {}
    values |= {"line_number": "n"} if "line_number" in feed_contracts()[feed].primary_key else {}
    values |= {name: f"item->>{literal(theirs)}" for name, theirs in inner.items() if name not in values}
    values |= {name: f"o.{_name(theirs)}" for name, theirs in outer.items() if name not in {*values, *counted}}
    yield f"[feed.{feed}] # question: is this what {key} in the records of {source} are?"
    yield 'sql = """'
    yield "select"
    chosen = [f"    {value} as {name}" for name, value in values.items()]
    yield ",\n".join(chosen)
    for column in feed_contracts()[feed].columns.values():
        if column.name not in values and not column.nullable:
            yield f"    -- , … as {column.name} -- question: {column.description}"
    yield f"from {source} o, unnest(items(o.{_name(key)})) with ordinality as t(item, n)"
    yield '"""'
    if others := [name for name in columns if name not in inner.values()]:
        yield f"# not used of {key}: {', '.join(others)}"


def _name(column: str) -> str:
    """Returns a column's name in SQL, quoted if it must be."""
    is_plain = re.fullmatch(r"[a-z_][a-z0-9_]*", column) and column not in _reserved()
    return column if is_plain else identifier(column)


@cache
def _reserved() -> frozenset[str]:
    with connect() as con:
        rows = con.execute("select keyword_name from duckdb_keywords() where keyword_category = 'reserved'").fetchall()
    return frozenset(name for [name] in rows)


def _shipped(kinds: Sequence[_Kind], folder: Path) -> Iterator[str]:
    """Yields a line about the map that ships and names most of the columns of these files, if it names many."""
    shares = dict[str, float]()
    for path in sorted((PACKAGE / "sources" / "maps").glob("*.toml")):
        shipped = load_map(path)
        known = _names_of(shipped)
        for kind in kinds:
            if any(
                fnmatch(kind.pattern, (source.files or "").replace("**/", "*")) for source in shipped.sources.values()
            ):
                share = sum(name.lower() in known for name in kind.columns) / len(kind.columns)
                shares[path.stem] = max(share, shares.get(path.stem, 0))
    if shares and (best := max(shares, key=shares.__getitem__)) and shares[best] >= _LIKE_A_SHIPPED_MAP:
        yield f"# These look like files that the map {best} reads, which ships: ecom land --check {best} {folder}"


def _names_of(feed_map: FeedMap) -> set[str]:
    names = {name.lower() for source in feed_map.sources.values() for name in source.optional}
    return names | {name for query in feed_map.queries for name in query.columns}


def _feed_of(source: str, columns: Sequence[str], feeds: Sequence[str]) -> str:
    """Returns the feed whose name the files have, or of whose required columns the most are found, by share.

    Where few are found, the lines of orders are as good a guess as any.
    """

    def share(feed: str) -> float:
        contract = feed_contracts()[feed]
        required = [column.name for column in contract.columns.values() if not column.nullable]
        matches = _matches(contract, columns)
        is_called = any(name in source for name in (feed, *_CALLED.get(feed, ())))
        return is_called + sum(name in matches for name in required) / len(required) + len(matches) / 100

    best = max(feeds, key=share)
    return best if share(best) >= _FEW or "order_items" not in feeds else "order_items"


def _matches(contract: FeedContract, columns: Sequence[str]) -> dict[str, str]:
    """Returns, of a feed's columns, those that have a column of the files with a like name."""
    words = {name: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name) for name in columns}
    plain = {re.sub(r"[\W_]+", "_", words[name]).strip("_").lower(): name for name in columns}
    found: dict[str, str] = {}
    for column in contract.columns.values():
        is_number = column.name in contract.primary_key and column.name.endswith("_id")
        own_key = [*_MEANINGS["id"], "id"] if is_number else []
        for meant in (column.name, *_MEANINGS.get(column.name, ()), *own_key):
            close = difflib.get_close_matches(meant, plain, 1, cutoff=0.85 if meant == column.name else 1.0)
            if close and plain[close[0]] not in found.values():
                found[column.name] = plain[close[0]]
                break
    return found


def _kind(path: Path, pattern: str) -> _Kind | None:
    """Returns of which kind a file is; None if it cannot be read."""
    plain = path.name.removesuffix(".gz")
    if plain.endswith((".json", ".jsonl", ".ndjson")):
        return _kind_of_json(path, pattern)
    if kind_of(path.name) is None:
        return None
    file = LandedFile("", dt.date.min, path.name, str(path), path.stat().st_size, "")
    columns = header(file, Dialect(_delimiter(path)))
    return _Kind(pattern, columns, _delimiter(path)) if columns else None


def _kind_of_json(path: Path, pattern: str) -> _Kind | None:
    """Returns the kind of a file of JSON: the keys of its first records, and of the objects in their arrays."""
    with TemporaryDirectory(prefix="draft-") as scratch:
        lines = Path(scratch) / "lines.jsonl"
        if path.name.removesuffix(".gz").endswith(".json"):
            write_lines(path, lines, "utf-8")
        else:
            lines = path
        records = []
        for line in islice(read_lines(lines, "utf-8"), _RECORDS):
            try:
                records.append(json.loads(line.content))
            except ValueError:
                continue
    keys: dict[str, None] = {}
    nested = set[str]()
    arrays: dict[str, dict[str, None]] = {}
    for record in [each for each in records if isinstance(each, dict)]:
        keys |= dict.fromkeys(record)
        for key, value in record.items():
            nested |= {key} if isinstance(value, list | dict) else set()
            for element in value if isinstance(value, list) else ():
                if isinstance(element, dict):
                    arrays.setdefault(key, {}).update(dict.fromkeys(element))
    found = {key: tuple(columns) for key, columns in arrays.items()}
    return _Kind(pattern, tuple(keys), ",", frozenset(nested), found) if keys else None


def _delimiter(path: Path) -> str:
    """Returns the delimiter that the first line of a CSV file has most of."""
    if path.suffix != ".csv":
        return ","
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = next(islice(lines, 1), "")
    return max(_DELIMITERS, key=first.count)
