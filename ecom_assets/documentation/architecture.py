"""The architecture page: responsibilities of modules, and the graph of tables, from the declarations."""

from collections.abc import Iterator
from pathlib import Path

from ecom_assets import catalog

HEAD = """\
# Architecture

Generated from the declarations by `ecom dictionary`; changes belong there.

## The tree

Each part has one task, and imports only parts that come before it: a test holds every import against the list in
`ecom_assets_tests/test_project.py`. The one exception is `catalog.assets`, the door from the tables to Dagster.

| part of `ecom_assets/` | task |
| --- | --- |
| `settings.py`, `sql.py`, `errors.py` | settings with their places; SQL as text; errors that say what to do |
| `alerting/` | what fails becomes incidents, messages and deliveries; knows neither Dagster nor DuckDB |
| `postgres/` | connections to PostgreSQL, and its errors in sentences |
| `contract.py`, `days.py`, `declaration.py`, `table_asset.py` | what table files are written in |
| `expressions/` | what tables compute alike: money, dates, keys, versions, channels, measures |
| `feeds/` | what a shop may send: one contract per feed |
| `bronze/`, `silver/`, `gold/`, `kpi/`, `features/`, `predictions/` | one file per table; knows no Dagster or engine |
| `models/` | what is likely to happen: pure functions of frames that fit, predict and score |
| `catalog.py` | finds the tables |
| `shop/` | draws the rows of the synthetic shop |
| `sources/` | writes files into the landing zone: the synthetic shop, feed maps of a shop's own exports and database |
| `streaming/` | lands the records of Kafka's topics as files, each once; plays the synthetic shop into topics |
| `landing/` | the landing zone: which files arrived on which day, and their records as rows of text |
| `engine/` | turns transforms and rules into SQL, text into types, rows into hashes |
| `warehouse/` | writes table-days, repairs them, proves them equal to a full rebuild |
| `warehouse/ledger/` | what is known of each table-day: its state, its content, what it was made of, what is stale |
| `serving/` | reads the snapshot: its declared interface, the report, quarantined rows |
| `publishing/` | writes the snapshot |
| `exports/` | writes the snapshot's star schema and measures to files and to PostgreSQL; knows no Dagster |
| `quality/` | measures the published tables and the checks themselves |
| `monitoring/` | judges how the platform itself is, and examines what is wrong; knows no Dagster |
| `api/` | serves the snapshot over HTTP, and lands what clients write; knows no Dagster |
| `dashboard/` | charts of the snapshot: declarations, queries, figures, and the pages in Streamlit |
| `orchestration/` | everything that knows Dagster: assets, I/O manager, metadata, jobs, schedules, sensors, alerts |
| `documentation/` | writes this page, dictionary, catalogue, profiles, and how well anomalies are noticed |
| `definitions.py` | what Dagster loads, for the calendar of the settings |
| `cli/` | the `ecom` command |

A run goes through these parts in this order:

| from | to | by |
| --- | --- | --- |
| a shop's exports, or the synthetic shop | files in the landing zone | `sources/` |
| records of Kafka's topics | files in the landing zone | `streaming/` |
| landed files | rows of text | `landing/reading/` |
| rows of text | typed rows, with what could not be read | `engine/duckdb/parsing.py` |
| a table's transform and reach | the frames it reads, the rows it returns | the table's own file |
| rows | stored table-days, each judged, all in one transaction | `warehouse/` |
| stored table-days | stale table-days, and why | `warehouse/ledger/staleness.py` |
| stale table-days | the run that repairs them | `warehouse/repair.py` |
| a run of Dagster | reads and writes of the warehouse | `orchestration/io_manager.py` |
| a user's own asset | frames of our tables, and a table of its own | `orchestration/plain.py` |
| the warehouse | the snapshot that everybody reads | `publishing/snapshot.py` |
| changes of verdicts | events in the store of alerts | `warehouse/relay.py` |
| events | messages, and their delivery | `alerting/incidents.py`, `alerting/delivery.py` |

## Where is, where would go

| question | answer |
| --- | --- |
| Where is a late row noticed? | `warehouse/ledger/staleness.py`: the fingerprint of a day's inputs changes |
| Where is it decided which days a changed row of a dimension concerns? | `warehouse/keys.py`, by the keys of each day |
| Where is a bad row quarantined? | `warehouse/silver.py`: each bronze row ends as accepted, quarantined or superseded |
| Where does the UI get its text from? | `orchestration/metadata.py` |
| Where does a record of Kafka become a file? | `streaming/landing.py`; nothing after that changes |
| Where is it decided which text is a valid amount or date? | `engine/duckdb/parsing.py` |
| Where are net sales defined? | `expressions/measures.py` |
| Where does it say how far back a table reads? | `reads=` in the table's own file; the kinds of reach in `days.py` |
| Where is it decided which tables repair a correction? | `warehouse/repair.py` |
| Where is it decided which alerts are one message? | `alerting/grouping.py` |
| Where does the API decide which rows are asked for? | `api/questions.py` |
| Where does what a client writes become a file? | `api/inbox.py` |
| Where would another chart go? | `dashboard/today.py` and its neighbours, one per page |
| Where would another model go? | `models/`, one file each, with its floors |
| Where would another channel for alerts go? | `alerting/channels/` |
| Where is it decided what is critical in the monitoring report? | `monitoring/`, one module per group of parts |
| Where is it decided what is wrong with an installation? | `monitoring/doctor.py` |
| Where is it decided what is kept for a while only? | `orchestration/retention.py` |
| Where would another format of exports go? | `exports/`, and into `FORMATS` of `exports/export.py` |
| Where is it decided what a profile shows, and which changes it names? | `quality/profiles.py` |
| Where is it decided which rows of a shop's own database are new? | `sources/feed_map/extract.py` |
| Where is it decided which table-days are written to PostgreSQL? | `exports/postgres.py` |
| Where are the columns of the published ledger declared? | `serving/published_tables.py` |
| What has to change if Dagster's internals do? | `orchestration/_dagster.py` |
| Where is incremental shown to equal a full rebuild? | `warehouse/proof.py`, `ecom_assets_tests/test_histories.py` |

## Graph of tables

A plain arrow is a same-day read, a labelled one has another reach, a dotted one is a reference, or the rates that
convert its amounts.

"""


def text() -> str:
    """Returns the page, in Markdown with a Mermaid graph."""
    return HEAD + "\n".join(["```mermaid", "graph LR", *_edges(), "```", ""])


def write(path: Path) -> None:
    """Writes the page to a file, in UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(), encoding="utf-8")


def _edges() -> Iterator[str]:
    for declaration in sorted(catalog.tables(), key=lambda table: table.name):
        for read in declaration.reads:
            is_plain = read.reach.is_same_day and not (read.reach.by_event or read.reach.by_arrival)
            label = "" if is_plain else f"|{read.reach.name}|"
            yield f"    {read.table} -->{label} {declaration.name}"
        for column in declaration.loose_references:
            yield f"    {column.references} -.-> {declaration.name}"
        for column in declaration.contract.merged:
            yield f"    {column.merged_by} -.->|merges| {declaration.name}"
        for column in declaration.contract.converted:
            yield f"    {column.converted_by} -.-> {declaration.name}"
