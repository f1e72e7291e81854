"""How many anomalies are noticed that are planted into the files of a real shop, Online Retail.

`python -m bench.real_anomalies FOLDER --save` takes the folder of its export, one file per day, and adds the figures to
ecom_assets/quality/anomalies.json. The export has no headers of orders, payments or events that lines could be compared
with: what is wrong can only show in the files and against the days before.
"""

import datetime as dt
import gzip
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import duckdb
import polars as pl

from bench.anomalies import CHECKS, OF_FILES, add, among, tables
from ecom_assets.cli.land import MAPS
from ecom_assets.days import Window
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.quality.anomalies import FILE, Clean, Kind, Measured, clean_lines, kinds_table
from ecom_assets.shop.draws import generator
from ecom_assets.sources.feed_map import land, load_map
from ecom_assets.sql import connect
from ecom_assets.warehouse.session import Session

MAP = load_map(MAPS / "online_retail.toml")
CALENDAR = Window.parse("2010-12-01..2011-12-09")
FIRST_PLANT, APART, FIRST_JUDGED = 50, 4, 21
"""Files, one for each day of sales."""
SATURDAY = 5
CLOSED = Window.parse("2010-12-24..2011-01-03")
DUE = FeedSettings(
    time_zone=MAP.time_zone or "UTC", due=frozenset(range(7)) - {SATURDAY}, holidays="GB-ENG", closed=frozenset(CLOSED)
)
"""The shop is closed on Saturdays, public holidays and over Christmas."""
NOTHING, AS_BEFORE = "nothing_arrived", "file_of_the_day_before"
MOMENT = "%Y-%m-%d %H:%M:%S"

Change = Callable[[pl.DataFrame, float], pl.DataFrame]


def _times(column: str, factor: float) -> Change:
    return lambda rows, seed: rows.with_columns((pl.col(column).cast(pl.Float64) * factor).round(2).cast(pl.String))


def _later(hours: int) -> Change:
    moment = pl.col("InvoiceDate").str.to_datetime(MOMENT) + dt.timedelta(hours=hours)
    return lambda rows, seed: rows.with_columns(InvoiceDate=moment.dt.strftime(MOMENT))


def _lost(share: float) -> Change:
    def change(rows: pl.DataFrame, seed: float) -> pl.DataFrame:
        invoices = rows["InvoiceNo"].unique(maintain_order=True)
        draws = generator(int(seed), "lost invoices", 0).random(len(invoices))
        return rows.filter(~pl.col("InvoiceNo").is_in(invoices.filter(pl.Series(draws < share)).implode()))

    return change


def _until(hour: int) -> Change:
    return lambda rows, seed: rows.filter(pl.col("InvoiceDate").str.to_datetime(MOMENT).dt.hour() < hour)


CHANGES: Mapping[str, tuple[Change, Change]] = {
    "half_of_the_lines_lost": (_lost(0.5), _lost(0.03)),
    "nine_in_ten_lines_lost": (_lost(0.9), _lost(0.1)),
    "stops_at_noon": (_until(12), _until(20)),
    "prices_off_by_a_factor": (_times("UnitPrice", 100), _times("UnitPrice", 1.005)),
    "another_currency": (_times("UnitPrice", 11.2), _times("UnitPrice", 1.1)),
    "time_zone": (_later(-5), _later(0)),
    "category_vanished": (
        lambda rows, seed: rows.filter(pl.col("Country") != "United Kingdom"),
        lambda rows, seed: rows.filter(pl.col("Country") != "Japan"),
    ),
}
"""What becomes of a day's lines, and of those of its near miss."""
KINDS = [NOTHING, AS_BEFORE, *CHANGES]


