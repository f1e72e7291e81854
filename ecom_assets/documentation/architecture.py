"""The architecture page: who is responsible for what, and which table is made of which, from the declarations."""

from collections.abc import Iterator
from pathlib import Path

from ecom_assets import catalog

HEAD = """\
# Architecture

Generated from the declarations by `ecom dictionary`; changes belong there.

One flow, one direction. Each arrow has one module that is responsible for it:

| from | to | module |
| --- | --- | --- |
| a shop's exports | landing zone | `sources/feed_map/`, by a feed map |
| the synthetic shop | landing zone | `sources/synthetic.py` |
| landed files | rows of text | `landing/reading/` |
| bronze text | typed rows, with what could not be read | `engine/duckdb/parsing.py` |
| a table's transform and reach | the frames it reads, the rows it gives | the table's own file |
| rows | stored table-days, judged, all in one transaction | `warehouse/` |
| stored table-days | what is stale, and why | `warehouse/ledger/` |
| what is stale | the runs that repair it | `warehouse/repair.py` |
| a run of Dagster | reads and writes of the warehouse | `orchestration/io_manager.py` |
| the warehouse | the snapshot that everybody reads | `publishing/snapshot.py` |

A table is declared once, in one file: a contract, a transform, and how far each day reaches into its inputs.
`table_asset.py` makes the Dagster asset of it, `catalog.py` finds them all. The contract knows neither Dagster nor
DuckDB; what differs by engine is in `engine/`.

## What is made of what

A plain arrow is read on the same day; a labelled one reaches further; a dotted one is a reference.

"""


def text() -> str:
    """The page, in Markdown with a Mermaid graph."""
    return HEAD + "\n".join(["```mermaid", "graph LR", *_edges(), "```", ""])


def write(path: Path) -> None:
    """Write the page to a file, in UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(), encoding="utf-8")


def _edges() -> Iterator[str]:
    for declaration in sorted(catalog.tables(), key=lambda table: table.name):
        for read in declaration.reads:
            label = "" if read.reach.is_same_day and not read.reach.by_event else f"|{read.reach.name}|"
            yield f"    {read.table} -->{label} {declaration.name}"
        for column in declaration.loose_references:
            yield f"    {column.references} -.-> {declaration.name}"
