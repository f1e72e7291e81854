"""Commands that read what was last published."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import click

from ecom_assets import settings
from ecom_assets.cli import text
from ecom_assets.cli.group import Days
from ecom_assets.days import Window

if TYPE_CHECKING:
    import duckdb


@click.command("bad")
def bad() -> None:
    """List failed, blocked and partial days, and days with conflicts, by their first cause, and what helps.

    A partial day was made without the rows of an input. A conflict is a row that was superseded by one of another
    customer, moment or order, though their key is the same. Reads what was last published.
    """
    from ecom_assets.serving.bad_days import about_quiet_days, advice, bad_days_of, quiet_days, stale_count
    from ecom_assets.serving.snapshot import open_snapshot

    with open_snapshot(settings.load().snapshot) as con:
        found, quiet, stale = bad_days_of(con), quiet_days(con), stale_count(con)
    for line in [*text.bad_days(found), *(about_quiet_days(days) for days in [quiet] if days), *advice(found, stale)]:
        click.echo(line)


@click.command("quarantine")
@click.argument("table", required=False)
@click.option("--rows", "most", type=click.IntRange(min=1), help="Show this many rows of TABLE.")
def quarantine(table: str | None, most: int | None) -> None:
    """Count quarantined rows by table and reason.

    With TABLE, e.g. orders, only its rows. Reads what was last published.
    """
    from ecom_assets.serving.quarantine import reason_counts, rows, unreadable_counts

    snapshot = settings.load().snapshot
    if most and not table:
        raise click.UsageError("Give the table whose rows to show, e.g. ecom quarantine orders --rows 5.")
    for line in text.quarantine_counts([*reason_counts(snapshot, table), *unreadable_counts(snapshot, table)]):
        click.echo(line)
    if table and most:
        for line in text.quarantined_rows(rows(snapshot, table, most)):
            click.echo(line)


@click.command("detection")
@click.option("--by-day", is_flag=True, help="Show each feed and arrival day too, the newest first.")
def detection(by_day: bool) -> None:
    """Count planted defects and those that the checks caught.

    The synthetic shop plants them, and records which. Reads what was last published. Anomalies of whole files and days
    are shown as they were measured for this release, by python -m bench.anomalies.
    """
    from ecom_assets import catalog
    from ecom_assets.quality.anomalies import Measured, unusual_days
    from ecom_assets.quality.detection import NO_TRUTH, measured
    from ecom_assets.serving.snapshot import open_snapshot

    known = settings.load()
    with open_snapshot(known.snapshot) as con:
        found = measured(con, known.truth, catalog.tables())
        unusual = unusual_days(con)
    for line in text.detection(found, by_day) if found else [NO_TRUTH]:
        click.echo(line)
    for line in text.anomalies(Measured.load(), unusual, found is not None):
        click.echo(line)


@click.command("why")
@click.argument("table")
@click.argument("day", type=Days())
def why(table: str, day: Window) -> None:
    """Say why the total of TABLE on DAY has changed, e.g. kpi.daily_sales 2024-03-02.

    Each change is split into late rows, corrections, retractions and the like, with the files and keys behind them. The
    parts add up to the change. kpi.restatements has them for all tables. Reads what was last published.
    """
    from ecom_assets.serving.snapshot import open_snapshot
    from ecom_assets.serving.why import history

    if len(day) > 1:
        raise click.UsageError("Give one day, e.g. 2024-03-02.")
    name = table.replace("/", ".")
    with open_snapshot(settings.load().snapshot) as con:
        found = history(con, name, day.first)
    for line in text.why(name, day.first, found):
        click.echo(line)


@click.command("predict")
@click.argument(
    "what",
    metavar="[LIST]",
    type=click.Choice(["risk", "reorder", "offers", "review", "budget", "models", "truth"]),
    default="models",
)
@click.option(
    "--rows", "most", default=20, show_default=True, type=click.IntRange(min=1), help="The most rows to show."
)
def predict(what: str, most: int) -> None:
    """Show what is predicted: a list to act on.

    LIST is risk (customers who are overdue), reorder (products), offers (products for customers), review (orders that
    may be fraud), budget (of channels) or models (what was fitted, and how it scored), the default; or truth: how far
    predictions are right by what the synthetic shop records about itself, beside naive ones.
    """
    from ecom_assets.quality.truth_scores import NO_TRUTH, scored
    from ecom_assets.serving.predictions import LISTS, rows_of
    from ecom_assets.serving.snapshot import open_snapshot

    if what == "truth":
        known = settings.load()
        with open_snapshot(known.snapshot) as con:
            scores = scored(con, known.truth)
        for line in [NO_TRUTH] if scores is None else text.truth_scores(scores):
            click.echo(line)
        return
    with open_snapshot(settings.load().snapshot) as con:
        found = rows_of(con, what, most)
        click.echo(f"{LISTS[what].title}:")
        found.show(max_rows=most, max_width=1_000)


@click.command("query")
@click.argument("file", metavar="FILE", type=click.File(encoding="utf-8"))
@click.option("--warehouse", is_flag=True, help="Query the warehouse itself; no run may have it open.")
@click.option("--today", "of_today", is_flag=True, help="Query what ecom today has made of the running day.")
def query(file: TextIO, warehouse: bool, of_today: bool) -> None:
    """Run the SQL in FILE on the snapshot.

    FILE is for example analyses/shop/best_sellers.sql, or - for standard input.
    """
    import duckdb

    try:
        sql = file.read()
        with _open(warehouse, of_today) as con:
            statements = con.extract_statements(sql)
            is_query = statements and statements[-1].expected_result_type != [duckdb.ExpectedResultType.NOTHING]
            answer = con.sql(sql) if is_query else None
            if answer is None:
                raise click.ClickException(f"{file.name} returns no rows: the last statement must be a query.")
            answer.show(max_rows=1_000, max_width=1_000)
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file.name} is not text in UTF-8: {error}") from error
    except duckdb.CatalogException as error:
        hint = (
            ""
            if warehouse
            else "\nThe snapshot holds gold, kpi, features, predictions, quarantine and ledger; see --warehouse."
        )
        raise click.ClickException(f"{error}{hint}") from error
    except duckdb.Error as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _open(warehouse: bool, of_today: bool) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Opens a read-only connection to the warehouse, the file of the running day or the snapshot."""
    from ecom_assets.serving.snapshot import open_snapshot
    from ecom_assets.sql import connect

    known = settings.load()
    if warehouse and not known.warehouse.exists():
        raise click.ClickException(f"{known.warehouse} does not exist yet: nothing has run. Any run makes it.")
    if of_today and not known.so_far.exists():
        raise click.ClickException(f"{known.so_far} does not exist yet: ecom today makes it.")
    published = known.so_far if of_today else known.snapshot
    with connect(known.warehouse, read_only=True) if warehouse else open_snapshot(published) as con:
        yield con


@click.command("report")
def report() -> None:
    """Show the shop's measures compared with the days before."""
    text.show_report()
