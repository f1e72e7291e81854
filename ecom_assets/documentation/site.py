"""The catalogue: a site of static pages on tables, columns, where these come from and how good they are."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ecom_assets import catalog
from ecom_assets.contract import Layer
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.documentation.dictionary import facts_of, kind_of, reach_text, rules_of
from ecom_assets.documentation.html import page, unit
from ecom_assets.documentation.pictures import Arrow, Picture, picture
from ecom_assets.documentation.profiles import Shown, kept_profiles, moment
from ecom_assets.engine.compiling import compiled
from ecom_assets.exports.star import DATES, relationships
from ecom_assets.exports.tables import exported
from ecom_assets.landing.files import replace_file
from ecom_assets.quality.data_quality import DAYS, Quality, quality
from ecom_assets.serving.ledger import snapshot_name
from ecom_assets.serving.published_tables import BESIDE_THE_LAYERS, PublishedColumn, PublishedTable, PublishedView

BESIDE = "beside"
"""What is published beside the layers."""
PROFILES = "profiles"
_INDEX = "index.html"

Place = tuple[str, str]
"""A table and one of its columns."""


class Lineage:
    """From which columns each column of the tables is computed, and which are computed from it."""

    def __init__(self, tables: Catalog, told: Callable[[str, float], object] = lambda step, share: None) -> None:
        self.sources: dict[Place, list[Place]] = {}
        self.readers: dict[Place, list[Place]] = {}
        self.unknown: set[str] = set()
        """Tables of which it is not known: they are made in memory."""
        for n, table in enumerate(tables):
            told(table.name, n / len(tables))
            if table.is_bronze:
                continue
            found = compiled(table, tables)
            if found.transform is None or (not found.lineage and any(read.parameter for read in table.reads)):
                self.unknown.add(table.name)
            for one in found.lineage:
                at, source = (table.name, one["column_name"]), (one["from_table"], one["from_column"])
                self.sources.setdefault(at, []).append(source)
                self.readers.setdefault(source, []).append(at)

    def feeds(self, at: Place) -> list[Place]:
        """Returns the columns of bronze from which a column comes in the end."""
        return sorted(place for place in _reached(at, self.sources) if place[0].startswith(f"{Layer.BRONZE}."))

    def reached(self, at: Place) -> list[str]:
        """Returns the tables that have columns computed from a column, directly or indirectly."""
        return sorted({table for table, _ in _reached(at, self.readers)})


def _reached(at: Place, edges: Mapping[Place, Sequence[Place]]) -> set[Place]:
    found, todo = set[Place](), [at]
    while todo:
        for place in edges.get(todo.pop(), ()):
            if place not in found:
                found.add(place)
                todo.append(place)
    return found


@dataclass(frozen=True)
class ColumnShown:
    """A column on the page of its table."""

    name: str
    kind: str
    unit: str
    may_be_null: bool
    personal: bool
    description: str
    facts: Sequence[str] = ()
    sources: Sequence[Place] = ()
    feeds: Sequence[Place] = ()
    readers: Sequence[Place] = ()
    reached: Sequence[str] = ()


@dataclass(frozen=True)
class TableShown:
    """What the page of a table says of it."""

    name: str
    group: str
    description: str
    columns: Sequence[ColumnShown]
    key: Sequence[str] = ()
    day: str | None = None
    reads: Sequence[tuple[str, str]] = ()
    read_by: Sequence[str] = ()
    rules: Sequence[str] = ()
    queries: Mapping[str, str] | None = None
    is_traced: bool = False
    """Whether it is known from which columns its columns are computed."""
    feed: str | None = None
    """The feed of which it has the rows as sent."""
    file: str | None = None
    """The file that declares it, from the project's folder."""


def href(table: str) -> str:
    """Returns the name of the page of a table; `quarantine.*` stands for one table per feed."""
    return f"{table.removesuffix('.*')}.html"


def declared(declaration: Declaration, tables: Catalog, lineage: Lineage, currency: str) -> TableShown:
    """Returns what is declared of a table."""
    promise = declaration.contract
    name, columns = promise.name, []
    for column in promise.columns.values():
        at, (kind, may_be_null) = (name, column.name), kind_of(column, declaration)
        columns.append(
            ColumnShown(
                *(column.name, kind, "" if declaration.is_bronze else unit(column, currency), may_be_null),
                *(column.personal, column.description, list(facts_of(column, declaration))),
                *(lineage.sources.get(at, ()), lineage.feeds(at)),
                *(sorted(lineage.readers.get(at, ())), lineage.reached(at)),
            )
        )
    return TableShown(
        *(name, str(promise.layer), promise.description, columns),
        key=() if declaration.is_bronze else promise.primary_key,
        day=promise.partition_column,
        reads=[(read.table, reach_text(read.reach)) for read in declaration.reads],
        read_by=sorted({other.name for other in tables for read in other.reads if read.table == name}),
        rules=list(rules_of(declaration)),
        queries=dict([declaration.view]) if declaration.view else None,
        is_traced=not declaration.is_bronze and name not in lineage.unknown,
        feed=declaration.feed_name if declaration.is_bronze else None,
        file=f"ecom_assets/{name.replace('.', '/')}.py",
    )