def planted_files(export: Path, folder: Path, shift: int) -> dict[tuple[str, bool], list[dt.date]]:
    """Writes the export with plants into a folder. Returns the days of each kind, and of its near miss."""
    files = sorted((export / "by-day").glob("*.csv.gz"))
    turns = cycle([(kind, near) for kind in KINDS for near in (False, True) if not near or kind in CHANGES])
    for _ in range(shift * 5):
        next(turns)
    plants = {place: next(turns) for place in range(FIRST_PLANT + shift, len(files) - 1, APART)}
    found: dict[tuple[str, bool], list[dt.date]] = {}
    for place, file in enumerate(files):
        kind, near = plants.get(place, ("", False))
        day = dt.date.fromisoformat(file.name.partition(".")[0])
        if kind == NOTHING and not DUE.is_due(day):
            kind = ""
        if kind:
            found.setdefault((kind, near), []).append(day)
        if kind in CHANGES:
            rows = pl.read_csv(file, infer_schema=False)
            changed = CHANGES[kind][near](rows, place)
            (folder / file.name).write_bytes(gzip.compress(changed.write_csv().encode()))
        elif kind == AS_BEFORE:
            (folder / file.name).symlink_to(files[place - 1])
        elif kind != NOTHING:
            (folder / file.name).symlink_to(file)
    return found


def built(folder: Path, export: Path) -> duckdb.DuckDBPyConnection:
    """Returns the warehouse of an export."""
    zone = Zone(folder / "landing")
    land(MAP, export, zone)
    for feed in ("orders", "order_items"):
        of_feed = zone.settings(feed)
        zone.save_settings(feed, replace(of_feed, due=DUE.due, holidays=DUE.holidays, closed=DUE.closed))
    con = connect(folder / "warehouse.duckdb")
    con.execute("set TimeZone = 'UTC'; set threads = 1")
    session = Session(con, tables(), zone, CALENDAR, MAP.time_zone or "UTC", currency="GBP")
    for name in session.catalog.names:
        session.run(name, CALENDAR)
    return con


def alarms(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str, dt.date]]:
    """Returns what alarms: table, rule and day."""
    return set(
        con.execute(f"""
            select table_name, rule, day from ledger.findings
            where {among("table_name", CHECKS)} or {among("rule", OF_FILES)}
            union select table_name, 'The day is good.', day from ledger.days
            where state = 'failed' and (table_name like 'bronze.%' or table_name like 'silver.%')""").fetchall()
    )


def measured(export: Path, passes: int) -> tuple[list[Kind], Clean]:
    """Returns the figures of the kinds, and of the export as it is."""
    with TemporaryDirectory(prefix="ecom-anomalies-") as work, closing(built(Path(work), export / "by-day")) as con:
        first = CALENDAR.first + dt.timedelta(days=FIRST_JUDGED)
        untouched = {alarm for alarm in alarms(con) if alarm[2] >= first}
        [(days, of_checks)] = con.execute(f"""
            select count(*), count(*) filter ({among("table_name", CHECKS)}) from ledger.days
            where day >= date '{first}' and ({among("table_name", CHECKS)}
                or table_name in ('bronze.orders', 'bronze.order_items', 'bronze.returns',
                                  'silver.orders', 'silver.order_items', 'silver.returns'))""").fetchall()
    weeks = Counter((day - first).days // 7 for _, _, day in untouched)
    by_rule = Counter(f"{table}: {rule}" for table, rule, _ in untouched)
    clean = Clean("its days as they are", days, of_checks, dict(by_rule.most_common()), max(weeks.values(), default=0))
    tally: dict[str, list[int]] = {}
    for shift in range(passes):
        with TemporaryDirectory(prefix="ecom-anomalies-") as work:
            folder = Path(work, "export")
            folder.mkdir()
            plants = planted_files(export, folder, shift)
            with closing(built(Path(work), folder)) as con:
                told = {day for _, _, day in alarms(con) - untouched}
        for (kind, near), of_kind in plants.items():
            noticed = sum(day in told for day in of_kind)
            add(tally, {kind: [0, 0, len(of_kind), noticed] if near else [len(of_kind), noticed, 0, 0]})
    return [Kind(kind, *tally[kind]) for kind in KINDS if kind in tally], clean


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("export", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--passes", default=2, show_default=True, help="Times that the year is planted, on other days.")
@click.option("--save/--no-save", default=False, help="Add the figures to ecom_assets/quality/anomalies.json.")
def main(export: Path, passes: int, save: bool) -> None:
    """Measures recall, near misses and alarms on the EXPORT of Online Retail."""
    kinds, clean = measured(export, passes)
    click.echo(kinds_table(kinds))
    click.echo("\n".join(clean_lines(clean)))
    if save:
        replace(Measured.load(), real=kinds, clean_real=[clean]).save(FILE)


if __name__ == "__main__":
    main()
