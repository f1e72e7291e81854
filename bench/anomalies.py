"""How many planted anomalies are noticed, and how many near misses and clean days raise a false alarm.

`python -m bench.anomalies --save` plants each kind 300 times, in 43 shops with seeds of their own, and writes the
figures to ecom_assets/quality/anomalies.json. Into each shop many kinds are planted, days apart; they are judged once
all rows have arrived. Clean years are judged then too, and each day as it is first seen, without what arrives after it.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from itertools import cycle, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import duckdb
import polars as pl
import polars.selectors as cs

from ecom_assets import catalog
from ecom_assets.contract import contract
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog
from ecom_assets.kpi._profiles import ALL, AMOUNTS, DELAY, HOUR, LATEST, ROWS
from ecom_assets.kpi.daily_anomalies import DailyAnomalies
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.quality.anomalies import FILE, SETTLED_AFTER, Clean, Kind, Measured, clean_lines, kinds_table
from ecom_assets.shop.draws import generator
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.anomalies import ASIDE, CORE, KINDS, OF_EVENTS, Anomaly, Changes, Evidence, FeedDay
from ecom_assets.sources.synthetic import encoded, file_name
from ecom_assets.sql import connect, literal
from ecom_assets.warehouse.arriving import AS_PROMISED, HAS_TOTALS, IS_COMPLETE, IS_NEW, NOT_OF_DAY_BEFORE
from ecom_assets.warehouse.session import Session
from ecom_assets.warehouse.silver import IS_NOT_REPEATED

START = dt.date(2026, 1, 5)
SCALE = Scale(orders_per_day=100, customers_at_start=500, products_at_start=100)
FIRST_PLANT, APART, GAP, EVENTS_APART, DAYS = 60, 2, 6, 8, 600
ALONE = ("inventory_movements", "reviews")
"""Feeds whose rows do not wait for orders."""
TIMES = 2
"""How often a kind is planted for each near miss."""
UNLIKE, AGREEMENT = "kpi.daily_anomalies", "kpi.feed_agreement"
CHECKS = [UNLIKE, AGREEMENT]
OF_FILES = [AS_PROMISED, HAS_TOTALS, IS_COMPLETE, IS_NEW, NOT_OF_DAY_BEFORE, IS_NOT_REPEATED]
FIRST_SEED, CLEAN_SEED = 20_000, 110_000
CLEAN_DAYS, FIRST_JUDGED, QUIET = 365 + SETTLED_AFTER, 21, 200
ZONE = "Europe/Berlin"
HOLIDAYS = tuple(
    (dt.date.fromisoformat(day) - START).days
    for day in (
        *("2026-04-03", "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-25"),
        *("2026-10-03", "2026-12-25", "2026-12-26", "2027-01-01"),
    )
)


def among(column: str, texts: Iterable[str]) -> str:
    """Returns the condition that a column has one of some texts."""
    return f"{column} in ({', '.join(map(literal, texts))})"


ABOUT = {
    rule.sentence: condition
    for name, condition in {
        "as_many_rows_as_usual": f"measure = {literal(ROWS)} and category = {literal(ALL)}",
        "no_category_vanished": f"measure = {literal(ROWS)} and category <> {literal(ALL)}",
        "amounts_of_the_usual_size": among("measure", AMOUNTS),
        "hours_as_usual": f"measure in ({literal(HOUR)}, {literal(LATEST)})",
        "delay_as_usual": f"measure = {literal(DELAY)}",
    }.items()
    for rule in contract(DailyAnomalies).soft_rules
    if rule.id == name
}
"""The rows of kpi.daily_anomalies that a rule is about, as a condition."""


def tables(kinds: Sequence[Anomaly] = KINDS) -> Catalog:
    """Returns the checks' tables, those of the feeds of some kinds, and what all are made of."""
    every = catalog.tables()
    feeds = {feed for kind in kinds for feed in kind.feeds}
    wanted = set(CHECKS) | {d.name for d in every if d.from_feed and d.feed_name in feeds}
    wanted |= {name for table in wanted for name in every.upstream(table)}
    return Catalog(declaration for declaration in every if declaration.name in wanted)