def beside(table: PublishedTable) -> TableShown:
    """Returns what is declared of a table that is published beside the layers."""
    columns = [_published(column) for column in table.columns]
    query = table.query if isinstance(table, PublishedView) else None
    extends = table.extends if isinstance(table, PublishedView) else None
    reads = [(extends, "all its columns come first")] if extends else []
    queries = {table.name: query} if query else None
    key = table.key if isinstance(table, PublishedView) else ()
    return TableShown(table.name, BESIDE, table.row, columns, key, reads=reads, queries=queries)


def _published(column: PublishedColumn) -> ColumnShown:
    return ColumnShown(column.name, column.sql_type, "", True, column.personal, column.description)


def references(tables: Iterable[Declaration]) -> Iterator[Arrow]:
    """Yields what columns of silver refer to: rows that must exist, merged numbers, and rates."""
    for table in tables:
        if table.is_bronze:
            continue
        for column in table.contract.columns.values():
            named = {"key": column.references, "merges": column.merged_by, "rates": column.converted_by}
            yield from (Arrow(table.name, column.name, target, text) for text, target in named.items() if target)


def star(tables: Iterable[Declaration]) -> Iterator[Arrow]:
    """Yields which columns of facts, aggregates and measures are keys of dimensions, but for their days."""
    for found in relationships(exported(tables)):
        if found.dimension != DATES:
            yield Arrow(found.table, found.column, found.dimension, f"key {found.key}")


def layers(tables: Catalog) -> Picture:
    """Returns the picture of the layers, with the number of tables that read each."""
    reading: dict[tuple[str, str], set[str]] = {}
    for table in tables:
        layer = table.contract.layer
        for read in table.reads:
            source = tables[read.table].contract.layer
            if source is not layer:
                reading.setdefault((source, layer), set()).add(table.name)
        if table.is_bronze:
            reading.setdefault(("landing zone", layer), set()).add(table.name)
    arrows = [Arrow(source, f"{len(names)} of {layer}", layer) for (source, layer), names in reading.items()]
    return picture(arrows, box_width=150, gap=70)


def write(
    tables: Catalog,
    folder: Path,
    currency: str | None = None,
    profiles: Path | None = None,
    con: duckdb.DuckDBPyConnection | None = None,
    told: Callable[[str, float], object] = lambda step, share: None,
) -> list[TableShown]:
    """Writes the site, and returns the tables that have a page.

    `con` reads the snapshot, if there is one, for the quality of its tables; profiles in the folder `profiles` are
    copied. `told` gets the next table and the share that is done. Raises OSError.
    """
    lineage = Lineage(tables, told)
    shown = [declared(table, tables, lineage, currency or "shop currency") for table in tables]
    shown = sorted([*shown, *map(beside, BESIDE_THE_LAYERS)], key=lambda table: table.name)
    rated: dict[str, Quality] = {one.name: one for one in quality(con)} if con else {}
    common = {
        "href": href,
        "known": {table.name for table in shown},
        "places_known": {(table.name, column.name) for table in shown for column in table.columns},
        "published": moment(snapshot_name(con)) if con else None,
    }
    if profiles and (profiles / _INDEX).exists():
        replace_file(folder / PROFILES / _INDEX, (profiles / _INDEX).read_bytes())
    for table in shown:
        profile = _copied(profiles, folder / PROFILES, table.name) if profiles else None
        about = {"table": table, "quality": rated.get(table.name), "profile": profile, "days": DAYS}
        replace_file(folder / href(table.name), page("table.html", **common, **about).encode())
    groups: dict[str, str] = {layer: str(package.__doc__) for layer, package in catalog.LAYERS.items()}
    groups[BESIDE] = "What the snapshot has beside the tables of the layers."
    index = {"groups": groups, "shown": shown, "entries": list(_entries(shown)), "layers": layers(tables)}
    replace_file(folder / _INDEX, page("catalogue.html", **common, **index).encode())
    declarations = sorted(tables, key=lambda table: table.name)
    pictures = {
        "What rows of silver refer to": picture(list(references(declarations))),
        "Which columns are keys of dimensions": picture(list(star(declarations))),
    }
    replace_file(folder / "relations.html", page("relations.html", **common, pictures=pictures).encode())
    return shown


def _copied(profiles: Path, folder: Path, table: str) -> Shown | None:
    """Copies the profile of a table, and returns it; None if there is none."""
    source, kept = profiles / f"{table}.html", kept_profiles(profiles / f"{table}.json")
    if not kept or not source.exists():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / source.name)
    return Shown.newest(kept)


def _entries(shown: Iterable[TableShown]) -> Iterator[tuple[str, str, str]]:
    """Yields what can be searched: name, address and description of each table and column."""
    for table in shown:
        yield table.name, href(table.name), table.description.partition("\n")[0].replace("`", "")
        for column in table.columns:
            yield (
                f"{table.name}.{column.name}",
                f"{href(table.name)}#{column.name}",
                column.description.replace("`", ""),
            )
