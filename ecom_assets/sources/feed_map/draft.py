"""A first draft of a map, from the files of a folder: what can be guessed, and questions where nothing can."""

import datetime as dt
import difflib
import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from ecom_assets.contract import FeedContract
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.reading import Dialect, header
from ecom_assets.landing.zone import LandedFile, kind_of

_DAY = re.compile(r"\d{4}[-_.]?\d{2}[-_.]?\d{2}")
_DELIMITERS = ",;\t|"
_MEANINGS = {
    "id": ("number", "no", "key", "code"),
    "ordered_at": ("created_at", "order_date", "date", "purchased_at"),
    "updated_at": ("modified_at", "updated", "last_modified"),
    "changed_at": ("updated_at", "created_at", "date"),
    "quantity": ("qty", "units", "count"),
    "unit_price": ("price", "item_price"),
    "product_id": ("sku", "item", "stock_code", "article"),
    "customer_id": ("customer", "buyer", "client"),
    "order_id": ("order", "invoice", "invoice_no", "order_number"),
}


def draft(folder: Path) -> str:
    """Returns the text of a map of the files in a folder, with what is not known as comments; empty without files."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    kinds: dict[tuple[str, tuple[str, ...], str], list[Path]] = {}
    for path in paths:
        if columns := _columns(path):
            delimiter = _delimiter(path)
            pattern = _DAY.sub("*", path.relative_to(folder).as_posix())
            kinds.setdefault((pattern, columns, delimiter), []).append(path)
    sources, feeds = list[str](), list[str]()
    taken: dict[str, str] = {}
    for number, ((pattern, columns, delimiter), some) in enumerate(kinds.items(), 1):
        name = re.sub(r"\W+", "_", re.sub(r"\.\w+(\.gz)?$|\*", "", pattern)).strip("_").lower() or f"source_{number}"
        name = name if not name[0].isdigit() and name not in taken.values() else f"source_{number}"
        sources += ["", *_source(name, pattern, delimiter, some)]
        feed = _feed_of(columns, [feed for feed in feed_contracts() if feed not in taken])
        taken[feed] = name
        feeds += ["", *_feed(feed, name, columns)]
    head = [
        "# A draft: columns and files are guesses by their names. Answer the questions, then look at what it makes:",
        f"# ecom land --check MAP {folder}",
    ]
    return "\n".join([*head, *sources, *feeds, ""]) if sources else ""


def _source(name: str, pattern: str, delimiter: str, paths: Sequence[Path]) -> Iterator[str]:
    yield f"[sources.{name}]"
    yield f"files = {json.dumps(pattern)}"
    if _DAY.search(paths[0].name):
        yield f"arrival_day = {{ file_name = {json.dumps(_DAY.sub('{day}', paths[0].name, count=1))} }}"
    elif _DAY.search(str(paths[0].parent.name)):
        yield f"arrival_day = {{ path = {json.dumps('*{day}/' + paths[0].name)} }}"
    else:
        day = dt.datetime.fromtimestamp(paths[0].stat().st_mtime, dt.UTC).date()
        yield f"arrival_day = {{ fixed = {day} }} # question: on which day did it arrive, or which column says it?"
    if delimiter != ",":
        yield f"delimiter = {json.dumps(delimiter)}"
    yield '# question: time_zone = "Europe/Berlin"? currency = "EUR"? decimal = ","?'


def _feed(feed: str, source: str, columns: Sequence[str]) -> Iterator[str]:
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


def _feed_of(columns: Sequence[str], feeds: Sequence[str]) -> str:
    """Returns the feed of whose required columns the most are found, by share."""

    def share(feed: str) -> float:
        contract = feed_contracts()[feed]
        required = [column.name for column in contract.columns.values() if not column.nullable]
        matches = _matches(contract, columns)
        return sum(name in matches for name in required) / len(required) + len(matches) / 100

    return max(feeds, key=share)


def _matches(contract: FeedContract, columns: Sequence[str]) -> dict[str, str]:
    """Returns, of a feed's columns, those that have a column of the files with a like name."""
    words = {name: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name) for name in columns}
    plain = {re.sub(r"[\W_]+", "_", words[name]).strip("_").lower(): name for name in columns}
    found: dict[str, str] = {}
    for column in contract.columns.values():
        own_key = [*_MEANINGS["id"], "id"] if column.name in contract.primary_key else []
        for meant in (column.name, *_MEANINGS.get(column.name, ()), *own_key):
            close = difflib.get_close_matches(meant, plain, 1, cutoff=0.85 if meant == column.name else 1.0)
            if close and plain[close[0]] not in found.values():
                found[column.name] = plain[close[0]]
                break
    return found


def _columns(path: Path) -> tuple[str, ...]:
    if path.name.removesuffix(".gz").endswith(".json"):
        return ("a JSON text: write its feeds in SQL",)
    if kind_of(path.name) is None:
        return ()
    file = LandedFile("", dt.date.min, path.name, str(path), path.stat().st_size, "")
    return header(file, Dialect(_delimiter(path))) or ()


def _delimiter(path: Path) -> str:
    """Returns the delimiter that the first line of a CSV file has most of."""
    if path.suffix != ".csv":
        return ","
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = next(islice(lines, 1), "")
    return max(_DELIMITERS, key=first.count)