def schedule(shop: int, days: int) -> dict[int, list[tuple[Anomaly, bool]]]:
    """Returns the days on which something is planted, with the kinds and whether each is a near miss.

    Faulty files of orders also have later states of the orders of days before, and what is lost with them is missed by
    other feeds for days, so these come together, with days between them and all else. Events of a day in eight are
    faulty, on days between.
    """
    lost = [kind for kind in CORE if kind.feeds == ("orders",) and kind.stays]
    faulty = [kind for kind in CORE if kind.feeds == ("orders",) and not kind.stays]
    others = [kind for kind in CORE if kind not in (*lost, *faulty)]
    groups = [
        [*((kind, False) for kind in others * TIMES), *((kind, True) for kind in CORE)],
        [(kind, False) for kind in faulty * TIMES],
        [(kind, False) for kind in lost * TIMES],
    ]
    aside, of_events = (cycle(_shuffled(shop, 0, turns(kinds))) for kinds in (ASIDE, OF_EVENTS))
    found: dict[int, list[tuple[Anomaly, bool]]] = {}
    last = days - SETTLED_AFTER
    day, round_ = FIRST_PLANT, 0
    while day < last:
        for plants in groups:
            beside = set(ALONE) if plants is not groups[0] else {feed for kind in ASIDE for feed in kind.feeds}
            for first in _shuffled(shop, round_, plants):
                free = beside - set(first[0].feeds)
                found[day] = [first, next(second for second in aside if free.issuperset(second[0].feeds))]
                day += APART
            day += GAP
        round_ += 1
    found |= {day: [next(of_events)] for day in range(FIRST_PLANT + 1, last, EVENTS_APART)}
    return {day: kinds for day, kinds in sorted(found.items()) if day < last}


def turns(kinds: Sequence[Anomaly]) -> list[tuple[Anomaly, bool]]:
    """Returns how often each kind is planted, and its near miss."""
    return [(kind, near) for near in (*[False] * TIMES, True) for kind in kinds]


def _shuffled(shop: int, round_: int, some: Sequence[tuple[Anomaly, bool]]) -> list[tuple[Anomaly, bool]]:
    return [some[n] for n in generator(shop, f"order of {some[0][0].name}", round_).permutation(len(some))]


