"""How many planted anomalies are noticed, and how many near misses and clean days raise a false alarm.

`python -m bench.anomalies --save` plants each kind at least 300 times, in shops with seeds of their own, and writes the
figures to bench/anomalies.md. Many kinds are planted into each shop, every other day, those of single files beside
others; what follows is judged once all rows have arrived.
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import duckdb
import polars as pl

from ecom_assets import catalog
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.shop.draws import generator
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.anomalies import ASIDE, CORE, KINDS, Anomaly, Changes, Evidence, FeedDay
from ecom_assets.sources.synthetic import encoded, file_name
from ecom_assets.sql import connect, literal
from ecom_assets.warehouse.arriving import AS_PROMISED, HAS_TOTALS, IS_NEW, NOT_OF_DAY_BEFORE
from ecom_assets.warehouse.session import Session
from ecom_assets.warehouse.silver import IS_NOT_REPEATED

START = dt.date(2026, 1, 5)
SCALE = Scale(orders_per_day=100, customers_at_start=500, products_at_start=100)
FIRST_PLANT, APART, DAYS = 60, 2, 420
CLEAN_DAYS = 365
UNLIKE = "kpi.daily_anomalies"
CHECKS = [UNLIKE, "kpi.feed_agreement"]
OF_FILES = [AS_PROMISED, HAS_TOTALS, IS_NEW, NOT_OF_DAY_BEFORE, IS_NOT_REPEATED]
RESULTS = Path(__file__).parent / "anomalies.md"
FIRST_SEED, CLEAN = 5_000, 100_000

Planted = tuple[str, bool, int]
"""Kind, whether it is the near miss, and the day."""


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share by Wilson's score."""
    z, share = 1.96, hits / of
    middle = share + z * z / (2 * of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max((middle - half) / (1 + z * z / of), 0), min((middle + half) / (1 + z * z / of), 1)


def tables() -> Catalog:
    """Returns the checks' tables and what they are made of, with all feeds."""
    every = catalog.tables()
    wanted = set(CHECKS) | {d.name for d in every if d.from_feed}
    wanted |= {name for table in wanted for name in every.upstream(table)}
    return Catalog(declaration for declaration in every if declaration.name in wanted)


def schedule(shop: int, days: int) -> Iterator[tuple[int, list[tuple[Anomaly, bool]]]]:
    """Yields days on which something is planted, with the kinds and whether each is a near miss.

    Faulty files of orders also have later states of the orders of days before, so nothing is planted next to them.
    """
    slots = range(FIRST_PLANT, days - 1, APART)
    turns = [(kind, near) for near in (False, True) for kind in CORE]
    order = generator(shop, "turns", 0).permutation(len(turns))
    core = cycle([turns[n] for n in order])
    aside_turns = [(kind, near) for near in (False, True) for kind in ASIDE]
    aside_order = generator(shop, "turns aside", 0).permutation(len(aside_turns))
    aside = cycle([aside_turns[n] for n in aside_order])
    free = 0
    for number, day in enumerate(slots):
        if number < free:
            continue
        first, second = next(core), next(aside)
        spreads = "orders" in first[0].feeds and not first[1]
        at = slots[number + 1] if spreads and number + 1 < len(slots) else day
        free = number + 3 if spreads else number + 1
        yield at, [first, second] if set(first[0].feeds).isdisjoint(second[0].feeds) else [first]


def land(zone: Zone, shop: Shop, days: int, plants: dict[int, list[tuple[Anomaly, bool]]]) -> None:
    """Lands the files of a shop, with what is planted; reviews come in two files."""
    before = None
    gone: dict[str, list[str]] = {}
    for number in range(days):
        day = START + dt.timedelta(days=number)
        rows = {
            feed: some.filter(~pl.col("order_id").is_in(gone[feed])) if feed in gone else some
            for feed, some in shop.arrivals(day).items()
        }
        files: dict[tuple[str, str], bytes | None] = {
            (feed, file_name(feed, day)): encoded(feed, some) for feed, some in rows.items()
        }
        files["reviews", f"second-{day}.jsonl.gz"] = encoded("reviews", rows["reviews"].clear())
        for kind, near in plants.get(number, []):
            of_day = FeedDay(day, rows, before or rows, shop.seed)
            changes: Changes = (kind.near_miss if near else kind.plant)(of_day)
            files |= changes
            if kind.stays and not near:
                gone.setdefault(kind.feeds[0], []).extend(kind.gone(of_day))
        for (feed, name), data in files.items():
            if data is not None:
                zone.write(feed, day, name, data)
        before = rows


def is_shown(con: duckdb.DuckDBPyConnection, kind: Anomaly, shown: Evidence, day: dt.date) -> bool:
    """Returns whether an anomaly of a day shows in one place."""
    on = day + dt.timedelta(days=shown.days)
    if shown.rows:
        query = f"""
            select count(*) * 4 > (select count(*) from bronze.{kind.feeds[0]} where arrived_on = date '{day}')
            from {shown.table} where arrived_on = date '{day}'"""
    elif shown.table == UNLIKE:
        feeds = ", ".join(map(literal, kind.feeds))
        query = f"""select count(*) > 0 from {UNLIKE} join ledger.findings using (day)
            where day = date '{on}' and feed in ({feeds}) and anomalies = 1 and rule = {literal(shown.rule)}"""
    elif shown.rule:
        query = f"""select count(*) > 0 from ledger.findings
            where table_name = {literal(shown.table)} and day = date '{on}' and rule = {literal(shown.rule)}"""
    else:
        states = "'failed'" if shown.table.startswith("silver") or "nothing" in kind.name else "'provisional'"
        query = f"""select count(*) > 0 from ledger.days
            where table_name = {literal(shown.table)} and day = date '{on}' and state in ({states})"""
    [(found,)] = con.execute(query).fetchall()
    return bool(found)


def built(folder: Path, zone: Zone, days: int) -> duckdb.DuckDBPyConnection:
    """Returns the warehouse of the landed days."""
    con = connect(folder / "warehouse.duckdb")
    con.execute("set TimeZone = 'UTC'; set threads = 1")
    zone.save_settings("reviews", FeedSettings(files=2))
    session = Session(con, tables(), zone, Window(START, dt.date.max))
    window = Window(START, START + dt.timedelta(days=days - 1))
    for name in session.catalog.names:
        session.run(name, window)
    return con


def planted(shop: int, days: int = DAYS) -> dict[str, list[int]]:
    """Returns for each kind, and for its near miss under “near …”, how many were planted and how many were noticed."""
    plants = dict(schedule(shop, days))
    found: dict[str, list[int]] = {}
    with TemporaryDirectory(prefix="ecom-anomalies-") as folder:
        zone = Zone(Path(folder, "landing"))
        land(zone, Shop(START, FIRST_SEED + shop, SCALE), days, plants)
        con = built(Path(folder), zone, days)
        for number, kinds in plants.items():
            day = START + dt.timedelta(days=number)
            for kind, near in kinds:
                tally = found.setdefault(f"near {kind.name}" if near else kind.name, [0, 0])
                tally[0] += 1
                tally[1] += any(is_shown(con, kind, shown, day) for shown in kind.shows)
        con.close()
    return found


def clean(shop: int, days: int = CLEAN_DAYS) -> dict[str, int]:
    """Returns the table-days of a clean shop that were judged, and the false alarms by table and rule."""
    with TemporaryDirectory(prefix="ecom-anomalies-") as folder:
        zone = Zone(Path(folder, "landing"))
        land(zone, Shop(START, FIRST_SEED + shop, SCALE), days, {})
        con = built(Path(folder), zone, days)
        first = START + dt.timedelta(days=21)
        rules, checks = ", ".join(map(literal, OF_FILES)), ", ".join(map(literal, CHECKS))
        alarms = con.execute(f"""
            select table_name || ': ' || rule, count(*) from ledger.findings
            where (table_name in ({checks}) or rule in ({rules})) and day >= date '{first}' group by all""")
        found = dict(alarms.fetchall())
        [(judged,)] = con.execute(f"""
            select count(*) from ledger.days where day >= date '{first}'
            and (table_name in ({checks}) or table_name like 'bronze.%' or table_name like 'silver.%')
        """).fetchall()
        con.close()
    return {**found, "table-days": judged}


def report(found: dict[str, list[int]], clean_days: Counter[str]) -> str:
    """Returns the figures as Markdown."""
    lines = [
        "# Anomalies that are noticed",
        "",
        f"Measured by `python -m bench.anomalies` on {dt.datetime.now(dt.UTC):%Y-%m-%d}, in shops of about "
        f"{SCALE.orders_per_day:.0f} orders a day with seeds that nothing was tuned on. Intervals are Wilson's, 95 %.",
        "",
        "| kind | planted | noticed | recall | interval | near misses | alarms | interval |",
        "| --- | --: | --: | --: | --- | --: | --: | --- |",
    ]
    for kind in KINDS:
        of, hits = found.get(kind.name, [0, 0])
        near, alarms = found.get(f"near {kind.name}", [0, 0])
        if of and near:
            low, high = wilson(hits, of)
            least, most = wilson(alarms, near)
            lines.append(
                f"| `{kind.name}` | {of:,} | {hits:,} | {hits / of:.1%} | {low:.1%} to {high:.1%} "
                f"| {near:,} | {alarms:,} | {least:.1%} to {most:.1%} |"
            )
    alarms = {rule: count for rule, count in clean_days.items() if rule != "table-days"}
    judged, total = clean_days["table-days"], sum(alarms.values())
    if judged:
        low, high = wilson(total, judged)
        lines += [
            "",
            f"In clean shops, over {judged:,} table-days, a campaign included: {total} false alarms, "
            f"{1000 * total / judged:.2f} per 1,000 table-days ({1000 * low:.2f} to {1000 * high:.2f}).",
        ]
        lines += ["", *(f"- {count}: {rule}" for rule, count in sorted(alarms.items()))] if alarms else []
    return "\n".join([*lines, ""])


def add(found: dict[str, list[int]], more: Mapping[str, Sequence[int]]) -> None:
    """Adds the counts of a shop."""
    for name, counts in more.items():
        found[name] = [sum(pair) for pair in zip(found.get(name, [0, 0]), counts, strict=True)]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--shops", default=77, show_default=True, help="Shops with plants; each has 180 days with some.")
@click.option("--first", default=0, show_default=True, help="Number of the first of them.")
@click.option("--clean-shops", default=4, show_default=True, help="Shops of a year without any.")
@click.option("--days", default=DAYS, show_default=True)
@click.option("--processes", default=2, show_default=True)
@click.option("--save/--no-save", default=False, help="Write bench/anomalies.md.")
def main(shops: int, first: int, clean_shops: int, days: int, processes: int, save: bool) -> None:
    """Measures recall, near misses and false alarms of the checks for anomalies."""
    found: dict[str, list[int]] = {}
    clean_days: Counter[str] = Counter()
    with ProcessPoolExecutor(processes) as pool:
        asked: dict[Future[Any], bool] = {pool.submit(clean, CLEAN + shop): False for shop in range(clean_shops)}
        asked |= {pool.submit(planted, shop, days): True for shop in range(first, first + shops)}
        for number, done in enumerate(as_completed(asked), 1):
            if asked[done]:
                add(found, done.result())
            else:
                clean_days.update(done.result())
            text = report(found, clean_days)
            click.echo(f"{number} of {len(asked)} shops", err=True)
            if save:
                RESULTS.write_text(text)
    click.echo(text)


if __name__ == "__main__":
    main()
