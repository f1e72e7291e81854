"""Small warehouses for tests: sessions over a landing zone, without Dagster."""

import datetime as dt
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from ecom_assets import catalog
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog
from ecom_assets.landing.zone import Zone
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import land_shop
from ecom_assets.sql import connect
from ecom_assets.warehouse.ledger.records import DayResult
from ecom_assets.warehouse.session import Session

START = dt.date(2024, 3, 1)
SMALL = Scale(
    orders_per_day=25,
    customers_at_start=60,
    customers_per_day=4,
    products_at_start=25,
    products_per_day=1,
    marketplace_share=0.2,
    dirty_share=0.01,
    quiet_days=(4,),
)


def window(days: int, start: dt.date = START) -> Window:
    """That many days from a start."""
    return Window(start, start + dt.timedelta(days=days - 1))


def small_shop(root: Path, days: int, seed: int = 11) -> Zone:
    """A landing zone with a small shop's files of the first days."""
    zone = Zone(root)
    land_shop(zone, Shop(START, seed=seed, preset=SMALL), window(days))
    return zone


def upstream_of(*goals: str) -> Catalog:
    """The tables named, and all that they are made of."""
    tables = catalog.tables()
    wanted = set(goals).union(*map(tables.upstream, goals))
    return Catalog(declaration for declaration in tables if declaration.name in wanted)


@cache
def publishable(*goals: str) -> Catalog:
    """The tables named, and all that they are made of, without the views beside them, which may read other tables."""
    return Catalog(
        replace(declaration, view=None) if declaration.view else declaration for declaration in upstream_of(*goals)
    )


def session_over(zone: Zone, path: str | Path = ":memory:", tables: Catalog | None = None, **more: Any) -> Session:
    """A session on an empty or standing warehouse file."""
    con = connect(path)
    con.execute("set TimeZone = 'UTC'")
    return Session(con, tables or catalog.tables(), zone, Window(START, dt.date.max), **more)


def run_all(session: Session, days: Window) -> dict[str, list[DayResult]]:
    """Every table over a window, in order."""
    return {name: session.run(name, days) for name in session.catalog.names}


def unexplained(con: duckdb.DuckDBPyConnection, *, missing: bool = True) -> list[Any]:
    """The restated totals whose parts do not add up to the difference; with `missing`, also those without parts."""
    rows = con.execute("""
        with told as (
            select table_name, day, recorded_at, amount - lag(amount) over of_day as difference
            from ledger.amounts window of_day as (partition by table_name, day order by recorded_at)),
        parts as (select table_name, day, recorded_at, sum(amount) as parts from ledger.amount_changes group by all)
        select * from told left join parts using (table_name, day, recorded_at)
        where difference is not null and parts is distinct from difference""").fetchall()
    return [row for row in rows if missing or row[-1] is not None]