def on_local_clocks(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns rows whose moments are meant as local time, which goes forward and back in the year, as UTC."""
    local = cs.datetime().dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null")
    winter = cs.datetime().dt.offset_by("-1h").dt.replace_time_zone("UTC")
    names = rows.select(cs.datetime()).columns
    moved = rows.select(local.dt.convert_time_zone("UTC"))
    fallback = rows.select(winter)
    return rows.with_columns(
        moved[name].fill_null(fallback[name]).dt.replace_time_zone(None).alias(name) for name in names
    )


@dataclass
class Landing:
    """Lands the files of a shop day by day, with what is planted; reviews come in two files."""

    zone: Zone
    shop: Shop
    feeds: frozenset[str]
    events: Mapping[str, str] = field(default_factory=dict)
    """The moment of an event by feed; rows that arrive after their day do not land."""
    is_local: bool = False

    def __post_init__(self) -> None:
        self.zone.save_settings("reviews", FeedSettings(files=2))
        self._before: dict[str, pl.DataFrame] | None = None
        self._gone: dict[str, list[str]] = {}

    def land(self, day: dt.date, plants: Sequence[tuple[Anomaly, bool]] = ()) -> None:
        """Lands the files of a day."""
        arrived = {
            feed: some.filter(pl.col(self.events[feed]).dt.date() >= day) if feed in self.events else some
            for feed, some in self.shop.arrivals(day).items()
            if feed in self.feeds
        }
        rows = {
            feed: some.filter(~pl.col("order_id").is_in(self._gone[feed])) if feed in self._gone else some
            for feed, some in (
                {feed: on_local_clocks(some) for feed, some in arrived.items()} if self.is_local else arrived
            ).items()
        }
        files: dict[tuple[str, str], bytes | None] = {
            (feed, file_name(feed, day)): encoded(feed, some) for feed, some in rows.items()
        }
        files["reviews", f"second-{day}.jsonl.gz"] = encoded("reviews", rows["reviews"].clear())
        for kind, near in plants:
            of_day = FeedDay(day, rows, self._before or rows, self.shop.seed)
            changes: Changes = (kind.near_miss if near else kind.plant)(of_day)
            files |= changes
            if kind.stays and not near:
                self._gone.setdefault(kind.feeds[0], []).extend(kind.gone(of_day))
        for (feed, name), data in files.items():
            if data is not None:
                self.zone.write(feed, day, name, data)
        self._before = rows


def session_over(zone: Zone, folder: Path, of: Catalog, time_zone: str = "UTC") -> Session:
    """Returns a session on an empty warehouse."""
    con = connect(folder / "warehouse.duckdb")
    con.execute("set TimeZone = 'UTC'; set threads = 1")
    return Session(con, of, zone, Window(START, dt.date.max), time_zone)


def days_shown(con: duckdb.DuckDBPyConnection, kind: Anomaly, shown: Evidence) -> set[dt.date]:
    """Returns the arrival days of which a kind of anomaly shows in one place."""
    feed = kind.feeds[0]
    if shown.rows:
        query = f"""
            select arrived_on from {shown.table} join
                (select arrived_on, count(*) as arrived from bronze.{feed} group by all) using (arrived_on)
            group by arrived_on, arrived having count(*) * 4 > arrived"""
    elif shown.table == UNLIKE:
        query = f"""
            select distinct day from {UNLIKE} where anomalies = 1 and {among("feed", kind.feeds)}
            and {ABOUT[shown.rule]}"""
    elif shown.rule:
        query = f"""
            select day from ledger.findings
            where table_name = {literal(shown.table)} and rule = {literal(shown.rule)}"""
    elif shown.table.startswith("silver"):
        quarantine = shown.table.replace("silver", "quarantine")
        query = f"""
            select day from ledger.days join {quarantine} on event_on = day
            where table_name = {literal(shown.table)} and state = 'failed'
            group by day having 2 * count(*) filter (arrived_on = day) >= count(*)"""
    else:
        state = "failed" if "nothing" in kind.name else "provisional"
        query = f"select day from ledger.days where table_name = {literal(shown.table)} and state = {literal(state)}"
    return {day - dt.timedelta(days=shown.days) for (day,) in con.execute(query).fetchall()}


def days_noticed(con: duckdb.DuckDBPyConnection, kind: Anomaly) -> set[dt.date]:
    """Returns the arrival days on which a kind of anomaly is noticed, in any of its places."""
    return set().union(*(days_shown(con, kind, shown) for shown in kind.shows))


def planted(seed: int, days: int = DAYS) -> dict[str, list[int]]:
    """Returns for each kind how many were planted and noticed, and how many near misses there were and alarmed."""
    plants, of = schedule(seed, days), tables()
    found: dict[str, list[int]] = {}
    with TemporaryDirectory(prefix="ecom-anomalies-") as folder:
        zone = Zone(Path(folder, "landing"))
        landing = Landing(zone, Shop(START, seed, SCALE), frozenset(d.feed_name for d in of if d.is_bronze))
        for number in range(days):
            landing.land(START + dt.timedelta(days=number), plants.get(number, []))
        session = session_over(zone, Path(folder), of)
        for name in of.names:
            session.run(name, Window(START, START + dt.timedelta(days=days - 1)))
        noticed = {kind.name: days_noticed(session.con, kind) for kind in KINDS}
        session.con.close()
    for number, kinds in plants.items():
        for kind, near in kinds:
            tally = found.setdefault(kind.name, [0, 0, 0, 0])
            tally[2 * near] += 1
            tally[2 * near + 1] += START + dt.timedelta(days=number) in noticed[kind.name]
    return found


def clean(seed: int, is_first: bool, days: int = CLEAN_DAYS) -> tuple[Clean, dict[str, list[int]]]:
    """Returns the false alarms of a year of a clean shop, and by kind the clean table-days and those that alarm.

    It has a campaign, public holidays with few orders, a day without any, and clocks that change twice. If each day `is
    first` seen, rows and later states that arrive after their day are left out; otherwise all have arrived.
    """
    of = tables()
    first, last = START + dt.timedelta(days=FIRST_JUDGED), START + dt.timedelta(days=days - SETTLED_AFTER)
    with TemporaryDirectory(prefix="ecom-anomalies-") as folder:
        zone = Zone(Path(folder, "landing"))
        events = {d.feed_name: d.feed_contract.event_column for d in of if d.is_bronze and not d.is_of_members}
        landing = Landing(
            zone,
            Shop(START, seed, replace(SCALE, slow_days=HOLIDAYS, quiet_days=(QUIET,))),
            frozenset(d.feed_name for d in of if d.is_bronze),
            events if is_first else {},
            is_local=True,
        )
        for number in range(days):
            landing.land(START + dt.timedelta(days=number))
        session = session_over(zone, Path(folder), of, ZONE)
        for name in of.names:
            session.run(name, Window(START, START + dt.timedelta(days=days - 1)))
        judged = f"day between date '{first}' and date '{last}'"
        con = session.con
        alarms = con.execute(f"""
            select table_name, rule, day from ledger.findings
            where ({among("table_name", CHECKS)} or {among("rule", OF_FILES)}) and {judged}
            union select table_name, 'The day is good.', day from ledger.days
            where state in ('failed', 'blocked') and {judged}""").fetchall()
        table_days = dict(
            con.execute(f"""
                select table_name, count(*) from ledger.days
                where ({among("table_name", CHECKS)} or table_name like 'bronze.%' or table_name like 'silver.%')
                and {judged} group by all""").fetchall()
        )
        tally = {
            kind.name: [
                sum(table_days.get(table, 0) for table in tables_of(kind)),
                sum(first <= day <= last for day in days_noticed(con, kind)),
            ]
            for kind in KINDS
        }
        con.close()
    per_week = Counter((day - START).days // 7 for table, rule, day in alarms)
    found = Clean(
        "each day as first seen" if is_first else "all rows arrived",
        sum(table_days.values()),
        sum(table_days.get(table, 0) for table in CHECKS),
        dict(Counter(f"{table}: {rule}" for table, rule, _ in alarms)),
        max(per_week.values(), default=0),
    )
    return found, tally


def tables_of(kind: Anomaly) -> set[str]:
    return {shown.table.replace("quarantine", "silver").replace("superseded", "silver") for shown in kind.shows}


def add(found: dict[str, list[int]], more: Mapping[str, Sequence[int]]) -> None:
    """Adds the counts of a shop."""
    for name, counts in more.items():
        found[name] = [sum(pair) for pair in zip(found.get(name, [0] * len(counts)), counts, strict=True)]


def together(years: Sequence[Clean]) -> Clean:
    """Returns the figures of clean years, all judged at the same age, as one."""
    alarms: Counter[str] = Counter()
    for year in years:
        alarms.update(year.alarms)
    return Clean(
        years[0].judged,
        sum(year.table_days for year in years),
        sum(year.days_of_checks for year in years),
        dict(alarms.most_common()),
        max(year.most_in_a_week for year in years),
    )


def _judged(year: Clean) -> str:
    return year.judged


def measured(
    seeds: Sequence[int],
    found: Mapping[str, Sequence[int]],
    years: Sequence[Clean],
    of_clean: Mapping[str, Sequence[int]],
) -> Measured:
    """Returns the figures of all shops so far."""
    kinds = [
        Kind(kind.name, *found[kind.name], *of_clean.get(kind.name, (0, 0))) for kind in KINDS if kind.name in found
    ]
    return Measured(
        measured_on=str(dt.datetime.now(dt.UTC).date()),
        shop=f"about {SCALE.orders_per_day:.0f} orders a day",
        seeds=list(seeds),
        kinds=kinds,
        clean=[together(list(of_age)) for _, of_age in groupby(sorted(years, key=_judged), _judged)],
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--shops", default=43, show_default=True, help="Shops with plants; each has 250 days with some.")
@click.option("--first", default=FIRST_SEED, show_default=True, help="Seed of the first of them.")
@click.option("--clean-shops", default=1, show_default=True, help="Shops of a year without any.")
@click.option("--days", default=DAYS, show_default=True)
@click.option("--processes", default=2, show_default=True)
@click.option("--save/--no-save", default=False, help="Write ecom_assets/quality/anomalies.json.")
def main(shops: int, first: int, clean_shops: int, days: int, processes: int, save: bool) -> None:
    """Measures recall, near misses and false alarms of the checks for anomalies."""
    found: dict[str, list[int]] = {}
    of_clean: dict[str, list[int]] = {}
    years: list[Clean] = []
    done_seeds: list[int] = []
    figures = None
    with ProcessPoolExecutor(processes) as pool:
        asked: dict[Future[Any], int] = {
            pool.submit(clean, CLEAN_SEED + shop, is_first): 0
            for shop in range(clean_shops)
            for is_first in (False, True)
        }
        asked |= {pool.submit(planted, seed, days): seed for seed in range(first, first + shops)}
        for number, done in enumerate(as_completed(asked), 1):
            if seed := asked[done]:
                add(found, done.result())
                done_seeds = sorted([*done_seeds, seed])
            else:
                year, of_kinds = done.result()
                years.append(year)
                add(of_clean, of_kinds)
            click.echo(f"{number} of {len(asked)} shops", err=True)
            if done_seeds:
                figures = measured(done_seeds, found, years, of_clean)
                if save:
                    figures.save(FILE)
    if figures:
        click.echo(kinds_table(figures.kinds))
    for year in figures.clean if figures else ():
        click.echo("\n".join(clean_lines(year)))


if __name__ == "__main__":
    main()
